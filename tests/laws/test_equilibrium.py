"""Matching states from energy and number: slopes, any filling, batches, a negative control."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.baths import BAND, EDGES, SMALL, STATES, TEMPERATURES, mixed_batch, recover, sums
from derivatives import difference
from hypothesis import given
from hypothesis import strategies as st
from twins import textbook

from entropax.equilibrium import match, thermal

Array = np.ndarray


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


def conditioning(energies: Array, n: Array) -> float:
    """By how much rounding of (E, N) is amplified in (beta, alpha)."""
    rows = np.stack([energies, np.ones(len(n))])
    return 1.0 / np.linalg.eigvalsh((rows * (n * (1.0 - n))) @ rows.T)[0]


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


@pytest.mark.parametrize("beta", [1e-10, -1e-10])
def test_the_hottest_bath_with_a_temperature(beta: float) -> None:
    """beta W = 1e-9 is five digits above rounding: it and its mu must not be called zero."""
    found = recover(BAND, *sums(BAND, textbook.fermi(beta, 1.0 / beta, BAND)))
    assert found.determined
    assert found.beta == pytest.approx(beta, rel=1e-3)
    assert found.beta * found.mu == pytest.approx(1.0, rel=1e-12)
