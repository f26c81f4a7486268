"""A driven model looked at now and then, before the program runs."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import is_traced
from entropax.model import OpenSystem
from entropax.model.transition_frequencies import alike
from entropax.protocol import Interval

_SOME = 8
"""Every so many of the marks of what changes fast are looked at."""
TOGETHER = 64
"""Samples whose windows are looked at at once."""


class Samples(NamedTuple):
    """Some `times` of a model, each in its stretch without breaks (from `starts` to `stops`)."""

    model: OpenSystem
    times: Float[Array, " samples"]
    starts: Float[Array, " samples"]
    stops: Float[Array, " samples"]

    def each(self, function: Callable[[OpenSystem], Any]) -> Any:
        """The function's values for the undriven models of all times at once; concrete as far as
        they are known.
        """
        return self.at_each(lambda time, stretch: function(self.model.within(time, stretch)))

    def few(self) -> Iterator[Self]:
        """The same, some at a time."""
        for first in range(0, self.times.shape[0], TOGETHER):
            model, *rest = self
            yield type(self)(model, *(x[first : first + TOGETHER] for x in rest))

    def at_each(self, function: Callable[[Array, Interval], Any]) -> Any:
        """The same of a function of each time and its stretch."""
        with jax.ensure_compile_time_eval():
            return eqx.filter_vmap(lambda t, start, stop: function(t, (start, stop)))(*self[1:])


def samples(model: OpenSystem, ts: Float[Array, " times"]) -> Samples | None:
    """The model now and then, to look at before the program runs; None where nothing is known."""
    with jax.ensure_compile_time_eval():
        if not model.is_driven:
            return Samples(model, *jnp.zeros((3, 1)))
        end = jnp.max(ts, initial=0.0)
        edges = jnp.concatenate([jnp.zeros(1), jnp.clip(model.breaks, 0.0, end), end[None]])
        marks = jnp.clip(model.marks, 0.0, end)
        if is_traced(edges):
            return None
        pieces = 1 if model.is_piecewise_constant else 16
        at = np.unique(np.asarray(edges))
        if at.size == 1:
            return None
        starts, stops = np.repeat(at[:-1], pieces), np.repeat(at[1:], pieces)
        shares = np.tile((np.arange(pieces) + 0.5) / pieces, at.size - 1)
        times = starts + shares * (stops - starts)
        if not is_traced(marks):
            sharp = np.setdiff1d(np.unique(np.asarray(marks))[::_SOME], at)
            place = np.searchsorted(at, sharp)
            times = np.append(times, sharp)
            starts, stops = np.append(starts, at[place - 1]), np.append(stops, at[place])
        return Samples(model, *map(jnp.asarray, (times, starts, stops)))


def certainly_apart(samples: Samples | None) -> bool:
    """Whether no two levels have one energy, known before the program runs."""
    if samples is None:
        return False
    level = samples.each(lambda model: alike(model.spectrum()[0]))
    return (
        not is_traced(level) and int(np.sum(np.asarray(level))) == level.shape[0] * level.shape[1]
    )
