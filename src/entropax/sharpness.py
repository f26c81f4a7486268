"""Where functions of time change fast: looked for before a run, so that steps meet all of it.

A solver sees a function at its own nodes alone, and one that rests goes with long steps: a pulse
between two nodes is not there for it. So each function that is known beforehand is looked at on a
grid as fine as can be afforded; where it changes much faster than on the whole, the places are
sought out by bisection, and become breaks: jumps to rounding, and times between which an equal
share of all change lies.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from entropax._checks import is_traced
from entropax.protocol import Smooth

ModelT = TypeVar("ModelT")

_CELLS, _FINEST, _COARSEST = 2**14, 2**24, 2**17
"""Cells whose range is kept, and how many times a function is looked at, by what it costs."""
_WORK = 40.0 * _FINEST
"""Operations of one look; functions of more are looked at less often."""
_SHARP = 4.0
"""Speeds above this, in units of the mean, are sharp; those of a sine reach 1.6."""
_SHARES = 250
"""Marks of each pulse, less one."""
_MOST = 4096
_PER_WIDTH = 8


def with_marks(model: ModelT, last: Any) -> ModelT:
    """The model, whose functions of time have breaks where they change fast until `last`."""
    if is_traced(last) or not float(last) > 0:
        return model

    def look(node: Any) -> Any:
        if not isinstance(node, Smooth) or any(map(is_traced, jax.tree.leaves(node))):
            return node
        if node.given.shape[0] and node.width is None:
            return node
        marks = _marks_of(_Key(node), float(last))
        if not marks.size:
            return node
        both = np.union1d(np.asarray(node.given), marks)
        # in few numbers, each of which is compiled once; what is more lies after the end
        full = np.full(max(8, 2 ** int(np.ceil(np.log2(both.size)))), 2.0 * float(last))
        full[: both.size] = both
        return eqx.tree_at(lambda s: s.given, node, jnp.asarray(full))

    return jax.tree.map(look, model, is_leaf=lambda x: isinstance(x, Smooth))


class _Key:
    """A function by what it is made of: asked for again, its marks are known."""

    def __init__(self, protocol: Smooth):
        leaves, structure = jax.tree.flatten(protocol)
        self.protocol, self.parts = protocol, (structure, tuple(map(_plain, leaves)))

    def __hash__(self) -> int:
        return hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.parts == other.parts


def _plain(leaf: Any) -> Any:
    """A leaf as what can be compared: numbers by value, all else as it is."""
    if not eqx.is_array_like(leaf):
        return leaf
    array = np.asarray(leaf)
    return array.dtype.str, array.shape, array.tobytes()


@functools.lru_cache(maxsize=256)
def _marks_of(key: _Key, last: float) -> np.ndarray:
    protocol = key.protocol
    try:
        shape = jax.eval_shape(protocol, jnp.zeros(()))
        many = jax.jit(jax.vmap(protocol))
        if is_traced(jax.tree.leaves(many(jnp.zeros(1)))[0]):  # it closes over what is traced
            return np.zeros(0)
    except jax.errors.UnexpectedTracerError:
        return np.zeros(0)
    del shape
    return landmarks(many, last, looks=_looks(many, protocol.width, last))


def _looks(many: Any, width: float | None, last: float) -> int:
    if width is not None:
        wanted = _PER_WIDTH * last / width
    else:
        cost = many.lower(jnp.zeros(_CELLS)).compile().cost_analysis() or {}
        each = (cost.get("flops", 0.0) + 10.0 * cost.get("transcendentals", 0.0)) / _CELLS
        wanted = min(_FINEST, _WORK / max(each, 1.0))
    power = int(np.ceil(np.log2(max(wanted, _COARSEST))))
    return 2 ** min(power, 30)


def landmarks(many: Callable[[Any], Any], last: float, *, looks: int = _FINEST) -> np.ndarray:
    """Times between 0 and `last` at which steps must begin; none where nothing is sharp.

    `many`: the function, elementwise; `looks`: how often to look, a power of 2 above 2^14.
    """
    change = _ranges(many, last, looks)
    total = float(np.sum(change))
    if not np.isfinite(total) or total == 0.0 or np.max(change) * _CELLS <= _SHARP * total:
        return np.zeros(0)
    ts = _refined(many, last, looks, change)
    steps, gaps = np.abs(np.diff(_values(many, ts))), np.diff(ts)
    torn = (gaps <= 8 * np.spacing(ts[1:])) & (steps > np.sum(steps) / 256)
    jumps = ts[1:][torn]
    steps = np.where(torn, 0.0, steps)
    # slow change elsewhere is left to the solver
    slow = 3.0 * np.median(change) * _CELLS / last
    fast = steps > gaps * max(slow, 1e-4 * np.sum(steps) / last)
    pulses = _runs(ts, fast)
    shares = max(8, min(_SHARES, _MOST // max(1, len(pulses))))
    found = [
        jumps,
        *(_shares(ts[first : stop + 1], steps[first:stop], shares) for first, stop in pulses),
    ]
    marks = np.unique(np.concatenate(found))
    # what lies closer than rounding could tell apart is one
    keep = np.concatenate([[True], np.diff(marks) > 64 * np.spacing(marks[1:])])
    marks = np.union1d(marks[keep], jumps) if marks.size else marks
    return marks[(marks > 0.0) & (marks < last)]


def _runs(ts: np.ndarray, fast: np.ndarray) -> list[tuple[int, int]]:
    """First step and the one after the last of each pulse: of fast steps with short rests."""
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


def _ranges(many: Callable[[Any], Any], last: float, looks: int) -> np.ndarray:
    """By how much the function changes in each cell, its edges included."""
    each = looks // _CELLS

    @jax.jit
    def cells(first: Any) -> Any:
        index = first * each + jnp.arange(each * _TOGETHER + 1)
        values = many(last * (index / looks))
        inner = values[:-1].reshape(_TOGETHER, each)
        edge = values[each::each]
        high = jnp.maximum(jnp.max(inner, axis=1), edge)
        return high - jnp.minimum(jnp.min(inner, axis=1), edge)

    parts = jax.lax.map(cells, jnp.arange(0, _CELLS, _TOGETHER))
    return np.asarray(parts).ravel()


_TOGETHER = 64
"""Cells that are looked at at once."""


def _refined(many: Callable[[Any], Any], last: float, looks: int, change: np.ndarray) -> np.ndarray:
    """Times, so dense where the function changes that no step between them holds much of it."""
    edges = last * np.arange(_CELLS + 1) / _CELLS
    # the cells that hold nearly all change, each at all times at which it was looked at
    order = np.argsort(-change)
    held = np.cumsum(change[order]) <= (1.0 - 1e-6) * np.sum(change)
    chosen = order[: min(int(np.sum(held)) + 1, 2048)]
    each = min(looks // _CELLS, 2**20 // chosen.size)
    inside = edges[chosen][:, None] + (last / _CELLS) * np.arange(1, each) / each
    ts = np.union1d(edges, inside.ravel())
    for _ in range(24):
        values = _values(many, ts)
        steps = np.abs(np.diff(values))
        wide = np.diff(ts) > 4 * np.spacing(ts[1:])
        coarse = np.flatnonzero((steps > np.sum(steps) / 512) & wide)
        if not coarse.size:
            break
        new = ts[coarse][:, None] + np.diff(ts)[coarse][:, None] * np.arange(1, 16) / 16
        ts = np.union1d(ts, new.ravel())
    return ts


def _values(many: Callable[[Any], Any], ts: np.ndarray) -> np.ndarray:
    """In few sizes, each of which is compiled once."""
    size = 2 ** int(np.ceil(np.log2(ts.size)))
    return np.asarray(many(np.concatenate([ts, np.full(size - ts.size, ts[-1])])))[: ts.size]
