"""Smoothly driven window models, exactly: order of the steps, the first law, jumps between."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import (
    COHERENT,
    EXCITED,
    KEY,
    SX,
    Wave,
    coarse,
    dense,
    driven,
    with_energies,
)
from twins import second_law

import entropax as ex
from entropax.protocol import Smooth

Array = np.ndarray


def smooth_twin(model: ex.OpenSystem, times: Array) -> tuple[Array, Array]:
    (levels,), h, rho = dense(model)
    rhos, work = second_law.driven(
        lambda t: h + (1 + 0.4 * np.sin(0.7 * t)) * EXCITED,
        lambda t: 0.28 * np.cos(0.7 * t) * EXCITED,
        rho,
        times,
    )
    return coarse(rhos, levels)[0], np.array(work)


@pytest.mark.parametrize(("order", "steps"), [(2, 16), (4, 16)])
def test_order_of_smooth_driving(order: int, steps: int) -> None:
    """Halved steps: as many between times, of which there are twice as many."""
    model, ts = driven(Wave(jnp.array(0.4)), COHERENT), np.array([2.0, 7.0])
    joint, work = smooth_twin(model, ts)
    method = ex.Schrodinger(KEY, order=order, steps=steps)  # pyright: ignore[reportArgumentType]
    errors = []
    for times in ([0.0, 2.0, 7.0, 7.0], [1.0, 2.0, 4.5, 7.0]):
        led = ex.solve(model, times, method, throw=False).ledger
        own = np.array([1, 3])
        errors.append((np.abs(led.joint[own] - joint).max(), np.abs(led.work[own] - work).max()))
    orders = np.log2(np.array(errors[0]) / np.array(errors[1]))
    assert abs(orders[0] - order) < 0.2
    assert orders[1] > order - 0.2  # the work's own quadrature is of fourth order


def test_too_few_steps_are_told() -> None:
    model = driven(Wave(jnp.array(0.4)))
    coarse_steps = ex.Schrodinger(KEY, steps=2)
    with pytest.raises(eqx.EquinoxRuntimeError, match="first law is off by more than 1e-6"):
        ex.solve(model, [0.0, 7.0], coarse_steps)
    sol = ex.solve(model, [0.0, 7.0], coarse_steps, throw=False)
    np.testing.assert_array_equal(sol.result == ex.RESULTS.unresolved, [False, True])
    np.testing.assert_array_equal(sol.failed, [False, True])


def test_smooth_driving_meets_jumps_between_times() -> None:
    """A protocol of each kind: the jump is honoured though no time asked for is near it."""

    def built(first: Any) -> ex.OpenSystem:
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 3), width=0.5)
        link = ex.Coupling(SX, bath, 0.2, ex.RandomBands())
        return ex.OpenSystem((first, 1.0), (link,), ex.Product(system=1, windows=(0,)))

    class Slow(eqx.Module):
        def __call__(self, time: jax.Array) -> jax.Array:
            return 1.0 + 0.0 * time

    jump = ex.PiecewiseConstant(times=(1.7,), values=(0.0, 0.4))
    ts = [0.0, 3.0]
    exact = ex.solve(built(jump), ts, ex.Schrodinger(KEY)).ledger
    both = with_energies(built(jump), (jump, Smooth(Slow())))
    led = ex.solve(both, ts, ex.Schrodinger(KEY)).ledger
    np.testing.assert_allclose(led.joint, exact.joint, atol=1e-10)
    np.testing.assert_allclose(led.work, exact.work, atol=1e-10)
    assert abs(float(exact.work[1])) > 0.01
