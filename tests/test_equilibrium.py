"""Grand canonical states and their recovery from energy and number, against the nested twin."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import textbook
from helpers import check_derivative, difference
from hypothesis import given, settings
from hypothesis import strategies as st

from entropax.entropy import binary_relative_entropy
from entropax.equilibrium import (
    Equilibrium,
    equilibrium_free_energy,
    fermi,
    log_odds,
    match,
    match_canonical,
    match_occupations,
    thermal,
)

Array = np.ndarray

BAND = np.linspace(-5.0, 5.0, 1000)
SMALL = np.array([0.3, -1.0, 0.5, 0.5, 1.7, 2.0])
recover = jax.jit(match)

TEMPERATURES = (10.0, 2.0, 1.0, -0.5, -20.0, 200.0, 3000.0, 1e-6)


def sums(energies: Array, n: Array) -> tuple[float, float]:
    """E and N, each correctly rounded."""
    return math.fsum(energies * n), math.fsum(n)


def conditioning(energies: Array, n: Array) -> float:
    """By how much rounding of (E, N) is amplified in (beta, alpha)."""
    rows = np.stack([energies, np.ones(len(n))])
    return 1.0 / np.linalg.eigvalsh((rows * (n * (1.0 - n))) @ rows.T)[0]


# fermi and log odds


def test_fermi_and_log_odds() -> None:
    x = np.array([-800.0, -40.0, -1.0, 0.0, 1e-3, 1.0, 40.0, 700.0])
    np.testing.assert_allclose(fermi(jnp.asarray(x)), textbook.occupations_of(x), rtol=2e-13)
    np.testing.assert_allclose(fermi(jnp.array([40.0, 700.0])), np.exp([-40.0, -700.0]), rtol=4e-15)
    energies = jnp.array([-1.0, 0.5, 2.0])
    np.testing.assert_allclose(log_odds(energies, jnp.array(2.0), jnp.array(0.5)), [-3, 0, 3])
    cold = log_odds(energies, jnp.array(np.inf), jnp.array(0.5))
    np.testing.assert_array_equal(cold, [-np.inf, 0.0, np.inf])
    np.testing.assert_array_equal(fermi(cold), [1.0, 0.5, 0.0])


@pytest.mark.parametrize("beta", [*TEMPERATURES, 0.0, np.inf, -np.inf])
def test_thermal(beta: float) -> None:
    state = thermal(jnp.asarray(SMALL), jnp.array(beta), jnp.array(0.5))
    n = textbook.fermi(beta, 0.5, SMALL)
    np.testing.assert_allclose(state.occupations, n, rtol=1e-12, atol=1e-300)
    assert state.entropy == pytest.approx(np.sum(textbook.binary_entropy(n)), rel=1e-13, abs=1e-15)
    assert (state.beta, state.mu) == (beta, 0.5)
    assert bool(state.determined) == np.isfinite(beta)
    assert state.converged


@pytest.mark.parametrize("argument", ["beta", "mu"])
def test_thermal_of_nan_has_not_converged(argument: str) -> None:
    arguments = {"beta": jnp.array(1.0), "mu": jnp.array(0.2), argument: jnp.array(np.nan)}
    assert not thermal(jnp.asarray(SMALL), **arguments).converged


# Recovery


@pytest.mark.parametrize("mu", [0.0, 0.311, -1.7])
@pytest.mark.parametrize("beta", TEMPERATURES)
def test_match_finds_the_thermal_state(beta: float, mu: float) -> None:
    n = textbook.fermi(beta, mu, BAND)
    energy, number = sums(BAND, n)
    found = recover(BAND, energy, number)
    assert found.converged
    assert found.determined
    assert found.occupations @ BAND == pytest.approx(energy, abs=5e-12)
    assert found.occupations.sum() == pytest.approx(number, abs=2e-12)
    # E is known to 2e-13, its excess over an edge to twice that, the entropy to beta times that
    entropy = np.sum(textbook.binary_entropy(n))
    assert found.entropy == pytest.approx(entropy, rel=1e-14, abs=1e-12 + 4e-13 * abs(beta))
    # at beta = 3000 the nearest modes are filled to 1e-7, of which rounding leaves 1e-6
    slack = min(2e-13 * conditioning(BAND, n), 1e-3 * abs(beta))
    assert found.beta == pytest.approx(beta, rel=1e-12, abs=slack)
    assert found.beta * found.mu == pytest.approx(beta * mu, rel=1e-12, abs=6.0 * slack)
    np.testing.assert_allclose(
        found.log_odds, beta * (BAND - mu), rtol=1e-12, atol=1e-12 + 12.0 * slack
    )
    np.testing.assert_allclose(found.occupations, n, rtol=0, atol=min(1e-11 + slack, 1e-6))


@pytest.mark.parametrize("mu", [0.0, 0.311, -1.7])
def test_match_of_a_bath_too_cold_to_tell(mu: float) -> None:
    """200 modes at beta = 3000: occupations e^-70 are lost in the energy, and beta is +inf."""
    band = np.linspace(-5.0, 5.0, 200)
    found = recover(band, *sums(band, textbook.fermi(3000.0, mu, band)))
    assert found.converged
    assert not found.determined
    assert found.beta == np.inf
    # mu is midway between the last filled and the first empty mode
    assert found.mu == pytest.approx(0.5 * (band[band < mu].max() + band[band > mu].min()))
    assert found.entropy == 0.0


@pytest.mark.parametrize("beta", [5.0, 1.0, 0.2, 0.0, -0.3, -4.0])
def test_match_agrees_with_two_nested_roots(beta: float) -> None:
    """Occupations that no temperature has, mixed from two."""
    n = 0.5 * textbook.fermi(beta, 0.2, SMALL) + 0.5 * textbook.fermi(1.0, 1.0, SMALL)
    energy, number = sums(SMALL, n)
    found = recover(SMALL, energy, number)
    b, a, entropy, occupations = textbook.effective(SMALL, energy, number)
    assert found.converged
    assert found.beta == pytest.approx(b, abs=1e-13)
    assert found.beta * found.mu == pytest.approx(a, abs=1e-13)
    assert found.entropy == pytest.approx(entropy, abs=1e-13)
    np.testing.assert_allclose(found.occupations, occupations, rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
@pytest.mark.parametrize("shift", [0.0, -3.0, 1e4])
def test_match_in_any_unit_and_from_any_zero(scale: float, shift: float) -> None:
    energies = scale * (SMALL + shift)
    n = textbook.fermi(1.3, 0.4, SMALL)
    energy, number = sums(energies, n)
    found = recover(energies, energy, number)
    assert found.converged
    assert found.beta * scale == pytest.approx(1.3, abs=1e-14 * (1.0 + abs(shift)) * 10)
    assert found.mu / scale - shift == pytest.approx(0.4, abs=1e-14 * (1.0 + abs(shift)) * 10)
    np.testing.assert_allclose(found.occupations, n, atol=1e-14 * (1.0 + abs(shift)))


@pytest.mark.parametrize("filling", [0.25, 0.5, 0.9, 1e-9, 1.0 - 1e-9])
@pytest.mark.parametrize("energies", [SMALL, SMALL + 1e4, BAND, 1e-6 * BAND], ids=str)
def test_modes_filled_alike_have_no_temperature(energies: Array, filling: float) -> None:
    """At beta = 0 only alpha means something; what rounding leaves of beta must not give a mu."""
    n = np.full(len(energies), filling)
    found = recover(energies, *sums(energies, n))
    assert found.converged
    assert not found.determined
    assert found.beta == 0.0
    assert np.isnan(found.mu)
    np.testing.assert_allclose(found.occupations, filling, rtol=1e-6 * (filling < 1e-8) + 1e-14)
    np.testing.assert_allclose(found.log_odds, np.log1p(-n) - np.log(n), rtol=1e-6, atol=1e-14)
    entropy = np.sum(textbook.binary_entropy(n))
    assert found.entropy == pytest.approx(entropy, rel=1e-6)


@pytest.mark.parametrize("beta", [1e-10, -1e-10])
def test_the_hottest_bath_with_a_temperature(beta: float) -> None:
    """beta W = 1e-9 is five digits above rounding: it and its mu must not be called zero."""
    found = recover(BAND, *sums(BAND, textbook.fermi(beta, 1.0 / beta, BAND)))
    assert found.determined
    assert found.beta == pytest.approx(beta, rel=1e-3)
    assert found.beta * found.mu == pytest.approx(1.0, rel=1e-12)


# Edges


# energies SMALL sorted: -1, 0.3, 0.5, 0.5, 1.7, 2
EDGES = {
    # N, occupations of the limit, mu of the limit at beta = inf
    "one particle": (1.0, [0, 1, 0, 0, 0, 0], -0.35),
    "part of a level": (1.4, [0.4, 1, 0, 0, 0, 0], 0.3),
    "degenerate level": (2.5, [1, 1, 0.25, 0.25, 0, 0], 0.5),
    "all but one": (5.0, [1, 1, 1, 1, 1, 0], 1.85),
    "less than one": (0.3, [0, 0.3, 0, 0, 0, 0], -1.0),
}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", EDGES)
def test_match_at_zero_temperature(name: str, sign: float) -> None:
    """Ground states; with all energies reversed, the states of beta = -inf."""
    number, occupations, mu = EDGES[name]
    energies, n = sign * SMALL, np.array(occupations)
    found = recover(energies, energies @ n, number)
    assert found.converged
    assert not found.determined
    assert found.beta == sign * np.inf
    assert found.mu == pytest.approx(sign * mu, abs=1e-14)
    np.testing.assert_allclose(found.occupations, n, rtol=0, atol=1e-14)
    entropy = np.sum(textbook.binary_entropy(n))
    assert found.entropy == pytest.approx(entropy, abs=1e-13)
    odds = np.where(n == 0, np.inf, np.where(n == 1, -np.inf, 0.0))
    partial = (n > 0) & (n < 1)
    odds[partial] = np.log((1 - n[partial]) / n[partial])
    np.testing.assert_allclose(found.log_odds, odds, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(fermi(found.log_odds), found.occupations, atol=1e-14)


@pytest.mark.parametrize(("number", "filling"), [(0.0, 0.0), (6.0, 1.0)])
def test_match_of_an_empty_and_a_filled_bath(number: float, filling: float) -> None:
    found = recover(SMALL, filling * SMALL.sum(), number)
    assert found.converged
    assert not found.determined
    assert np.isnan(found.beta)
    assert np.isnan(found.mu)
    assert found.entropy == 0.0
    np.testing.assert_array_equal(found.occupations, filling)
    np.testing.assert_array_equal(found.log_odds, np.inf if filling == 0 else -np.inf)


@pytest.mark.parametrize("place", [0.0, 0.7, -1e3])
def test_match_of_modes_at_one_energy(place: float) -> None:
    energies = np.full(6, place)
    found = recover(energies, place * 2.4, 2.4)
    assert found.converged
    assert not found.determined
    assert np.isnan(found.beta)
    assert np.isnan(found.mu)
    np.testing.assert_allclose(found.occupations, 0.4, rtol=1e-14)
    np.testing.assert_allclose(found.log_odds, np.log(1.5), rtol=1e-13)
    assert found.entropy == pytest.approx(6 * textbook.binary_entropy(np.array(0.4)), rel=1e-14)


@pytest.mark.parametrize("n", [0.0, 0.2, 1.0])
def test_match_of_a_single_mode(n: float) -> None:
    found = match(jnp.array([0.7]), jnp.array(0.7 * n), jnp.array(n))
    assert found.converged
    assert not found.determined
    assert np.isnan(found.beta)
    assert found.occupations[0] == pytest.approx(n, abs=1e-15)


@pytest.mark.parametrize(
    ("energies", "energy", "number"),
    [
        (SMALL, -1.1, 1.0),  # below the ground state
        (SMALL, 2.1, 1.0),  # above the highest
        (SMALL, 0.1, 0.0),  # no particle has energy
        (SMALL, 3.9, 6.0),
        (SMALL, 0.0, -0.5),
        (SMALL, 0.0, 6.5),
        (np.full(6, 0.7), 1.0, 2.0),  # two particles at 0.7 have 1.4
        (SMALL, np.nan, 1.0),
        (SMALL, 1.0, np.nan),
        (SMALL, np.inf, 1.0),
        (np.where(np.arange(6) == 2, np.nan, SMALL), 1.0, 2.0),
    ],
)
def test_match_of_what_no_state_has(energies: Array, energy: float, number: float) -> None:
    assert not recover(energies, energy, number).converged


filling = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0)
place = st.sampled_from([-1.0, 0.0, 2.0]) | st.floats(-3.0, 3.0)


@given(
    energies=st.lists(place, min_size=6, max_size=6), n=st.lists(filling, min_size=6, max_size=6)
)
def test_every_set_of_occupations_has_a_match(energies: list, n: list) -> None:
    energies, n = np.array(energies), np.array(n)
    energy, number = sums(energies, n)
    found = recover(energies, energy, number)
    assert found.converged
    assert found.occupations.sum() == pytest.approx(number, abs=1e-10)
    assert found.occupations @ energies == pytest.approx(energy, abs=1e-9)
    # of all states with this energy and number it has the largest entropy
    assert found.entropy >= np.sum(textbook.binary_entropy(n)) - 1e-9
    assert np.all((found.occupations >= 0) & (found.occupations <= 1))
    gradient = jax.tree.leaves(entropy_gradient(energies, energy, number))
    assert all(np.all(np.isfinite(g)) for g in gradient)


# Derivatives


@jax.jit
def entropy_gradient(energies, energy, number) -> tuple:
    return jax.grad(lambda *args: match(*args).entropy, argnums=(0, 1, 2))(energies, energy, number)


@jax.jit
def all_slopes(arguments: tuple, direction: tuple) -> tuple:
    """beta, mu, entropy, two occupations: along `direction` forward, and the same reverse."""

    def outputs(*args):
        found = match(*args)
        return jnp.stack([found.beta, found.mu, found.entropy, *found.occupations[:2]])

    forward = jax.jvp(outputs, arguments, direction)[1]
    rows = jax.jacrev(outputs, argnums=(0, 1, 2))(*arguments)
    reverse = sum(
        jnp.tensordot(row, d, jnp.ndim(d)) for row, d in zip(rows, direction, strict=True)
    )
    return forward, reverse


def twin_outputs(energies: Array, energy: float, number: float) -> Array:
    beta, alpha, entropy, n = textbook.effective(energies, float(energy), float(number))
    return np.array([beta, alpha / beta, entropy, *n[:2]])


STATES = {"cold": (6.0, 0.4), "warm": (1.0, 0.2), "hot": (0.3, -1.0), "inverted": (-0.8, 0.9)}
DIRECTIONS = {
    "E": (0.0, 1.0, 0.0),
    "N": (0.0, 0.0, 1.0),
    "energies": (1.0, 0.0, 0.0),
    "all": (1.0,) * 3,
}


@pytest.mark.parametrize("along", DIRECTIONS)
@pytest.mark.parametrize("name", STATES)
def test_derivatives_against_differences(name: str, along: str) -> None:
    beta, mu = STATES[name]
    n = textbook.fermi(beta, mu, SMALL)
    # a state that is not thermal itself, as those of a running bath are not
    n = 0.8 * n + 0.2 * np.array([0.5, 0.4, 0.45, 0.5, 0.55, 0.5])
    arguments = (SMALL, *sums(SMALL, n))
    pattern = np.random.default_rng(4).normal(size=6)
    on_energies, on_energy, on_number = DIRECTIONS[along]
    direction = (on_energies * pattern, 0.7 * on_energy, -0.4 * on_number)
    forward, reverse = all_slopes(arguments, direction)
    expected = difference(twin_outputs, arguments, direction, 1e-3)
    size = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(forward, expected, rtol=0, atol=2e-9 * size)
    np.testing.assert_allclose(reverse, forward, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("beta", [10.0, 1.0, 1e-3, -0.7])
def test_gradient_of_the_entropy_is_beta_and_minus_alpha(beta: float) -> None:
    n = textbook.fermi(beta, 0.3, SMALL)
    arguments = (SMALL, *sums(SMALL, n))
    found = recover(*arguments)
    by_energies, by_energy, by_number = entropy_gradient(*arguments)
    assert by_energy == pytest.approx(beta, rel=1e-9)
    assert by_energy == pytest.approx(float(found.beta), rel=1e-9)
    assert by_number == pytest.approx(-0.3 * beta, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(by_energies, -beta * n, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("parameters", [(2.0, 0.31), (2.0, 0.3), (-0.4, 1.0), (0.01, 0.2)])
def test_chained_to_a_known_answer(parameters: tuple) -> None:
    """From (beta, mu) to (E, N) and back is the identity, and so is its Jacobian.

    Also where mu is the energy of a mode, as 0.3 is.
    """
    jacobian = jacobian_of_there_and_back(jnp.array(parameters))
    np.testing.assert_allclose(jacobian, np.eye(2), rtol=0, atol=1e-9)


@jax.jit
@jax.jacrev
def jacobian_of_there_and_back(parameters: jax.Array) -> jax.Array:
    n = thermal(jnp.asarray(SMALL), *parameters).occupations
    found = match(jnp.asarray(SMALL), n @ SMALL, jnp.sum(n))
    return jnp.stack([found.beta, found.mu])


@pytest.mark.parametrize("mu", [0.31, 0.3, 0.5])
def test_derivatives_of_the_thermal_state(mu: float) -> None:
    """dn = -n (1 - n) [(eps - mu) dbeta + beta (deps - dmu)], on a mode's energy too."""
    beta = 1.7
    n = textbook.fermi(beta, mu, SMALL)
    arguments = jnp.asarray(SMALL), jnp.array(beta), jnp.array(mu)
    rows = jax.jit(jax.jacrev(lambda *a: thermal(*a).occupations, argnums=(0, 1, 2)))(*arguments)
    by_energies, by_beta, by_mu = rows
    bend = n * (1.0 - n)
    np.testing.assert_allclose(by_beta, -bend * (SMALL - mu), rtol=0, atol=1e-15)
    np.testing.assert_allclose(by_mu, bend * beta, rtol=0, atol=1e-15)
    np.testing.assert_allclose(by_energies, np.diag(-bend * beta), rtol=0, atol=1e-15)


