"""Master equations for the conditional states of a small system: what they share."""

import abc
import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, PyTree

from entropax._checks import check, is_traced
from entropax.method.base import AbstractMethod, open_system
from entropax.method.kernels import (
    Transfer,
    finite_memory,
    first_order_shift,
    long_memory,
    offsets,
    population_kernel,
    same_energy,
    same_frequency,
    state_kernel,
    transfers,
)
from entropax.method.states import WindowState
from entropax.model import OpenSystem

Field = Callable[..., tuple[Array, Array]]


class AbstractMasterEquation(AbstractMethod):
    """Coefficients, integration, and the choice between populations alone and full states.

    A state has one axis of the system (populations) or two (density matrices), then one axis a
    bath, of length 1 where the equation does not follow its windows.
    """

    memory: Literal["infinite", "finite"] = eqx.field(default="infinite", static=True)
    secular: bool = eqx.field(default=True, static=True)
    lamb_shift: bool = eqx.field(default=True, static=True)
    first_order: bool = eqx.field(default=True, static=True)
    coherences: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

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
        if isinstance(self.adjoint, diffrax.BacksolveAdjoint):
            raise ValueError(
                "`adjoint` must not be BacksolveAdjoint: its gradients are wrong here."
            )
        for name in ("rtol", "atol"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, but is {getattr(self, name)!r}.")

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        """Decide whether coherences must be followed, while numbers can still be looked at."""
        known = open_system(self, model)
        nonnegative(ts)
        if self.memory == "infinite":
            _name_dead_transitions(known)
        if self.coherences is not None:
            return self
        alone = self.secular and known.start.is_diagonal and _certainly_apart(known)
        return dataclasses.replace(self, coherences=not alone)

    def initial(self, model: eqx.Module) -> WindowState:
        known = open_system(self, model)
        return self._state(known, self._start(known), jnp.zeros(len(known.baths)), jnp.zeros(()))

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model)
        return self._integrate(known, self._start(known), nonnegative(ts), reduce, meter)

    def _start(self, model: OpenSystem) -> Array:
        start = model.start.on_windows(model)
        if not self.coherences:
            if not (self.secular and model.start.is_diagonal):
                raise ValueError(
                    "`coherences` must be True or None where the equation is not secular or the "
                    "start is not diagonal in the system's energies."
                )
            apart = jnp.sum(same_energy(model)) < model.levels + 0.5
            told = "`coherences` must be True or None where levels of the system have one energy."
            start = eqx.error_if(start, ~apart, told)
        elif model.start.is_diagonal:
            identity = jnp.eye(model.levels).reshape((model.levels,) * 2 + (1,) * (start.ndim - 1))
            start = identity * start
        return self.project(model, start)

    def _state(self, model: OpenSystem, state: Array, handed: Array, time: Array) -> WindowState:
        """`handed`: energy that frozen baths were handed."""
        conditional = self.conditional(model, state)
        if self.coherences:
            joint = jnp.moveaxis(jnp.diagonal(conditional, axis1=0, axis2=1), -1, 0).real
            system = jnp.sum(conditional, axis=tuple(range(2, conditional.ndim)))
            if self.secular:  # integrated in the interaction picture
                system = system * jnp.exp(1j * _frequencies(model) * time)
        else:
            joint = conditional
            system = jnp.diag(jnp.sum(conditional, axis=tuple(range(1, conditional.ndim))))
        energy = [
            jnp.sum(joint * along(bath.centers, 0, i, len(model.baths)))
            for i, bath in enumerate(model.baths)
        ]
        return WindowState(joint, system, jnp.stack(energy) + handed, frozen=self.frozen)

    def _memory(self, model: OpenSystem, number: int, time: Array) -> Complex[Array, "d d w w"]:
        offset = offsets(model, number)
        if self.memory == "infinite":
            values = long_memory(offset)
        else:
            values = finite_memory(offset, model.baths[number].width * time)
        return values if self.lamb_shift else values.real + 0j

    def field(self, model: OpenSystem) -> Field:
        """The right-hand side f(t, (state, energy handed to frozen baths), None).

        Density matrices are stored as (2, ...): real part, imaginary part.
        """
        parts = transfers(model)
        axes = 2 if self.coherences else 1
        pairs = jnp.ones((model.levels,) * 4)
        if self.secular and self.coherences:
            pairs = same_frequency(model)

        def terms(time: Array) -> list[tuple[Array, Array, Array | None, Transfer]]:
            found = []
            for part in parts:
                memory = self._memory(model, part.bath, time)
                if self.coherences:
                    gain, loss = state_kernel(part, memory, pairs)
                else:
                    gain, loss = population_kernel(part, memory)
                loss = self.loss(model, part.bath, loss)
                loss = along(loss, axes, part.bath, len(model.baths))
                energy_gain = self.energy_gain(model, part.bath, gain)
                found.append((self.gain(model, part.bath, gain), loss, energy_gain, part))
            return found

        constant = terms(jnp.zeros(())) if self.memory == "infinite" else None

        def populations(time: Array, y: tuple[Array, Array], args: None) -> tuple[Array, Array]:
            del args
            p, handed = y
            change, handed = jnp.zeros_like(p), jnp.zeros_like(handed)
            for gain, loss, energy_gain, part in constant or terms(time):
                change = change + part.scale * (_act(gain, p, 1, part.bath) - loss * p)
                if energy_gain is not None:
                    flow = part.scale * jnp.sum(energy_gain * p.reshape(energy_gain.shape))
                    handed = handed.at[part.bath].add(flow)
            return change, handed

        if not self.coherences:
            return populations
        hamiltonian = self._hamiltonian(model)

        def states(time: Array, y: tuple[Array, Array], args: None) -> tuple[Array, Array]:
            del args
            packed, handed = y
            rho, handed = packed[0] + 1j * packed[1], jnp.zeros_like(handed)
            change = -1j * (_product(hamiltonian, rho) - _product(rho, hamiltonian))
            for gain, loss, energy_gain, part in constant or terms(time):
                # not the first product's adjoint: what rounding leaves anti-Hermitian would grow
                lost = _product(rho, loss) + _product(jnp.swapaxes(loss, 0, 1).conj(), rho)
                change = change + part.scale * (_act(gain, rho, 2, part.bath) - lost)
                if energy_gain is not None:
                    flow = part.scale * jnp.sum(energy_gain * rho.reshape(energy_gain.shape)).real
                    handed = handed.at[part.bath].add(flow)
            return jnp.stack([change.real, change.imag]), handed

        return states

    def _hamiltonian(self, model: OpenSystem) -> Inexact[Array, "d d ..."]:
        """H_S, absent from the secular equation's interaction picture, and first-order shifts."""
        energies = model.spectrum()[0]
        bare = jnp.diag(jnp.zeros_like(energies) if self.secular else energies)
        total = bare.reshape(bare.shape + (1,) * len(model.baths)) + 0j
        if self.first_order:
            for number in range(len(model.baths)):
                shift = first_order_shift(model, number, secular=self.secular)
                shift = self.loss(model, number, shift)
                total = total + along(shift, 2, number, len(model.baths))
        return total

    def _integrate(
        self,
        model: OpenSystem,
        start: Array,
        ts: Array,
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        def save(time: Array, y: tuple[Array, Array], args: None) -> PyTree[Array]:
            del args
            state, handed = y
            state = state[0] + 1j * state[1] if self.coherences else state
            return reduce(self._state(model, state, handed, time))

        if ts.shape[0] == 0:  # diffrax wants a time
            nothing = jnp.zeros(len(model.baths))
            return jax.vmap(lambda t: reduce(self._state(model, start, nothing, t)))(ts)
        packed = jnp.stack([start.real, jnp.imag(start)]) if self.coherences else start
        order = jnp.argsort(ts)
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(self.field(model)),
            diffrax.Dopri8() if self.solver is None else self.solver,
            t0=0.0,
            t1=jnp.max(ts, initial=0.0),
            dt0=None,
            y0=(packed, jnp.zeros(len(model.baths))),
            saveat=diffrax.SaveAt(ts=ts[order], fn=save),
            stepsize_controller=diffrax.PIDController(self.rtol, self.atol, norm=_largest),
            adjoint=self.adjoint,
            max_steps=self.max_steps,
            throw=False,
            progress_meter=meter,
        )
        # where the solver gave up, times keep its infinities, and the ledger is marked not finite
        return jax.tree.map(lambda x: x[jnp.argsort(order)], found.ys)


