"""Derivatives of driven junctions where something jumps, is shut, empty or full; and batches."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from cases.fermions import driven_junction, with_protocols
from derivatives import check_derivative

import entropax as ex
from entropax.solve import solve_plan

SILENT = diffrax.NoProgressMeter()


def test_derivative_by_the_time_of_a_jump_that_is_a_saved_time() -> None:
    jump, method = ex.PiecewiseConstant([1.1], (0.5, -1.0)), ex.SplitStep(steps=24, order=4)
    built, ts = driven_junction(jump, None, modes=3), jnp.array([1.1, 2.0])

    def f(time):
        model = with_protocols(built, [eqx.tree_at(lambda p: p.times, jump, time[None])])
        return method.run(method.plan(model, ts), lambda state: state.work, SILENT)[1]

    check_derivative(f, (np.array(1.1),), (np.array(1.0),), tolerance=1e-7)


def test_derivatives_by_the_times_of_two_jumps_at_once() -> None:
    def f(times):
        level = ex.PiecewiseConstant(times[:1], (0.4, -0.2))
        gate = ex.PiecewiseConstant(times[1:], (0.5, 1.5))
        led = ex.solve(driven_junction(level, gate, modes=3), [2.0], ex.SplitStep(steps=100)).ledger
        return led.work[0] + led.entropy_production[0]

    for direction in np.eye(2):  # slopes are those of both orders, curvatures are not
        check_derivative(f, (np.ones(2),), (direction,), step=1e-6, tolerance=1e-6)


def test_derivatives_at_a_closed_gate_and_an_empty_or_filled_level() -> None:
    """A coupling that is off in part of a protocol, and occupations 0 and 1."""
    gate, method = ex.PiecewiseConstant((0.4, 0.8), (1.0, 0.0, 1.0)), ex.SplitStep(steps=16)
    built, ts = driven_junction(0.3, gate, modes=3), jnp.array([1.2])

    def f(values, n):
        model = with_protocols(built, [eqx.tree_at(lambda g: g.values, gate, values)])
        model = eqx.tree_at(lambda j: j.occupation, model, n)
        led = solve_plan(method, method.plan(model, ts)).ledger
        return led.work[0] + led.energy[0, 0] + led.entropy_production[0]

    for n in (0.0, 1.0):
        args = (np.asarray(gate.values), np.array(n))
        check_derivative(f, args, (np.array([0.3, 1.0, -0.5]), np.array(0.0)), tolerance=1e-8)


def test_batches_equal_loops_and_compile_once() -> None:
    traced = []

    @jax.jit
    def one(height):
        traced.append(None)
        ramp = ex.PiecewiseLinear((0.0, 1.0), (0.2, height))
        return ex.solve(
            driven_junction(ramp, modes=3), [1.0], ex.SplitStep(steps=8), throw=False
        ).ledger.work[0]

    heights = jnp.array([0.0, 1.0, 2.0])
    alone = jnp.stack([one(h) for h in heights])
    assert len(traced) == 1
    np.testing.assert_allclose(jax.vmap(one)(heights), alone, rtol=0, atol=1e-14)
