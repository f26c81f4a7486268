"""Integration of master equations: one solver call a stretch, stretches between breaks in turn."""

import abc
import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeVar

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax._checks import check, require_count
from entropax.method.base import AbstractMethod, StateT, in_turn
from entropax.model.driven import AbstractDriven
from entropax.protocol import Interval

ModelT = TypeVar("ModelT", bound=AbstractDriven)
Integrated = TypeVar("Integrated")

_LOOKS = 5
"""Times of a stretch at which the speed of what decays is looked at."""

_SHORTEST = 2.0**-70
"""The share of a stretch below which steps lead nowhere."""

_SAFE = 0.9
"""The share of the longest stable step that is taken."""


class Limits(NamedTuple):
    """What steps keep to: they meet the `marks`, and are stable for decay as fast as `fastest`."""

    marks: Float[Array, " marks"]
    fastest: Float[Array, ""]


class Integrator(eqx.Module):
    """A diffrax solver, its tolerances, and how derivatives go through it."""

    solver: diffrax.AbstractSolver
    rtol: float
    atol: float
    max_steps: int = eqx.field(static=True)
    adjoint: diffrax.AbstractAdjoint

    def integrate(
        self,
        field: Callable[..., Integrated],
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        limits: Limits,
        meter: diffrax.AbstractProgressMeter,
        *,
        to_the_end: bool,
    ) -> tuple[Integrated | None, Integrated]:
        """What `y` is at the end of a stretch (if `to_the_end`), and at ascending times in it.

        Steps longer than a stable one leave a state that rests as it is, but derivatives grow.
        Where the solver gives up, times keep its infinities.
        """
        last = diffrax.SubSaveAt(t1=True) if to_the_end else None
        longest = _stable(self.solver) / jnp.nan_to_num(jax.lax.stop_gradient(limits.fastest))
        # where a state is NaN steps shrink until this ends it, not until there are `max_steps`
        shortest = jax.lax.stop_gradient(stretch[1] - stretch[0]) * _SHORTEST
        controller = diffrax.PIDController(
            self.rtol,
            self.atol,
            norm=_largest,
            dtmin=shortest,
            dtmax=longest,
            force_dtmin=False,
        )
        if limits.marks.shape[0]:
            controller = diffrax.ClipStepSizeController(controller, step_ts=limits.marks)
        with _unchecked():
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                self.solver,
                t0=stretch[0],
                t1=stretch[1],
                dt0=None,
                y0=y,
                saveat=diffrax.SaveAt(subs=(diffrax.SubSaveAt(ts=jax.lax.stop_gradient(ts)), last)),
                stepsize_controller=controller,
                adjoint=self.adjoint,
                max_steps=self.max_steps,
                throw=False,
                progress_meter=meter,
            )
        # what ends at a NaN is one, and not a lack of steps
        is_nan = solution.result == diffrax.RESULTS.dt_min_reached
        states, end = jax.tree.map(lambda x: jnp.where(is_nan, jnp.nan, x), solution.ys)
        return jax.tree.map(lambda x: x[0], end), states

    def follow(
        self,
        field: Callable[..., Integrated],
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Array, Integrated], PyTree[Array]],
        limits: Limits,
        meter: diffrax.AbstractProgressMeter,
        *,
        to_the_end: bool,
    ) -> tuple[Integrated | None, PyTree[Array]]:
        """The same with `reduce(t, y)` of what is there at each time.

        States are small enough to keep; to reduce them inside the solver would double what the
        solver's derivative must go through. The derivative by a time is the rate there, also at the
        start, where a solver sees none.
        """
        end, states = self.integrate(field, y, stretch, ts, limits, meter, to_the_end=to_the_end)

        def one(timed: tuple[Array, Array, Integrated]) -> PyTree[Array]:
            time, since, y = timed
            sound = jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 0.0), y)
            rate = field(time - since, sound, None)
            return reduce(time, jax.tree.map(lambda x, slope: x + since * slope, y, rate))

        timed = ts, ts - jax.lax.stop_gradient(ts), states
        return end, jax.lax.map(jax.checkpoint(one), timed)