def nonnegative(ts: Float[Array, " times"]) -> Float[Array, " times"]:
    """Times that a master equation can be asked for."""
    return check("ts", ts, "non-negative for a master equation", lambda xp, t: t >= 0)


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


def _largest(x: PyTree[Array]) -> Array:
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(x)]))


def _frequencies(model: OpenSystem) -> Float[Array, "d d"]:
    energies = model.spectrum()[0]
    return energies[None, :] - energies[:, None]


def _name_dead_transitions(model: OpenSystem) -> None:
    """Warn of transitions that no pair of windows can take: their rate is zero."""
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        with jax.ensure_compile_time_eval():
            # transitions without a change of energy are shifts' and dephasing's affair
            operator = jnp.abs(model.in_eigenbasis(coupling.operator)) * (1.0 - same_energy(model))
            weight = long_memory(offsets(model, number)).real
        if is_traced(operator) or is_traced(weight):
            continue
        windows = coupling.matrix.connects(model.baths[number])
        reach = np.any((np.asarray(weight) > 0) & windows, axis=(2, 3))
        present = np.asarray(operator) > 1e-12 * np.max(np.asarray(operator), initial=0.0)
        dead = np.argwhere(present & ~reach)
        if len(dead):
            named = ", ".join(f"{q} -> {k}" for k, q in dead)
            warnings.warn(
                f"No pair of windows of its bath can take the transitions {named} of "
                f"`couplings[{index}]`: through this coupling their rates are zero.",
                stacklevel=4,
            )


def _certainly_apart(model: OpenSystem) -> bool:
    """Whether no two levels have one energy, known before the program runs."""
    with jax.ensure_compile_time_eval():
        alike = same_energy(model)
    return not is_traced(alike) and int(np.sum(np.asarray(alike))) == model.levels