@pytest.mark.parametrize("beta", [np.inf, -np.inf])
def test_derivatives_of_the_thermal_state_at_zero_temperature_are_finite(beta: float) -> None:
    arguments = jnp.asarray(SMALL), jnp.array(beta), jnp.array(0.5)
    gradients = jax.jit(jax.grad(lambda *a: thermal(*a).entropy, argnums=(0, 1, 2)))(*arguments)
    assert all(np.all(np.isfinite(g)) for g in gradients)


@pytest.mark.parametrize("name", EDGES)
def test_derivatives_at_zero_temperature_are_zero(name: str) -> None:
    number, occupations, _ = EDGES[name]
    arguments = (SMALL, float(SMALL @ np.array(occupations)), number)
    forward, reverse = all_slopes(arguments, (np.zeros(6), 1.0, 0.0))
    np.testing.assert_array_equal(np.asarray(forward)[2:], 0.0)
    np.testing.assert_array_equal(np.asarray(reverse)[2:], 0.0)


@pytest.mark.parametrize("number", [0.0, 6.0])
def test_gradient_is_finite_at_empty_and_filled(number: float) -> None:
    gradient = entropy_gradient(SMALL, SMALL.sum() * number / 6.0, number)
    assert all(np.all(np.isfinite(g)) for g in gradient)


