"""Grand canonical states and their recovery from energy and number, against the nested twin."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.baths import (
    BAND,
    EDGES,
    SMALL,
    TEMPERATURES,
    matching,
    mixed_batch,
    recover,
    recover_from,
    sums,
)
from twins import textbook

from entropax.equilibrium import Equilibrium, fermi, match, thermal

Array = np.ndarray


@pytest.mark.parametrize("beta", [*TEMPERATURES, 0.0, np.inf, -np.inf])
def test_thermal(beta: float) -> None:
    state = jax.jit(thermal)(SMALL, beta, 0.5)
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
@pytest.mark.parametrize(
    "energies", [SMALL, SMALL + 1e4, BAND, 1e-6 * BAND], ids=["six", "far from 0", "band", "narrow"]
)
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
    np.testing.assert_allclose(fermi(jnp.asarray(found.log_odds)), found.occupations, atol=1e-14)


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
    found = recover(np.array([0.7]), 0.7 * n, n)
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


def test_compiled_once_for_equal_shapes() -> None:
    counted = jax.jit(eqx.debug.assert_max_traces(lambda *args: match(*args).beta, max_traces=1))
    batch = mixed_batch()
    betas = [counted(*row) for row in zip(*batch, strict=True)]
    assert len({float(b) for b in betas[:4]}) == 4


def test_an_equilibrium_is_a_pytree_of_numbers() -> None:
    found = matching(SMALL, 1.0, 2.0)
    assert isinstance(found, Equilibrium)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found))


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
