"""What a master equation assumes of its model, looked at before the program runs."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from entropax._checks import is_traced
from entropax.method.sampling import TOGETHER, Samples
from entropax.method.windows.memory_kernels import long_memory, offsets
from entropax.model import Coupling, OpenSystem
from entropax.model.transition_frequencies import alike


def warn_dead_transitions(model: OpenSystem, samples: Samples | None) -> None:
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
            of_part = present[number_of_part * TOGETHER :][: len(reach)]
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


def warn_fast_driving(model: OpenSystem, samples: Samples | None) -> None:
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
