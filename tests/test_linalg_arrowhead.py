"""Arrowhead matrices against dense twins: eigenvalues, spectral measure, level response, slopes."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from helpers import difference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from entropax.linalg import (
    arrowhead_eigenvalues,
    arrowhead_spectrum,
    level_response,
    secular_roots,
)
from entropax.linalg.secular import merge_poles

Array = np.ndarray

MODES = 6
TIME = 3.7
RNG = np.random.default_rng(12)
ENERGIES = RNG.normal(size=MODES)  # not sorted
COUPLINGS = RNG.normal(size=MODES)

# level, energies, couplings
CASES: dict[str, tuple[float, Array, Array]] = {
    "generic": (0.3, ENERGIES, COUPLINGS),
    "sorted band": (0.1, np.linspace(-1.0, 1.0, MODES), np.full(MODES, 0.4)),
    "no coupling": (0.3, ENERGIES, np.zeros(MODES)),
    "some uncoupled": (0.3, ENERGIES, COUPLINGS * np.array([1, 0, 1, 0, 0, 1])),
    "equal energies": (0.2, np.array([0.5, -1.0, 0.5, 0.5, -1.0, 0.9]), COUPLINGS),
    "all energies equal": (0.2, np.full(MODES, 0.7), COUPLINGS),
    "all equal, level too": (0.7, np.full(MODES, 0.7), COUPLINGS),
    "all at zero": (0.0, np.zeros(MODES), COUPLINGS),
    "equal, one uncoupled": (
        0.2,
        np.array([0.5, -1.0, 0.5, 0.9, -1.0, 0.9]),
        COUPLINGS * np.array([1, 0, 0, 0, 1, 0]),
    ),
    "equal to rounding": (
        0.2,
        np.array([0.5, 0.5 + 2.0**-53, -1.0, -1.0 - 2.0**-52, 0.1, 0.9]),
        COUPLINGS,
    ),
    "nearly equal": (0.2, np.array([0.5, 0.5 + 1e-13, -1.0, -1.0 + 1e-9, 0.1, 0.9]), COUPLINGS),
    "tiny couplings": (0.3, ENERGIES, 10.0 ** np.array([-14.0, -11.0, -8.0, -5.0, -2.0, 0.0])),
    "all tiny": (0.3, ENERGIES, np.array([1e-9, -1e-9, 1e-10, 1e-12, 1e-14, 3e-9])),
    "resonance, tiny coupling": (
        0.4,
        np.array([0.4, -1.0, 0.9, 1.3, -0.2, 2.0]),
        np.array([1e-10, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ),
    "resonance within a band": (0.4, np.linspace(-1.0, 1.0, MODES) + 0.2, np.full(MODES, 1e-9)),
    "resonance, all couple": (0.4, np.array([0.4, -1.0, 0.9, 1.3, -0.2, 2.0]), COUPLINGS),
    "large scale": (3e5, 1e6 * ENERGIES, 1e5 * COUPLINGS),
    "small scale": (3e-7, 1e-6 * ENERGIES, 1e-7 * COUPLINGS),
}
# energies of order one, so that derivatives and times mean the same in all of them
ORDINARY = [name for name in CASES if not name.endswith("scale")]
over_cases = pytest.mark.parametrize("name", CASES)


def dense(level: float, energies: Array, couplings: Array) -> Array:
    h = np.diag(np.concatenate([[level], energies]))
    h[0, 1:] = h[1:, 0] = couplings
    return h


def everything(level, energies, couplings, time):
    spectrum = arrowhead_spectrum(level, energies, couplings)
    eigenvalues = arrowhead_eigenvalues(level, energies, couplings)
    return eigenvalues, spectrum.nodes, spectrum.weights, level_response(spectrum, time)


one = jax.jit(everything)
together = jax.jit(jax.vmap(everything, in_axes=(0, 0, 0, None)))


@functools.cache
def batch(time: float) -> tuple:
    columns = (np.array(column) for column in zip(*CASES.values(), strict=True))
    return jax.tree.map(np.asarray, together(*columns, time))


def case(name: str, time: float = TIME) -> tuple:
    return jax.tree.map(lambda x: x[list(CASES).index(name)], batch(time))


def evolution(level, energies, couplings, response) -> jax.Array:
    """e^{-iht} put together from the functions y and z, modes of equal energy included.

    Between different energies y[e_j, e_k] is a quotient: half its digits are gone where they
    differ by 1e-8, so those entries are left at zero.
    """
    distance = energies[:, None] - energies[None, :]
    far = jnp.abs(distance) > 1e-2
    same = jnp.abs(distance) < 1e-15
    y = response.y[:, None] - response.y[None, :]
    z = 0.5 * (response.z[:, None] + response.z[None, :])
    quotient = jnp.where(far, y / jnp.where(far, distance, 1.0), jnp.where(same, z, 0.0))
    border = couplings * response.y
    return couplings[:, None] * couplings[None, :] * quotient, border, response.level


def dense_evolution(level: float, energies: Array, couplings: Array, time: float) -> tuple:
    """The same entries of the dense exponential."""
    u = scipy.linalg.expm(-1j * time * dense(level, energies, couplings))
    distance = np.abs(energies[:, None] - energies[None, :])
    block = u[1:, 1:] - np.diag(np.exp(-1j * time * energies))
    return np.where((distance > 1e-2) | (distance < 1e-15), block, 0.0), u[0, 1:], u[0, 0]


# Values


@over_cases
def test_eigenvalues(name: str) -> None:
    h = dense(*CASES[name])
    values, nodes, weights, _ = case(name)
    scale = np.abs(h).max()
    assert_allclose(values, np.linalg.eigvalsh(h), rtol=0, atol=8e-15 * scale)
    # the nodes that carry weight are eigenvalues too
    distance = np.abs(nodes[weights > 0][:, None] - values[None, :]).min(axis=1)
    assert_allclose(distance, 0.0, atol=2e-15 * scale)


@over_cases
def test_weights_are_the_squared_level_amplitudes(name: str) -> None:
    h = dense(*CASES[name])
    _, nodes, weights, _ = case(name)
    assert np.all(weights >= 0)
    assert weights.sum() == pytest.approx(1.0, abs=4e-15)
    # moments <d|h^k|d>, which no choice of vectors within a degenerate level changes
    scale = np.abs(h).max()
    power = np.eye(len(h))
    for k in range(1, 6):
        power = power @ (h / scale)
        assert weights @ (nodes / scale) ** k == pytest.approx(power[0, 0], abs=1e-14 * 2.0**k)


def test_small_weights_have_relative_accuracy() -> None:
    """c_a ~ (t_k / gap)^2 = 1e-28 for the weakest mode, as perturbation theory has it."""
    level, energies, couplings = CASES["tiny couplings"]
    couplings = np.where(couplings < 0.5, couplings, 0.0)
    _, nodes, weights, _ = one(level, energies, couplings, TIME)
    for k in range(3):
        found = weights[np.argmin(np.abs(nodes - energies[k]))]
        expected = (couplings[k] / (energies[k] - level)) ** 2
        # the second order moves the level by 1e-4, hence the quotient
        assert found == pytest.approx(expected, rel=2e-3)


@over_cases
def test_level_response(name: str) -> None:
    level, energies, couplings = CASES[name]
    scale = max(np.abs(energies).max(), np.abs(level))
    time = TIME / scale
    response = one(level, energies, couplings, time)[3]
    block, border, corner = evolution(level, energies, couplings, response)
    expected_block, expected_border, expected_corner = dense_evolution(*CASES[name], time)
    assert_allclose(corner, expected_corner, rtol=0, atol=3e-14)
    assert_allclose(border, expected_border, rtol=0, atol=3e-14)
    assert_allclose(block, expected_block, rtol=0, atol=2e-12)
    assert_allclose(jnp.diag(block), np.diag(expected_block), rtol=0, atol=3e-14)


@pytest.mark.parametrize("name", ORDINARY)
def test_level_response_at_late_times(name: str) -> None:
    """At t = 1e6 phases are right to eps |lambda| t; the dense twin's a few times worse."""
    time = 1e6
    level, energies, couplings = CASES[name]
    h = dense(level, energies, couplings)
    values, vectors = np.linalg.eigh(h)
    u = (vectors * np.exp(-1j * time * values)) @ vectors.T
    *_, response = case(name, time)
    tolerance = 3e-15 * time * np.abs(values).max()
    assert_allclose(response.level, u[0, 0], rtol=0, atol=tolerance)
    assert_allclose(couplings * response.y, u[0, 1:], rtol=0, atol=tolerance)
    diagonal = np.diag(u)[1:] - np.exp(-1j * time * energies)
    assert_allclose(couplings**2 * response.z, diagonal, rtol=0, atol=tolerance)
    # rows are normalised whatever the phases
    norm = np.abs(response.level) ** 2 + np.sum(np.abs(couplings * response.y) ** 2)
    assert norm == pytest.approx(1.0, abs=2e-14)


@pytest.mark.parametrize("turns", [0.0, 0.125, 0.25, 1.0, 1000.25])
def test_rabi_oscillation_with_a_coupling_of_1e_10(turns: float) -> None:
    """<d|U|d> = e^{-iet} cos gt, <d|U|1> = -i e^{-iet} sin gt, whatever the other modes."""
    level, energies, couplings = CASES["resonance, tiny coupling"]
    g = couplings[0]
    time = 2.0 * np.pi * turns / g
    for shift, tolerance in ((level, 2e-15 * turns), (0.0, 4e-16)):
        # without the shift the nodes are -g and g themselves, and the phases exact
        response = one(level - shift, energies - level, couplings, time)[3]
        phase = np.exp(-1j * (level - shift) * time)
        del tolerance
        assert_allclose(response.level, phase * np.cos(g * time), rtol=0, atol=1e-12)
        border = couplings * response.y
        assert_allclose(border[0], -1j * phase * np.sin(g * time), rtol=0, atol=1e-12)
        assert_allclose(border[1:], 0.0, atol=0)
