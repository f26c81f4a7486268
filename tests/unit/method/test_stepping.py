"""Steps of a march: its grid, breaks, jumps and work, whatever carries the state; and misuse."""

import functools
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import driven_junction

import entropax as ex
from entropax.method.base import Plan
from entropax.method.stepping import AbstractPropagator, Steps, step_through
from entropax.model.driven import AbstractControlled
from entropax.protocol import AbstractProtocol

SILENT = diffrax.NoProgressMeter()
SMALL = driven_junction(modes=2)
FORCE = np.array([0.7, -0.3, 0.5, 0.2])
"""Of time, lowest power first."""


class Rod(AbstractControlled):
    """A model of one control and nothing else."""

    u: AbstractProtocol

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        return {"u": self.u}

    @property
    def given_controls(self) -> tuple[AbstractProtocol, ...]:
        return (self.u,)

    def with_controls(self, controls: Any) -> "Rod":
        del controls
        return self


class Walked(NamedTuple):
    time: Any
    steps: Any
    integral: Any


class Clock(AbstractPropagator):
    """Adds up the time and u of the middle of each step; its force is a cubic of time."""

    model: Rod
    pairs: int = eqx.field(static=True)

    @property
    def block(self) -> int:
        return self.pairs

    def begin(self) -> Walked:
        return Walked(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))

    def forces(self, x: Walked) -> Any:
        return jnp.polyval(jnp.asarray(FORCE[::-1]), x.time)[None]

    def coefficients(self, steps: Steps) -> Any:
        return steps.length, steps.controls(self.model, (0.5,))[:, 0, 0]

    def advance(self, x: Walked, coefficients: Any) -> tuple[Walked, Any]:
        def one(x: Walked, step: Any) -> tuple[Walked, Any]:
            length, u = step
            x = Walked(x.time + length, x.steps + (length > 0), x.integral + length * u)
            return x, self.forces(x)

        return jax.lax.scan(one, x, coefficients)

    def state(self, x: Walked, time: Any, work: Any) -> Any:
        return x, time, work


def walk(u: AbstractProtocol, ts: Any, steps: int, pairs: int = 1) -> dict[str, np.ndarray]:
    plan = Plan.of(Rod(u), jnp.asarray(ts), None)
    return jax.tree.map(np.asarray, _walk(plan, steps, pairs))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _walk(plan: Plan, steps: int, pairs: int) -> Any:
    def show(x: Walked, time: Any, work: Any) -> dict[str, Any]:
        return x._asdict() | {"shown": time, "work": work}

    model = plan.model
    shown = step_through(model, Clock(model, pairs), plan.ts, steps, show, SILENT)
    return plan.as_asked(shown)


def energy(until: Any) -> Any:
    """The integral of the force from 0."""
    return np.polynomial.polynomial.polyval(until, np.polynomial.polynomial.polyint(FORCE))


def test_nodes_and_controls_of_steps() -> None:
    stretch = jnp.zeros(2), jnp.array([0.5, 2.0])
    steps = Steps(jnp.array([0.0, 0.5]), jnp.array([0.5, 1.0]), stretch)
    np.testing.assert_allclose(steps.times((0.0, 0.5)), [[0.0, 0.25], [0.5, 1.0]], rtol=1e-15)
    model = Rod(ex.PiecewiseConstant((0.5,), (1.0, -1.0)))
    stretch = jnp.array([0.0, 0.5]), jnp.array([0.5, 2.0])
    found = steps._replace(stretch=stretch).controls(model, (0.0, 1.0))
    np.testing.assert_array_equal(found[:, :, 0], [[1.0, 1.0], [-1.0, -1.0]])


@pytest.mark.parametrize("pairs", [1, 3])
def test_a_march_meets_every_time_and_break(pairs: int) -> None:
    """Midpoints integrate a line exactly where no step crosses its break; Simpson, a cubic."""
    line = ex.PiecewiseLinear((0.0, 0.35, 2.0), (0.0, 0.7, -0.3))
    ts = np.array([2.0, 0.5, 0.25, 2.0])
    found = walk(line, ts, 3, pairs)
    np.testing.assert_array_equal(found["shown"], ts)
    np.testing.assert_allclose(found["time"], ts, rtol=1e-15)
    late = 0.1225 + 0.7 * (ts - 0.35) - 0.5 * (ts - 0.35) ** 2 / 1.65
    area = np.where(ts <= 0.35, ts**2, late)
    np.testing.assert_allclose(found["integral"], area, rtol=1e-14)
    before, after = np.minimum(ts, 0.35), np.maximum(ts, 0.35)
    work = 2.0 * energy(before) - (energy(after) - energy(0.35)) / 1.65
    np.testing.assert_allclose(found["work"], work, rtol=1e-13)
    # three steps are four, and a break divides the pair of steps that it falls in
    np.testing.assert_array_equal(found["steps"], [14, 10, 4, 14])


def test_jumps_do_work_by_the_force_of_their_moment() -> None:
    """Also one at the time asked for, which then is past, and one at the start."""
    jumps = ex.PiecewiseConstant((0.0, 0.6, 1.0), (2.0, 1.0, -1.0, 0.5))
    found = walk(jumps, [0.3, 0.6, 0.8, 1.0], 2)
    force = np.polynomial.polynomial.polyval(np.array([0.0, 0.6, 1.0]), FORCE)
    done = np.cumsum(np.array([-1.0, -2.0, 1.5]) * force)
    np.testing.assert_allclose(found["work"], done[[0, 1, 1, 2]], rtol=1e-13)


def test_one_time_is_as_one_of_many() -> None:
    line = ex.PiecewiseLinear((0.0, 0.35, 2.0), (0.0, 0.7, -0.3))
    alone, many = walk(line, [0.5], 3), walk(line, [0.5, 1.5, 0.7, 1.0], 3)
    for name, value in alone.items():
        np.testing.assert_allclose(value, many[name][:1], rtol=1e-15, err_msg=name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ex.SplitStep(steps=0), "`steps` must be a positive integer"),
        (lambda: ex.Magnus(steps=2.0), "`steps` must be a positive integer"),
        (lambda: ex.Magnus(order=3), "`order` must be 2 or 4"),
        (lambda: ex.solve(SMALL, [4.0], ex.SplitStep()), "`ts` must be where `level` is defined"),
        (lambda: ex.solve(SMALL, [-1.0], ex.SplitStep()), "`ts` must be non-negative"),
        (lambda: ex.solve(SMALL.before(), [-1.0], ex.SplitStep()), "non-negative for the method"),
    ],
)
def test_bad_input(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
