"""Master equations of a small system between ideal baths: what they share."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, PyTree

from entropax._checks import Faults, refuse
from entropax.equilibrium import expectation
from entropax.linalg import (
    Logarithm,
    Stationary,
    held_spectrum,
    matfn,
    modes,
    stationary,
    stationary_by_action,
)
from entropax.linalg.spectral_functions import ROUNDING
from entropax.method.base import open_system
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator, SecularGenerator
from entropax.method.ideal.interaction_picture import (
    LINEAR,
    Field,
    Flow,
    Picture,
    action_field,
    flow_of,
    linear_field,
)
from entropax.method.ideal.populations import Populations, SteadyPopulations
from entropax.method.ideal.rates import require_rates, require_shift
from entropax.method.ideal.relaxation import is_exponential, relaxed
from entropax.method.ode import (
    AbstractIntegratedMethod,
    largest_within,
    nonnegative,
    scan_stretches,
)
from entropax.model import OpenSystem
from entropax.protocol import Interval
from entropax.state import SystemState

DENSE = 2500
"""Up to this many numbers in a state, steady states are solved for by LU decomposition."""

_LOST = 1e-9

_NEGLIGIBLE = 1e-6
"""Eigenvalues below minus this are no populations."""

_EMPTY = 1e-13
"""Populations below this may be zero."""

LARGEST = 40
"""Levels up to which all coherences of a secular equation can be followed: d^4 numbers a bath."""

SMALL = 16
"""Up to this many levels the steady state of the moment is found at every time unasked."""


class AbstractIdealBathEquation(AbstractIntegratedMethod):
    """Integration, steady states, and the flows of energy and particles."""

    lamb_shift: bool = eqx.field(default=False, static=True)
    housekeeping: bool | None = eqx.field(default=None, static=True)

    @property
    def conserves_nothing(self) -> bool:
        """Whether it is known that no operator commutes with H and all jumps."""
        return False

    @abc.abstractmethod
    def secular(self, model: OpenSystem) -> bool:
        """Whether populations and coherences between different energies evolve apart."""

    @abc.abstractmethod
    def require(self, model: OpenSystem) -> None:
        """`ValueError` for a model that the equation cannot be written down for."""

    @abc.abstractmethod
    def generator(self, model: OpenSystem) -> AbstractGenerator:
        """The generator of an undriven model: a program of its own (`eqx.filter_jit`), which is
        traced once however often a method asks for it.
        """

    def generator_with_populations(self, model: OpenSystem) -> AbstractGenerator:
        """The same with its rate equation, where populations may evolve apart from coherences:
        what steady states are found by, and solvers need not carry along.
        """
        return self.generator(model)

    def prepare_steady(self, model: OpenSystem) -> Self:
        """The method with what it decides beforehand where the steady state is asked for."""
        del model
        return self

    def moves(self, model: OpenSystem) -> bool:
        """Whether dissipators change between breaks."""
        return not model.is_piecewise_constant

    def follow(self, model: OpenSystem, stretch: Interval) -> Callable[[Array], AbstractGenerator]:
        """The generator at the times of a stretch without breaks."""
        if model.is_piecewise_constant:
            fixed = self.generator(model.within(stretch[0], stretch))
            return lambda time: fixed
        return lambda time: self.generator(model.within(time, stretch))

    def require_times(self, model: eqx.Module, ts: Float[Array, " times"]) -> Array:
        return open_system(self, model, ideal=True).require_defined(nonnegative(ts))

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        del ts
        self.require(open_system(self, model, ideal=True))
        return self

    def initial(self, model: eqx.Module) -> SystemState:
        known = open_system(self, model, ideal=True).before()
        begin, faults = self._begin(known)
        state = self._state(known, self.generator(known), begin, None)
        return dataclasses.replace(state, faults=faults)

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model, ideal=True)
        return self.in_order(known, ts, self._begin(known.before())[0], reduce, meter)

    def stationary(self, model: OpenSystem) -> tuple[SystemState, Stationary]:
        """The steady state of an undriven model, and whether it is unique and was found."""
        generator = self.steady_generator(model)
        found, links = steady_of(generator, conserves_nothing=self.conserves_nothing)
        zeros = jnp.zeros(len(model.baths))
        y = Flow(found.x, zeros, zeros, jnp.zeros(()))
        state = self._state(model, generator, y, log_of(generator, found, links))
        if generator.populations is None or links is None:
            return state, found
        return _link_by_link(state, generator.populations, links), found

    def steady_generator(self, model: OpenSystem) -> AbstractGenerator:
        """The generator in the form in which its steady state is looked for."""
        return self.generator_with_populations(model)

    def _begin(self, model: OpenSystem) -> tuple[Flow, Faults]:
        """The start, and what must not be there."""
        generator = self.generator(model)
        zeros = jnp.zeros(len(model.baths))
        state = model.system_start.system_state(model)
        packed, faults = generator.pack(state), generator.faults
        if not isinstance(generator, MatrixGenerator):
            lost = jnp.max(jnp.abs(generator.unpack(packed) - state)) > _LOST
            told = "`coherences` must be True or None for a start with coherences."
            packed, fault = refuse(packed, lost, told)
            faults += fault
        return Flow(packed, zeros, zeros, jnp.zeros(())), faults

    def _driven(
        self,
        model: OpenSystem,
        y: Flow,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        silent = diffrax.NoProgressMeter()

        def one(carry, stretch, own):
            y, before = carry
            start, stop = stretch
            now = model.within(start, stretch)
            state = self.generator(now).unpack(y.y)
            work = expectation(now.total_hamiltonian() - before, state)
            y, found = self._stretch(
                model, y._replace(work=y.work + work), stretch, own, reduce, silent
            )
            return (y, model.within(stop, stretch).total_hamiltonian()), found

        return scan_stretches(model.breaks, ts, (y, model.before().total_hamiltonian()), one, meter)

    def _stretch(
        self,
        model: OpenSystem,
        y: Flow,
        stretch: Interval,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Flow | None, PyTree[Array]]:
        """From the start of a stretch to its end, and `reduce` at ascending times inside it."""
        follow = self.follow(model, stretch)
        moving = model.is_driven or model.frame is not None
        asked = self.housekeeping
        asked = model.levels <= SMALL if asked is None else asked
        steady = None
        if asked and not model.is_driven:
            steady = reference_of(
                self.generator_with_populations(model.within(stretch[0], stretch))
            )

        def slope(time: Array) -> Inexact[Array, "d d"] | None:
            return model.hamiltonian_slope(time, stretch) if moving else None

        def seen(time: Array, y: Flow) -> PyTree[Array]:
            now, found = model.within(time, stretch), steady
            if asked and steady is None:
                found = reference_of(self.generator_with_populations(now))
            return reduce(self._state(now, follow(time), y, found, slope(time)))

        first = follow(stretch[0])
        if self.solver is None and model.is_piecewise_constant and is_exponential(first):
            after = jnp.append(ts, stretch[1]) - stretch[0]
            states = relaxed(first, slope(stretch[0]), y, after)
            inside = jax.tree.map(lambda x: x[:-1], states)
            found = jax.lax.map(jax.checkpoint(lambda now: seen(*now)), (ts, inside))
            meter.close(meter.step(meter.init(), jnp.ones(())))
            return jax.tree.map(lambda x: x[-1], states), found
        if not isinstance(first, MatrixGenerator):

            def direct(time: Array, y: Flow, args: None) -> Flow:
                del args
                return flow_of(follow(time), y.y, slope(time))

            return self.integrate(
                direct,
                y,
                stretch,
                ts,
                seen,
                meter,
                marks=model.marks,
                fastest=self._fastest(model, first, follow, stretch),
                to_the_end=model.is_driven,
            )
        picture, linear = self._picture(model, first, stretch)
        field = action_field(picture, follow, slope, stretch[0]) if linear is None else linear

        def leave(time: Array, y: Flow) -> Flow:
            """Out of the picture, into the generator's form."""
            turned = picture.turned(y.y, time - stretch[0])
            return y._replace(y=first.pack(picture.to_given(turned)))

        end, found = self.integrate(
            field,
            y._replace(y=picture.from_given(first.unpack(y.y))),
            stretch,
            ts,
            lambda time, y: seen(time, leave(time, y)),
            meter,
            marks=model.marks,
            fastest=self._fastest(model, first, follow, stretch),
            to_the_end=model.is_driven,
        )
        return leave(stretch[1], end) if model.is_driven else y, found

    def _fastest(
        self,
        model: OpenSystem,
        first: AbstractGenerator,
        follow: Callable[[Array], AbstractGenerator],
        stretch: Interval,
    ) -> Float[Array, ""]:
        """A bound of decay within a stretch: twice the rate at which states lose what they hold."""
        if model.is_piecewise_constant or not self.moves(model):
            return 2.0 * first.most_lost()
        return 2.0 * largest_within(stretch, lambda time: follow(time).most_lost())

    def _picture(
        self, model: OpenSystem, first: MatrixGenerator, stretch: Interval
    ) -> tuple[Picture, Field | None]:
        """The picture, and in it the rates as matrices, where these are made once a stretch."""
        small = model.levels**2 <= LINEAR
        now = model.within(stretch[0], stretch)
        if model.is_piecewise_constant:
            picture = Picture.of(first.hamiltonian)
            if not small:
                return picture, None
            return picture, linear_field(picture, [(first, now.frame_slope())], (), stretch)
        picture = Picture(None)
        if self.moves(model) or not small:
            return picture, None

        def beside(operator: Array | None) -> tuple[MatrixGenerator, Array | None]:
            """The undriven generator with `operator` added to its Hamiltonian, and the slope of its
            rotating frame.
            """
            fixed = model.interaction
            both = operator if fixed is None else fixed if operator is None else fixed + operator
            changed = eqx.tree_at(lambda m: m.interaction, now, both, is_leaf=lambda x: x is None)
            generator = self.generator(changed)
            assert isinstance(generator, MatrixGenerator)
            return generator, changed.frame_slope()

        generators = [beside(None), *(beside(drive.operator) for drive in model.drives)]
        return picture, linear_field(picture, generators, model.drives, stretch)

    def _state(
        self,
        model: OpenSystem,
        generator: AbstractGenerator,
        y: Flow,
        log_steady: Inexact[Array, "d d"] | None,
        slope: Inexact[Array, "d d"] | None = None,
    ) -> SystemState:
        """`model`: undriven, that of the moment."""
        now = flow_of(generator, y.y, model.frame_slope() if slope is None else slope)
        return SystemState(
            state=generator.unpack(y.y),
            hamiltonian=model.total_hamiltonian(),
            rate=generator.unpack(now.y),
            dissipated=jax.vmap(generator.unpack)(generator.dissipated(y.y)),
            energy_current=now.energy,
            particle_current=now.particles,
            power=now.work,
            energy=y.energy,
            particles=y.particles,
            work=y.work,
            log_stationary=log_steady,
            speed=generator.speed(),
            secular=self.secular(model),
            faults=generator.faults,
        )


