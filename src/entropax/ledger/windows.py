"""The ledger of a small system and its window baths (Riera, sections III, V, VI; Strasberg)."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact

from entropax._checks import Faults
from entropax.entropy import (
    ObservationalTerms,
    marginal,
    mutual_information,
    observational,
    shannon,
    total_correlation,
    von_neumann,
)
from entropax.equilibrium import Canonical, match_canonical, over_temperature
from entropax.ledger.base import Verdict, in_words, judge, measure, reference, settle
from entropax.model import OpenSystem, Product
from entropax.state import Observed, WindowState

_NEGLIGIBLE = 1e-6
"""Tolerance of the verdicts: a state is unphysical where a probability is below minus this, or the
sum of all off by more; the first law fails where it is off by more than this of the energies."""


_STILL = 1e-9
"""Energy below which none has been exchanged with a bath at zero temperature."""


class ObservationLedger(eqx.Module):
    r"""Observational entropy under an `Observation`, one entry a time (Strasberg, section II)."""

    outcomes: Float[Array, "times ..."]
    r"""$p_{sE_1E_2\dots}$: system, then the window of each bath."""
    volumes: tuple[Float[Array, "times windows"], ...]
    r"""$V_E$ of each bath's windows."""
    entropy: Float[Array, " times"]
    r"""$S_{obs} = \sum p\,(-\ln p + \ln V_E)$ (Strasberg Eqs. 9, 34)."""
    entropy_production: Float[Array, " times"]
    r"""$\Delta S_{obs}$ (Strasberg, below Eq. 9)."""
    terms: ObservationalTerms
    """What the entropy is made of beside `joint_entropy` (Strasberg Eqs. 22, 39)."""
    terms_initial: ObservationalTerms
    """The same at the start; its `ignorance` is the initial mismatch (Strasberg Eqs. 14, 16)."""
    joint_entropy: Float[Array, " times"]
    """Von Neumann entropy of everything: conserved."""
    bath_entropy: Float[Array, "times baths"]
    r"""$S[\rho_{B_\nu}]$ of each bath."""
    residual: Float[Array, " times"]
    """`entropy` less `joint_entropy` and the terms."""


class WindowLedger(eqx.Module):
    r"""One entry a time; baths along the last axis of what belongs to one.

    Signs and units: `docs/conventions.md`. What a description cannot know is None.
    """

    joint: Float[Array, "times ..."]
    r"""$p(\epsilon_k, E_1, E_2, \dots)$: level, then the window of each bath."""
    joint_rate: Float[Array, "times ..."]
    r"""$dp/dt$."""
    entropy_production: Float[Array, " times"] | None
    r"""$\Delta S_{obs} = S_{obs}(t) - S_{obs}(0)$ (Riera Eq. 54); None of frozen baths."""
    entropy_production_rate: Float[Array, " times"] | None
    r"""$dS_{obs}/dt$ (Riera Eqs. 54-57), non-negative for `EMME()` where no two levels have one
    energy; None of frozen baths."""
    entropy_production_local: Float[Array, " times"] | None
    r"""$\Delta S^S_{obs} + \sum_\nu\Delta S^{B_\nu}_{obs}$, without correlations (Riera Eq. 66)."""
    clausius: Float[Array, " times"] | None
    r"""$\Delta S^S_{obs} - \sum_\nu\int dQ_\nu/T^*_\nu$, left side of Riera Eqs. 67 and 74."""
    entropy_production_fixed: Float[Array, " times"]
    r"""$\Delta S[\rho_S] - \sum_\nu\beta_\nu(0)\,Q_\nu$ (Esposito Eq. 10, Strasberg Eq. 5); +inf
    where a bath that started at $T^* = 0$ has taken energy."""
    entropy_production_weak: Float[Array, " times"] | None
    r"""$\Delta S[\rho_S] - \beta(0)\,(\Delta U_S - W)$ (Esposito Eq. 25); of one bath."""
    observational_entropy: Float[Array, " times"] | None
    r"""$S_{obs} = \sum p\,(-\ln p + \ln V_E)$ (Riera Eqs. 51, 73); None of frozen baths."""
    system_entropy: Float[Array, " times"]
    r"""Von Neumann entropy $S[\rho_S]$."""
    system_observational_entropy: Float[Array, " times"]
    r"""$S^S_{obs}$, Shannon entropy of the energy eigenstates' populations."""
    bath_observational_entropy: Float[Array, "times baths"] | None
    r"""$S^{B_\nu}_{obs} = \sum p(E)(-\ln p(E) + \ln V_E)$ (Riera Eq. 64); None of frozen baths."""
    beta: Float[Array, "times baths"]
    r"""$1/T^*_\nu$: of the canonical distribution over windows with the actual energy (Riera Eq.
    62); +inf, -inf or NaN where `determined` is False."""
    thermal_entropy: Float[Array, "times baths"]
    r"""$S_B(p_{T^*})$ of that distribution (Riera Eq. 65)."""
    determined: Bool[Array, "times baths"]
    r"""Whether $\beta^*$ is a finite number."""
    coarse_mutual_information: Float[Array, " times"]
    r"""$I_{CG}$ of level and windows of all baths (Riera Eq. 41)."""
    coarse_correlation: Float[Array, " times"]
    r"""$I_{cor}[p]$ of level and each bath's window (Strasberg Eq. 37)."""
    mutual_information: Float[Array, " times"] | None
    r"""$S_S + S_B - S$ (Riera Eq. 40); known to `Schrodinger(mutual_information=True)`."""
    system_state: Inexact[Array, "times d d"]
    """Reduced density matrix between energy eigenstates."""
    system_energy: Float[Array, " times"]
    r"""$U_S = \sum\epsilon_k(t)\,p(\epsilon_k)$ (Riera Eq. 48)."""
    energy: Float[Array, "times baths"]
    r"""$\langle H_\nu\rangle$; in the master equations $\sum E\,p(E)$."""
    window_energy: Float[Array, "times baths"]
    r"""$\sum E\,p(E)$, in every description."""
    heat: Float[Array, "times baths"]
    r"""$Q_\nu = -\Delta\langle H_\nu\rangle$, out of the bath into the system (Riera Eq. 50)."""
    work: Float[Array, " times"]
    r"""$W = \int\sum_k\dot\epsilon_k\,p(\epsilon_k)\,dt$, jumps included (Riera Eq. 47)."""
    interaction_energy: Float[Array, " times"] | None
    """Known to `Schrodinger`."""
    observed: ObservationLedger | None
    """Known to `Schrodinger(observation=...)`."""

    @property
    def total_energy(self) -> Float[Array, " times"]:
        """Energy of everything; of system and baths alone where the interaction is not known."""
        known = self.system_energy + jnp.sum(self.energy, axis=-1)
        return known if self.interaction_energy is None else known + self.interaction_energy