def test_gradient_is_finite_at_one_energy() -> None:
    by_energies, by_energy, by_number = entropy_gradient(np.full(6, 0.7), 0.7 * 2.4, 2.4)
    assert np.all(np.isfinite(by_energies))
    assert np.isfinite(by_energy)
    assert by_number == pytest.approx(np.log(0.6 / 0.4), abs=1e-12)


# Transformations


@functools.cache
def mixed_batch() -> tuple[Array, Array, Array]:
    """Ordinary, cold, empty, impossible and one-energy baths side by side."""
    rows = []
    for beta, mu in (*STATES.values(), (20.0, 0.4), (1e-6, 0.1)):
        rows.append((SMALL, *sums(SMALL, textbook.fermi(beta, mu, SMALL))))
    for number, occupations, _ in EDGES.values():
        rows.append((SMALL, float(SMALL @ np.array(occupations)), number))
    rows += [(SMALL, 0.0, 0.0), (SMALL, -9.0, 1.0), (np.full(6, 0.7), 1.4, 2.0)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def test_vmap_equals_loop() -> None:
    batch = mixed_batch()
    together = jax.jit(jax.vmap(match))(*batch)
    slopes = jax.jit(jax.vmap(entropy_gradient))(*batch)
    for i, row in enumerate(zip(*batch, strict=True)):
        alone = recover(*row)
        for name in ("beta", "mu", "log_odds", "occupations", "entropy"):
            found, expected = getattr(together, name)[i], getattr(alone, name)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=name)
        assert together.determined[i] == alone.determined
        assert together.converged[i] == alone.converged
        if alone.converged:
            for found, expected in zip(slopes, entropy_gradient(*row), strict=True):
                np.testing.assert_allclose(found[i], expected, rtol=1e-9, atol=1e-12)


