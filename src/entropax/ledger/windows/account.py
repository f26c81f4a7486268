"""The account of a small system and its window baths (Riera, sections III, V, VI; Strasberg)."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults
from entropax._tolerances import UNMOVED, VERDICT
from entropax.entropy import (
    marginal,
    mutual_information,
    observational,
    shannon,
    total_correlation,
    von_neumann,
)
from entropax.equilibrium import Canonical, expectation, match_canonical, over_temperature
from entropax.ledger.base import AbstractAccount, Verdict
from entropax.ledger.windows.quantities import ObservationLedger, WindowLedger
from entropax.model import Product
from entropax.model.views import WindowSystem
from entropax.state import Observed, WindowState


class _Worth(NamedTuple):
    """What one state is worth."""

    observational_entropy: Float[Array, ""]
    system_entropy: Float[Array, ""]
    system_observational_entropy: Float[Array, ""]
    bath_observational_entropy: Float[Array, " baths"]
    thermal: Canonical
    coarse_mutual_information: Float[Array, ""]
    coarse_correlation: Float[Array, ""]
    system_energy: Float[Array, ""]
    window_energy: Float[Array, " baths"]


class WindowAccount(AbstractAccount[WindowState, WindowState, WindowLedger]):
    """The model and its start. States are kept as they are: they are small."""

    model: WindowSystem
    start: WindowState

    @classmethod
    def open(cls, initial: WindowState, model: WindowSystem) -> Self:
        return cls(model, initial)

    def measure(self, state: WindowState) -> WindowState:
        return state

    def settle(self, measured: WindowState) -> WindowLedger:
        model, start, state = self.model, self.start, measured
        alone = len(model.baths) == 1
        bare = [dataclasses.replace(x, flow=None, faults=None) for x in (start, state)]
        everything = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), *bare)
        worths = jax.vmap(lambda s: _worth(model, s))(everything)
        first = jax.tree.map(lambda x: x[0], worths)
        later = jax.tree.map(lambda x: x[1:], worths)

        def change(entropy: Callable[[_Worth], Array]) -> Array:
            return entropy(later) - entropy(first)

        system = change(lambda a: a.system_entropy)
        observed = change(lambda a: a.system_observational_entropy)
        baths = jnp.sum(change(lambda a: a.bath_observational_entropy), axis=-1)
        thermal = jnp.sum(change(lambda a: a.thermal.entropy), axis=-1)
        beta = first.thermal.beta
        if isinstance(model.start, Product) and model.start.beta is not None:
            beta = model.start.beta
        heat = start.energy - state.energy
        carried = over_temperature(beta, heat, UNMOVED)

        def of_baths(values: Array) -> Array | None:
            return None if state.frozen else values

        drawn = change(lambda a: a.system_energy) - state.work
        return WindowLedger(
            joint=state.joint,
            joint_rate=_flow(state),
            entropy_production=of_baths(change(lambda a: a.observational_entropy)),
            entropy_production_rate=of_baths(_rate(model, state)),
            entropy_production_local=of_baths(observed + baths),
            clausius=of_baths(observed + thermal),
            entropy_production_fixed=system - jnp.sum(carried, axis=-1),
            entropy_production_weak=system - over_temperature(beta[0], drawn, UNMOVED)
            if alone
            else None,
            observational_entropy=of_baths(later.observational_entropy),
            system_entropy=later.system_entropy,
            system_observational_entropy=later.system_observational_entropy,
            bath_observational_entropy=of_baths(later.bath_observational_entropy),
            beta=later.thermal.beta,
            thermal_entropy=later.thermal.entropy,
            determined=later.thermal.determined,
            coarse_mutual_information=later.coarse_mutual_information,
            coarse_correlation=later.coarse_correlation,
            mutual_information=state.mutual_information,
            system_state=state.system,
            system_energy=later.system_energy,
            energy=state.energy,
            window_energy=later.window_energy,
            heat=heat,
            work=state.work,
            interaction_energy=state.interaction_energy,
            observed=_settle_observed(start.observed, state.observed),
        )

    def judge(self, measured: WindowState, ledger: WindowLedger) -> Verdict:
        state = measured
        # the trace sums `joint`, finite only where that is: large batches pay for each look at it
        total = jnp.trace(state.system, axis1=1, axis2=2).real
        lowest = jnp.min(state.joint, axis=tuple(range(1, state.joint.ndim)))
        sound = jnp.isfinite(total)
        for numbers in (state.energy, state.system, state.hamiltonian):
            sound &= jnp.all(jnp.isfinite(numbers), axis=tuple(range(1, numbers.ndim)))
        physical = (lowest > -VERDICT) & (jnp.abs(total - 1.0) < VERDICT)
        good = jnp.ones_like(sound)
        closed = good
        between = ledger.interaction_energy
        if self.model.is_driven and between is not None:
            start = self.start
            first = expectation(start.hamiltonian, start.system) + jnp.sum(start.energy)
            first = first + jnp.asarray(start.interaction_energy)
            scale = jnp.max(_width(state.hamiltonian), initial=0.0) + jnp.abs(ledger.work)
            scale = scale + jnp.max(jnp.abs(between), initial=0.0)
            missing = jnp.abs(ledger.total_energy - first - ledger.work)
            closed = ~(missing > VERDICT * scale)  # NaN is not sound
        # of one window alone nothing has a temperature: no news at any time
        several = [i for i, bath in enumerate(self.model.baths) if bath.windows > 1]
        determined = jnp.all(ledger.determined[:, several], axis=-1) if several else good
        reached = ~jnp.any(
            jnp.isinf(state.energy), axis=1
        )  # a solver that gives up leaves infinities
        faults = Faults.at_any_time(self.start.faults, state.faults)
        return Verdict(reached, sound, physical, closed, good, determined, faults)


def _worth(model: WindowSystem, state: WindowState) -> _Worth:
    p, baths = state.joint, model.baths
    volumes = [jnp.asarray(bath.volume) for bath in baths]
    populations = jnp.diagonal(state.system).real
    marginals = [marginal(p, 1 + number) for number in range(len(baths))]
    energy = [m @ bath.centers for m, bath in zip(marginals, baths, strict=True)]
    thermal = [
        match_canonical(bath.centers, v, e)
        for bath, v, e in zip(baths, volumes, energy, strict=True)
    ]
    return _Worth(
        observational_entropy=observational(p, volumes),
        system_entropy=von_neumann(state.system),
        system_observational_entropy=shannon(populations),
        bath_observational_entropy=jnp.stack(
            [observational(m, [v]) for m, v in zip(marginals, volumes, strict=True)]
        ),
        thermal=jax.tree.map(lambda *x: jnp.stack(x), *thermal),
        coarse_mutual_information=mutual_information(p.reshape(p.shape[0], -1)),
        coarse_correlation=total_correlation(p),
        system_energy=expectation(state.hamiltonian, state.system),
        window_energy=jnp.stack(energy),
    )


def _width(hamiltonian: Inexact[Array, "times d d"]) -> Float[Array, " times"]:
    """What energies are apart by, at most."""
    diagonal = jnp.diagonal(hamiltonian, axis1=1, axis2=2).real
    off = jnp.abs(hamiltonian * (1.0 - jnp.eye(hamiltonian.shape[1])))
    return jnp.ptp(diagonal, axis=1) + 2.0 * jnp.max(jnp.sum(off, axis=2), axis=1)


def _rate(model: WindowSystem, state: WindowState) -> Float[Array, " times"]:
    """dS_obs/dt, from the rates of change of all probabilities."""
    volumes = [jnp.asarray(bath.volume) for bath in model.baths]

    def one(joint: Array, flow: Array) -> Array:
        return jax.jvp(lambda p: observational(p, volumes), (joint,), (flow,))[1]

    return jax.vmap(one)(state.joint, _flow(state))


def _flow(state: WindowState) -> Array:
    assert state.flow is not None, "known at all times but the start"
    return state.flow


def _settle_observed(start: Observed | None, later: Observed | None) -> ObservationLedger | None:
    if start is None or later is None:
        return None
    first = observational(start.outcomes, start.volumes)
    entropy = jax.vmap(observational)(later.outcomes, later.volumes)
    return ObservationLedger(
        outcomes=later.outcomes,
        volumes=later.volumes,
        entropy=entropy,
        entropy_production=entropy - first,
        terms=later.terms,
        terms_initial=start.terms,
        joint_entropy=later.joint_entropy,
        bath_entropy=later.bath_entropy,
        residual=entropy - later.joint_entropy - later.terms.total,
    )