class WindowReference(eqx.Module):
    """The model and its start, as the ledger of later times needs them."""

    model: OpenSystem
    start: WindowState


class _Account(NamedTuple):
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


@reference.register
def _reference(initial: WindowState, model: OpenSystem) -> WindowReference:
    return WindowReference(model, initial)


@measure.register
def _measure(reference: WindowReference, state: WindowState) -> WindowState:
    del reference
    return state


def _account(model: OpenSystem, state: WindowState) -> _Account:
    p, baths = state.joint, model.baths
    volumes = [jnp.asarray(bath.volume) for bath in baths]
    populations = jnp.diagonal(state.system).real
    marginals = [marginal(p, 1 + number) for number in range(len(baths))]
    energy = [m @ bath.centers for m, bath in zip(marginals, baths, strict=True)]
    thermal = [
        match_canonical(bath.centers, v, e)
        for bath, v, e in zip(baths, volumes, energy, strict=True)
    ]
    return _Account(
        observational_entropy=observational(p, volumes),
        system_entropy=von_neumann(state.system),
        system_observational_entropy=shannon(populations),
        bath_observational_entropy=jnp.stack(
            [observational(m, [v]) for m, v in zip(marginals, volumes, strict=True)]
        ),
        thermal=jax.tree.map(lambda *x: jnp.stack(x), *thermal),
        coarse_mutual_information=mutual_information(p.reshape(p.shape[0], -1)),
        coarse_correlation=total_correlation(p),
        system_energy=populations @ state.energies,
        window_energy=jnp.stack(energy),
    )


