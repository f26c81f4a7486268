"""Quenched window models: exact jumps, their work, and what jumps by nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import (
    COHERENT,
    EXCITED,
    JUMPS,
    KEY,
    QUENCH,
    QUENCH_TIMES,
    VALUES,
    WINDOW,
    coarse,
    dense,
    driven,
    with_energies,
)
from twins import second_law

import entropax as ex

Array = np.ndarray


@pytest.mark.parametrize("start", [WINDOW, COHERENT], ids=["a window", "coherent"])
@pytest.mark.parametrize("traced", [False, True])
def test_quenches_are_exact(start: Any, traced: bool) -> None:
    model = driven(QUENCH, start)
    (levels,), h, rho = dense(model)

    def solved(model: ex.OpenSystem, ts: Any) -> ex.WindowLedger:
        return ex.solve(model, ts, ex.Schrodinger(KEY), throw=not traced).ledger

    led = (jax.jit(solved) if traced else solved)(model, QUENCH_TIMES)
    hs = [h + e * EXCITED for e in VALUES]
    found = [second_law.quench(hs, JUMPS, rho, t) for t in QUENCH_TIMES]
    joint, energy = coarse([now for now, _ in found], levels)
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.energy[:, 0], energy, rtol=0, atol=1e-12)
    system = [second_law.reduced(now, 2, [9], 0) for now, _ in found]
    np.testing.assert_allclose(led.system_state, system, rtol=0, atol=1e-12)
    work = [
        sum(np.diff(VALUES)[i] * np.trace(EXCITED @ r).real for i, r in enumerate(jumps))
        for _, jumps in found
    ]
    np.testing.assert_allclose(led.work, work, rtol=0, atol=1e-12)
    value = np.array(VALUES)[np.searchsorted(JUMPS, QUENCH_TIMES, side="right")]
    np.testing.assert_allclose(led.system_energy, value * joint[:, 1].sum(1), rtol=0, atol=1e-12)
    total = np.array([np.trace((h + v * EXCITED) @ r).real for v, (r, _) in zip(value, found)])  # noqa: B905
    np.testing.assert_allclose(led.total_energy, total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.total_energy - total[1], led.work, rtol=0, atol=1e-12)
    assert np.ptp(work) > 0.1


def test_two_driven_levels_jump_at_their_own_times() -> None:
    lower = ex.PiecewiseConstant(times=(2.0,), values=(0.0, 0.3))
    model = driven(QUENCH)
    both = with_energies(model, (lower, QUENCH))
    (levels,), h, rho = dense(model)
    pairs = [(0.0, 1.0), (0.3, 1.0), (0.3, 2.0), (0.3, 0.4)]
    hs = [h + np.kron(np.diag(pair), np.eye(9)) for pair in pairs]
    jumps = [2.0, 3.0, 4.0]
    times = [7.0, 4.0, 2.5, 2.5]
    led = ex.solve(both, times, ex.Schrodinger(KEY)).ledger
    found = [second_law.quench(hs, jumps, rho, t) for t in times]
    joint, _ = coarse([now for now, _ in found], levels)
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-12)
    work = []
    for _, states in found:
        steps = zip(states, hs, hs[1:], strict=False)
        work.append(sum(np.trace((after - before) @ r).real for r, before, after in steps))
    np.testing.assert_allclose(led.work, work, rtol=0, atol=1e-12)


def test_rate_of_exact_dynamics_is_the_slope() -> None:
    model, eps = driven(QUENCH), 1e-4
    grid = np.array([2.0 - eps, 2.0, 2.0 + eps, 5.0 - eps, 5.0, 5.0 + eps])
    led = ex.solve(model, grid, ex.Schrodinger(KEY)).ledger
    s = np.asarray(led.observational_entropy)
    slopes = [(s[2] - s[0]) / (2 * eps), (s[5] - s[3]) / (2 * eps)]
    np.testing.assert_allclose(np.asarray(led.entropy_production_rate)[[1, 4]], slopes, atol=1e-7)


RESTING_TIMES = [0.0, 2.0, 9.0]


@pytest.mark.parametrize("method", [ex.Schrodinger(KEY), ex.EMME()], ids=["exact", "EMME"])
def test_a_jump_at_the_start_does_work(method: Any) -> None:
    """The start is the state before it."""
    jump = ex.PiecewiseConstant(times=(0.0, 5.0), values=(1.0, 1.4, 1.4))
    led = ex.solve(driven(jump), RESTING_TIMES, method).ledger
    np.testing.assert_allclose(led.work, 0.4, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.system_energy[0], 1.4, rtol=0, atol=1e-12)
    plain = ex.solve(driven(1.4), RESTING_TIMES, method).ledger
    np.testing.assert_allclose(led.joint, plain.joint, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "method",
    [ex.Schrodinger(KEY), ex.EMME(), ex.BornMarkovSecular()],
    ids=["exact", "EMME", "frozen"],
)
def test_nothing_driven_is_the_plain_solution(method: Any) -> None:
    constant = ex.PiecewiseConstant(times=(0.0, 5.0), values=(1.4, 1.4, 1.4))
    plain = ex.solve(driven(1.4), RESTING_TIMES, method).ledger
    led = ex.solve(driven(constant), RESTING_TIMES, method).ledger
    np.testing.assert_allclose(led.joint, plain.joint, rtol=0, atol=1e-7)
    np.testing.assert_allclose(led.work, 0.0, atol=1e-14)


def test_a_batch_of_protocols_is_a_loop() -> None:
    ts = jnp.array([2.0, 5.0])

    def work(value: jax.Array, method: Any) -> jax.Array:
        energy = ex.PiecewiseConstant(times=(1.0, 4.0), values=jnp.stack([1.0, value, 1.0]))
        return ex.solve(driven(energy), ts, method, throw=False).ledger.work

    for method in (ex.Schrodinger(KEY), ex.EMME(coherences=False)):
        values = jnp.array([0.8, 2.0])
        together = jax.vmap(lambda v, m=method: work(v, m))(values)
        alone = jnp.stack([work(v, method) for v in values])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-10)