def test_compiled_once_for_equal_shapes() -> None:
    counted = jax.jit(eqx.debug.assert_max_traces(lambda *args: match(*args).beta, max_traces=1))
    batch = mixed_batch()
    betas = [counted(*row) for row in zip(*batch, strict=True)]
    assert len({float(b) for b in betas[:4]}) == 4


def test_an_equilibrium_is_a_pytree_of_numbers() -> None:
    found = recover(SMALL, 1.0, 2.0)
    assert isinstance(found, Equilibrium)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found))


# From occupations, however close to an edge


recover_from = jax.jit(match_occupations)


def cluster(hair: float, *filling: float) -> tuple[Array, Array]:
    """Modes at 0, as many as there are fillings but two, then one a hair above, and one at 1."""
    energies = np.zeros(len(filling))
    energies[-2:] = hair, 1.0
    return energies, np.array(filling)


HAIRS = {
    "a hair": cluster(2.5e-6, 0.5, 0.25, 0.0, 1e-9, 0.0),
    "a hair of a hair": cluster(1e-12, 0.5, 0.25, 0.0, 1e-11, 0.0),
    "a hair, little more than rounding": cluster(4e-15, 0.5, 0.25, 0.0, 2e-14, 0.0),
    "hairs and another mode": cluster(1e-8, 0.5, 0.25, 0.0, 1e-9, 1e-18),
    "three sizes of hairs": (
        np.array([0.0, 1e-12, 0.0, 3e-8, 1e-4, 1.0, -2e-8, -1.0]),
        np.array([0.5, 0.25, 0.75, 1e-5, 0.0, 0.0, 1.0, 1.0]),
    ),
    "particles and holes, one number": (
        np.array([-1.0, -1e-9, 0.0, 1e-9, 0.5, 2.0]),
        np.array([1.0, 1.0 - 2.0**-40, 1.0 - 2.0**-33, 2.0**-33, 2.0**-40, 0.0]),
    ),
    "few particles": (SMALL, np.array([3e-13, 1e-13, 0.0, 0.0, 2e-14, 1e-15])),
    "a cold band": (BAND[::25], textbook.fermi(60.0, 0.1, BAND[::25])),
}


