"""Master equations of a small system between ideal baths: what their methods share."""

import abc
import dataclasses
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, PyTree

from entropax.linalg import Stationary
from entropax.method.base import Plan
from entropax.method.ideal.equation import AbstractEquation
from entropax.method.ideal.evolution import Evolution, begin, system_state
from entropax.method.ideal.interaction_picture import Flow
from entropax.method.ideal.steady import link_by_link, log_of, steady_of
from entropax.method.ode import AbstractIntegratedMethod, nonnegative, through_stretches
from entropax.model.views import IdealSystem, as_ideal
from entropax.state import SystemState

IdealPlan = Plan[IdealSystem, AbstractEquation]


class AbstractIdealBathEquation(AbstractIntegratedMethod[SystemState]):
    """Integration, steady states, and the flows of energy and particles."""

    states = SystemState

    lamb_shift: eqx.AbstractVar[bool]
    housekeeping: eqx.AbstractVar[bool | None]

    @abc.abstractmethod
    def equation(self, model: IdealSystem, ts: Float[Array, " times"]) -> AbstractEquation:
        """What is decided of a model and times; `ValueError` where there is no such equation."""

    @abc.abstractmethod
    def steady_equation(self, model: IdealSystem) -> AbstractEquation:
        """The same where the steady state is asked for."""

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> IdealPlan:
        system = as_ideal(model, type(self).__name__)
        times = system.require_defined(nonnegative(ts))
        return Plan.of(system, times, self.equation(system, times))

    def plan_steady(self, model: eqx.Module) -> IdealPlan:
        """A plan without times; `ValueError` for a driven model, too."""
        system = as_ideal(model, type(self).__name__)
        if system.is_driven:
            named = ", ".join(system.protocols)
            raise ValueError(f"`model` must not be driven for a steady state, but is by {named}.")
        return Plan.of(system, jnp.zeros(0), self.steady_equation(system))

    def initial(self, plan: IdealPlan) -> SystemState:
        model, equation = plan.model.before(), plan.decided
        start, faults = begin(equation, model)
        state = system_state(equation, model, equation.generator(model), start, None)
        return dataclasses.replace(state, faults=faults)

    def run(
        self,
        plan: IdealPlan,
        reduce: Callable[[SystemState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        start, _ = begin(plan.decided, plan.model.before())
        evolution = self._evolution(plan, reduce, self.housekeeping)
        return through_stretches(evolution, plan.model, start, plan.ts, meter)

    def _evolution(
        self,
        plan: IdealPlan,
        reduce: Callable[[SystemState], PyTree[Array]],
        housekeeping: bool | None,
    ) -> Evolution:
        return Evolution(
            plan.decided,
            reduce,
            self.integrator,
            by_exponential=self.solver is None,
            housekeeping=housekeeping,
        )

    def period_map(self, plan: IdealPlan) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
        """The map of states from time 0 to the last of the plan, over raveled forms of them; and w
        with w.y their trace.
        """
        generator = plan.decided.generator(plan.model.before())
        trace, zeros = generator.trace(), jnp.zeros(len(plan.model.baths))

        def seen(state: SystemState) -> Array:
            return generator.pack(state.state)

        evolution, meter = self._evolution(plan, seen, False), diffrax.NoProgressMeter()

        def through(unit: Array) -> Array:
            start = Flow(unit, zeros, zeros, jnp.zeros(()))
            return through_stretches(evolution, plan.model, start, plan.ts[-1:], meter)[0]

        units = jnp.eye(trace.size).reshape(trace.size, *trace.shape)
        return jax.vmap(through)(units).reshape(trace.size, trace.size).T, trace.ravel()

    def state_of(self, plan: IdealPlan, form: Float[Array, " n"]) -> Inexact[Array, "d d"]:
        """The density matrix of a raveled form."""
        generator = plan.decided.generator(plan.model.before())
        return generator.unpack(form.reshape(generator.trace().shape))

    def stationary(self, plan: IdealPlan) -> tuple[SystemState, Stationary]:
        """The steady state of an undriven model, and whether it is unique and was found."""
        model, equation = plan.model, plan.decided
        generator = equation.steady_generator(model)
        steady, links = steady_of(generator, conserves_nothing=equation.conserves_nothing)
        zeros = jnp.zeros(len(model.baths))
        y = Flow(steady.x, zeros, zeros, jnp.zeros(()))
        state = system_state(equation, model, generator, y, log_of(generator, steady, links))
        if generator.populations is None or links is None:
            return state, steady
        return link_by_link(state, generator.populations, links), steady
