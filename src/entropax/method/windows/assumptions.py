"""What a master equation assumes of its model, looked at before the program runs."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from entropax._checks import is_traced
from entropax._tolerances import ROUNDED
from entropax.method.sampling import TOGETHER, Samples
from entropax.method.windows.memory_kernels import long_memory, offsets
from entropax.method.windows.moment import Dissipators, Moment
from entropax.model.transition_frequencies import alike
from entropax.model.views import WindowLink, WindowSystem, window_links
from entropax.protocol import AbstractProtocol, Interval


def warn_dead_transitions(
    model: WindowSystem, samples: Samples | None, dissipators: Dissipators
) -> None:
    """Warn of transitions that no pair of windows can take at any time: their rate is zero."""
    if samples is None:
        return
    for index, link in enumerate(window_links(model)):
        windows = link.matrix.connects(link.bath)

        def element_sizes(model: WindowSystem, link: WindowLink = link) -> Array:
            # transitions without a change of energy are shifts' and dephasing's affair
            moment = Moment.of(model, dissipators)
            operator = moment.enter(model.in_eigenbasis(link.operator))
            return jnp.abs(operator) * ~alike(moment.energies)

        def weight(model: WindowSystem, link: WindowLink = link) -> Array:
            energies = Moment.of(model, dissipators).energies
            return long_memory(offsets(link.bath, energies)).real

        sizes = samples.each(element_sizes)
        if is_traced(sizes):
            continue
        sizes = np.asarray(sizes)
        present = sizes > ROUNDED * np.max(sizes, axis=(1, 2), keepdims=True)
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
                    stacklevel=5,
                )


def reachable_populations(model: WindowSystem) -> tuple[int, ...]:
    """Populations (indices into `joint`, flat) that rates may lead to from the start's: all where
    numbers are traced, or a model is driven.
    """
    everything = tuple(range(model.dimension))
    if model.is_driven:
        return everything
    with jax.ensure_compile_time_eval():
        start, links = model.start.on_windows(model), window_links(model)
        operators = [model.in_eigenbasis(link.operator) for link in links]
        energies = model.spectrum()[0]
        memories = [long_memory(offsets(link.bath, energies)).real for link in links]
    if any(map(is_traced, (start, *operators, *memories))):
        return everything
    filled = np.asarray(start) > 0
    while True:
        before = filled
        for link, operator, memory in zip(links, operators, memories, strict=True):
            leads = (np.asarray(operator) != 0)[:, :, None, None] & (np.asarray(memory) > 0)
            leads &= link.matrix.connects(link.bath)
            place = 1 + link.number
            moved = np.einsum("kqEF,q...F->k...E", leads, np.moveaxis(filled, place, -1))
            filled = filled | np.moveaxis(moved, -1, place)
        if np.array_equal(filled, before):
            return tuple(np.flatnonzero(filled).tolist())


def warn_fast_driving(
    model: WindowSystem, samples: Samples | None, dissipators: Dissipators
) -> None:
    r"""Warn where a transition moves by a window within the bath's memory $2\pi/\delta$."""
    widths = [bath.width for bath in model.baths]
    if samples is None:
        return

    def slopes(time: Array, stretch: Interval) -> Array:
        if dissipators == "local":
            return model.slopes(time, stretch)
        moment = Moment.of(model.within(time, stretch), dissipators)
        moved = moment.enter(model.in_eigenbasis(model.hamiltonian_slope(time, stretch)))
        return jnp.diagonal(moved).real

    if any(map(is_traced, (moving := samples.at_each(slopes), *widths))):
        return
    speed = float(np.max(np.ptp(np.asarray(moving), axis=1)))
    narrow = min(float(width) for width in widths)
    windows = speed * 2.0 * np.pi / narrow**2
    if windows > 1.0:
        warnings.warn(
            f"Energies move by {windows:.3g} windows within the baths' memory 2 pi / width: a "
            "master equation assumes far less than one. Schrodinger assumes nothing.",
            stacklevel=5,
        )


def warn_fast_switching(model: WindowSystem, samples: Samples | None) -> None:
    r"""Warn where a strength changes by its largest value within the bath's memory
    $2\pi/\delta$.
    """
    if samples is None:
        return
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        strength, width = coupling.size, model.baths[number].width
        if not isinstance(strength, AbstractProtocol):
            continue
        values = samples.at_each(strength.within)
        slopes = samples.at_each(strength.slope)
        if any(map(is_traced, (values, slopes, width))):
            continue
        largest = float(np.max(np.abs(np.asarray(values)), initial=0.0))
        fastest = float(np.max(np.abs(np.asarray(slopes)), initial=0.0))
        memory = 2.0 * np.pi / float(width)
        if fastest * memory > largest:
            warnings.warn(
                f"`couplings[{index}].strength` changes by {fastest * memory / largest:.3g} times "
                f"its largest value within the bath's memory 2 pi / width ({memory:.3g}): Markov "
                'rates, which follow its square, assume far less. `memory="finite"` keeps the '
                "history, Schrodinger assumes nothing.",
                stacklevel=5,
            )
