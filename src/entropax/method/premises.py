"""What a master equation assumes of its model, looked at before the program runs."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import is_traced
from entropax.method.frequencies import alike
from entropax.method.kernels import long_memory, offsets
from entropax.model import Coupling, OpenSystem
from entropax.protocol import Interval

_SOME = 8
"""Of the marks of what changes fast, every so many are looked at."""
_TOGETHER = 64
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
        return self._at_each(lambda time, stretch: function(self.model.within(time, stretch)))

    def slopes(self) -> Float[Array, "samples d"]:
        """How fast energies move."""
        return self._at_each(self.model.slopes)

    def few(self) -> Iterator[Self]:
        """The same, some at a time."""
        for first in range(0, self.times.shape[0], _TOGETHER):
            model, *rest = self
            yield type(self)(model, *(x[first : first + _TOGETHER] for x in rest))

    def _at_each(self, function: Callable[[Array, Interval], Any]) -> Any:
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


def name_dead_transitions(model: OpenSystem, samples: Samples | None) -> None:
    """Warn of transitions that no pair of windows can take at any time: their rate is zero."""
    if samples is None:
        return
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        windows = coupling.matrix.connects(model.baths[number])

        def operator(now: OpenSystem, coupling: Coupling = coupling) -> Array:
            # transitions without a change of energy are shifts' and dephasing's affair
            own = now.in_eigenbasis(coupling.operator)
            return jnp.abs(own) * ~alike(now.spectrum()[0])

        def weight(now: OpenSystem, number: int = number) -> Array:
            return long_memory(offsets(now, number)).real

        size = samples.each(operator)
        if is_traced(size):
            continue
        found = np.asarray(size)
        present = found > 1e-12 * np.max(found, axis=(1, 2), keepdims=True)
        alive = np.zeros(present.shape[1:], bool)
        for number_of_part, part in enumerate(samples.few()):
            reach = part.each(weight)
            if is_traced(reach):
                break
            reach = np.any((np.asarray(reach) > 0) & windows, axis=(3, 4))
            of_part = present[number_of_part * _TOGETHER :][: len(reach)]
            alive |= np.any(~of_part | reach, axis=0)
        else:
            if not np.all(alive):
                named = ", ".join(f"{q} -> {k}" for k, q in np.argwhere(~alive))
                warnings.warn(
                    f"No pair of windows of its bath can take the transitions {named} of "
                    f"`couplings[{index}]`: through this coupling their rates are zero.",
                    stacklevel=4,
                )


def reached(model: OpenSystem) -> tuple[int, ...] | None:
    """Populations (indices into `joint`, flat) that rates lead to from the start's, of a model that
    is not driven; None where that is not known before the program runs.
    """
    with jax.ensure_compile_time_eval():
        start = model.joint_start.on_windows(model)
        numbers = model.bath_of_coupling
        operators = [model.in_eigenbasis(coupling.operator) for coupling in model.couplings]
        memories = [long_memory(offsets(model, number)).real for number in numbers]
    if any(map(is_traced, (start, *operators, *memories))):
        return None
    found = np.asarray(start) > 0
    while True:
        before = found
        for coupling, number, operator, memory in zip(
            model.couplings, numbers, operators, memories, strict=True
        ):
            leads = (np.asarray(operator) != 0)[:, :, None, None] & (np.asarray(memory) > 0)
            leads &= coupling.matrix.connects(model.baths[number])
            moved = np.einsum("kqEF,q...F->k...E", leads, np.moveaxis(found, 1 + number, -1))
            found = found | np.moveaxis(moved, -1, 1 + number)
        if np.array_equal(found, before):
            return tuple(np.flatnonzero(found).tolist())


def name_fast_driving(model: OpenSystem, samples: Samples | None) -> None:
    r"""Warn where a transition moves by a window within the bath's memory $2\pi/\delta$."""
    widths = [bath.width for bath in model.baths]
    if samples is None or any(map(is_traced, (slopes := samples.slopes(), *widths))):
        return
    speed = float(np.max(np.ptp(np.asarray(slopes), axis=1)))
    narrow = min(float(width) for width in widths)
    windows = speed * 2.0 * np.pi / narrow**2
    if windows > 1.0:
        warnings.warn(
            f"Energies move by {windows:.3g} windows within the baths' memory 2 pi / width: a "
            "master equation assumes far less than one. Schrodinger assumes nothing.",
            stacklevel=4,
        )


def certainly_apart(samples: Samples | None) -> bool:
    """Whether no two levels have one energy, known before the program runs."""
    if samples is None:
        return False
    level = samples.each(lambda now: alike(now.spectrum()[0]))
    return (
        not is_traced(level) and int(np.sum(np.asarray(level))) == level.shape[0] * level.shape[1]
    )