def exact(energies: Array, n: Array, found: Equilibrium) -> tuple[mpmath.mpf, list, mpmath.mpf]:
    """beta, log odds and entropy to 40 digits by the definition.

    The search starts from what was found; as the dual is convex, what it ends at is the answer.
    """
    with mpmath.workdps(100):
        e, n = ([mpmath.mpf(float(y)) for y in x] for x in (energies, n))
        energy, number = mpmath.fdot(e, n), mpmath.fsum(n)
        middle = int(np.argmin(np.abs(found.log_odds)))
        beta = mpmath.mpf(float(found.beta))
        alpha = beta * e[middle] - mpmath.mpf(float(found.log_odds[middle]))
        for _ in range(8):
            x = [beta * y - alpha for y in e]
            filling = [1 / (1 + mpmath.exp(y)) for y in x]
            miss = mpmath.matrix([energy - mpmath.fdot(e, filling), mpmath.fsum(filling) - number])
            bend = [y * (1 - y) for y in filling]
            first, second = (mpmath.fdot(bend, [y**p for y in e]) for p in (1, 2))
            down = mpmath.matrix([[second, -first], [-first, mpmath.fsum(bend)]])
            step = mpmath.lu_solve(down, -miss)
            beta, alpha = beta + step[0], alpha + step[1]
        assert abs(step[0]) < 1e-40 * abs(beta)
        surprise = mpmath.fsum(mpmath.log1p(mpmath.exp(-y)) for y in x)
        return beta, x, surprise + beta * energy - alpha * number


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", HAIRS)
def test_occupations_find_their_state_to_all_digits(name: str, *, holes: bool, sign: float) -> None:
    """Also with energies reversed, and with particles for holes."""
    energies, n = sign * HAIRS[name][0], HAIRS[name][1]
    n = 1.0 - n if holes else n
    found = recover_from(energies, n)
    beta, x, entropy = exact(energies, n, found)
    assert found.converged
    assert found.determined
    assert found.beta == pytest.approx(float(beta), rel=1e-13)
    np.testing.assert_allclose(found.log_odds, np.array(x, float), rtol=1e-13, atol=2e-13)
    assert found.entropy == pytest.approx(float(entropy), rel=1e-13)
    np.testing.assert_allclose(found.beta * (energies - found.mu), found.log_odds, atol=1e-6)


def test_energy_and_number_do_not_tell_a_hair() -> None:
    """Negative control: of two floats the same bath is in its ground state."""
    energies, n = HAIRS["a hair"]
    found, blurred = recover_from(energies, n), recover(energies, *sums(energies, n))
    assert 1e5 < found.beta < 1e8
    assert blurred.beta == np.inf
    assert np.isinf(blurred.log_odds[3])


@pytest.mark.parametrize("beta", TEMPERATURES)
def test_occupations_agree_with_energy_and_number(beta: float) -> None:
    n = 0.7 * textbook.fermi(beta, 0.2, SMALL) + 0.3 * textbook.fermi(1.0, 1.0, SMALL)
    found, expected = recover_from(SMALL, n), recover(SMALL, *sums(SMALL, n))
    for name in ("beta", "mu", "log_odds", "occupations", "entropy"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-11, atol=1e-13, err_msg=name
        )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", [*EDGES, "empty", "filled", "one energy", "alike"])
