"""Derivatives of driven junctions and networks by every number of their protocols."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import as_network, driven_junction, with_protocols
from derivatives import check_derivative

import entropax as ex

PARAMETERS = {
    "points": (
        ex.CubicSpline.ramp(0.4, 1.0, duration=1.5, pieces=3),
        ex.PiecewiseLinear.ramp(0.8, 1.0, duration=1.5, pieces=5),
        ex.PiecewiseConstant.ramp(1.0, 0.7, duration=1.5, pieces=4),
    ),
    "waves": (
        ex.Bounded(ex.Fourier(0.4, (0.2,), (0.3,), period=1.5), -1.0, 1.0),
        ex.Constant(0.8),
        ex.Held(eqx.nn.MLP("scalar", "scalar", 3, 1, jnp.tanh, key=jax.random.key(0)), 1, 1, 1.5),
    ),
}


SILENT = diffrax.NoProgressMeter()


def weighted(state: Any) -> jax.Array:
    """All that a state holds in one number, real parts and imaginary ones."""
    leaves = jax.tree.leaves(state)
    rng = np.random.default_rng(1)
    total = jnp.zeros(())
    for leaf in leaves:
        total += jnp.sum(rng.normal(size=leaf.shape) * leaf.real)
        if jnp.iscomplexobj(leaf):
            total += jnp.sum(rng.normal(size=leaf.shape) * leaf.imag)
    return total


@pytest.mark.parametrize(("kind", "name"), [("star", "points"), ("dense", "waves")])
def test_derivatives_by_every_parameter(kind: str, name: str) -> None:
    """Of every entry of the state and of W, by all numbers of three protocols, inner times too.

    The model is checked beforehand, so that JAX can keep the program between runs.
    """
    method = ex.SplitStep(steps=32, order=4) if kind == "star" else ex.Magnus(steps=6)
    numbers, rest = eqx.partition(PARAMETERS[name], eqx.is_inexact_array)
    flat, rebuild = jax.flatten_util.ravel_pytree(numbers)
    built, ts = driven_junction(*PARAMETERS[name], modes=3), jnp.array([1.5, 0.7])
    built = built if kind == "star" else as_network(built)

    def f(flat):
        model = with_protocols(built, eqx.combine(rebuild(flat), rest))
        plan = method.plan(model, ts)
        seen = plan.as_asked(method.run(plan, weighted, SILENT))
        return seen @ jnp.array([1.0, 0.4])

    rng = np.random.default_rng(0)
    moved = jax.tree.map(lambda x: rng.normal(size=x.shape), numbers)
    if name == "points":  # ends and last times are asked for at a jump
        inner = [rng.normal(size=p.protocol.times.shape) for p in numbers]
        for times in inner[:2]:
            times[[0, -1]] = 0.0
        moved = eqx.tree_at(
            lambda ps: [p.duration for p in ps] + [p.protocol.times for p in ps],
            moved,
            [np.zeros(())] * 3 + [0.1 * times for times in inner],
        )
    else:
        moved = eqx.tree_at(lambda ps: ps[2].duration, moved, np.zeros(()))
    direction = np.asarray(jax.flatten_util.ravel_pytree(moved)[0])
    check_derivative(f, (np.asarray(flat),), (direction,), tolerance=1e-7)
