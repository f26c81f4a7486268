"""Driven master equations against generators written out, and their first law."""

from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from cases.matrices import random_hermitian
from cases.windows import (
    COHERENT,
    JUMPS,
    QUENCH,
    QUENCH_TIMES,
    SX,
    TIGHT,
    VALUES,
    WINDOW,
    Wave,
    driven,
    with_energies,
    written,
)

import entropax as ex

Array = np.ndarray


@pytest.mark.parametrize(
    "options",
    [{}, {"coherences": True}, {"solver": diffrax.Dopri8()}],
    ids=["exponential", "states", "solver"],
)
def test_emme_honours_jumps(options: dict) -> None:
    coherent = "coherences" in options
    start = COHERENT if coherent else WINDOW
    model = driven(QUENCH, start)
    led = ex.solve(model, QUENCH_TIMES, ex.EMME(**TIGHT, **options)).ledger
    rho = np.asarray(model.start.on_windows(model))
    if not coherent:
        rho = np.einsum("ij,j...->ij...", np.eye(2), rho)
    shape, edges = rho.shape, [0.0, *JUMPS]
    generators = []
    for value in VALUES[:-1]:
        now = with_energies(model, jnp.array([0.0, value]))
        generators.append(written(now))
    for i, t in enumerate(QUENCH_TIMES):
        state, work = rho.ravel().astype(complex), 0.0
        for j, g in enumerate(generators):
            state = scipy.linalg.expm(g * (np.clip(t, edges[j], edges[j + 1]) - edges[j])) @ state
            if t >= edges[j + 1]:
                work += (VALUES[j + 1] - VALUES[j]) * state.reshape(shape)[1, 1].sum().real
        states = state.reshape(shape)
        joint = np.stack([states[0, 0].real, states[1, 1].real])
        np.testing.assert_allclose(led.joint[i], joint, rtol=0, atol=1e-9)
        np.testing.assert_allclose(led.work[i], work, rtol=0, atol=1e-9)
        if coherent:
            np.testing.assert_allclose(led.system_state[i], states.sum(-1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", ["equidistant", "degenerate"])
def test_coherences_of_stretches_with_other_resonances(case: str) -> None:
    """What is resonant in one stretch has turned by other phases in those before."""
    rng = np.random.default_rng(5)
    bath = ex.WindowBath((0.0, 0.5, 1.0, 1.5, 2.0), (3, 4, 5, 6, 7), width=0.5)
    d, before, after = 3, (0.0, 1.0, 2.5), (0.0, 1.0, 2.0)
    if case == "degenerate":
        d, before, after = 2, (0.0, 1.0), (0.0, 0.0)
    operator = random_hermitian(rng, d)
    rho = random_hermitian(rng, d)
    rho = rho @ rho / np.trace(rho @ rho).real
    link = ex.Coupling(operator, bath, 0.1, ex.GOE(0.4))
    values = [e if e == f else ex.PiecewiseConstant((2.0,), (e, f)) for e, f in zip(before, after)]  # noqa: B905
    model = ex.OpenSystem(values, (link,), ex.Product(rho, windows=(2,)))
    led = ex.solve(model, [5.0], ex.EMME(**TIGHT)).ledger
    state = np.asarray(model.start.on_windows(model))
    shape = state.shape
    for energies, time in ((before, 2.0), (after, 3.0)):
        now = with_energies(model, jnp.array(energies))
        state = scipy.linalg.expm(written(now) * time) @ state.ravel()
    state = state.reshape(shape)
    np.testing.assert_allclose(led.system_state[0], state.sum(-1), rtol=0, atol=1e-8)
    joint = np.diagonal(state).real.T
    np.testing.assert_allclose(led.joint[0], joint, rtol=0, atol=1e-8)


def test_populations_alone_need_levels_apart_at_all_times() -> None:
    meeting = ex.PiecewiseConstant((2.0,), (1.0, 0.0))
    with pytest.raises(eqx.EquinoxRuntimeError, match="levels of the system have one energy"):
        ex.solve(driven(meeting), [3.0], ex.EMME(coherences=False))
    # also where they meet between the times asked for: NaN from there on
    between = ex.PiecewiseConstant((1.0, 2.0), (1.0, 0.0, 1.0))
    found = ex.solve(driven(between), [0.5, 3.0], ex.EMME(coherences=False), throw=False)
    np.testing.assert_array_equal(found.failed, [False, True])
    assert np.isnan(found.ledger.system_entropy[1])


def test_emme_under_smooth_driving() -> None:
    model = driven(Wave(jnp.array(0.3), 0.1))
    ts = np.array([5.0, 20.0])

    def generator(t: float) -> Array:
        value = 1 + 0.3 * np.sin(0.1 * t)
        return written(with_energies(model, jnp.array([0.0, value])))

    start = np.einsum("ij,j...->ij...", np.eye(2), np.asarray(model.start.on_windows(model)))
    shape = start.shape

    def right(t: float, y: Array) -> Array:
        p = y[:-1].reshape(shape)
        return np.append(generator(t) @ y[:-1], 0.03 * np.cos(0.1 * t) * p[1, 1].sum())

    y0 = np.append(start.ravel(), 0.0).astype(complex)
    found = scipy.integrate.solve_ivp(right, (0, 20), y0, t_eval=ts, rtol=1e-6, atol=1e-8)
    led = ex.solve(model, ts, ex.EMME(rtol=1e-8, atol=1e-10)).ledger
    states = found.y[:-1].T.reshape(2, *shape)
    np.testing.assert_allclose(led.joint[:, 1], states[:, 1, 1].real, rtol=0, atol=2e-6)
    np.testing.assert_allclose(led.work, found.y[-1].real, rtol=0, atol=2e-6)


@pytest.mark.parametrize("system", [1, [[0.5, 0.3j], [-0.3j, 0.5]]], ids=["level", "coherent"])
def test_first_law_of_the_master_equation(system: Any) -> None:
    """dU_S = W + Q (Riera Eq. 49), between windows too where they are alike: neighbours share."""
    bath = ex.WindowBath(np.arange(21) * 0.5, [80] * 21, width=0.5)
    link = ex.Coupling(SX, bath, 0.01, ex.RandomBands())
    energy = ex.PiecewiseLinear(times=(0.0, 30.0, 60.0), values=(0.5, 1.5, 0.8))
    model = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=system, windows=(10,)))
    led = ex.solve(model, np.linspace(0.0, 60.0, 7), ex.EMME()).ledger
    gained = led.system_energy - led.system_energy[0]
    at_edges = np.asarray(led.joint)[:, :, [0, -1]].sum((1, 2))  # beyond, windows are missing
    np.testing.assert_array_less(at_edges, 1e-8)
    np.testing.assert_allclose(gained, led.work + led.heat[:, 0], rtol=0, atol=1e-8)
    assert np.all(np.asarray(led.entropy_production_rate) >= -1e-9)
    assert np.ptp(led.work) > 0.05