def test_occupations_at_an_edge(name: str, sign: float) -> None:
    """The same limits as from energy and number, and with occupations off by rounding."""
    _, occupations, _ = EDGES.get(name, (0.0, [float(name == "filled")] * 6, 0.0))
    energies, n = sign * SMALL, np.array(occupations)
    if name == "one energy":
        energies, n = np.full(6, sign * 0.7), np.array([0.1, 0.7, 0.0, 1.0, 0.5, 0.1])
    if name == "alike":
        n = np.full(6, 0.3)
    expected = recover(energies, *sums(energies, n))
    outside = np.array([-1.0, 1.0, 0.5, -0.5, 0.0, -1.0]) * 1e-16
    for rounded in (n, n + outside * (n % 1 == 0)):
        found = recover_from(energies, rounded)
        for field in ("beta", "mu", "log_odds", "occupations", "entropy"):
            np.testing.assert_allclose(
                getattr(found, field), getattr(expected, field), rtol=1e-13, atol=1e-13
            )
        assert found.converged
        assert not found.determined


@pytest.mark.parametrize("n", [0.0, 0.2, 1.0])
def test_occupation_of_a_single_mode(n: float) -> None:
    found = recover_from(np.array([0.7]), np.array([n]))
    assert found.converged
    assert not found.determined
    assert found.occupations[0] == n


@pytest.mark.parametrize("argument", [0, 1])
def test_occupations_with_nan_have_no_match(argument: int) -> None:
    arguments = [SMALL, np.full(6, 0.3) + 0.1 * np.arange(6)]
    arguments[argument] = np.where(np.arange(6) == 2, np.nan, arguments[argument])
    assert not recover_from(*arguments).converged


tiny = st.builds(lambda size, digit: digit * 10.0**-size, st.floats(0.0, 22.0), st.floats(0.1, 1.0))
hair = st.sampled_from([-1.0, 0.0, 0.3]).flatmap(lambda x: tiny.map(lambda y: x + y) | st.just(x))
nearly = filling | tiny | tiny.map(lambda y: 1.0 - y)


@jax.jit
def pythagoras(energies: jax.Array, n: jax.Array) -> tuple:
    found = match_occupations(energies, n)
    distance = jnp.sum(binary_relative_entropy(n, found.log_odds))
    own = jnp.sum(binary_relative_entropy(n, jnp.zeros_like(n)))
    slopes = jax.grad(lambda *args: match_occupations(*args).entropy, argnums=(0, 1))(energies, n)
    return found, distance, found.entropy + own - jnp.log(2.0) * n.size - distance, slopes


@settings(max_examples=200)
@given(
    levels=st.lists(hair, min_size=4, max_size=4),
    which=st.lists(st.integers(0, 3), min_size=10, max_size=10),
    n=st.lists(nearly, min_size=10, max_size=10),
)
def test_the_state_found_has_all_that_is_filled(levels: list, which: list, n: list) -> None:
    """D[n || n*] is finite, and S* - S: true of the matching thermal state alone."""
    found, distance, off, slopes = pythagoras(np.array(levels)[which], np.array(n))
    assert found.converged
    assert np.isfinite(distance)
    assert abs(off) < 1e-11
    assert all(np.all(np.isfinite(slope)) for slope in slopes)


@pytest.mark.parametrize("name", HAIRS)
def test_gradient_of_the_entropy_of_occupations(name: str) -> None:
    """dS = sum_k x_k dn_k + beta sum_k (n_k - n*_k) deps_k."""
    energies, n = HAIRS[name]
    found, _, _, (by_energies, by_occupations) = pythagoras(energies, n)
    clipped = np.clip(found.log_odds, -36.0, 36.0)
    here = np.abs(found.log_odds) < 36.0
    np.testing.assert_allclose(by_occupations[here], clipped[here], rtol=1e-9, atol=1e-9)
    expected = found.beta * (n - found.occupations)
    np.testing.assert_allclose(by_energies, expected, rtol=1e-9, atol=1e-9 * abs(found.beta))


@jax.jit
def fields_from(energies: jax.Array, n: jax.Array) -> jax.Array:
    found = match_occupations(energies, n)
    return jnp.stack([found.beta, found.mu, found.entropy, *found.occupations])


@jax.jit
def slopes_from(arguments: tuple, direction: tuple) -> tuple:
    """Of these fields along `direction`, forward and reverse."""
    forward = jax.jvp(fields_from, arguments, direction)[1]
    rows = jax.jacrev(fields_from, argnums=(0, 1))(*arguments)
    return forward, sum(row @ d for row, d in zip(rows, direction, strict=True))


