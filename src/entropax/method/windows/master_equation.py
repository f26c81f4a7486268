"""Master equations for the conditional states of a small system: what they share."""

from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax._crossovers import EXPONENTIAL_OF_ONE_COUPLING, EXPONENTIAL_OF_POPULATIONS
from entropax.method.base import Plan
from entropax.method.ode import (
    AbstractEvolution,
    AbstractIntegratedMethod,
    Integrator,
    Limits,
    nonnegative,
    through_stretches,
)
from entropax.method.sampling import certainly_apart, samples
from entropax.method.windows.assumptions import (
    reachable_populations,
    warn_dead_transitions,
    warn_fast_driving,
)
from entropax.method.windows.bath_closures import AbstractBathClosure
from entropax.method.windows.exponential import Relaxation
from entropax.method.windows.vector_field import Integrated, WindowEquation
from entropax.model.transition_frequencies import alike
from entropax.model.views import WindowSystem, as_windows
from entropax.protocol import Interval
from entropax.state import WindowState


class Decided(NamedTuple):
    """Whether density matrices are followed; and the populations whose exponential is taken (None:
    a solver integrates).
    """

    coherences: bool
    reachable: tuple[int, ...] | None


WindowPlan = Plan[WindowSystem, Decided]


class AbstractMasterEquation(AbstractIntegratedMethod[WindowState]):
    """Coefficients, integration, and the choice between populations alone and full states."""

    states = WindowState

    memory: eqx.AbstractVar[Literal["infinite", "finite"]]
    secular: eqx.AbstractVar[bool]
    lamb_shift: eqx.AbstractVar[bool]
    first_order: eqx.AbstractVar[bool]
    coherences: eqx.AbstractVar[bool | None]

    closure: ClassVar[type[AbstractBathClosure]]
    """What becomes of the baths' windows."""

    def __check_init__(self) -> None:
        if self.memory not in ("infinite", "finite"):
            raise ValueError(f'`memory` must be "infinite" or "finite", but is {self.memory!r}.')

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> WindowPlan:
        system = as_windows(model, type(self).__name__)
        times = system.require_defined(nonnegative(ts))
        seen = samples(system, times)
        if self.memory == "infinite":
            warn_dead_transitions(system, seen)
        if system.is_driven:
            warn_fast_driving(system, seen)
        populations_suffice = self.secular and system.start.is_diagonal
        coherences = self.coherences
        if coherences is None:
            coherences = not (populations_suffice and certainly_apart(seen))
        elif not (coherences or populations_suffice):
            raise ValueError(
                "`coherences` must be True or None where the equation is not secular or the "
                "start is not diagonal in the system's energies."
            )
        reachable = None
        if not coherences and self._takes_exponential(system):
            reachable = reachable_populations(system)
        return Plan.of(system, times, Decided(coherences, reachable))

    def initial(self, plan: WindowPlan) -> WindowState:
        equation = self._equation(plan)
        return equation.state(plan.model.before(), equation.begin(plan.model))

    def run(
        self,
        plan: WindowPlan,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        equation, reachable = self._equation(plan), plan.decided.reachable
        evolution: AbstractEvolution
        if reachable is None:
            evolution = _ByIntegration(equation, reduce, self.integrator)
        else:
            evolution = _ByExponential(equation, reduce, reachable)
        begin = equation.begin(plan.model)
        return through_stretches(evolution, plan.model, begin, plan.ts, meter)

    def _equation(self, plan: WindowPlan) -> WindowEquation:
        return WindowEquation(
            self.closure.of(plan.model),
            memory=self.memory,
            secular=self.secular,
            lamb_shift=self.lamb_shift,
            first_order=self.first_order,
            coherences=plan.decided.coherences,
        )

    def _takes_exponential(self, model: WindowSystem) -> bool:
        constant = self.memory == "infinite" and model.is_piecewise_constant
        alone = len(model.couplings) == 1
        few = EXPONENTIAL_OF_ONE_COUPLING if alone else EXPONENTIAL_OF_POPULATIONS
        follows = not self.closure.is_frozen
        return self.solver is None and constant and follows and model.dimension <= few.here


class _Evolution(AbstractEvolution):
    """An equation, and what is asked of its states."""

    equation: WindowEquation
    reduce: Callable[[WindowState], PyTree[Array]]

    def energy(self, model: WindowSystem) -> Float[Array, " d"]:
        return model.spectrum()[0]

    def jump(self, model: WindowSystem, y: Integrated, change: Float[Array, " d"]) -> Integrated:
        work = jnp.asarray(y.work) + change @ self.equation.populations(y.state)
        # populations are not all there is where levels have one energy: all that follows is NaN
        alone = jnp.sum(alike(model.spectrum()[0])) == model.levels
        state = y.state if self.equation.coherences else jnp.where(alone, y.state, jnp.nan)
        return y._replace(state=state, work=work)


class _ByIntegration(_Evolution):
    """Step by step."""

    integrator: Integrator

    def advance(
        self,
        model: WindowSystem,
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Integrated | None, PyTree[Array]]:
        field = self.equation.field(model, stretch)

        def seen(time: Array, y: Integrated) -> PyTree[Array]:
            undriven = model.within(time, stretch)
            return self.reduce(self.equation.state(undriven, y, field(time, y, None), time))

        limits = Limits(model.marks, self.equation.fastest(model, stretch))
        return self.integrator.follow(
            field, y, stretch, ts, seen, limits, meter, to_the_end=model.is_driven
        )


class _ByExponential(_Evolution):
    """All times at once, by the exponential of a constant generator."""

    reachable: tuple[int, ...] = eqx.field(static=True)

    def advance(
        self,
        model: WindowSystem,
        y: Integrated,
        stretch: Interval,
        ts: Float[Array, " times"],
        meter: diffrax.AbstractProgressMeter,
    ) -> tuple[Integrated | None, PyTree[Array]]:
        undriven = model.within(stretch[0], stretch)
        field = self.equation.field(model, stretch)
        relaxation = Relaxation.of(self.equation, undriven, y, stretch, self.reachable)

        def seen(time: Array) -> PyTree[Array]:
            later = relaxation.at(time)
            rate = field(time, later, None)
            return self.reduce(self.equation.state(undriven, later, rate, time))

        answers = jax.vmap(seen)(ts)
        meter.close(meter.step(meter.init(), jnp.ones(())))
        return relaxation.at(stretch[1]), answers
