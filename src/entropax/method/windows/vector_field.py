"""The right-hand side of master equations for the conditional states of a small system."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax._checks import Faults, refuse
from entropax._tolerances import AS_STATED
from entropax.entropy import marginal
from entropax.equilibrium import expectation
from entropax.method.ode import largest_within
from entropax.method.windows.bath_closures import AbstractBathClosure
from entropax.method.windows.memory_history import (
    begin_history,
    history_rate,
    memory_of,
    reach_of,
)
from entropax.method.windows.memory_kernels import (
    Memories,
    Transfer,
    finite_memory,
    first_order_shift,
    long_memory,
    offsets,
    population_kernel,
    state_kernel,
    transfers,
)
from entropax.method.windows.moment import Dissipators, Moment
from entropax.model.transition_frequencies import alike, same_frequency
from entropax.model.views import WindowSystem, window_links
from entropax.model.windows.bath import WindowBath
from entropax.protocol import Interval, Time
from entropax.state import WindowState


class Integrated(NamedTuple):
    """What is integrated: the state, the heat given to frozen baths, the work done on a driven
    system, and what each coupling of a driven model remembers, where memory is finite.

    The states of a system that nothing drives or mixes are in the interaction picture where the
    equation is secular.
    """

    state: Array
    heat_given: Float[Array, " baths"]
    work: Float[Array, ""] | None = None
    history: tuple[Array, ...] | None = None


Field = Callable[..., Integrated]


class _Kernels(NamedTuple):
    """Gain and loss of one pair of couplings, what a frozen bath's energy gains, and what all are
    multiplied by: apart, so that a batch over strengths shares all else.
    """

    gain: Array
    loss: Array
    energy_gain: Array | None
    scale: Float[Array, ""]
    bath: int


class WindowEquation(eqx.Module):
    """A master equation of a small system and window baths, undriven or driven.

    `coherences`: density matrices are followed, not populations alone; they are stored as
    (2, ...): real part, imaginary part. `nodes`: of the memory of a driven model.
    """

    baths: AbstractBathClosure
    memory: Literal["infinite", "finite"] = eqx.field(static=True)
    dissipators: Dissipators = eqx.field(static=True)
    secular: bool = eqx.field(static=True)
    lamb_shift: bool = eqx.field(static=True)
    first_order: bool = eqx.field(static=True)
    coherences: bool = eqx.field(static=True)
    nodes: int = eqx.field(static=True)

    def begin(self, model: WindowSystem) -> Integrated:
        """What is integrated, at the start."""
        start = model.start.on_windows(model)
        if self.coherences and model.start.is_diagonal:
            identity = jnp.eye(model.levels).reshape((model.levels,) * 2 + (1,) * (start.ndim - 1))
            start = identity * start
        start = self.baths.project(start)
        packed = jnp.stack([start.real, jnp.imag(start)]) if self.coherences else start
        mixes = model.is_driven or model.interaction is not None
        history = None
        if self.memory == "finite" and model.is_driven:
            pairs = [(link.bath.windows,) * 2 for link in window_links(model)]
            history = tuple(begin_history((model.levels,) * 2 + w, self.nodes) for w in pairs)
        work = jnp.zeros(()) if mixes else None
        return Integrated(packed, jnp.zeros(len(model.baths)), work, history)

    def moment(self, undriven: WindowSystem) -> Moment:
        """The system at the time of an undriven model."""
        return Moment.of(undriven, self.dissipators)

    def system(self, packed: Array) -> Inexact[Array, "d d"]:
        """The system's state; in the interaction picture, where `Integrated` is."""
        if not self.coherences:
            return jnp.diag(marginal(self._joint(packed), 0))
        conditional = self._conditional(packed)
        return jnp.sum(conditional, axis=tuple(range(2, conditional.ndim)))

    def state(
        self,
        model: WindowSystem,
        y: Integrated,
        rate: Integrated | None = None,
        time: Array | float = 0.0,
    ) -> WindowState:
        """What the ledger asks for; `model`: the undriven one of this time."""
        joint, moment = self._joint(y.state), self.moment(model)
        faults = self._faults(model, time)
        if not self.coherences:  # populations are all there is where no two levels have one energy
            message = (
                "`coherences` must be True or None where levels of the system have one energy."
            )
            together = jnp.sum(alike(moment.energies)) > model.levels
            joint, fault = refuse(joint, together, message)
            faults += fault
        system = self.system(y.state)
        if self.coherences and self._rotates(y):
            energies = moment.energies
            system = system * jnp.exp(1j * (energies[None, :] - energies[:, None]) * time)
        energy = [
            jnp.sum(joint * along(bath.centers, 0, i, len(model.baths)))
            for i, bath in enumerate(model.baths)
        ]
        return WindowState(
            joint=joint,
            flow=None if rate is None else self._joint(rate.state),
            system=system,
            hamiltonian=model.between_eigenstates(),
            energy=jnp.stack(energy) + y.heat_given,
            work=jnp.zeros(()) if y.work is None else y.work,
            faults=faults,
            frozen=self.baths.is_frozen,
        )

    def _faults(self, model: WindowSystem, time: Array | float) -> Faults:
        if not self.nodes:
            return Faults.none()
        widest = jnp.max(jnp.stack([bath.width for bath in model.baths]))
        message = (
            '`memory="finite"` of a driven model that a program traces reaches no further than '
            f"{reach_of(self.nodes):.0f} in units of 1/width: `ts` and `width` must be known."
        )
        late = jnp.asarray(widest * time > reach_of(self.nodes) * (1.0 + AS_STATED))
        return Faults(late.reshape(1), (message,))

    def field(self, model: WindowSystem, stretch: Interval) -> Field:
        """The right-hand side f(t, y, None) inside a stretch without breaks."""
        parts = transfers(model)
        is_steady = model.is_piecewise_constant
        first = model.within(stretch[0], stretch)
        resting = self.moment(first) if is_steady else None
        constant = shifts = None
        if resting is not None and self.memory == "infinite":
            constant = self._kernels(first, resting, parts, jnp.zeros(()), None)
        bare = not self.secular or model.is_driven or model.interaction is not None
        if resting is not None and self.coherences:
            shifts = self._hamiltonian(first, resting, bare=bare)

        def at(time: Time, y: Integrated, args: None) -> Integrated:
            del args
            undriven = first if is_steady else model.within(time, stretch)
            moment = resting or self.moment(undriven)
            kernels = constant or self._kernels(undriven, moment, parts, time, y.history)
            if self.coherences:
                hamiltonian = shifts
                if hamiltonian is None:
                    hamiltonian = self._hamiltonian(undriven, moment, bare=bare)
                rho = moment.enter(y.state[0] + 1j * y.state[1])
                change, heat_given = _change_of_states(rho, hamiltonian, kernels, y.heat_given)
                change = moment.leave(change)
                change = jnp.stack([change.real, change.imag])
            else:
                change, heat_given = _change_of_populations(y.state, kernels, y.heat_given)
            power = None
            if y.work is not None:
                slope = model.in_eigenbasis(model.hamiltonian_slope(time, stretch))
                power = expectation(slope, self.system(y.state))
            history = None
            if y.history is not None:
                history = tuple(
                    history_rate(g, offsets(c.bath, moment.energies), c.bath.width, c.strength)
                    for g, c in zip(y.history, window_links(undriven), strict=True)
                )
            return Integrated(change, heat_given, power, history)

        return at

    def fastest(self, model: WindowSystem, stretch: Interval) -> Float[Array, ""]:
        """A bound of decay within a stretch: what populations lose at once, twice."""
        parts = transfers(model)

        def speed(time: Time) -> Array:
            undriven, total = model.within(time, stretch), jnp.zeros(())
            moment, strengths = self.moment(undriven), _strengths(undriven)
            for part in parts:
                part = _between(part, moment)
                memory = long_memory(offsets(undriven.baths[part.bath], moment.energies))
                loss = population_kernel(part, Memories(memory, memory))[1]
                scale = strengths[part.pair[0]] * strengths[part.pair[1]]
                total = total + jnp.max(jnp.abs(scale * self.baths.loss(part.bath, loss)))
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

    def _memory(
        self, bath: WindowBath, energies: Float[Array, " d"], time: Time
    ) -> Complex[Array, "d d w w"]:
        """The memory integral at a strength of 1, where nothing is driven."""
        offset = offsets(bath, energies)
        if self.memory == "infinite":
            return self._shifted(long_memory(offset))
        return self._shifted(finite_memory(offset, bath.width * time))

    def _shifted(self, memory: Complex[Array, "d d w w"]) -> Complex[Array, "d d w w"]:
        return memory if self.lamb_shift else memory.real + 0j

    def _kernels(
        self,
        model: WindowSystem,
        moment: Moment,
        parts: list[Transfer],
        time: Time,
        history: tuple[Array, ...] | None,
    ) -> list[_Kernels]:
        axes, strengths = 2 if self.coherences else 1, _strengths(model)
        pairs = jnp.ones((model.levels,) * 4)
        if self.secular:
            pairs = same_frequency(moment.energies).astype(float)
        alone, remembered = {}, []
        if history is not None:
            links = window_links(model)
            remembered = [
                self._shifted(memory_of(g, c.bath.width))
                for g, c in zip(history, links, strict=True)
            ]
        else:
            used = {part.bath for part in parts}
            alone = {n: self._memory(model.baths[n], moment.energies, time) for n in used}
        kernels = []
        for part in parts:
            i, j = part.pair
            if remembered:
                scale = jnp.ones(())
                memories = Memories(strengths[j] * remembered[i], strengths[i] * remembered[j])
            else:
                scale = strengths[i] * strengths[j]
                memories = Memories(alone[part.bath], alone[part.bath])
            part = _between(part, moment)
            if self.coherences:
                gain, loss = state_kernel(part, memories, pairs)
            else:
                gain, loss = population_kernel(part, memories)
            loss = along(self.baths.loss(part.bath, loss), axes, part.bath, len(model.baths))
            energy_gain = self.baths.energy_gain(part.bath, gain)
            gain = self.baths.gain(part.bath, gain)
            kernels.append(_Kernels(gain, loss, energy_gain, scale, part.bath))
        return kernels

    def _hamiltonian(
        self, model: WindowSystem, moment: Moment, *, bare: bool
    ) -> Inexact[Array, "d d ..."]:
        """First-order shifts, and H_S where it is not left to the interaction picture."""
        h = moment.hamiltonian if bare else jnp.zeros_like(moment.hamiltonian)
        total = h.reshape(h.shape + (1,) * len(model.baths)) + 0j
        if self.first_order:
            for number in range(len(model.baths)):
                shift = first_order_shift(model, number, moment, secular=self.secular)
                shift = self.baths.loss(number, shift)
                total = total + along(shift, 2, number, len(model.baths))
        return total


