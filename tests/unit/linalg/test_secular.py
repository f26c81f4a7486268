"""Roots of secular equations against dense eigenvalues, and their offsets from the poles."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
import scipy.linalg
from cases.arrowheads import COUPLINGS, ENERGIES, MODES, dense, spectrum_rounding
from numpy.testing import assert_allclose

from entropax.linalg.secular import merge_poles, secular_roots

pytestmark = pytest.mark.kernels


@functools.partial(jax.jit, static_argnums=3)
def roots_and_poles(position, weight, shift, slope: float) -> tuple:
    poles = merge_poles(position, weight, 4 * 2.0**-52)
    roots = secular_roots(poles, slope=slope, shift=shift)
    return poles.position[roots.origin] + roots.offset, roots.valid, poles, roots


def solved(*arguments: Any) -> tuple:
    """The same in NumPy, which does not compile an index anew for each number of roots."""
    return jax.tree.map(np.asarray, roots_and_poles(*arguments))


POLES = {
    "distinct": (ENERGIES, COUPLINGS**2),
    "weights from 1e-28 to 1": (ENERGIES, 10.0 ** np.array([-28.0, -22.0, -16.0, -10.0, -4.0, 0])),
    "some without weight": (ENERGIES, COUPLINGS**2 * np.array([1, 0, 1, 0, 0, 1])),
    "coinciding": (np.array([0.5, 0.2, 0.5, 0.5, 0.2, 0.9]), COUPLINGS**2),
    "close": (np.array([0.5, 0.5 + 1e-12, 0.2, 0.2 + 1e-14, 0.9, 0.7]), COUPLINGS**2),
    "one": (np.full(MODES, 0.25), COUPLINGS**2),
}


@pytest.mark.parametrize("name", POLES)
def test_secular_roots_of_slope_one_are_arrowhead_eigenvalues(name: str) -> None:
    position, weight = POLES[name]
    found, valid, poles, _ = solved(position, weight, 0.3, 1.0)
    assert np.count_nonzero(valid) == poles.coupled + 1
    h = dense(0.3, position, np.sqrt(weight))
    values = np.linalg.eigvalsh(h)
    still = np.repeat(
        poles.position, np.where(np.arange(MODES) < poles.coupled, poles.size - 1, poles.size)
    )
    tolerance = spectrum_rounding(h)
    assert_allclose(np.sort(np.concatenate([found[valid], still])), values, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", POLES)
def test_secular_roots_of_slope_zero_remove_a_direction(name: str) -> None:
    position, weight = POLES[name]
    found, valid, poles, _ = solved(position, weight, 0.0, 0.0)
    assert np.count_nonzero(valid) == poles.coupled - 1
    complement = scipy.linalg.null_space(np.sqrt(weight)[None, :])
    h = complement.T @ (position[:, None] * complement)
    values = np.linalg.eigvalsh(h)
    still = np.repeat(
        poles.position, np.where(np.arange(MODES) < poles.coupled, poles.size - 1, poles.size)
    )
    tolerance = spectrum_rounding(h)
    assert_allclose(np.sort(np.concatenate([found[valid], still])), values, rtol=0, atol=tolerance)


def test_offsets_have_full_relative_accuracy() -> None:
    """A root 1e-20 from its pole: level 1, pole 0, coupling 1e-10 gives -1e-20 (1 - 1e-20)."""
    position, weight = np.zeros(MODES), np.array([1e-20, 0, 0, 0, 0, 0])
    _, _, _, roots = solved(position, weight, 1.0, 1.0)
    assert roots.offset[0] == pytest.approx(-1e-20, rel=1e-15)
    assert roots.offset[1] == pytest.approx(1.0, rel=1e-15)
