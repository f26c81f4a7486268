"""Steady states of rate equations: populations, currents and production against exact ones."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from derivatives import check_derivative

from entropax._precision import EPS
from entropax.linalg.rate_equation import RateEquation, RateSteady, steady_rates

Array = np.ndarray

DIGITS = 120
steady = jax.jit(steady_rates)


class Network:
    """Rates g/(1 - e^-x) down and g e^-x/(1 - e^-x) up, x = beta (e_j - e_i), in many digits.

    `strengths`: g of each bath above the diagonal, 0 where it has no link.
    """

    def __init__(self, energies: Array, beta: Array, strengths: Array):
        self.energies = [mp.mpf(float(e)) for e in energies]
        self.rates = []
        plain, ratios = np.zeros_like(strengths), np.full_like(strengths, np.nan)
        with mp.workdps(DIGITS):
            for bath, g in enumerate(strengths):
                rates = mp.matrix(len(energies), len(energies))
                for i, j in np.argwhere(g > 0).tolist():
                    x = mp.mpf(float(beta[bath])) * (self.energies[j] - self.energies[i])
                    rates[i, j] = mp.mpf(float(g[i, j])) / -mp.expm1(-x)
                    rates[j, i] = rates[i, j] * mp.exp(-x)
                    plain[bath, i, j], plain[bath, j, i] = map(float, (rates[i, j], rates[j, i]))
                    ratios[bath, i, j], ratios[bath, j, i] = float(x), -float(x)
                self.rates.append(rates)
        self.equation = RateEquation(jnp.asarray(plain), jnp.asarray(ratios))
        bias = np.min(np.abs(np.diff(np.sort(beta)) / np.sort(beta)[:-1]), initial=np.inf)
        self.tolerance = max(1e-11, 4 * EPS / bias)

    def check(self) -> None:
        """Every population to 1e-14; heat flow and production of every bath to 1e-11, or to what
        the rounding of x, which is given, makes of the small difference of two temperatures.

        What is produced at zero temperature is not looked at: it is infinite.
        """
        found = steady(self.equation)
        assert bool(found.is_unique)
        with mp.workdps(DIGITS):
            p = self.populations()
            for ours, exact in zip(found.populations, p, strict=True):
                assert_near(ours, exact, 1e-14)
            if len(self.rates) == 1:
                np.testing.assert_array_equal(found.currents, 0.0)
                np.testing.assert_array_equal(found.production, 0.0)
                return
            for bath, rates in enumerate(self.rates):
                heat, produced = self.flows(rates, p)
                ours = self.heat(np.asarray(found.currents[bath]))
                assert_near(ours, heat, self.tolerance)
                if not np.any(np.isinf(self.equation.log_ratios[bath])):
                    assert_near(found.production[bath], produced, self.tolerance)

    def populations(self) -> Any:
        """By LU, where one row says that they add up to 1."""
        total = sum(self.rates[1:], self.rates[0].copy())
        size = total.rows
        for j in range(size):
            total[j, j] = -sum(total[i, j] for i in range(size) if i != j)
        for j in range(size):
            total[0, j] = 1
        one = mp.matrix(size, 1)
        one[0] = 1
        return mp.lu_solve(total, one)

    def heat(self, currents: Any) -> Any:
        """What each link brings times how high it goes."""
        size = len(self.energies)
        return sum(
            mp.mpf(currents[i, j]) * (self.energies[i] - self.energies[j])
            for i in range(size)
            for j in range(i + 1, size)
        )

    def flows(self, rates: Any, p: Any) -> tuple[Any, Any]:
        size = rates.rows
        net, produced = mp.matrix(size, size), mp.mpf(0)
        for i in range(size):
            for j in range(i + 1, size):
                forth, back = rates[i, j] * p[j], rates[j, i] * p[i]
                net[i, j] = forth - back
                if forth > 0 and back > 0:
                    produced += net[i, j] * mp.log(forth / back)
        return self.heat(net), produced


def assert_near(found: Any, exact: Any, tolerance: float) -> None:
    error = abs(mp.mpf(found if isinstance(found, mp.mpf) else float(found)) - exact)
    assert error <= tolerance * abs(exact), (mp.nstr(exact, 17), mp.nstr(error / exact, 3))


def drawn(seed: list[int], levels: int, baths: int) -> Network:
    """The first bath links all states, others some."""
    rng = np.random.default_rng(seed)
    energies = np.sort(rng.uniform(0.0, 3.0, levels))
    beta = np.exp(rng.uniform(np.log(0.5), np.log(130.0), baths))
    size = 10.0 ** rng.uniform(-30.0, 0.0, (baths, 1, 1))
    strengths = np.triu(size * 10.0 ** rng.uniform(-3.0, 0.0, (baths, levels, levels)), 1)
    left_out = rng.uniform(size=strengths.shape) < 0.3
    left_out[0] = left_out[:, 0, 1] = False
    return Network(energies, beta, np.where(left_out, 0.0, strengths))


@pytest.mark.parametrize("baths", [1, 2, 3])
@pytest.mark.parametrize("levels", [2, 3, 4, 5])
def test_random_networks_are_solved_to_relative_accuracy(levels: int, baths: int) -> None:
    """However cold, and however far rates lie apart: by 30 orders from bath to bath."""
    for seed in range(4):
        drawn([levels, baths, seed], levels, baths).check()


HARD = {
    # of each, 0-1, 0-2, 1-2
    "a strong cold bath beside a weak warm one": (
        (0.0, 0.17, 2.58),
        (64.0, 2.0),
        ((3e-3, 5e-4, 1e-3), (1e-12, 0.0, 1e-11)),
    ),
    "levels much closer than others": (
        (0.0, 0.2334, 0.2335),
        (73.0, 2.0),
        ((8e-7, 3e-6, 1e-5), (4e-13, 1e-12, 1e-12)),
    ),
    "a weak cold bath at the upper level": (
        (0.0, 2.39, 2.98),
        (1.4, 104.0),
        ((3e-20, 5e-21, 3e-22), (0.0, 1e-11, 5e-10)),
    ),
    "a bath at zero temperature": (
        (0.0, 0.1, 4.0),
        (1.0, np.inf),
        ((0.01, 0.0025, 0.005), (0.01, 0.0025, 0.005)),
    ),
    "a bath so cold that rates underflow": (
        (0.0, 0.1, 4.0),
        (1.0, 1000.0),
        ((0.01, 0.0025, 0.005), (0.01, 0.0025, 0.005)),
    ),
    "a bias of a millionth": ((0.0, 1.0, 1.75), (1.0, 1.0 + 2.0**-20), ((0.3,) * 3, (0.2,) * 3)),
}


@pytest.mark.parametrize("name", HARD)
def test_net_currents_far_below_what_flows_both_ways(name: str) -> None:
    energies, beta, links = HARD[name]
    strengths = np.zeros((2, 3, 3))
    for bath, (first, second, third) in enumerate(links):
        strengths[bath] = [[0.0, first, second], [0.0, 0.0, third], [0.0, 0.0, 0.0]]
    Network(np.array(energies), np.array(beta), strengths).check()


def test_states_are_the_same_in_any_unit_of_time() -> None:
    rates, ratios = drawn([3, 2, 0], 3, 2).equation
    found, fast = steady(RateEquation(rates, ratios)), steady(RateEquation(2.0**30 * rates, ratios))
    np.testing.assert_allclose(fast.populations, found.populations, rtol=1e-15)
    np.testing.assert_allclose(fast.currents, 2.0**30 * found.currents, rtol=1e-14)


def one_way(*links: tuple[int, int], size: int = 4) -> RateEquation:
    """Jumps from j to i at the rate 0.5 through one bath, without a way back."""
    rates = np.zeros((1, size, size))
    for i, j in links:
        rates[0, i, j] = 0.5
    return RateEquation(jnp.asarray(rates), jnp.full(rates.shape, jnp.nan))


def test_two_closed_classes_have_no_one_state() -> None:
    """Apart; or fed by a third, which empties into both. A way from one to the other is enough."""
    pairs = ((0, 1), (1, 0), (2, 3), (3, 2))
    assert not bool(steady(one_way(*pairs)).is_unique)
    assert not bool(steady(one_way((0, 1), (2, 1), (1, 3))).is_unique)
    assert bool(steady(one_way(*pairs, (0, 2))).is_unique)
    assert not bool(steady(one_way()).is_unique)


def test_one_state_that_nothing_leaves_takes_all() -> None:
    """As the ground state at zero temperature, however it is numbered; then nothing flows."""
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        a, b, c, d = order
        found = steady(one_way((a, b), (a, c), (b, c), (c, d)))
        assert bool(found.is_unique)
        np.testing.assert_array_equal(found.populations, np.eye(4)[a])
        np.testing.assert_array_equal(found.currents, 0.0)
        np.testing.assert_array_equal(found.production, 0.0)


def test_a_ring_without_a_way_back_keeps_its_current() -> None:
    """Populations 1/rate; of what has no reverse the production is infinite."""
    rates = np.array([0.5, 2.0, 0.25])
    ring = np.zeros((1, 3, 3))
    for j, rate in enumerate(rates):
        ring[0, (j + 1) % 3, j] = rate
    found = steady(RateEquation(jnp.asarray(ring), jnp.full(ring.shape, jnp.nan)))
    np.testing.assert_allclose(found.populations, (1 / rates) / np.sum(1 / rates), rtol=1e-15)
    current = 1.0 / np.sum(1.0 / rates)
    np.testing.assert_allclose(found.currents[0], current * (np.sign(ring[0] - ring[0].T)))
    assert float(found.production[0]) == np.inf


def machine(energies: jax.Array, beta: jax.Array, strength: jax.Array) -> RateEquation:
    """Three levels, all linked by two baths, as a function of all that it is made of."""
    x = beta[:, None, None] * (energies[None, None, :] - energies[None, :, None])
    link = ~jnp.eye(3, dtype=bool)
    size = jnp.where(link, jnp.abs(x), 1.0)
    rates = strength[:, None, None] * size / -jnp.expm1(-size) * jnp.exp(jnp.minimum(x, 0.0))
    return RateEquation(jnp.where(link, rates, 0.0), jnp.where(link, x, jnp.nan))


@functools.partial(jax.jit, static_argnames="what")
def number(energies: jax.Array, beta: jax.Array, strength: jax.Array, what: str) -> jax.Array:
    found = steady_rates(machine(energies, beta, strength))
    if what == "heat":
        risen = energies[:, None] - energies[None, :]
        return 0.5 * jnp.sum(found.currents[0] * risen)
    return {"population": found.populations[1], "production": jnp.sum(found.production)}[what]


POINT = np.array([0.0, 0.7, 1.9]), np.array([1.0, 2.5]), np.array([0.3, 0.5])
EQUAL = POINT[0], np.array([2.0, 2.0]), POINT[2]
ALONG = np.array([0.0, 0.4, -0.3]), np.array([0.5, -0.2]), np.array([0.1, 0.2])


@pytest.mark.parametrize("what", ["population", "heat", "production"])
def test_derivatives_forward_and_reverse(what: str) -> None:
    check_derivative(functools.partial(number, what=what), POINT, ALONG)


@pytest.mark.parametrize("what", ["population", "heat", "production"])
def test_derivatives_where_nothing_flows(what: str) -> None:
    """At equal temperatures, where a production is least."""
    check_derivative(functools.partial(number, what=what), EQUAL, ALONG)


def test_production_is_least_at_equal_temperatures() -> None:
    """Zero with zero slope; its curvature is the difference of slopes beside it."""

    def produced(bias: jax.Array) -> jax.Array:
        energies, beta, strength = map(jnp.asarray, EQUAL)
        return number(energies, beta + bias * jnp.array([1.0, 0.0]), strength, "production")

    slopes = jax.jit(lambda bias: jax.jvp(jax.jacfwd(produced), (bias,), (1.0,)))
    slope, curvature = map(float, slopes(0.0))
    assert slope == pytest.approx(0.0, abs=1e-16)
    expected = (float(slopes(1e-4)[0]) - float(slopes(-1e-4)[0])) / 2e-4
    assert curvature == pytest.approx(expected, rel=1e-7)
    assert expected > 0.01


def test_a_batch_is_a_loop() -> None:
    betas = jnp.array([[1.0, 2.5], [3.0, 0.4], [2.0, 2.0], [40.0, 1.0]])

    def solved(beta: jax.Array) -> RateSteady:
        return steady_rates(machine(jnp.asarray(POINT[0]), beta, jnp.asarray(POINT[2])))

    one = jax.jit(solved)
    batch = jax.jit(jax.vmap(solved))(betas)
    for index, beta in enumerate(betas):
        for many, alone in zip(batch, one(beta), strict=True):
            np.testing.assert_allclose(many[index], alone, rtol=1e-13, atol=1e-18)
