"""Energies and frequencies of a small system, and which of them are one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX, model

import entropax as ex
from entropax.model.transition_frequencies import (
    alike,
    bare_spectrum,
    frequency_groups,
    same_frequency,
    total_spectrum,
    transition_energies,
    unresolved,
)


def test_what_is_not_resolved() -> None:
    """The rounding of the largest energy, whatever the range of all is."""
    for energies in ([1.0, 5.0], [5.0, 5.0]):
        rounding = 64 * np.finfo(float).eps * 2 * 5.0
        assert float(unresolved(jnp.array(energies))) == pytest.approx(rounding, rel=1e-14)


@pytest.mark.parametrize(("apart", "one"), [(0.0, True), (1e-14, True), (1e-9, False)])
@pytest.mark.parametrize("highest", [3.0, 1.0 + 1e4])
def test_levels_of_one_energy(apart: float, one: bool, highest: float) -> None:
    expected = np.eye(3, dtype=bool)
    expected[0, 1] = expected[1, 0] = one
    np.testing.assert_array_equal(alike(jnp.array([1.0, 1.0 + apart, highest])), expected)


def test_what_is_one_with_one_is_one_with_all() -> None:
    """A chain of levels, neighbours not resolved, its ends resolved: one level."""
    step = 0.8 * float(unresolved(jnp.ones(4)))
    energies = 1.0 + step * jnp.arange(4)
    assert bool(alike(energies).all())
    assert float(energies[3] - energies[0]) > float(unresolved(energies))


def test_transitions_within_a_level_give_nothing_away_but_move() -> None:
    energies, change = jnp.array([0.0, 1.0, 1.0]), jnp.array([0.0, 0.5, 2.0])
    values, slopes = jax.jvp(transition_energies, (energies,), (change,))
    np.testing.assert_array_equal(values, [[0, 1, 1], [-1, 0, 0], [-1, 0, 0]])
    np.testing.assert_array_equal(slopes, [[0, 0.5, 2], [-0.5, 0, 1.5], [-2, -1.5, 0]])


@pytest.mark.parametrize(
    ("energies", "groups"),
    # of n levels: of a ladder 2n - 1; of a random one n (n - 1) + 1
    [([0.0, 1.0, 2.0, 3.0], 7), ([0.0, 1.0, 2.7, 5.1], 13), ([0.0, 1.0, 1.0, 2.0], 5)],
)
def test_transitions_of_one_frequency_make_a_group(energies: list[float], groups: int) -> None:
    same = np.asarray(same_frequency(jnp.array(energies)))
    number = np.asarray(frequency_groups(jnp.array(energies)))
    assert len(np.unique(number)) == groups
    np.testing.assert_array_equal(same, np.equal.outer(number, number))


def test_spectra_with_and_without_what_the_parts_do_to_each_other() -> None:
    link = ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0)))
    bound = ex.OpenSystem((0.0, 1.0), [link], ex.Product(0), interaction=0.3 * SX)
    np.testing.assert_array_equal(bare_spectrum(bound)[0], [0.0, 1.0])
    np.testing.assert_array_equal(bare_spectrum(bound)[1], np.eye(2))
    energies = 0.5 + np.array([-1.0, 1.0]) * np.sqrt(0.25 + 0.09)
    np.testing.assert_allclose(total_spectrum(bound)[0], energies, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(total_spectrum(model())[0], [0.0, 1.0])
