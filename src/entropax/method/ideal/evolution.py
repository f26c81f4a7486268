"""How states between ideal baths evolve in a stretch: exponential, solver, picture."""

from collections.abc import Callable
from typing import cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, PyTree

from entropax._checks import Faults, refuse
from entropax._crossovers import GENERATOR_AS_A_MATRIX, HOUSEKEEPING
from entropax._tolerances import AS_STATED
from entropax.equilibrium import expectation
from entropax.method.ideal.equation import AbstractEquation, Follow
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.interaction_picture import (
    Field,
    Flow,
    Picture,
    action_field,
    flow_of,
    linear_field,
)
from entropax.method.ideal.relaxation import is_exponential, relaxed
from entropax.method.ideal.steady import reference_of
from entropax.method.ode import AbstractEvolution, Integrator, Limits, largest_within
from entropax.model.views import IdealSystem
from entropax.protocol import Interval
from entropax.state import SystemState

Slope = Callable[[Array], Inexact[Array, "d d"] | None]
"""dH/dt at a time, None where there is none."""


def begin(equation: AbstractEquation, model: IdealSystem) -> tuple[Flow, Faults]:
    """The start of an undriven model, and what must not be there."""
    generator = equation.generator(model)
    zeros = jnp.zeros(len(model.baths))
    state = model.start.system_state(model)
    packed, faults = generator.pack(state), generator.faults
    if not isinstance(generator, MatrixGenerator):
        lost = jnp.max(jnp.abs(generator.unpack(packed) - state)) > AS_STATED
        message = "`coherences` must be True or None for a start with coherences."
        packed, fault = refuse(packed, lost, message)
        faults += fault
    return Flow(packed, zeros, zeros, jnp.zeros(())), faults


def system_state(
    equation: AbstractEquation,
    model: IdealSystem,
    generator: AbstractGenerator,
    y: Flow,
    log_steady: Inexact[Array, "d d"] | None,
    slope: Inexact[Array, "d d"] | None = None,
) -> SystemState:
    """What the ledger asks for; `model`: undriven, that of the moment."""
    rates = flow_of(generator, y.y, model.frame_slope() if slope is None else slope)
    return SystemState(
        state=generator.unpack(y.y),
        hamiltonian=model.total_hamiltonian(),
        rate=generator.unpack(rates.y),
        dissipated=jax.vmap(generator.unpack)(generator.dissipated(y.y)),
        energy_current=rates.energy,
        particle_current=rates.particles,
        power=rates.work,
        energy=y.energy,
        particles=y.particles,
        work=y.work,
        log_stationary=log_steady,
        speed=generator.speed(),
        secular=equation.is_secular(model),
        faults=generator.faults,
    )


