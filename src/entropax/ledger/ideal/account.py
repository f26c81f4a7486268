"""The account of a small system between ideal baths (Textbook)."""

from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import Faults
from entropax._tolerances import STILL, UNMOVED, VERDICT
from entropax.entropy import von_neumann
from entropax.equilibrium import (
    expectation,
    over_temperature,
    per_beta,
)
from entropax.ledger.base import AbstractAccount, Verdict
from entropax.ledger.ideal.quantities import AbstractMomentLedger, GKLSLedger, MomentLedger
from entropax.linalg import Logarithm, matfn, modes
from entropax.model.transition_frequencies import alike
from entropax.model.views import IdealSystem, temperatures
from entropax.state import SystemState


class _Beginning(NamedTuple):
    energy: Float[Array, ""]
    entropy: Float[Array, ""]
    width: Float[Array, ""]


class Measured(eqx.Module):
    """The flows of one moment, and what has flowed."""

    moment: MomentLedger
    energy: Float[Array, "*times baths"]
    particles: Float[Array, "*times baths"]
    work: Float[Array, "*times"]
    faults: Faults


class IdealAccount(AbstractAccount[SystemState, Measured, GKLSLedger]):
    """Temperatures and chemical potentials, the start and its faults."""

    beta: Float[Array, " baths"]
    mu: Float[Array, " baths"]
    start: _Beginning
    faults: Faults

    @classmethod
    def open(cls, initial: SystemState, model: IdealSystem) -> Self:
        start = _Beginning(
            expectation(initial.hamiltonian, initial.state),
            # as of every state, so that nothing is produced at time 0, not even rounding
            von_neumann(initial.state, spectrum=modes(initial.state)),
            jnp.ptp(modes(initial.hamiltonian)[0]),
        )
        return cls(*temperatures(model), start, initial.faults)

    def measure(self, state: SystemState) -> Measured:
        moment = moment_ledger(state, self.beta, self.mu)
        return Measured(moment, state.energy, state.particles, state.work, state.faults)

    def settle(self, measured: Measured) -> GKLSLedger:
        moment, start = measured.moment, self.start
        chemical = measured.particles @ self.mu
        heat = measured.energy - self.mu * measured.particles
        change = moment.system_entropy - start.entropy
        unmoved = UNMOVED * start.width
        carried = jnp.sum(over_temperature(self.beta, heat, unmoved), axis=-1)
        balance = measured.work + chemical + jnp.sum(heat, axis=-1)
        return GKLSLedger(
            **vars(moment),
            entropy_production=change - carried,
            heat=heat,
            particles=measured.particles,
            work=measured.work,
            chemical_work=chemical,
            landauer_bound=-per_beta(change[:, None], self.beta),
            residual=moment.energy - start.energy - balance,
        )

    def judge(self, measured: Measured, ledger: GKLSLedger) -> Verdict:
        axes = (1, 2)
        sound = jnp.all(jnp.isfinite(ledger.state), axis=axes)
        sound &= jnp.all(jnp.isfinite(measured.energy), axis=1) & jnp.isfinite(ledger.work)
        physical = is_state(ledger)
        scale = jnp.max(jnp.abs(ledger.energy), initial=0.0)
        scale = scale + jnp.max(jnp.abs(ledger.heat), initial=0.0)
        closed = ~(jnp.abs(ledger.residual) > VERDICT * jnp.maximum(scale, 1e-300))
        good = jnp.ones_like(sound)
        # a solver that gives up leaves infinities
        reached = ~(jnp.any(jnp.isinf(measured.energy), axis=1) | jnp.isinf(measured.work))
        faults = Faults.at_any_time(self.faults, measured.faults)
        return Verdict(reached, sound, physical, closed, good, good, faults)


def moment_ledger(
    at: SystemState, beta: Float[Array, " baths"], mu: Float[Array, " baths"]
) -> MomentLedger:
    """The ledger of one moment."""
    rho = at.state
    spectrum, levels = modes(rho), modes(at.hamiltonian)
    log = matfn(Logarithm(), rho, spectrum=spectrum)
    heat = at.energy_current - mu * at.particle_current
    width = jnp.ptp(levels[0])
    carried = over_temperature(beta, heat, STILL * width * at.speed)
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
    entropy = von_neumann(rho, spectrum=spectrum)
    return MomentLedger(
        state=rho,
        energy=energy,
        system_entropy=entropy,
        lowest_population=jnp.min(spectrum[0]),
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
        ergotropy=energy - spectrum[0][::-1] @ levels[0],
    )


def is_state(moment: AbstractMomentLedger) -> Array:
    """Whether populations are non-negative and add up to 1, to 1e-6."""
    total = jnp.trace(moment.state, axis1=-2, axis2=-1).real
    return (moment.lowest_population > -VERDICT) & (jnp.abs(total - 1.0) < VERDICT)
