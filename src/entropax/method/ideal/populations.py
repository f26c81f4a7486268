r"""Steady populations of eigenstates, where these evolve apart from coherences.

Found link by link (`linalg.steady_rates`), so that they, and what flows through each bath, keep
their relative accuracy at any temperature and however far rates lie apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact

from entropax._tolerances import AS_STATED, ROUNDED_ONCE
from entropax.equilibrium import over_temperature
from entropax.linalg import RateEquation, Spectrum, steady_rates
from entropax.method.ideal.rates import Transitions, rate_equation
from entropax.model.transition_frequencies import alike
from entropax.model.views import IdealSystem, jumps, temperatures


class SteadyPopulations(NamedTuple):
    """Populations, whether they are the only ones, and through each bath the change of each
    population, the energy and the particles that it gives, and its entropy production.
    """

    populations: Float[Array, " d"]
    is_unique: Bool[Array, ""]
    changes: Float[Array, "baths d"]
    energy: Float[Array, " baths"]
    particles: Float[Array, " baths"]
    production: Float[Array, " baths"]


class Populations(eqx.Module):
    r"""Rates between eigenstates (columns of `vectors`), and the particles given with each jump.

    `is_apart`: no coherence is fed by populations, and none can stand still, so that the steady
    state has none.
    """

    equation: RateEquation
    counted: Float[Array, "baths d d"]
    beta: Float[Array, " baths"]
    mu: Float[Array, " baths"]
    energies: Float[Array, " d"]
    vectors: Inexact[Array, "d d"]
    has_jumps: Bool[Array, " baths"]
    is_apart: Bool[Array, ""]

    def steady(self) -> SteadyPopulations:
        """The steady state and its flows."""
        steady = steady_rates(self.equation)
        p, currents = steady.populations, steady.currents
        risen = self.energies[:, None] - self.energies[None, :]
        energy = 0.5 * jnp.sum(currents * risen, axis=(-2, -1))
        particles = self._particles(p, currents)
        changes = jnp.sum(currents, axis=-1)
        # what jumps have no part in counts link by link, without a difference
        log = jnp.log(jnp.where(p > 0, p, 1.0))
        balance = -changes @ log - over_temperature(self.beta, energy - self.mu * particles, 0.0)
        production = jnp.where(self.has_jumps, balance, steady.production)
        return SteadyPopulations(p, steady.is_unique, changes, energy, particles, production)

    def _particles(
        self, populations: Float[Array, " d"], currents: Float[Array, "baths d d"]
    ) -> Float[Array, " baths"]:
        """Taken from each bath; of net currents, where each link has one number of particles."""
        rates = self.equation.rates
        present = rates > 0
        each = jnp.where(present, self.counted / jnp.where(present, rates, 1.0), 0.0)
        back = jnp.swapaxes(each, -1, -2)
        both = present & jnp.swapaxes(present, -1, -2)
        is_odd = jnp.all(~both | (jnp.abs(each + back) < AS_STATED), axis=(-2, -1))
        net = -0.5 * jnp.sum(jnp.where(present, each, -back) * currents, axis=(-2, -1))
        return jnp.where(is_odd, net, -jnp.sum(self.counted * populations, axis=(-2, -1)))

    def state(self, populations: Float[Array, " d"]) -> Inexact[Array, "d d"]:
        """The density matrix, in the basis in which the system is given."""
        return (self.vectors * populations) @ self.vectors.conj().T


def populations_of(
    model: IdealSystem, spectrum: Spectrum, parts: Sequence[Transitions]
) -> Populations:
    """The rate equation of couplings, beside hand-written jumps, between eigenstates of H."""
    energies, vectors = spectrum
    levels, baths, written = energies.shape[0], len(model.baths), jumps(model)
    equation = rate_equation(parts, levels, baths)
    rates, ratios = equation
    counted = jnp.zeros(rates.shape)
    for part in parts:
        jump_rates = part.rate * jnp.abs(part.operator) ** 2
        counted = counted.at[part.bath].add(part.particles * jump_rates)
    is_apart = ~jnp.any(alike(energies) & ~jnp.eye(levels, dtype=bool))
    for number, jump in written:
        operator = vectors.conj().T @ jump.operator @ vectors
        size = jnp.abs(operator)
        size = jnp.where(size > ROUNDED_ONCE * jnp.max(size), size, 0.0)
        jump_rates = jnp.where(jnp.eye(levels, dtype=bool), 0.0, jump.fixed_rate * size**2)
        rates = rates.at[number].add(jump_rates)
        counted = counted.at[number].add(jump.particles * jump_rates)
        fed = size @ size.T + size.T @ size
        is_apart &= jnp.all((fed == 0) | jnp.eye(levels, dtype=bool))
    has_jumps = np.isin(np.arange(baths), [number for number, _ in written])
    both = (rates > 0) & (jnp.swapaxes(rates, -1, -2) > 0)
    log = jnp.log(jnp.where(both, rates, 1.0))
    of_rates = jnp.where(both, log - jnp.swapaxes(log, -1, -2), jnp.nan)
    ratios = jnp.where(has_jumps[:, None, None], of_rates, ratios)
    beta, mu = temperatures(model)
    return Populations(
        equation=RateEquation(rates, ratios),
        counted=counted,
        beta=beta,
        mu=mu,
        energies=energies,
        vectors=vectors,
        has_jumps=jnp.asarray(has_jumps),
        is_apart=is_apart,
    )