class Evolution(AbstractEvolution):
    """An equation, what is asked of its states, and how it is solved.

    `by_exponential`: where a generator is constant and small; `housekeeping`: whether the steady
    state of the moment is found at every time (None: of up to 16 levels).
    """

    equation: AbstractEquation
    reduce: Callable[[SystemState], PyTree[Array]]
    integrator: Integrator
    by_exponential: bool = eqx.field(static=True)
    housekeeping: bool | None = eqx.field(static=True)

    def energy(self, model: IdealSystem) -> Inexact[Array, "d d"]:
        return model.total_hamiltonian()

    def jump(self, model: IdealSystem, y: Flow, change: Inexact[Array, "d d"]) -> Flow:
        state = self.equation.generator(model).unpack(y.y)
        return y._replace(work=y.work + expectation(change, state))

    def advance(
        self,
        model: IdealSystem,
        y: Flow,
        stretch: Interval,
        ts: Float[Array, " times"],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Flow | None, PyTree[Array]]:
        follow = self.equation.follow(model, stretch)
        moving = model.is_driven or model.frame is not None

        def slope(time: Array) -> Inexact[Array, "d d"] | None:
            return model.hamiltonian_slope(time, stretch) if moving else None

        seen, first = self._seen(model, follow, slope, stretch), follow(stretch[0])
        if self.by_exponential and model.is_piecewise_constant and is_exponential(first):
            after = jnp.append(ts, stretch[1]) - stretch[0]
            states = relaxed(first, slope(stretch[0]), y, after)
            inside = jax.tree.map(lambda x: x[:-1], states)
            answers = jax.lax.map(jax.checkpoint(lambda timed: seen(*timed)), (ts, inside))
            meter.close(meter.step(meter.init(), jnp.ones(())))
            return jax.tree.map(lambda x: x[-1], states), answers
        limits = Limits(model.marks, self._fastest(model, first, follow, stretch))
        driven = model.is_driven
        if not isinstance(first, MatrixGenerator):

            def direct(time: Array, y: Flow, args: None) -> Flow:
                del args
                return flow_of(follow(time), y.y, slope(time))

            return self.integrator.follow(
                direct, y, stretch, ts, seen, limits, meter, to_the_end=driven
            )
        picture, linear = self._picture(model, first, stretch)
        field = action_field(picture, follow, slope, stretch[0]) if linear is None else linear

        def leave(time: Array, y: Flow) -> Flow:
            """Out of the picture, into the generator's form."""
            turned = picture.turned(y.y, time - stretch[0])
            return y._replace(y=first.pack(picture.to_given(turned)))

        def seen_inside(time: Array, y: Flow) -> PyTree[Array]:
            return seen(time, leave(time, y))

        entered = y._replace(y=picture.from_given(first.unpack(y.y)))
        end, answers = self.integrator.follow(
            field, entered, stretch, ts, seen_inside, limits, meter, to_the_end=driven
        )
        return leave(stretch[1], cast(Flow, end)) if driven else y, answers

    def _seen(
        self, model: IdealSystem, follow: Follow, slope: Slope, stretch: Interval
    ) -> Callable[[Array, Flow], PyTree[Array]]:
        """What is asked of a form y at a time."""
        asked = (
            model.levels <= HOUSEKEEPING.here if self.housekeeping is None else self.housekeeping
        )
        with_populations = self.equation.generator_with_populations
        constant = None
        if asked and not model.is_driven:
            constant = reference_of(with_populations(model.within(stretch[0], stretch)))

        def seen(time: Array, y: Flow) -> PyTree[Array]:
            undriven, log_steady = model.within(time, stretch), constant
            if asked and constant is None:
                log_steady = reference_of(with_populations(undriven))
            state = system_state(self.equation, undriven, follow(time), y, log_steady, slope(time))
            return self.reduce(state)

        return seen

    def _fastest(
        self, model: IdealSystem, first: AbstractGenerator, follow: Follow, stretch: Interval
    ) -> Float[Array, ""]:
        """A bound of decay within a stretch: twice the rate at which states lose what they hold."""
        if model.is_piecewise_constant or not self.equation.moves(model):
            return 2.0 * first.most_lost()
        return 2.0 * largest_within(stretch, lambda time: follow(time).most_lost())

    def _picture(
        self, model: IdealSystem, first: MatrixGenerator, stretch: Interval
    ) -> tuple[Picture, Field | None]:
        """The picture, and in it the rates as matrices, where these are made once a stretch."""
        small = model.levels**2 <= GENERATOR_AS_A_MATRIX.here
        undriven = model.within(stretch[0], stretch)
        if model.is_piecewise_constant:
            picture = Picture.of(first.hamiltonian)
            if not small:
                return picture, None
            return picture, linear_field(picture, [(first, undriven.frame_slope())], (), stretch)
        picture = Picture(None)
        if self.equation.moves(model) or not small:
            return picture, None
        operators = [None, *(drive.operator for drive in model.drives)]
        generators = [self._beside(model, undriven, operator) for operator in operators]
        return picture, linear_field(picture, generators, model.drives, stretch)

    def _beside(
        self, model: IdealSystem, undriven: IdealSystem, operator: Array | None
    ) -> tuple[MatrixGenerator, Array | None]:
        """The undriven generator with `operator` added to its Hamiltonian, and the slope of its
        rotating frame.
        """
        fixed = model.interaction
        both = operator if fixed is None else fixed if operator is None else fixed + operator
        changed = eqx.tree_at(lambda m: m.interaction, undriven, both, is_leaf=lambda x: x is None)
        return as_matrix(self.equation.generator(changed)), changed.frame_slope()


def as_matrix(generator: AbstractGenerator) -> MatrixGenerator:
    """A generator of all of a density matrix."""
    if not isinstance(generator, MatrixGenerator):
        raise TypeError(f"all of a density matrix is asked for, not {type(generator).__name__}")
    return generator
