"""Integration of master equations: one solver call a stretch, stretches between breaks in turn."""

import abc
import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax._checks import check, require_count, whole
from entropax.method.base import AbstractMethod, in_turn
from entropax.model import OpenSystem
from entropax.protocol import Interval

Carry = TypeVar("Carry")


class AbstractIntegratedMethod(AbstractMethod):
    """A method that integrates an ordinary differential equation."""

    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

    def __check_init__(self) -> None:
        if isinstance(self.adjoint, diffrax.BacksolveAdjoint):
            raise ValueError(
                "`adjoint` must not be BacksolveAdjoint: its gradients are wrong here."
            )
        require_count("max_steps", self.max_steps)
        for name in ("rtol", "atol"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, but is {getattr(self, name)!r}.")

    def in_order(
        self,
        model: OpenSystem,
        ts: Float[Array, " times"],
        begin: PyTree[Array],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """`reduce` at times in any order, of what begins as `begin`."""
        order = jnp.argsort(ts)
        back, ts = jnp.argsort(order), ts[order]
        if not model.is_driven or ts.shape[0] == 0:
            whole = jnp.zeros(()), jnp.max(ts, initial=0.0)
            found = self._stretch(model, begin, whole, ts, reduce, meter)[1]
        else:
            found = self._driven(model.with_separated_breaks(), begin, ts, reduce, meter)
        return jax.tree.map(lambda x: x[back], found)

    @abc.abstractmethod
    def _stretch(
        self,
        model: OpenSystem,
        y: Any,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Any, PyTree[Array]]:
        """From the start of a stretch to its end, and `reduce` at ascending times inside it."""

    @abc.abstractmethod
    def _driven(
        self,
        model: OpenSystem,
        y: Any,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """`reduce` at ascending times of a driven model."""

    def integrate(
        self,
        field: Callable[..., Any],
        y: PyTree[Array],
        stretch: Interval,
        ts: Float[Array, " times"],
        seen: Callable[[Array, PyTree[Array]], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
        *,
        marks: Float[Array, " marks"],
        fastest: Float[Array, ""],
        to_the_end: bool,
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """What `y` is at the end of a stretch (if `to_the_end`), and `seen(t, y)` at ascending ts.

        Steps meet the `marks`, and those of an explicit solver are stable for decay as fast as
        `fastest`: longer ones leave a state that rests as it is, but derivatives grow. Where the
        solver gives up, times keep its infinities.
        """
        if ts.shape[0] == 0:  # diffrax wants a time
            return y, jax.vmap(lambda t: seen(t, y))(ts)
        last = diffrax.SubSaveAt(t1=True) if to_the_end else None
        # the derivative by a time is the rate there, also at the start, where a solver sees none
        held = jax.lax.stop_gradient(ts)
        solver = diffrax.Dopri8() if self.solver is None else self.solver
        longest = _stable(solver) / jnp.nan_to_num(jax.lax.stop_gradient(fastest))
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
        if marks.shape[0]:
            controller = diffrax.ClipStepSizeController(controller, step_ts=marks)
        with _unchecked():
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                solver,
                t0=stretch[0],
                t1=stretch[1],
                dt0=None,
                y0=y,
                saveat=diffrax.SaveAt(subs=(diffrax.SubSaveAt(ts=held), last)),
                stepsize_controller=controller,
                adjoint=self.adjoint,
                max_steps=self.max_steps,
                throw=False,
                progress_meter=meter,
            )
        assert found.ys is not None
        # what ends at a NaN is one, and not a lack of steps
        is_nan = found.result == diffrax.RESULTS.dt_min_reached
        states, end = jax.tree.map(lambda x: jnp.where(is_nan, jnp.nan, x), found.ys)

        # states are small enough to keep; to reduce them inside the solver would double what the
        # solver's derivative must go through
        def one(given: tuple[Array, Array, PyTree[Array]]) -> PyTree[Array]:
            time, since, y = given
            sound = jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 0.0), y)
            rate = field(time - since, sound, None)
            return seen(time, jax.tree.map(lambda x, slope: x + since * slope, y, rate))

        results = jax.lax.map(jax.checkpoint(one), (ts, ts - held, states))
        return jax.tree.map(lambda x: x[0], end), results


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


_LOOKS = 5


def _stable(solver: diffrax.AbstractSolver) -> float:
    """The longest step in units of the fastest decay: infinite where a solver is not explicit."""
    if not isinstance(solver, diffrax.AbstractERK):
        return np.inf
    tableau = solver.tableau
    assert isinstance(tableau, diffrax.ButcherTableau)
    return _SAFE * _stable_of(tableau.a_lower, tableau.b_sol)


_SHORTEST = 2.0**-70
"""Of a stretch, steps that lead nowhere."""

_SAFE = 0.9
"""Of the longest stable step."""


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


def scan_stretches(
    breaks: Float[Array, " breaks"],
    ts: Float[Array, " times"],
    carry: Carry,
    one: Callable[[Carry, Interval, Float[Array, " times"]], tuple[Carry, Any]],
    meter: diffrax.AbstractProgressMeter,
) -> PyTree[Array]:
    """`one(carry, stretch, ts)` for one stretch between breaks after the other.

    Each is asked for all times (ascending, clipped to it), and answers for those that are its own.
    """
    end = ts[-1]
    edges = jnp.concatenate([jnp.zeros(1), jnp.clip(breaks, 0.0, end), end[None]])
    total = edges.shape[0] - 1

    def step(state, indexed):
        carry, progress = state
        index, start, stop = indexed
        # a time at the start of a stretch is that stretch's, with all of its derivative
        later = jnp.asarray(jnp.where(ts < start, start, ts))
        within = jnp.asarray(jnp.where(ts > stop, stop, later))
        carry, found = one(carry, (start, stop), within)
        return (carry, meter.step(progress, (index + 1) / total)), found

    indexed = (jnp.arange(total), edges[:-1], edges[1:])
    last, found = in_turn(step, (carry, meter.init()), indexed)
    meter.close(last[1])
    own = jnp.searchsorted(breaks, ts, side="right")
    return jax.tree.map(lambda x: x[own, jnp.arange(ts.shape[0])], found)


def nonnegative(ts: Float[Array, " times"]) -> Float[Array, " times"]:
    """Times that a master equation can be asked for."""
    return check("ts", ts, "non-negative for a master equation", lambda xp, t: t >= 0)


def _largest(x: PyTree[Array]) -> Array:
    """Infinite where something is NaN, so that a step is taken back."""
    found = jnp.stack([jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(x)])
    return jnp.max(jnp.where(jnp.isnan(found), jnp.inf, found))
