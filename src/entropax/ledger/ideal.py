"""The ledger of a small system between ideal baths (Textbook)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults
from entropax.entropy import von_neumann
from entropax.equilibrium import (
    expectation,
    over_temperature,
    per_beta,
)
from entropax.ledger.base import Verdict, in_words, judge, measure, reference, settle
from entropax.linalg import Logarithm, matfn, modes
from entropax.model import OpenSystem
from entropax.model.transition_frequencies import alike
from entropax.state import SystemState

_NEGLIGIBLE = 1e-6
"""Tolerance of the verdicts: a state is unphysical where a population is below minus this, or the
trace off by more; the first law fails where it is off by more than this of the energies."""

_STILL, _UNMOVED = 1e-12, 1e-9
"""Current (of decay times energies) and heat (of energies) of a bath at zero temperature below
which there is none."""


class AbstractMomentLedger(eqx.Module):
    r"""What a state is worth at a moment; baths along the last axis of what belongs to one.

    Signs and units: `docs/conventions.md`. What an equation does not part is None, and NaN stands
    where there is no steady state, or more than one.
    """

    state: Inexact[Array, "*times d d"]
    r"""$\rho$, in the basis in which the system is given."""
    energy: Float[Array, "*times"]
    r"""$U = \mathrm{tr}\rho H_S$."""
    system_entropy: Float[Array, "*times"]
    r"""$S[\rho]$."""
    lowest_population: Float[Array, "*times"]
    r"""The smallest eigenvalue of $\rho$: negative where a Redfield equation fails."""
    heat_currents: Float[Array, "*times baths"]
    r"""$J_\alpha = \mathrm{tr} H_S D_\alpha(\rho) - \mu_\alpha I_\alpha$, into the system."""
    particle_currents: Float[Array, "*times baths"]
    r"""$I_\alpha$, into the system; 0 of baths that exchange none."""
    power: Float[Array, "*times"]
    r"""$\dot W = \mathrm{tr}\rho\dot H_S$, done on the system by what drives it."""
    chemical_power: Float[Array, "*times"]
    r"""$\sum_\alpha\mu_\alpha I_\alpha$, done on the system by particles that enter it."""
    entropy_rate: Float[Array, "*times"]
    r"""$dS/dt$."""
    entropy_production_rate: Float[Array, "*times"]
    r"""$dS/dt - \sum_\alpha\beta_\alpha J_\alpha$, non-negative for `Davies` of
    couplings, and of jumps in detailed balance (Spohn 1978)."""
    entropy_production_rates: Float[Array, "*times baths"]
    r"""$-\mathrm{tr} D_\alpha(\rho)\ln\rho - \beta_\alpha J_\alpha$ of each bath; they add up."""
    nonadiabatic_rate: Float[Array, "*times"] | None
    r"""$-\mathrm{tr}\dot\rho\,(\ln\rho - \ln\pi)$, $\pi$ the steady state of the moment."""
    housekeeping_rate: Float[Array, "*times"] | None
    r"""`entropy_production_rate` less the non-adiabatic part: the cost of keeping $\pi$."""
    population_rate: Float[Array, "*times"] | None
    r"""$\frac{d}{dt}S[\Delta\rho] - \sum_\alpha\beta_\alpha J_\alpha$ by the baths, $\Delta$ the
    dephasing between energies; of secular equations."""
    coherence_rate: Float[Array, "*times"] | None
    r"""$-\frac{d}{dt}S(\rho\|\Delta\rho)$ by the baths; of secular equations."""
    free_energy: Float[Array, "*times baths"]
    r"""$F_\alpha = U - S/\beta_\alpha$."""
    ergotropy: Float[Array, "*times"]
    """The most work that unitaries can draw from the state."""


class MomentLedger(AbstractMomentLedger):
    """The ledger of one moment."""


class GKLSLedger(AbstractMomentLedger):
    """One entry a time, and what has flowed since the start."""

    entropy_production: Float[Array, " times"]
    r"""$\Sigma = \Delta S - \sum_\alpha\beta_\alpha Q_\alpha$, the integral of its rate."""
    heat: Float[Array, "times baths"]
    r"""$Q_\alpha = \int J_\alpha dt$, out of the bath into the system."""
    particles: Float[Array, "times baths"]
    r"""$\int I_\alpha dt$, out of the bath into the system."""
    work: Float[Array, " times"]
    r"""$W = \int\mathrm{tr}\rho\dot H_S\,dt$, jumps included."""
    chemical_work: Float[Array, " times"]
    r"""$\sum_\alpha\mu_\alpha\int I_\alpha dt$."""
    landauer_bound: Float[Array, "times baths"]
    r"""$-\Delta S/\beta_\alpha$: the least heat $-Q$ that a bath, alone, is given."""
    residual: Float[Array, " times"]
    r"""$\Delta U - W - \sum_\alpha Q_\alpha$ less the chemical work: the first law."""

    @property
    def entropy_production_fixed(self) -> Float[Array, " times"]:
        """The same as `entropy_production`: ideal baths keep their temperatures."""
        return self.entropy_production


class _Beginning(NamedTuple):
    energy: Float[Array, ""]
    entropy: Float[Array, ""]
    width: Float[Array, ""]


class GKLSReference(eqx.Module):
    """Temperatures and chemical potentials, the start and its faults."""

    beta: Float[Array, " baths"]
    mu: Float[Array, " baths"]
    start: _Beginning
    faults: Faults


class Measured(eqx.Module):
    """The flows of one moment, and what has flowed."""

    flows: MomentLedger
    energy: Float[Array, "*times baths"]
    particles: Float[Array, "*times baths"]
    work: Float[Array, "*times"]
    faults: Faults


@reference.register
def _reference(initial: SystemState, model: OpenSystem) -> GKLSReference:
    beta, mu = model.temperatures
    start = _Beginning(
        expectation(initial.hamiltonian, initial.state),
        # as of every state, so that nothing is produced at time 0, not even rounding
        von_neumann(initial.state, spectrum=modes(initial.state)),
        jnp.ptp(modes(initial.hamiltonian)[0]),
    )
    return GKLSReference(beta, mu, start, initial.faults)


@measure.register
def _measure(reference: GKLSReference, state: SystemState) -> Measured:
    moment = moment_ledger(state, reference.beta, reference.mu)
    return Measured(moment, state.energy, state.particles, state.work, state.faults)


def moment_ledger(
    at: SystemState, beta: Float[Array, " baths"], mu: Float[Array, " baths"]
) -> MomentLedger:
    """The ledger of one moment."""
    rho = at.state
    own, levels = modes(rho), modes(at.hamiltonian)
    log = matfn(Logarithm(), rho, spectrum=own)
    heat = at.energy_current - mu * at.particle_current
    width = jnp.ptp(levels[0])
    carried = over_temperature(beta, heat, _STILL * width * at.speed)
    entropy_rates = -jax.vmap(lambda d: expectation(log, d))(at.dissipated)
    rates = entropy_rates - carried
    if at.production is not None:
        rates = jnp.where(jnp.isnan(at.production), rates, at.production)
    total = jnp.sum(rates)
    nonadiabatic = housekeeping = None
    if at.log_stationary is not None:
        nonadiabatic = expectation(at.log_stationary - log, at.rate)
        housekeeping = total - nonadiabatic
    population = coherence = None
    if at.secular:
        vectors, kept = levels[1], alike(levels[0])

        def dephased(matrix: Array) -> Array:
            """Between eigenstates."""
            return jnp.where(kept, vectors.conj().T @ matrix @ vectors, 0.0)

        change = dephased(jnp.sum(at.dissipated, axis=0))
        diagonal = -expectation(matfn(Logarithm(), dephased(rho)), change)
        population = diagonal - jnp.sum(carried)
        coherence = jnp.sum(entropy_rates) - diagonal
    energy = expectation(at.hamiltonian, rho)
    entropy = von_neumann(rho, spectrum=own)
    return MomentLedger(
        state=rho,
        energy=energy,
        system_entropy=entropy,
        lowest_population=jnp.min(own[0]),
        heat_currents=heat,
        particle_currents=at.particle_current,
        power=at.power,
        chemical_power=mu @ at.particle_current,
        entropy_rate=jnp.sum(entropy_rates),
        entropy_production_rate=total,
        entropy_production_rates=rates,
        nonadiabatic_rate=nonadiabatic,
        housekeeping_rate=housekeeping,
        population_rate=population,
        coherence_rate=coherence,
        free_energy=energy - per_beta(entropy, beta),
        ergotropy=energy - own[0][::-1] @ levels[0],
    )


@settle.register
def _settle(reference: GKLSReference, found: Measured) -> GKLSLedger:
    moment, start = found.flows, reference.start
    chemical = found.particles @ reference.mu
    heat = found.energy - reference.mu * found.particles
    change = moment.system_entropy - start.entropy
    unmoved = _UNMOVED * reference.start.width
    carried = jnp.sum(over_temperature(reference.beta, heat, unmoved), axis=-1)
    balance = found.work + chemical + jnp.sum(heat, axis=-1)
    return GKLSLedger(
        **vars(moment),
        entropy_production=change - carried,
        heat=heat,
        particles=found.particles,
        work=found.work,
        chemical_work=chemical,
        landauer_bound=-per_beta(change[:, None], reference.beta),
        residual=moment.energy - start.energy - balance,
    )


@judge.register
def _judge(reference: GKLSReference, found: Measured, ledger: GKLSLedger) -> Verdict:
    axes = (1, 2)
    sound = jnp.all(jnp.isfinite(ledger.state), axis=axes)
    sound &= jnp.all(jnp.isfinite(found.energy), axis=1) & jnp.isfinite(ledger.work)
    physical = is_state(ledger)
    scale = jnp.max(jnp.abs(ledger.energy), initial=0.0)
    scale = scale + jnp.max(jnp.abs(ledger.heat), initial=0.0)
    closed = ~(jnp.abs(ledger.residual) > _NEGLIGIBLE * jnp.maximum(scale, 1e-300))
    good = jnp.ones_like(sound)
    # a solver that gives up leaves infinities
    reached = ~(jnp.any(jnp.isinf(found.energy), axis=1) | jnp.isinf(found.work))
    faults = Faults.at_any_time(reference.faults, found.faults)
    return Verdict(reached, sound, physical, closed, good, good, faults)


@in_words.register
def _in_words(ledger: AbstractMomentLedger, index: int) -> str:
    lowest, trace = ledger.lowest_population, jnp.trace(ledger.state, axis1=-2, axis2=-1).real
    if lowest.ndim:
        lowest, trace = lowest[index], trace[index]
    text = (
        f"There `lowest_population` is {float(lowest):.3g} and the trace 1{float(trace) - 1:+.1e}"
    )
    if isinstance(ledger, GKLSLedger):
        text += f"; the first law's `residual` is {float(ledger.residual[index]):.3g}"
    return f"{text}."


def is_state(flows: AbstractMomentLedger) -> Array:
    """Whether populations are non-negative and add up to 1, to 1e-6."""
    total = jnp.trace(flows.state, axis1=-2, axis2=-1).real
    return (flows.lowest_population > -_NEGLIGIBLE) & (jnp.abs(total - 1.0) < _NEGLIGIBLE)
