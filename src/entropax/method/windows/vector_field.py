"""The right-hand side of master equations for the conditional states of a small system."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax._checks import refuse
from entropax.entropy import marginal
from entropax.method.ode import largest_within
from entropax.method.windows.bath_closures import AbstractBathClosure
from entropax.method.windows.memory_kernels import (
    Transfer,
    finite_memory,
    first_order_shift,
    long_memory,
    offsets,
    population_kernel,
    state_kernel,
    transfers,
)
from entropax.model.transition_frequencies import alike, same_frequency
from entropax.model.views import WindowSystem
from entropax.protocol import Interval, Time
from entropax.state import WindowState


class Integrated(NamedTuple):
    """What is integrated: the state, the heat given to frozen baths, and the work done on a driven
    system. The states of an undriven one are in the interaction picture where the equation is
    secular.
    """

    state: Array
    heat_given: Float[Array, " baths"]
    work: Float[Array, ""] | None = None


Field = Callable[..., Integrated]


class _Kernels(NamedTuple):
    """Gain and loss of one pair of couplings, and what a frozen bath's energy gains."""

    gain: Array
    loss: Array
    energy_gain: Array | None
    transfer: Transfer


class WindowEquation(eqx.Module):
    """A master equation of a small system and window baths, undriven or driven.

    `coherences`: density matrices are followed, not populations alone; they are stored as
    (2, ...): real part, imaginary part.
    """

    baths: AbstractBathClosure
    memory: Literal["infinite", "finite"] = eqx.field(static=True)
    secular: bool = eqx.field(static=True)
    lamb_shift: bool = eqx.field(static=True)
    first_order: bool = eqx.field(static=True)
    coherences: bool = eqx.field(static=True)

    def begin(self, model: WindowSystem) -> Integrated:
        """What is integrated, at the start."""
        start = model.start.on_windows(model)
        if self.coherences and model.start.is_diagonal:
            identity = jnp.eye(model.levels).reshape((model.levels,) * 2 + (1,) * (start.ndim - 1))
            start = identity * start
        start = self.baths.project(start)
        packed = jnp.stack([start.real, jnp.imag(start)]) if self.coherences else start
        work = jnp.zeros(()) if model.is_driven else None
        return Integrated(packed, jnp.zeros(len(model.baths)), work)

    def populations(self, packed: Array) -> Float[Array, " d"]:
        """Populations of the system's levels."""
        return marginal(self._joint(packed), 0)

    def state(
        self,
        model: WindowSystem,
        y: Integrated,
        rate: Integrated | None = None,
        time: Array | float = 0.0,
    ) -> WindowState:
        """What the ledger asks for; `model`: undriven, with the energies of this time."""
        joint, energies = self._joint(y.state), model.spectrum()[0]
        faults = None
        if not self.coherences:  # populations are all there is where no two levels have one energy
            message = (
                "`coherences` must be True or None where levels of the system have one energy."
            )
            joint, faults = refuse(joint, jnp.sum(alike(energies)) > energies.shape[0], message)
        if self.coherences:
            conditional = self._conditional(y.state)
            system = jnp.sum(conditional, axis=tuple(range(2, conditional.ndim)))
            if self._rotates(y):
                system = system * jnp.exp(1j * (energies[None, :] - energies[:, None]) * time)
        else:
            system = jnp.diag(marginal(joint, 0))
        energy = [
            jnp.sum(joint * along(bath.centers, 0, i, len(model.baths)))
            for i, bath in enumerate(model.baths)
        ]
        return WindowState(
            joint=joint,
            flow=None if rate is None else self._joint(rate.state),
            system=system,
            energies=energies,
            energy=jnp.stack(energy) + y.heat_given,
            work=jnp.zeros(()) if y.work is None else y.work,
            faults=faults,
            frozen=self.baths.is_frozen,
        )

    def field(self, model: WindowSystem, stretch: Interval) -> Field:
        """The right-hand side f(t, y, None) inside a stretch without breaks."""
        parts = transfers(model)
        is_steady = model.is_piecewise_constant
        first = model.within(stretch[0], stretch)
        constant = shifts = None
        if is_steady and self.memory == "infinite":
            constant = self._kernels(first, parts, jnp.zeros(()))
        bare = not self.secular or model.is_driven
        if is_steady and self.coherences:
            shifts = self._hamiltonian(first, bare=bare)

        def at(time: Time, y: Integrated, args: None) -> Integrated:
            del args
            undriven = first if is_steady else model.within(time, stretch)
            kernels = constant or self._kernels(undriven, parts, time)
            if self.coherences:
                hamiltonian = self._hamiltonian(undriven, bare=bare) if shifts is None else shifts
                change, heat_given = _change_of_states(y, hamiltonian, kernels)
            else:
                change, heat_given = _change_of_populations(y, kernels)
            if y.work is None:
                return Integrated(change, heat_given)
            power = model.slopes(time, stretch) @ self.populations(y.state)
            return Integrated(change, heat_given, power)

        return at

    def fastest(self, model: WindowSystem, stretch: Interval) -> Float[Array, ""]:
        """A bound of decay within a stretch: what populations lose at once, twice."""
        parts = transfers(model)

        def speed(time: Time) -> Array:
            undriven, total = model.within(time, stretch), jnp.zeros(())
            for part in parts:
                memory = long_memory(offsets(undriven, part.bath))
                loss = self.baths.loss(part.bath, population_kernel(part, memory)[1])
                total = total + jnp.max(jnp.abs(part.scale * loss))
            return total

        if model.is_piecewise_constant:
            return 2.0 * speed(stretch[0])
        return 2.0 * largest_within(stretch, speed)

    def _rotates(self, y: Integrated) -> bool:
        """Whether states are in the interaction picture: frequencies must stay what they are."""
        return self.secular and y.work is None

    def _conditional(self, packed: Array) -> Array:
        state = packed[0] + 1j * packed[1] if self.coherences else packed
        return self.baths.conditional(state)

    def _joint(self, packed: Array) -> Array:
        conditional = self._conditional(packed)
        if not self.coherences:
            return conditional
        return jnp.moveaxis(jnp.diagonal(conditional, axis1=0, axis2=1), -1, 0).real

    def _memory(self, model: WindowSystem, number: int, time: Time) -> Complex[Array, "d d w w"]:
        offset = offsets(model, number)
        if self.memory == "infinite":
            values = long_memory(offset)
        else:
            values = finite_memory(offset, model.baths[number].width * time)
        return values if self.lamb_shift else values.real + 0j

    def _kernels(self, model: WindowSystem, parts: list[Transfer], time: Time) -> list[_Kernels]:
        axes = 2 if self.coherences else 1
        pairs = jnp.ones((model.levels,) * 4)
        if self.secular:
            pairs = same_frequency(model.spectrum()[0]).astype(float)
        memory = {n: self._memory(model, n, time) for n in {part.bath for part in parts}}
        kernels = []
        for part in parts:
            if self.coherences:
                gain, loss = state_kernel(part, memory[part.bath], pairs)
            else:
                gain, loss = population_kernel(part, memory[part.bath])
            loss = along(self.baths.loss(part.bath, loss), axes, part.bath, len(model.baths))
            energy_gain = self.baths.energy_gain(part.bath, gain)
            kernels.append(_Kernels(self.baths.gain(part.bath, gain), loss, energy_gain, part))
        return kernels

    def _hamiltonian(self, model: WindowSystem, *, bare: bool) -> Inexact[Array, "d d ..."]:
        """First-order shifts, and H_S where it is not left to the interaction picture."""
        energies = model.spectrum()[0]
        diagonal = jnp.diag(energies if bare else jnp.zeros_like(energies))
        total = diagonal.reshape(diagonal.shape + (1,) * len(model.baths)) + 0j
        if self.first_order:
            for number in range(len(model.baths)):
                shift = first_order_shift(model, number, secular=self.secular)
                shift = self.baths.loss(number, shift)
                total = total + along(shift, 2, number, len(model.baths))
        return total


