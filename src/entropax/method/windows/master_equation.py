"""Master equations for the conditional states of a small system: what they share."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact, PyTree

from entropax._checks import refuse
from entropax.entropy import marginal
from entropax.method.base import open_system
from entropax.method.ode import (
    AbstractIntegratedMethod,
    largest_within,
    nonnegative,
    scan_stretches,
)
from entropax.method.sampling import certainly_apart, samples
from entropax.method.windows.assumptions import warn_dead_transitions, warn_fast_driving
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
from entropax.model import OpenSystem
from entropax.model.transition_frequencies import alike, same_frequency
from entropax.protocol import Interval, Time
from entropax.state import WindowState


class Integrated(NamedTuple):
    """What is integrated: the state, the energy `handed` to frozen baths, and the `work` done on a
    driven system. The states of an undriven one are in the interaction picture where the equation
    is secular.
    """

    state: Array
    heat_given: Float[Array, " baths"]
    work: Float[Array, ""] | None = None


Field = Callable[..., Integrated]

Kernels = tuple[Array, Array, Array | None, Transfer]
"""Gain, loss, gain of a frozen bath's energy, and what they belong to."""


class AbstractMasterEquation(AbstractIntegratedMethod):
    """Coefficients, integration, and the choice between populations alone and full states.

    A state has one axis of the system (populations) or two (density matrices), then one axis a
    bath, of length 1 where the equation does not follow its windows.
    """

    memory: Literal["infinite", "finite"] = eqx.field(default="infinite", static=True)
    secular: bool = eqx.field(default=True, static=True)
    lamb_shift: bool = eqx.field(default=True, static=True)
    first_order: bool = eqx.field(default=True, static=True)
    coherences: bool | None = eqx.field(default=None, static=True)

    @property
    @abc.abstractmethod
    def frozen(self) -> bool:
        """Whether the baths stay as they start."""

    @abc.abstractmethod
    def project(self, model: OpenSystem, conditional: Array) -> Array:
        """What is integrated, from the conditional states of all windows."""

    @abc.abstractmethod
    def conditional(self, model: OpenSystem, state: Array) -> Array:
        """The conditional states of all windows, from what is integrated."""

    @abc.abstractmethod
    def gain(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        """A gain (..., E, F) of one bath over the windows that are integrated."""

    @abc.abstractmethod
    def loss(self, model: OpenSystem, number: int, kernel: Array) -> Array:
        """A loss (..., F) of one bath over the windows that are integrated."""

    @abc.abstractmethod
    def energy_gain(self, model: OpenSystem, number: int, gain: Array) -> Array | None:
        """What one bath's energy gains per state, from its gain (..., E, F); None: from `joint`."""

    def __check_init__(self) -> None:
        if self.memory not in ("infinite", "finite"):
            raise ValueError(f'`memory` must be "infinite" or "finite", but is {self.memory!r}.')

    def require_times(self, model: eqx.Module, ts: Float[Array, " times"]) -> Array:
        return open_system(self, model).require_defined(nonnegative(ts))

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        """Decide whether coherences must be followed, while numbers can still be looked at."""
        known = open_system(self, model)
        seen = samples(known, ts)
        if self.memory == "infinite":
            warn_dead_transitions(known, seen)
        if known.is_driven:
            warn_fast_driving(known, seen)
        if self.coherences is not None:
            return self
        alone = self.secular and known.joint_start.is_diagonal and certainly_apart(seen)
        return dataclasses.replace(self, coherences=not alone)

    def initial(self, model: eqx.Module) -> WindowState:
        known = open_system(self, model)
        return self._state(known.before(), self._begin(known, self._start(known)))

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model)
        y = self._begin(known, self._start(known))
        return self.in_order(known, ts, y, reduce, meter)

    def _driven(
        self,
        model: OpenSystem,
        y: Integrated,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        silent = diffrax.NoProgressMeter()

        def one(carry, stretch, own):
            y, energies = carry
            start, stop = stretch
            now = model.within(start, stretch)
            work = (now.spectrum()[0] - energies) @ self._populations(model, y.state)
            # populations are not all there is where levels have one energy: all that follows is NaN
            alone = jnp.sum(alike(now.spectrum()[0])) == now.levels
            state = y.state if self.coherences else jnp.where(alone, y.state, jnp.nan)
            y = y._replace(state=state, work=y.work + work)
            y, found = self._stretch(model, y, stretch, own, reduce, silent)
            return (y, model.within(stop, stretch).spectrum()[0]), found

        return scan_stretches(model.breaks, ts, (y, model.before().spectrum()[0]), one, meter)

    def _begin(self, model: OpenSystem, start: Array) -> Integrated:
        packed = jnp.stack([start.real, jnp.imag(start)]) if self.coherences else start
        y = Integrated(packed, jnp.zeros(len(model.baths)))
        if not model.is_driven:
            return y
        return y._replace(work=jnp.zeros(()))

    def _start(self, model: OpenSystem) -> Array:
        start = model.joint_start.on_windows(model)
        if not self.coherences:
            if not (self.secular and model.joint_start.is_diagonal):
                raise ValueError(
                    "`coherences` must be True or None where the equation is not secular or the "
                    "start is not diagonal in the system's energies."
                )
        elif model.joint_start.is_diagonal:
            identity = jnp.eye(model.levels).reshape((model.levels,) * 2 + (1,) * (start.ndim - 1))
            start = identity * start
        return self.project(model, start)

    def _rotates(self, y: Integrated) -> bool:
        """Whether states are in the interaction picture: frequencies must stay what they are."""
        return self.secular and y.work is None

    def _conditional(self, model: OpenSystem, packed: Array) -> Array:
        state = packed[0] + 1j * packed[1] if self.coherences else packed
        return self.conditional(model, state)

    def _joint(self, model: OpenSystem, packed: Array) -> Array:
        conditional = self._conditional(model, packed)
        if not self.coherences:
            return conditional
        return jnp.moveaxis(jnp.diagonal(conditional, axis1=0, axis2=1), -1, 0).real

    def _populations(self, model: OpenSystem, packed: Array) -> Float[Array, " d"]:
        return marginal(self._joint(model, packed), 0)

    def _state(
        self,
        model: OpenSystem,
        y: Integrated,
        rate: Integrated | None = None,
        time: Array | float = 0.0,
    ) -> WindowState:
        """`model`: undriven, with the energies of this time."""
        joint, energies = self._joint(model, y.state), model.spectrum()[0]
        faults = None
        if not self.coherences:  # populations are all there is where no two levels have one energy
            told = "`coherences` must be True or None where levels of the system have one energy."
            joint, faults = refuse(joint, jnp.sum(alike(energies)) > energies.shape[0], told)
        if self.coherences:
            conditional = self._conditional(model, y.state)
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
            flow=None if rate is None else self._joint(model, rate.state),
            system=system,
            energies=energies,
            energy=jnp.stack(energy) + y.heat_given,
            work=jnp.zeros(()) if y.work is None else y.work,
            faults=faults,
            frozen=self.frozen,
        )

    def _memory(self, model: OpenSystem, number: int, time: Time) -> Complex[Array, "d d w w"]:
        offset = offsets(model, number)
        if self.memory == "infinite":
            values = long_memory(offset)
        else:
            values = finite_memory(offset, model.baths[number].width * time)
        return values if self.lamb_shift else values.real + 0j

    def field(self, model: OpenSystem, stretch: Interval) -> Field:
        """The right-hand side f(t, y, None) inside a stretch without breaks.

        Density matrices are stored as (2, ...): real part, imaginary part.
        """
        axes, parts = 2 if self.coherences else 1, transfers(model)

        def terms(model: OpenSystem, time: Time) -> list[Kernels]:
            found = []
            pairs = jnp.ones((model.levels,) * 4)
            if self.secular:
                pairs = same_frequency(model.spectrum()[0]).astype(float)
            numbers = {part.bath for part in parts}
            memory = {number: self._memory(model, number, time) for number in numbers}
            for part in parts:
                if self.coherences:
                    gain, loss = state_kernel(part, memory[part.bath], pairs)
                else:
                    gain, loss = population_kernel(part, memory[part.bath])
                loss = self.loss(model, part.bath, loss)
                loss = along(loss, axes, part.bath, len(model.baths))
                energy_gain = self.energy_gain(model, part.bath, gain)
                found.append((self.gain(model, part.bath, gain), loss, energy_gain, part))
            return found

        steady = model.is_piecewise_constant
        known = model.within(stretch[0], stretch)
        constant = None
        if steady and self.memory == "infinite":
            constant = terms(known, jnp.zeros(()))
        rotating = self.secular and not model.is_driven
        shifts = self._hamiltonian(known, bare=not rotating) if self.coherences and steady else None

        def account(time: Time, y: Integrated, now: OpenSystem, state: Array, heat_given: Array):
            if y.work is None:
                return Integrated(state, heat_given)
            power = model.slopes(time, stretch) @ self._populations(now, y.state)
            return Integrated(state, heat_given, power)

        def at(time: Time) -> tuple[OpenSystem, list]:
            now = known if steady else model.within(time, stretch)
            return now, constant or terms(now, time)

        def populations(time: Time, y: Integrated, args: None) -> Integrated:
            del args
            now, kernels = at(time)
            p, change, heat_given = y.state, jnp.zeros_like(y.state), jnp.zeros_like(y.heat_given)
            for gain, loss, energy_gain, part in kernels:
                change = change + part.scale * (_act(gain, p, 1, part.bath) - loss * p)
                if energy_gain is not None:
                    flow = part.scale * jnp.sum(energy_gain * p.reshape(energy_gain.shape))
                    heat_given = heat_given.at[part.bath].add(flow)
            return account(time, y, now, change, heat_given)

        def states(time: Time, y: Integrated, args: None) -> Integrated:
            del args
            now, kernels = at(time)
            rho, heat_given = y.state[0] + 1j * y.state[1], jnp.zeros_like(y.heat_given)
            hamiltonian = self._hamiltonian(now, bare=not rotating) if shifts is None else shifts
            change = -1j * (_product(hamiltonian, rho) - _product(rho, hamiltonian))
            for gain, loss, energy_gain, part in kernels:
                # not the first product's adjoint: what rounding leaves anti-Hermitian would grow
                lost = _product(rho, loss) + _product(jnp.swapaxes(loss, 0, 1).conj(), rho)
                change = change + part.scale * (_act(gain, rho, 2, part.bath) - lost)
                if energy_gain is not None:
                    flow = part.scale * jnp.sum(energy_gain * rho.reshape(energy_gain.shape)).real
                    heat_given = heat_given.at[part.bath].add(flow)
            return account(time, y, now, jnp.stack([change.real, change.imag]), heat_given)

        return states if self.coherences else populations

    def _hamiltonian(self, model: OpenSystem, *, bare: bool) -> Inexact[Array, "d d ..."]:
        """First-order shifts, and H_S where it is not left to the interaction picture."""
        energies = model.spectrum()[0]
        own = jnp.diag(energies if bare else jnp.zeros_like(energies))
        total = own.reshape(own.shape + (1,) * len(model.baths)) + 0j
        if self.first_order:
            for number in range(len(model.baths)):
                shift = first_order_shift(model, number, secular=self.secular)
                shift = self.loss(model, number, shift)
                total = total + along(shift, 2, number, len(model.baths))
        return total

    def _stretch(
        self,
        model: OpenSystem,
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Integrated | None, PyTree[Array]]:
        """From the start of a stretch to its end, and `reduce` at ascending times inside it."""
        field = self.field(model, stretch)

        def seen(time: Time, y: Integrated) -> PyTree[Array]:
            now = model.within(time, stretch)
            return reduce(self._state(now, y, field(time, y, None), time))

        # where the solver gives up, the ledger is marked not finite
        return self.integrate(
            field,
            y,
            stretch,
            ts,
            seen,
            meter,
            marks=model.marks,
            fastest=self._fastest(model, stretch),
            to_the_end=model.is_driven,
        )

    def _fastest(self, model: OpenSystem, stretch: Interval) -> Float[Array, ""]:
        """A bound of decay within a stretch: what populations lose at once, twice."""
        parts = transfers(model)

        def speed(time: Time) -> Array:
            now, total = model.within(time, stretch), jnp.zeros(())
            for part in parts:
                memory = long_memory(offsets(now, part.bath))
                loss = population_kernel(part, memory)[1]
                total = total + jnp.max(jnp.abs(part.scale * self.loss(now, part.bath, loss)))
            return total

        if model.is_piecewise_constant:
            return 2.0 * speed(stretch[0])
        return 2.0 * largest_within(stretch, speed)


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