@judge.register
def _judge(reference: WindowReference, state: WindowState, ledger: WindowLedger) -> Verdict:
    # the trace sums `joint`, finite only where that is: large batches pay for each look at it
    total = jnp.trace(state.system, axis1=1, axis2=2).real
    lowest = jnp.min(state.joint, axis=tuple(range(1, state.joint.ndim)))
    sound = jnp.isfinite(total)
    for numbers in (state.energy, state.system, state.energies):
        sound &= jnp.all(jnp.isfinite(numbers), axis=tuple(range(1, numbers.ndim)))
    physical = (lowest > -_NEGLIGIBLE) & (jnp.abs(total - 1.0) < _NEGLIGIBLE)
    good = jnp.ones_like(sound)
    closed = good
    if reference.model.is_driven and ledger.interaction_energy is not None:
        start = reference.start
        first = jnp.diagonal(start.system).real @ start.energies + jnp.sum(start.energy)
        first = first + start.interaction_energy
        scale = jnp.max(jnp.ptp(state.energies, axis=1), initial=0.0) + jnp.abs(ledger.work)
        missing = jnp.abs(ledger.total_energy - first - ledger.work)
        closed = ~(missing > _NEGLIGIBLE * scale)  # NaN is not sound
    # of one window alone nothing has a temperature: no news at any time
    several = [i for i, bath in enumerate(reference.model.baths) if bath.windows > 1]
    determined = jnp.all(ledger.determined[:, several], axis=-1) if several else good
    reached = ~jnp.any(jnp.isinf(state.energy), axis=1)  # a solver that gives up leaves infinities
    faults = Faults.at_any_time(reference.start.faults, state.faults)
    return Verdict(reached, sound, physical, closed, good, determined, faults)


@in_words.register
def _in_words(ledger: WindowLedger, index: int) -> str:
    joint = ledger.joint[index]
    lowest, total = float(jnp.min(joint)), float(jnp.sum(joint))
    return f"There the lowest entry of `joint` is {lowest:.3g} and their sum 1{total - 1:+.1e}."


@settle.register
def _settle(reference: WindowReference, state: WindowState) -> WindowLedger:
    model, start = reference.model, reference.start
    alone = len(model.baths) == 1
    bare = [dataclasses.replace(x, flow=None, faults=None) for x in (start, state)]
    everything = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), *bare)
    accounts = jax.vmap(lambda s: _account(model, s))(everything)
    first = jax.tree.map(lambda x: x[0], accounts)
    found = jax.tree.map(lambda x: x[1:], accounts)

    def change(entropy: Callable[[_Account], Array]) -> Array:
        return entropy(found) - entropy(first)

    system = change(lambda a: a.system_entropy)
    observed = change(lambda a: a.system_observational_entropy)
    baths = jnp.sum(change(lambda a: a.bath_observational_entropy), axis=-1)
    thermal = jnp.sum(change(lambda a: a.thermal.entropy), axis=-1)
    given = model.start
    beta = first.thermal.beta
    if isinstance(given, Product) and given.beta is not None:
        beta = given.beta
    heat = start.energy - state.energy

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
        entropy_production_fixed=system - jnp.sum(over_temperature(beta, heat, _STILL), axis=-1),
        entropy_production_weak=system - over_temperature(beta[0], drawn, _STILL)
        if alone
        else None,
        observational_entropy=of_baths(found.observational_entropy),
        system_entropy=found.system_entropy,
        system_observational_entropy=found.system_observational_entropy,
        bath_observational_entropy=of_baths(found.bath_observational_entropy),
        beta=found.thermal.beta,
        thermal_entropy=found.thermal.entropy,
        determined=found.thermal.determined,
        coarse_mutual_information=found.coarse_mutual_information,
        coarse_correlation=found.coarse_correlation,
        mutual_information=state.mutual_information,
        system_state=state.system,
        system_energy=found.system_energy,
        energy=state.energy,
        window_energy=found.window_energy,
        heat=heat,
        work=state.work,
        interaction_energy=state.interaction_energy,
        observed=_settle_observed(start.observed, state.observed),
    )


def _rate(model: OpenSystem, state: WindowState) -> Float[Array, " times"]:
    """dS_obs/dt, from the rates of change of all probabilities."""
    volumes = [jnp.asarray(bath.volume) for bath in model.baths]

    def one(joint: Array, flow: Array) -> Array:
        return jax.jvp(lambda p: observational(p, volumes), (joint,), (flow,))[1]

    return jax.vmap(one)(state.joint, _flow(state))


def _flow(state: WindowState) -> Array:
    assert state.flow is not None, "known at all times but the start"
    return state.flow


def _settle_observed(start: Observed | None, found: Observed | None) -> ObservationLedger | None:
    if start is None or found is None:
        return None
    first = observational(start.outcomes, start.volumes)
    entropy = jax.vmap(observational)(found.outcomes, found.volumes)
    return ObservationLedger(
        outcomes=found.outcomes,
        volumes=found.volumes,
        entropy=entropy,
        entropy_production=entropy - first,
        terms=found.terms,
        terms_initial=start.terms,
        joint_entropy=found.joint_entropy,
        bath_entropy=found.bath_entropy,
        residual=entropy - found.joint_entropy - found.terms.total,
    )
