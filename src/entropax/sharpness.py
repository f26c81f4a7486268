"""The search for fast changes of protocols, made before a run so that steps meet all of them.

A solver sees a function at its own nodes alone, and takes long steps where nothing changes: a pulse
between two nodes would be missed. So each protocol that is known beforehand is sampled on a grid as
fine as can be afforded; where it changes much faster than on the whole, the places are refined by
bisection. Jumps, located to rounding, become breaks, and times between which an equal share of the
change of a pulse lies become marks, which steps meet. A protocol that a program traces (under
`jit`, `grad`, in an ensemble) is sampled by the program itself: at fewer times, and always with the
same number of marks, since arrays of a program have fixed sizes. Protocols that wrap others are
sampled as a whole: `Bounded` makes jumps of steep lines.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import concrete, is_traced
from entropax.protocol import AbstractProtocol, Interval, Time, before_end

ModelT = TypeVar("ModelT")

_CELLS, _FINEST, _COARSEST = 2**14, 2**24, 2**17
"""How many cells have their range kept; the most and fewest samples of a function, by its cost."""
_WORK = 40.0 * _FINEST
"""Operations that all samples of a function may take; costlier functions have fewer samples."""
_SHARP = 4.0
"""Speeds above this, in units of the mean, are sharp; those of a sine reach 1.6."""
_SHARES = 250
"""The number of marks of each pulse, less one."""
_MOST = 4096
_TRACED_LOOKS, _TRACED_MARKS = 2**14, 64
"""How many samples a traced function has, and how many marks."""
_PER_WIDTH = 8


class Marked(AbstractProtocol):
    """A protocol with the `jumps` that its breaks omit, and `times` at which it changes fast."""

    protocol: AbstractProtocol
    jumps: Float[Array, " jumps"]
    times: Float[Array, " marks"]

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.protocol(time)

    @property
    def is_piecewise_constant(self) -> bool:
        return self.protocol.is_piecewise_constant

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return jnp.sort(jnp.concatenate([self.protocol.breaks, self.jumps]))

    @property
    def marks(self) -> Float[Array, " marks"]:
        return jnp.sort(jnp.concatenate([self.protocol.marks, self.times]))

    @property
    def time_scale(self) -> float:
        return np.inf

    @property
    def domain(self) -> Interval:
        return self.protocol.domain

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        return self.protocol.within(self._inside(time, stretch), stretch)

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        return self.protocol.slope(self._inside(time, stretch), stretch)

    def _inside(self, time: Time, stretch: Interval) -> Time:
        return before_end(time, stretch) if self.jumps.shape[0] else time


def with_marks(model: ModelT, ts: Any) -> ModelT:
    """The model, with breaks and marks added to protocols where they change fast within `ts`.

    These times depend on the values of the protocols, but no derivative goes through them.
    """
    ts = concrete(ts)
    whole = None if is_traced(ts) else latest(ts)
    if whole is not None and not whole > 0:
        return model

    def look(node: Any) -> Any:
        if not _is_protocol(node) or node.time_scale == np.inf:
            return node
        sharp = None
        if whole is not None and not any(map(is_traced, jax.tree.leaves(node))):
            with jax.ensure_compile_time_eval():
                sharp = _found_in(_Key(node), whole)
        if sharp is None or whole is None:
            last = jnp.max(jnp.asarray(ts), initial=0.0)
            marks = _traced_marks(node, last, _traced_looks(node.time_scale, whole))
            return Marked(node, jnp.zeros(0), marks)
        if not sharp.jumps.size and not sharp.pulses.size:
            return node
        return Marked(node, _filled(sharp.jumps, whole), _filled(sharp.pulses, whole))

    return jax.tree.map(look, model, is_leaf=_is_protocol)


def latest(ts: Any) -> float:
    """The latest of known times; 0 where there is none."""
    return float(np.max(np.asarray(ts), initial=0.0))


def with_marks_of_each(models: ModelT, last: float) -> ModelT:
    """A batch of models, each marked for itself by `with_marks`, all with equally many marks."""
    if not any(map(_is_protocol, jax.tree.leaves(models, is_leaf=_is_protocol))):
        return models
    return eqx.filter_vmap(lambda model: with_marks(model, last))(models)


def _is_protocol(node: Any) -> bool:
    return isinstance(node, AbstractProtocol)


def _filled(times: np.ndarray, last: float) -> Float[Array, " some"]:
    """The times, filled up with times after the end to one of few lengths, each compiled once."""
    if not times.size:
        return jnp.zeros(0)
    full = np.full(max(8, 2 ** int(np.ceil(np.log2(times.size)))), 2.0 * last)
    full[: times.size] = times
    return jnp.asarray(full)


def _traced_looks(time_scale: float | None, last: float | None) -> int:
    if time_scale is None or last is None:
        return _TRACED_LOOKS
    wanted = np.clip(_PER_WIDTH * last / time_scale, _TRACED_LOOKS, 64 * _TRACED_LOOKS)
    return 2 ** int(np.ceil(np.log2(wanted)))


@eqx.filter_jit
def _traced_marks(protocol: AbstractProtocol, last: Any, looks: int) -> Float[Array, " marks"]:
    """Marks of all pulses wider than a cell; times after the end where nothing is sharp."""
    protocol = jax.tree.map(concrete, protocol)
    times = concrete(last) * (jnp.arange(looks + 1) / looks)
    change = jnp.abs(jnp.diff(jax.lax.map(protocol, times, batch_size=_TRACED_LOOKS)))
    # where it breaks, steps end anyway
    broken = jnp.searchsorted(times, protocol.breaks, side="left") - 1
    change = change.at[jnp.where(broken < 0, looks, broken)].set(0.0, mode="drop")
    # beside a pulse the mean of the roots is that of the slow change elsewhere
    usual = jnp.mean(jnp.sqrt(change)) ** 2
    fast = change > _SHARP * usual
    fast |= jnp.roll(fast, 1) | jnp.roll(fast, -1)
    share = jnp.where(fast, change / jnp.sum(change), 0.0)
    reached = jnp.append(0.0, jnp.cumsum(share ** (1 / 3)))
    # not to the end of what is reached, which lies after the rest that follows the last pulse
    goals = jnp.linspace(0.0, (1.0 - 1e-6) * reached[-1], _TRACED_MARKS)
    marks = jnp.interp(goals, reached, times)
    is_sharp = jnp.max(change) > _SHARP * usual
    return jax.lax.stop_gradient(jnp.asarray(jnp.where(is_sharp, marks, 2.0 * last)))


class _Key:
    """A protocol as the key of a cache: equal to any of the same structure and numbers."""

    def __init__(self, protocol: AbstractProtocol):
        leaves, structure = jax.tree.flatten(protocol)
        self.protocol, self.parts = protocol, (structure, tuple(map(self._part, leaves)))

    @staticmethod
    def _part(leaf: Any) -> Any:
        """A leaf in a form that can be compared: numbers by value, all else as it is."""
        if not eqx.is_array_like(leaf):
            return leaf
        array = np.asarray(leaf)
        return array.dtype.str, array.shape, array.tobytes()

    def __hash__(self) -> int:
        return hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.parts == other.parts


class Sharp(NamedTuple):
    """Where a function jumps, and times through its pulses; empty where nothing is sharp."""

    jumps: np.ndarray
    pulses: np.ndarray


@functools.lru_cache(maxsize=256)
def _found_in(key: _Key, last: float) -> Sharp | None:
    """Unnamed jumps and pulses of a protocol; None where it closes over a traced value."""
    protocol = key.protocol
    try:
        if is_traced(_at(protocol, jnp.zeros(1))):
            return None
    except jax.errors.UnexpectedTracerError:
        return None
    sharp = landmarks(protocol, last, looks=_looks(protocol, last))
    named = np.asarray(protocol.breaks)
    new = [not np.any(np.abs(named - jump) <= 64 * np.spacing(jump)) for jump in sharp.jumps]
    return sharp._replace(jumps=sharp.jumps[np.array(new, bool)])


def _looks(protocol: AbstractProtocol, last: float) -> int:
    if protocol.time_scale is not None:
        wanted = _PER_WIDTH * last / protocol.time_scale
    else:
        wanted = min(_FINEST, _WORK / max(_cost(_Shape(protocol)), 1.0))
    power = int(np.ceil(np.log2(max(wanted, _COARSEST))))
    return 2 ** min(power, 30)


class _Shape(_Key):
    """A protocol as the key of a cache, by its structure alone, whatever the numbers in it."""

    @staticmethod
    def _part(leaf: Any) -> Any:
        return np.shape(leaf) if eqx.is_array_like(leaf) else leaf


@functools.lru_cache(maxsize=256)
def _cost(shape: _Shape) -> float:
    """The operations that one sample of a protocol takes."""
    compiled: Any = cast(Any, _at).lower(shape.protocol, jnp.zeros(_CELLS)).compile()
    cost = compiled.compiled.cost_analysis() or {}
    return (cost.get("flops", 0.0) + 10.0 * cost.get("transcendentals", 0.0)) / _CELLS


@eqx.filter_jit
def _at(function: Callable[[Any], Any], times: Float[Array, " times"]) -> Float[Array, " times"]:
    return jax.vmap(function)(times)


def landmarks(function: Callable[[Any], Any], last: float, *, looks: int = _FINEST) -> Sharp:
    """Where a function changes fast between 0 and `last`.

    `looks`: how many samples to take, a power of 2 above 2^14.
    """
    nothing = np.zeros(0)
    change = np.asarray(_ranges(function, jnp.asarray(last), looks))
    total = float(np.sum(change))
    if not np.isfinite(total) or total == 0.0 or np.max(change) * _CELLS <= _SHARP * total:
        return Sharp(nothing, nothing)
    ts = _refined(function, last, looks, change)
    steps, gaps = np.abs(np.diff(_values(function, ts))), np.diff(ts)
    torn = (gaps <= 8 * np.spacing(ts[1:])) & (steps > np.sum(steps) / 256)
    jumps = ts[1:][torn]
    steps = np.where(torn, 0.0, steps)
    # slow change elsewhere is left to the solver
    slow = 3.0 * np.median(change) * _CELLS / last
    fast = steps > gaps * max(slow, 1e-4 * np.sum(steps) / last)
    pulses = _runs(ts, fast)
    shares = max(8, min(_SHARES, _MOST // max(1, len(pulses))))
    times = [_shares(ts[first : stop + 1], steps[first:stop], shares) for first, stop in pulses]
    marks = np.unique(np.concatenate([nothing, *times]))
    # what lies closer than rounding could tell apart is one
    marks = marks[np.diff(marks, prepend=-last) > 64 * np.spacing(marks)]
    return Sharp(*(x[(x > 0.0) & (x < last)] for x in (jumps, marks)))


def _runs(ts: np.ndarray, fast: np.ndarray) -> list[tuple[int, int]]:
    """The first step of each pulse (fast steps with short rests), and the first after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], fast, [False]]).astype(int)))
    runs: list[tuple[int, int]] = []
    for first, stop in edges.reshape(-1, 2).tolist():
        if runs:
            before, end = runs[-1]
            length = max(ts[end] - ts[before], ts[stop] - ts[first])
            if ts[first] - ts[end] < length:
                runs[-1] = (before, stop)
                continue
        runs.append((first, stop))
    return runs