class AbstractIntegratedMethod(AbstractMethod[StateT]):
    """A method that integrates an ordinary differential equation."""

    solver: eqx.AbstractVar[diffrax.AbstractSolver | None]
    rtol: eqx.AbstractVar[float]
    atol: eqx.AbstractVar[float]
    max_steps: eqx.AbstractVar[int]
    adjoint: eqx.AbstractVar[diffrax.AbstractAdjoint]

    def __check_init__(self) -> None:
        if isinstance(self.adjoint, diffrax.BacksolveAdjoint):
            raise ValueError(
                "`adjoint` must not be BacksolveAdjoint: its gradients are wrong here."
            )
        require_count("max_steps", self.max_steps)
        for name in ("rtol", "atol"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, but is {getattr(self, name)!r}.")

    @property
    def integrator(self) -> Integrator:
        """What integrates, where no exponential does."""
        solver = diffrax.Dopri8() if self.solver is None else self.solver
        return Integrator(solver, self.rtol, self.atol, self.max_steps, self.adjoint)


class AbstractEvolution(eqx.Module):
    """A master equation and the way in which it is solved, stretch by stretch."""

    @abc.abstractmethod
    def energy(self, model: Any) -> Array:
        """The energies, or the Hamiltonian, of an undriven model: jumps of it do work."""

    @abc.abstractmethod
    def jump(self, model: Any, y: Any, change: Array) -> Any:
        """`y` after a jump of the energy by `change` to that of `model`, undriven."""

    @abc.abstractmethod
    def advance(
        self,
        model: Any,
        y: Any,
        stretch: Interval,
        ts: Float[Array, " times"],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Any, PyTree[Array]]:
        """From the start of a stretch to its end (where the model is driven), and what is asked for
        at ascending times inside it.
        """


def through_stretches(
    evolution: AbstractEvolution,
    model: AbstractDriven,
    y: Any,
    ts: Float[Array, " times"],
    meter: diffrax.AbstractProgressMeter,
) -> PyTree[Array]:
    """What is asked for at ascending times, from `y` just before the start.

    A driven model goes in stretches between breaks: each is asked for all times, clipped to it, and
    answers for those that are its own. The energy before the start is `model.before()`'s.
    """
    if not model.is_driven:
        return evolution.advance(model, y, (jnp.zeros(()), ts[-1]), ts, meter)[1]
    model = model.with_separated_breaks()
    breaks, end, silent = model.breaks, ts[-1], diffrax.NoProgressMeter()
    edges = jnp.concatenate([jnp.zeros(1), jnp.clip(breaks, 0.0, end), end[None]])
    total = edges.shape[0] - 1

    def step(carry, indexed):
        y, energy, progress = carry
        index, *stretch = indexed
        start, stop = stretch = tuple(stretch)
        # a time at the start of a stretch is that stretch's, with all of its derivative
        later = jnp.asarray(jnp.where(ts < start, start, ts))
        inside = jnp.asarray(jnp.where(ts > stop, stop, later))
        first = model.within(start, stretch)
        y = evolution.jump(first, y, evolution.energy(first) - energy)
        y, answers = evolution.advance(model, y, stretch, inside, silent)
        energy = evolution.energy(model.within(stop, stretch))
        return (y, energy, meter.step(progress, (index + 1) / total)), answers

    carry = y, evolution.energy(model.before()), meter.init()
    carry, answers = in_turn(step, carry, (jnp.arange(total), edges[:-1], edges[1:]))
    meter.close(carry[2])
    of_stretch = jnp.searchsorted(breaks, ts, side="right")
    return jax.tree.map(lambda x: x[of_stretch, jnp.arange(ts.shape[0])], answers)


@contextlib.contextmanager
def _unchecked() -> Generator[None]:
    """Times are in order here: without diffrax's own check of that, which would call the host."""
    with _ONE_AT_A_TIME:
        checked = eqxi.error_if
        eqxi.error_if = lambda x, pred, msg, **_: x
        try:
            yield
        finally:
            eqxi.error_if = checked


_ONE_AT_A_TIME = threading.RLock()


def largest_within(
    stretch: Interval, value: Callable[[Array], Float[Array, ""]]
) -> Float[Array, ""]:
    """The largest of what moves in a stretch, as far as a few looks show."""
    times = stretch[0] + (stretch[1] - stretch[0]) * jnp.linspace(0.0, 1.0, _LOOKS)
    return jnp.max(jax.lax.map(value, times))


def _stable(solver: diffrax.AbstractSolver) -> float:
    """The longest step in units of the fastest decay: infinite where a solver is not explicit."""
    if not isinstance(solver, diffrax.AbstractERK):
        return np.inf
    tableau: Any = solver.tableau
    return _SAFE * _stable_of(tableau.a_lower, tableau.b_sol)


def _stable_of(lower: Sequence[np.ndarray], weights: np.ndarray) -> float:
    r"""The largest x with $|R(-y)| \le 1$ up to it, $R(z) = 1 + \sum_k z^{k+1}\, b A^k 1$."""
    stages = len(weights)
    matrix = np.zeros((stages, stages))
    for row, values in enumerate(lower, start=1):
        matrix[row, : len(values)] = values
    x, power, grown = np.linspace(0.0, 30.0, 30_001), np.ones(stages), np.ones(30_001)
    for k in range(stages):
        grown = grown + (-x) ** (k + 1) * (weights @ power)
        power = matrix @ power
    return float(x[np.argmax(np.abs(grown) > 1.0 + 1e-9) - 1])


def nonnegative(ts: Float[Array, " times"]) -> Float[Array, " times"]:
    """Times that a master equation can be asked for."""
    return check("ts", ts, "non-negative for a master equation", lambda xp, t: t >= 0)


def _largest(x: PyTree[Array]) -> Array:
    """Infinite where something is NaN, so that a step is taken back."""
    sizes = jnp.stack([jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(x)])
    return jnp.max(jnp.where(jnp.isnan(sizes), jnp.inf, sizes))
