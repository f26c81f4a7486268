"""The Born-Markov-secular equation: the rates of the start, and no others."""

import numpy as np
import pytest
import scipy.linalg
from cases.windows import TIGHT, four_couplings, large_spin, written

import entropax as ex

Array = np.ndarray

TIMES = np.array([7.0, 0.0, 1.5, 40.0])
RELAXING = np.linspace(0.0, 20.0, 5)


def test_the_frozen_bath_relaxes_at_the_rates_of_its_start() -> None:
    model = large_spin()
    ts = RELAXING
    led = ex.solve(model, ts, ex.BornMarkovSecular()).ledger
    down = 2 * np.pi * 9e-6 / 0.5 * 600
    np.testing.assert_allclose(led.joint[:, 1, 0], np.exp(-down * ts), rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.joint.sum(1)[:, 1], 0.0, rtol=0, atol=1e-15)
    # what the spin lost the bath was given, though its windows stay as they were
    np.testing.assert_allclose(led.energy[:, 0], 1.0 - np.exp(-down * ts), rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.window_energy, 0.0, rtol=0, atol=1e-15)
    canonical = large_spin(ex.Product(system=0, beta=(1.0,)))
    late = ex.solve(canonical, [1e4], ex.BornMarkovSecular()).ledger
    p = np.array([400.0, 600.0 * np.exp(-1.0)])
    rates = np.array([600.0 * p[0], 400.0 * p[1]])  # down, up
    expected = rates[1] / rates.sum()
    assert float(late.system_state[0, 1, 1]) == pytest.approx(expected, abs=1e-8)


def test_the_frozen_equation_is_the_averaged_written_generator() -> None:
    """Coherences and shifts too: rates averaged over the start's windows."""
    model = four_couplings(4)
    led = ex.solve(model, TIMES, ex.BornMarkovSecular(**TIGHT)).ledger
    generator = written(model)
    p1, p2 = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0])
    blow = np.einsum("ia,jb,m,n->ijmnab", np.eye(3), np.eye(3), p1, p2).reshape(108, 9)
    shrink = np.einsum("ia,jb,m,n->abijmn", np.eye(3), np.eye(3), np.ones(4), np.ones(3))
    small = shrink.reshape(9, 108) @ generator @ blow
    start = np.asarray(model.start.on_windows(model)).sum((2, 3))
    states = np.array([scipy.linalg.expm(small * t) @ start.ravel() for t in TIMES])
    states = states.reshape(-1, 3, 3)
    np.testing.assert_allclose(led.system_state, states, rtol=0, atol=1e-9)
    joint = np.diagonal(states, axis1=1, axis2=2).real[..., None, None] * p1[:, None] * p2
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-9)
    # on resonance every jump hands over what the system loses
    gone = led.system_energy - led.system_energy[1]
    np.testing.assert_allclose(led.heat.sum(-1) - led.heat.sum(-1)[1], gone, rtol=0, atol=1e-9)


def test_frozen_baths_have_no_observational_entropy() -> None:
    led = ex.solve(large_spin(), RELAXING, ex.BornMarkovSecular()).ledger
    assert led.entropy_production is None
    assert led.observational_entropy is None