@pytest.mark.parametrize("name", ["a hair", "three sizes of hairs", "half a hair", *STATES])
def test_derivatives_by_occupations_and_energies(name: str) -> None:
    """Energies move by parts of what tells them apart, occupations of what they have to an edge."""
    if name in STATES:
        energies, n = SMALL, textbook.fermi(*STATES[name], SMALL)
        moved = 0.1 * np.cos(np.arange(6))
    elif name == "half a hair":
        energies, n = cluster(2.5e-6, 0.5, 0.25, 0.3, 0.1, 0.0)
        moved = 1e-7 * np.cos(np.arange(5))
    else:
        energies, n = HAIRS[name]
        moved = np.zeros(len(n))
    arguments = energies, n
    direction = moved, 0.1 * np.minimum(n, 1.0 - n) * np.sin(1.0 + np.arange(len(n)))
    forward, reverse = slopes_from(arguments, direction)
    expected = difference(fields_from, arguments, direction)
    size = np.maximum(np.abs(fields_from(*arguments)), np.abs(expected))
    size[3:] = 1.0
    np.testing.assert_allclose(forward / size, expected / size, rtol=0, atol=1e-9)
    np.testing.assert_allclose(reverse / size, forward / size, rtol=0, atol=1e-12)


def test_second_derivative_by_occupations() -> None:
    n = textbook.fermi(1.3, 0.4, SMALL)
    curvature = jax.jit(jax.hessian(lambda n: match_occupations(SMALL, n).entropy))(n)
    slope = jax.jit(jax.grad(lambda n: match_occupations(SMALL, n).entropy))
    for k, row in enumerate(np.eye(6)):
        expected = difference(slope, (n,), (0.1 * row,)) / 0.1
        np.testing.assert_allclose(
            curvature[k], expected, rtol=0, atol=1e-10 * np.abs(expected).max()
        )


def test_derivatives_keep_the_digits_of_holes() -> None:
    """Beside both edges of a gap, against the implicit function theorem in 60 digits."""
    energies = np.array([-1.3, -1.0, 1.0, 1.4])
    n = np.array([1.0 - 3e-12, 1.0 - 1e-12, 2e-12, 1.5e-13])
    found = match_occupations(energies, n)
    slopes = jax.jacrev(lambda n: match_occupations(energies, n).beta)(n)
    with mpmath.workdps(60):
        e, given = [mpmath.mpf(x) for x in energies], [mpmath.mpf(x) for x in n]
        level = [mpmath.fsum(given), mpmath.fdot(e, given)]

        def miss(beta: mpmath.mpf, alpha: mpmath.mpf) -> list:
            own = [1 / (mpmath.exp(beta * x - alpha) + 1) for x in e]
            return [mpmath.fsum(own) - level[0], mpmath.fdot(e, own) - level[1]]

        begin = (float(found.beta), float(found.beta * found.mu))
        beta, alpha = mpmath.findroot(miss, begin, tol=1e-80)
        own = [1 / (mpmath.exp(beta * x - alpha) + 1) for x in e]
        w = [x * (1 - x) for x in own]
        squares = mpmath.fsum(a * x * x for a, x in zip(w, e, strict=True))
        jacobian = mpmath.matrix(
            [[-mpmath.fdot(w, e), mpmath.fsum(w)], [-squares, mpmath.fdot(w, e)]]
        )
        expected = [mpmath.lu_solve(jacobian, mpmath.matrix([1, x]))[0] for x in e]
    np.testing.assert_allclose(found.beta, float(beta), rtol=1e-12)
    np.testing.assert_allclose(slopes, [float(x) for x in expected], rtol=1e-10)


def test_second_derivatives_along_two_directions() -> None:
    """Of every field, by energies and what is matched, in both forms of the problem."""
    n = textbook.fermi(1.3, 0.4, SMALL)
    first = (0.1 * np.cos(np.arange(6)), 0.02 * np.sin(1.0 + np.arange(6)))
    other = (0.1 * np.sin(2.0 * np.arange(6)), 0.03 * np.cos(3.0 + np.arange(6)))

    def by_sums(energies: jax.Array, n: jax.Array) -> jax.Array:
        found = match(energies, jnp.sum(energies * n), jnp.sum(n))
        return jnp.stack([found.beta, found.mu, found.entropy, *found.occupations])

    for fields in (fields_from, by_sums):
        slope = jax.jit(lambda *x, fields=fields: jax.jvp(fields, x, first)[1])
        twice = jax.jvp(slope, (SMALL, n), other)[1]
        np.testing.assert_allclose(twice, difference(slope, (SMALL, n), other), rtol=0, atol=1e-10)


def test_whole_numbers_are_energies_too() -> None:
    n = np.array([0.9, 0.6, 0.3, 0.2])
    slope = jax.grad(lambda n, e: match_occupations(e, n).entropy)
    whole, real = np.arange(4), np.arange(4.0)
    np.testing.assert_array_equal(slope(n, whole), slope(n, real))


def test_vmap_of_occupations_equals_loop() -> None:
    rows = [cluster(hair, 0.5, 0.25, 0.0, 1e-9, 0.0) for hair in (0.0, 1e-12, 1e-6, 0.1)]
    rows += [cluster(0.1, *filling) for filling in np.eye(5)]
    rows += [cluster(0.1, *[filling] * 5) for filling in (0.0, 0.3, 1.0, np.nan)]
    batch = tuple(np.array(column) for column in zip(*rows, strict=True))
    together = jax.jit(jax.vmap(match_occupations))(*batch)
    for i, row in enumerate(rows):
        alone = recover_from(*row)
        for found, expected in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(found[i], expected, rtol=1e-12, atol=1e-14)


# Negative control