def _change_of_populations(y: Integrated, kernels: list[_Kernels]) -> tuple[Array, Array]:
    """dp/dt, and the energy that frozen baths are given a time."""
    p, change, heat_given = y.state, jnp.zeros_like(y.state), jnp.zeros_like(y.heat_given)
    for gain, loss, energy_gain, part in kernels:
        change = change + part.scale * (_act(gain, p, 1, part.bath) - loss * p)
        if energy_gain is not None:
            flow = part.scale * jnp.sum(energy_gain * p.reshape(energy_gain.shape))
            heat_given = heat_given.at[part.bath].add(flow)
    return change, heat_given


def _change_of_states(
    y: Integrated, hamiltonian: Array, kernels: list[_Kernels]
) -> tuple[Array, Array]:
    """The same of density matrices, as real and imaginary parts."""
    rho, heat_given = y.state[0] + 1j * y.state[1], jnp.zeros_like(y.heat_given)
    change = -1j * (_product(hamiltonian, rho) - _product(rho, hamiltonian))
    for gain, loss, energy_gain, part in kernels:
        # not the first product's adjoint: what rounding leaves anti-Hermitian would grow
        lost = _product(rho, loss) + _product(jnp.swapaxes(loss, 0, 1).conj(), rho)
        change = change + part.scale * (_act(gain, rho, 2, part.bath) - lost)
        if energy_gain is not None:
            flow = part.scale * jnp.sum(energy_gain * rho.reshape(energy_gain.shape)).real
            heat_given = heat_given.at[part.bath].add(flow)
    return jnp.stack([change.real, change.imag]), heat_given


def along(kernel: Array, axes: int, number: int, baths: int) -> Array:
    """`kernel` of `axes` axes and the windows of bath `number`, with an axis for every bath."""
    shape = [1] * baths
    shape[number] = kernel.shape[axes]
    return kernel.reshape(kernel.shape[:axes] + tuple(shape))


def _act(gain: Array, state: Array, axes: int, number: int) -> Array:
    moved = jnp.moveaxis(state, axes + number, -1)
    product = "kqEF,q...F->k...E" if axes == 1 else "abcdEF,cd...F->ab...E"
    return jnp.moveaxis(jnp.einsum(product, gain, moved), -1, axes + number)


def _product(a: Array, b: Array) -> Array:
    """Matrix product over the two leading axes."""
    return jnp.einsum("ij...,jk...->ik...", a, b)
