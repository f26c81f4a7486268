"""Master equations for the conditional states of a small system: what they share."""

from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, PyTree

from entropax._checks import concrete, is_traced
from entropax._crossovers import EXPONENTIAL_OF_ONE_COUPLING, EXPONENTIAL_OF_POPULATIONS
from entropax.equilibrium import expectation
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
    warn_fast_switching,
)
from entropax.method.windows.bath_closures import AbstractBathClosure
from entropax.method.windows.exponential import Relaxation
from entropax.method.windows.memory_history import nodes_until
from entropax.method.windows.moment import Dissipators
from entropax.method.windows.vector_field import Integrated, WindowEquation
from entropax.model.transition_frequencies import alike
from entropax.model.views import WindowSystem, as_windows
from entropax.protocol import Interval
from entropax.state import WindowState

_NODES_OF_TRACED = 64
"""Nodes of a memory whose reach is traced; `WindowEquation` tells where they are too few."""


class Decided(NamedTuple):
    """Whether density matrices are followed; the populations whose exponential is taken (None: a
    solver integrates); and the nodes of a driven model's memory.
    """

    coherences: bool
    reachable: tuple[int, ...] | None
    nodes: int


WindowPlan = Plan[WindowSystem, Decided]


class AbstractMasterEquation(AbstractIntegratedMethod[WindowState]):
    """Coefficients, integration, and the choice between populations alone and full states."""

    states = WindowState

    memory: eqx.AbstractVar[Literal["infinite", "finite"]]
    dissipators: eqx.AbstractVar[Dissipators]
    secular: eqx.AbstractVar[bool]
    lamb_shift: eqx.AbstractVar[bool]
    first_order: eqx.AbstractVar[bool]
    coherences: eqx.AbstractVar[bool | None]

    closure: ClassVar[type[AbstractBathClosure]]
    """What becomes of the baths' windows."""

    def __check_init__(self) -> None:
        if self.memory not in ("infinite", "finite"):
            raise ValueError(f'`memory` must be "infinite" or "finite", but is {self.memory!r}.')
        if self.dissipators not in ("global", "local"):
            raise ValueError(
                f'`dissipators` must be "global" or "local", but is {self.dissipators!r}.'
            )

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> WindowPlan:
        system = as_windows(model, type(self).__name__)
        times = system.require_defined(nonnegative(ts))
        seen, mixes = samples(system, times), system.interaction is not None or system.drives
        if self.memory == "finite" and mixes and self.dissipators == "global":
            raise ValueError(
                '`dissipators` must be "local" for finite memory where the system has an '
                "`interaction` or `drives`: the memory follows transitions of H_0 alone."
            )
        if self.memory == "infinite":
            warn_dead_transitions(system, seen, self.dissipators)
        if system.is_driven and self.memory == "infinite":
            warn_fast_driving(system, seen, self.dissipators)
            warn_fast_switching(system, seen)
        populations_suffice = self.secular and system.start.is_diagonal and not mixes
        coherences = self.coherences
        if coherences is None:
            coherences = not (populations_suffice and certainly_apart(seen))
        elif not (coherences or populations_suffice):
            raise ValueError(
                "`coherences` must be True or None where the equation is not secular, the start "
                "is not diagonal in the system's energies, or something mixes these."
            )
        reachable = None
        if not coherences and self._takes_exponential(system):
            reachable = reachable_populations(system)
        return Plan.of(system, times, Decided(coherences, reachable, self._nodes(system, times)))

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

    def _nodes(self, model: WindowSystem, ts: Float[Array, " times"]) -> int:
        """How many nodes the memory of a driven model needs; so many where that is not known."""
        if self.memory == "infinite" or not model.is_driven:
            return 0
        with jax.ensure_compile_time_eval():
            widths = jnp.stack([bath.width for bath in model.baths])
            reach = concrete(jnp.max(widths) * jnp.max(ts, initial=0.0))
        return _NODES_OF_TRACED if is_traced(reach) else nodes_until(float(reach))

    def _equation(self, plan: WindowPlan) -> WindowEquation:
        return WindowEquation(
            self.closure.of(plan.model),
            memory=self.memory,
            secular=self.secular,
            lamb_shift=self.lamb_shift,
            first_order=self.first_order,
            dissipators=self.dissipators,
            coherences=plan.decided.coherences,
            nodes=plan.decided.nodes,
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

    def energy(self, model: WindowSystem) -> Inexact[Array, "d d"]:
        return model.between_eigenstates()

    def jump(self, model: WindowSystem, y: Integrated, change: Inexact[Array, "d d"]) -> Integrated:
        work = jnp.asarray(y.work) + expectation(change, self.equation.system(y.state))
        # populations are not all there is where levels have one energy: all that follows is NaN
        alone = jnp.sum(alike(self.equation.moment(model).energies)) == model.levels
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