def _shares(ts: np.ndarray, steps: np.ndarray, shares: int) -> np.ndarray:
    """Times through one pulse, dense where it changes, and not bare in its tails."""
    density = (steps / np.sum(steps)) ** (1 / 3) * np.diff(ts) ** (2 / 3)
    reached = np.concatenate([[0.0], np.cumsum(density)])
    return np.interp(np.linspace(0.0, reached[-1], shares + 1), reached, ts)


@eqx.filter_jit
def _ranges(function: Callable[[Any], Any], last: Any, looks: int) -> Float[Array, " cells"]:
    """The highest value of the function less the lowest, in each cell with its edges."""
    each = looks // _CELLS

    def cells(first: Any) -> Any:
        index = first * each + jnp.arange(each * _TOGETHER + 1)
        values = jax.vmap(function)(last * (index / looks))
        inner = values[:-1].reshape(_TOGETHER, each)
        edge = values[each::each]
        high = jnp.maximum(jnp.max(inner, axis=1), edge)
        return high - jnp.minimum(jnp.min(inner, axis=1), edge)

    return jax.lax.map(cells, jnp.arange(0, _CELLS, _TOGETHER)).ravel()


_TOGETHER = 64
"""The number of cells that are sampled at once."""


def _refined(
    function: Callable[[Any], Any], last: float, looks: int, change: np.ndarray
) -> np.ndarray:
    """Times, so dense that no step between them holds much of the function's change."""
    edges = last * np.arange(_CELLS + 1) / _CELLS
    # the cells that hold nearly all change, each at all times at which it was sampled
    order = np.argsort(-change)
    held = np.cumsum(change[order]) <= (1.0 - 1e-6) * np.sum(change)
    chosen = order[: min(int(np.sum(held)) + 1, 2048)]
    each = min(looks // _CELLS, 2**20 // chosen.size)
    inside = edges[chosen][:, None] + (last / _CELLS) * np.arange(1, each) / each
    ts = np.union1d(edges, inside.ravel())
    for _ in range(24):
        values = _values(function, ts)
        steps = np.abs(np.diff(values))
        wide = np.diff(ts) > 4 * np.spacing(ts[1:])
        coarse = np.flatnonzero((steps > np.sum(steps) / 512) & wide)
        if not coarse.size:
            break
        new = ts[coarse][:, None] + np.diff(ts)[coarse][:, None] * np.arange(1, 16) / 16
        ts = np.union1d(ts, new.ravel())
    return ts


def _values(function: Callable[[Any], Any], ts: np.ndarray) -> np.ndarray:
    """The function at `ts`, evaluated in one of few sizes, each of which is compiled once."""
    size = 2 ** int(np.ceil(np.log2(ts.size)))
    times = np.concatenate([ts, np.full(size - ts.size, ts[-1])])
    return np.asarray(_at(function, jnp.asarray(times)))[: ts.size]