def steady_of(
    generator: AbstractGenerator, *, conserves_nothing: bool = False
) -> tuple[Stationary, SteadyPopulations | None]:
    """The steady state's form, and where populations may evolve apart, theirs; `conserves_nothing`:
    that is known.
    """
    known = generator.populations
    if known is None:
        return _steady_of_all(generator, conserves_nothing=conserves_nothing), None
    links = known.steady()
    alone = generator.pack(known.state(links.populations))
    own = Stationary(alone, links.is_unique, jnp.ones_like(links.is_unique))
    if isinstance(generator, SecularGenerator):  # there is nothing but populations
        return own, links
    whole = _steady_of_all(generator, conserves_nothing=conserves_nothing)
    return jax.tree.map(lambda x, y: jnp.where(known.is_apart, x, y), own, whole), links


def _steady_of_all(generator: AbstractGenerator, *, conserves_nothing: bool) -> Stationary:
    trace = generator.trace()
    if trace.size <= DENSE:
        found = stationary(generator.matrix(), trace.ravel())
        return found._replace(x=found.x.reshape(trace.shape))

    def full(y: Array) -> Array:
        return conserves_nothing & (jnp.min(modes(generator.unpack(y))[0]) > _EMPTY)

    return stationary_by_action(generator, generator.preconditioner(), trace, certainly=full)