def _strengths(undriven: WindowSystem) -> list[Float[Array, ""]]:
    return [link.strength for link in window_links(undriven)]


def _between(part: Transfer, moment: Moment) -> Transfer:
    """The transfer between the states of the moment."""
    return part._replace(first=moment.enter(part.first), second=moment.enter(part.second))


def _change_of_populations(
    p: Array, kernels: list[_Kernels], heat_given: Array
) -> tuple[Array, Array]:
    """dp/dt, and the energy that frozen baths are given a time."""
    change, heat_given = jnp.zeros_like(p), jnp.zeros_like(heat_given)
    for gain, loss, energy_gain, scale, bath in kernels:
        change = change + scale * (_act(gain, p, 1, bath) - loss * p)
        if energy_gain is not None:
            flow = scale * jnp.sum(energy_gain * p.reshape(energy_gain.shape))
            heat_given = heat_given.at[bath].add(flow)
    return change, heat_given


def _change_of_states(
    rho: Array, hamiltonian: Array, kernels: list[_Kernels], heat_given: Array
) -> tuple[Array, Array]:
    """The same of density matrices."""
    heat_given = jnp.zeros_like(heat_given)
    change = -1j * (_product(hamiltonian, rho) - _product(rho, hamiltonian))
    for gain, loss, energy_gain, scale, bath in kernels:
        # not the first product's adjoint: what rounding leaves anti-Hermitian would grow
        lost = _product(rho, loss) + _product(jnp.swapaxes(loss, 0, 1).conj(), rho)
        change = change + scale * (_act(gain, rho, 2, bath) - lost)
        if energy_gain is not None:
            flow = scale * jnp.sum(energy_gain * rho.reshape(energy_gain.shape)).real
            heat_given = heat_given.at[bath].add(flow)
    return change, heat_given


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
