"""Arrowhead matrices against dense twins: eigenvalues, spectral measure, level response."""

import functools

import equinox as eqx
import jax
import numpy as np
import pytest
from cases.arrowheads import (
    CASES,
    MODES,
    ORDINARY,
    TIME,
    dense,
    dense_evolution,
    everything,
    evolution,
    masks,
    one,
    spectrum_rounding,
)
from numpy.testing import assert_allclose

from entropax.linalg import arrowhead_eigenvalues

pytestmark = pytest.mark.kernels


over_cases = pytest.mark.parametrize("name", CASES)
put_together = jax.jit(evolution)
together = jax.jit(jax.vmap(everything, in_axes=(0, 0, 0, None)))


@functools.cache
def batch(time: float) -> tuple:
    columns = (np.array(column) for column in zip(*CASES.values(), strict=True))
    return jax.tree.map(np.asarray, together(*columns, time))


def case(name: str, time: float = TIME) -> tuple:
    return jax.tree.map(lambda x: x[list(CASES).index(name)], batch(time))


@over_cases
def test_eigenvalues(name: str) -> None:
    h = dense(*CASES[name])
    values, nodes, weights, _ = case(name)
    scale = np.abs(h).max()
    assert_allclose(values, np.linalg.eigvalsh(h), rtol=0, atol=spectrum_rounding(h))
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
    h = dense(*CASES[name])
    scale = np.abs(h).max()
    time = TIME / scale
    response = one(level, energies, couplings, time)[3]
    found = jax.tree.map(np.asarray, put_together(*CASES[name], response, scale))
    corner, border, block = dense_evolution(*CASES[name], time)
    tolerance = 1e-15 + time * spectrum_rounding(h)
    assert_allclose(found[0], corner, rtol=0, atol=tolerance)
    assert_allclose(found[1], border, rtol=0, atol=tolerance)
    assert_allclose(np.diag(found[2]), np.diag(block), rtol=0, atol=tolerance)
    known = np.any(masks(energies, scale), axis=0)
    assert_allclose(found[2], np.where(known, block, 0.0), rtol=0, atol=2e-12)


@pytest.mark.parametrize("name", ORDINARY)
def test_level_response_at_late_times(name: str) -> None:
    """At t = 1e6 phases are right to eps |lambda| t; the dense twin's a few times worse."""
    time = 1e6
    level, energies, couplings = CASES[name]
    h = dense(level, energies, couplings)
    values, vectors = np.linalg.eigh(h)
    u = (vectors * np.exp(-1j * time * values)) @ vectors.T
    *_, response = case(name, time)
    tolerance = time * spectrum_rounding(h)
    assert_allclose(response.level, u[0, 0], rtol=0, atol=tolerance)
    assert_allclose(couplings * response.y, u[0, 1:], rtol=0, atol=tolerance)
    diagonal = np.diag(u)[1:] - np.exp(-1j * time * energies)
    assert_allclose(couplings**2 * response.z, diagonal, rtol=0, atol=tolerance)
    # rows are normalised whatever the phases
    norm = np.abs(response.level) ** 2 + np.sum(np.abs(couplings * response.y) ** 2)
    assert norm == pytest.approx(1.0, abs=2e-13)


@pytest.mark.parametrize("turns", [0.0, 0.125, 0.25, 1.0, 1000.25])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_rabi_oscillation_with_a_coupling_of_1e_10(turns: float, shift: float) -> None:
    """<d|U|d> = e^{-iet} cos gt, <d|U|1> = -i e^{-iet} sin gt, whatever the other modes."""
    level, energies, couplings = CASES["resonance, tiny coupling"]
    energies = energies - level + shift
    g = couplings[0]
    time = 2.0 * np.pi * turns / g
    response = one(shift, energies, couplings, time)[3]
    phase = np.exp(-1j * shift * time)
    # nodes are right to a relative rounding: g and -g without the shift, 0.4 with it
    tolerance = 1e-15 + 1e-15 * (g + shift) * time
    assert_allclose(response.level, phase * np.cos(g * time), rtol=0, atol=tolerance)
    border = couplings * response.y
    assert_allclose(border[0], -1j * phase * np.sin(g * time), rtol=0, atol=tolerance)
    assert_allclose(border[1:], 0.0, atol=0)


