"""What a master equation assumes of its model, looked at before the program runs."""

import itertools
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import is_traced
from entropax.method.frequencies import alike
from entropax.method.kernels import long_memory, offsets
from entropax.model import OpenSystem

_SOME = 8
"""Of the marks of what changes fast, every so many are looked at."""


class Sample(NamedTuple):
    """The undriven model of one time; how fast its energies move there, as far as known."""

    model: OpenSystem
    slopes: Float[Array, " d"]


def samples(model: OpenSystem, ts: Float[Array, " times"]) -> list[Sample]:
    """The model now and then, to look at before the program runs; none where nothing is known."""
    if not model.is_driven:
        return [Sample(model, jnp.zeros(model.levels))]
    with jax.ensure_compile_time_eval():
        end = jnp.max(ts, initial=0.0)
        edges = jnp.concatenate([jnp.zeros(1), jnp.clip(model.breaks, 0.0, end), end[None]])
        marks = jnp.clip(model.marks, 0.0, end)
        if is_traced(edges):
            return []
        found = []
        pieces = 1 if model.is_piecewise_constant else 16
        sharp = np.zeros(0) if is_traced(marks) else np.unique(np.asarray(marks))[::_SOME]
        for start, stop in itertools.pairwise(np.unique(np.asarray(edges))):
            stretch = (jnp.asarray(start), jnp.asarray(stop))
            evenly = start + (np.arange(pieces) + 0.5) / pieces * (stop - start)
            inside = sharp[(start < sharp) & (sharp < stop)]
            for time in map(jnp.asarray, np.concatenate([evenly, inside])):
                found.append(Sample(model.within(time, stretch), model.slopes(time, stretch)))
    return found


def name_dead_transitions(model: OpenSystem, samples: list[Sample]) -> None:
    """Warn of transitions that no pair of windows can take at any time: their rate is zero."""
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        windows = coupling.matrix.connects(model.baths[number])
        dead = []
        for now, _ in samples:
            with jax.ensure_compile_time_eval():
                # transitions without a change of energy are shifts' and dephasing's affair
                operator = now.in_eigenbasis(coupling.operator)
                operator = jnp.abs(operator) * ~alike(now.spectrum()[0])
                weight = long_memory(offsets(now, number)).real
            if is_traced(operator) or is_traced(weight):
                break
            reach = np.any((np.asarray(weight) > 0) & windows, axis=(2, 3))
            present = np.asarray(operator) > 1e-12 * np.max(np.asarray(operator), initial=0.0)
            dead.append(present & ~reach)
        if len(dead) == len(samples) > 0 and np.any(always := np.all(dead, axis=0)):
            named = ", ".join(f"{q} -> {k}" for k, q in np.argwhere(always))
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


def name_fast_driving(model: OpenSystem, samples: list[Sample]) -> None:
    r"""Warn where a transition moves by a window within the bath's memory $2\pi/\delta$."""
    slopes = [slope for _, slope in samples]
    widths = [bath.width for bath in model.baths]
    if any(map(is_traced, (*slopes, *widths))) or not slopes:
        return
    speed = max(float(np.ptp(np.asarray(slope))) for slope in slopes)
    narrow = min(float(width) for width in widths)
    windows = speed * 2.0 * np.pi / narrow**2
    if windows > 1.0:
        warnings.warn(
            f"Energies move by {windows:.3g} windows within the baths' memory 2 pi / width: a "
            "master equation assumes far less than one. Schrodinger assumes nothing.",
            stacklevel=4,
        )


def certainly_apart(samples: list[Sample]) -> bool:
    """Whether no two levels have one energy, known before the program runs."""
    for now, _ in samples:
        with jax.ensure_compile_time_eval():
            level = alike(now.spectrum()[0])
        if is_traced(level) or int(np.sum(np.asarray(level))) > now.levels:
            return False
    return bool(samples)