def test_plain_newton_fails_where_match_converges() -> None:
    """Undamped steps from beta = 0, with one mode far above the others."""
    energies = np.array([-1.0, -0.9, -0.8, -0.7, -0.6, 4.0])
    energy, number = sums(energies, textbook.fermi(1.0, 3.9, energies))
    rows = np.stack([energies, -np.ones(6)])
    parameters = np.array([0.0, np.log(number / (6.0 - number))])
    for _ in range(4):
        n = textbook.occupations_of(parameters @ rows)
        hessian = (rows * (n * (1.0 - n))) @ rows.T
        slope = np.array([energy, -number]) - rows @ n
        parameters = parameters - np.linalg.solve(hessian, slope)
    assert abs(parameters[0]) > 10.0
    found = recover(energies, energy, number)
    assert (found.beta, found.mu) == (pytest.approx(1.0, rel=1e-9), pytest.approx(3.9, rel=1e-9))


WINDOWS, VOLUMES = jnp.array([1.0, 0.0, 2.0]), jnp.array([200.0, 100.0, 400.0])


def canonical(beta: float) -> tuple[float, float]:
    """Mean energy and entropy by the definition."""
    weight = np.asarray(VOLUMES) * np.exp(-beta * (np.asarray(WINDOWS) - (0 if beta > 0 else 2)))
    p = weight / weight.sum()
    return float(p @ np.asarray(WINDOWS)), float(-np.sum(p * np.log(p / np.asarray(VOLUMES))))


@pytest.mark.parametrize("beta", [-12.0, -1.0, -1e-9, 0.0, 1e-5, 0.3, 5.0, 30.0])
def test_canonical_state_is_found(beta: float) -> None:
    energy, entropy = canonical(beta)
    found = match_canonical(WINDOWS, VOLUMES, jnp.array(energy))
    # where the mean is within 1e-13 of an edge, it does not say more
    assert abs(float(found.beta) - beta) < 1e-9 * max(1.0, abs(beta)) + 1e-16 * np.exp(abs(beta))
    np.testing.assert_allclose(found.entropy, entropy, rtol=0, atol=1e-13)
    assert bool(found.determined)


def test_canonical_state_at_its_edges() -> None:
    cold, hot = (match_canonical(WINDOWS, VOLUMES, jnp.array(e)) for e in (0.0, 2.0))
    assert (float(cold.beta), float(hot.beta)) == (np.inf, -np.inf)
    np.testing.assert_allclose([cold.entropy, hot.entropy], np.log([100.0, 400.0]), rtol=1e-14)
    alone = match_canonical(WINDOWS[:1], VOLUMES[:1], jnp.array(1.0))
    same = match_canonical(jnp.ones(2), jnp.array([3.0, 4.0]), jnp.array(1.0))
    for found, volume in ((alone, 200.0), (same, 7.0)):
        assert np.isnan(found.beta)
        np.testing.assert_allclose(found.entropy, np.log(volume), rtol=1e-14)
    assert not any(bool(x.determined) for x in (cold, hot, alone, same))
    assert not bool(match_canonical(WINDOWS, VOLUMES, jnp.array(jnp.nan)).determined)
    slope = jax.grad(lambda e: match_canonical(WINDOWS, VOLUMES, e).entropy)
    assert np.all(np.isfinite([slope(0.0), slope(2.0)]))


def test_canonical_state_of_extreme_windows() -> None:
    energies, volumes = jnp.array([0.0, 1e-6, 5.0]), jnp.array([1.0, 1e12, 1e-3])
    p = np.array([0.2, 0.5, 0.3])
    found = match_canonical(energies, volumes, jnp.asarray(p @ np.asarray(energies)))
    weights = np.log(np.asarray(volumes)) - float(found.beta) * np.asarray(energies)
    weights = np.exp(weights - weights.max())
    mean = weights @ np.asarray(energies) / weights.sum()
    np.testing.assert_allclose(mean, p @ np.asarray(energies), rtol=1e-12)


def test_derivatives_of_the_canonical_state() -> None:
    """dS = beta dU, and all others by differences; a batch is a loop."""

    def both(energies: jax.Array, volumes: jax.Array, energy: jax.Array) -> jax.Array:
        found = match_canonical(energies, volumes, energy)
        return found.beta + 2.0 * found.entropy

    directions = (np.array([0.3, -0.2, 0.1]), np.array([5.0, 3.0, -7.0]), np.array(0.4))
    check_derivative(both, (WINDOWS, VOLUMES, jnp.array(0.8)), directions, tolerance=1e-8)
    slope = jax.grad(lambda e: match_canonical(WINDOWS, VOLUMES, e).entropy)(0.8)
    np.testing.assert_allclose(
        slope, match_canonical(WINDOWS, VOLUMES, jnp.array(0.8)).beta, rtol=1e-12
    )
    grid = jnp.linspace(0.0, 2.0, 7)
    together = jax.vmap(lambda e: match_canonical(WINDOWS, VOLUMES, e).beta)(grid)
    alone = jnp.stack([match_canonical(WINDOWS, VOLUMES, e).beta for e in grid])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("beta", [0.1, 0.9, 1.1, 30.0, -5.0])
def test_equilibrium_free_energy(beta: float) -> None:
    energies = np.array([-0.4, 0.1, 0.5])
    found = equilibrium_free_energy(jnp.asarray(energies), jnp.asarray(beta))
    expected = -np.log(np.mean(np.exp(-beta * energies))) / beta
    assert float(found) == pytest.approx(expected, abs=1e-13)
    args = (energies, np.array(beta))
    check_derivative(equilibrium_free_energy, args, (np.array([1.0, -0.3, 0.2]), np.array(0.4)))