@pytest.mark.parametrize("coupling", [1e-60, 1e-79, 1e-85, 1e-130, 1e-153, 1e-170, 5e-324])
@pytest.mark.parametrize("energy", [-1.0, 0.25])
def test_couplings_whose_squares_underflow(coupling: float, energy: float) -> None:
    """As in the tail of a Gaussian spectral density: such modes do nothing at any ordinary time."""
    _, energies, _ = CASES["generic"]
    energies, couplings = np.where(np.arange(MODES) == 0, energy, energies), np.zeros(MODES)
    couplings[0] = coupling
    values, _, weights, response = one(-1.0, energies, couplings, TIME)
    assert_allclose(values, np.sort([-1.0, *energies]), rtol=0, atol=1e-15)
    assert weights.sum() == pytest.approx(1.0, abs=1e-15)
    assert_allclose(response.level, np.exp(1j * TIME), rtol=0, atol=1e-15)
    assert_allclose(couplings * response.y, 0.0, atol=1e-15)
    assert_allclose(couplings**2 * response.z, 0.0, atol=1e-15)


@pytest.mark.parametrize("coupling", [0.0, 1e-12, 0.3, 5.0])
@pytest.mark.parametrize("detuning", [0.0, 1e-9, 0.7])
def test_single_mode(coupling: float, detuning: float) -> None:
    level = 0.2
    args = level, np.array([level - detuning]), np.array([coupling])
    values, _, weights, response = one(*args, TIME)
    root = np.hypot(0.5 * detuning, coupling)
    middle = level - 0.5 * detuning
    assert_allclose(values, [middle - root, middle + root], rtol=0, atol=1e-15 * (1 + root))
    assert weights.sum() == pytest.approx(1.0, abs=1e-15)
    corner, border, block = dense_evolution(*args, TIME)
    tolerance = 1e-15 + TIME * spectrum_rounding(dense(*args))
    assert_allclose(response.level, corner, rtol=0, atol=tolerance)
    assert_allclose(args[2] * response.y, border, rtol=0, atol=tolerance)
    assert_allclose(args[2] ** 2 * response.z, block[0], rtol=0, atol=tolerance)


def test_vmap_equals_loop() -> None:
    for name, (level, energies, couplings) in CASES.items():
        values, nodes, weights, (corner, y, z) = one(level, energies, couplings, TIME)
        scale = np.abs(dense(level, energies, couplings)).max()
        alone = values / scale, nodes / scale, weights, corner, couplings * y, couplings**2 * z
        values, nodes, weights, (corner, y, z) = case(name)
        batched = values / scale, nodes / scale, weights, corner, couplings * y, couplings**2 * z
        # "resonance within a band" has nodes 2e-9 apart: rounding of the level moves the weights
        tolerance = 1e-7 if name == "resonance within a band" else 2e-13
        for a, b in zip(alone, batched, strict=True):
            assert_allclose(b, a, rtol=0, atol=tolerance, err_msg=name)


def test_compiled_once_for_equal_shapes() -> None:
    counted = jax.jit(eqx.debug.assert_max_traces(everything, max_traces=1))
    for name in ("generic", "no coupling", "all energies equal"):
        counted(*CASES[name], TIME)
    at_start = counted(*CASES["generic"], 0.0)[3]
    assert at_start.level == pytest.approx(1.0, abs=1e-15)


def test_derivative_of_eigenvalues_raises() -> None:
    level, energies, couplings = CASES["generic"]
    with pytest.raises(NotImplementedError, match="no derivative"):
        jax.grad(lambda x: arrowhead_eigenvalues(x, energies, couplings)[0])(level)