def log_of(
    generator: AbstractGenerator, found: Stationary, links: SteadyPopulations | None
) -> Inexact[Array, "d d"]:
    r"""$\ln\pi$ of a steady state; NaN where that is no state, as of Redfield equations."""
    state = generator.unpack(found.x)
    spectrum = held_spectrum(state)
    log = matfn(Logarithm(), state, spectrum=spectrum)
    log = jnp.where(jnp.min(spectrum[0]) > -_NEGLIGIBLE, log, jnp.nan)
    known = generator.populations
    if known is None or links is None:
        return log
    p = links.populations
    alone = known.state(jnp.log(jnp.where(p > 0, p, ROUNDING)))
    return jnp.where(known.is_apart, alone, log)


def reference_of(generator: AbstractGenerator) -> Inexact[Array, "d d"]:
    r"""$\ln\pi$ of the steady state of the moment; NaN where it is not unique."""
    found, links = steady_of(generator)
    return jnp.where(found.unique, log_of(generator, found, links), jnp.nan)


def _link_by_link(state: SystemState, known: Populations, found: SteadyPopulations) -> SystemState:
    """A steady state with the flows of its populations, where these are all there is."""
    apart = known.is_apart
    dissipated = jax.vmap(known.state)(found.changes)
    return dataclasses.replace(
        state,
        dissipated=jnp.where(apart, dissipated, state.dissipated),
        energy_current=jnp.where(apart, found.energy, state.energy_current),
        particle_current=jnp.where(apart, found.particles, state.particle_current),
        production=jnp.where(apart, found.production, jnp.nan),
    )


def require_global(method: AbstractIdealBathEquation, model: OpenSystem) -> None:
    """`ValueError` where jumps between the eigenstates of all of H_S have no rates."""
    if model.frame is not None:
        raise ValueError(
            f"`frame` must be None for {type(method).__name__}, whose dissipators see the drive; "
            "Local and Lindblad know frames."
        )
    if method.lamb_shift:
        require_shift(model)
    now = model.before()
    require_rates(now, now.total_hamiltonian())
