"""Steady states of generators, their logarithms, and what flows in them."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

from entropax._crossovers import STEADY_STATE_BY_LU
from entropax._tolerances import EMPTY, VERDICT
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
from entropax.method.ideal.generators import AbstractGenerator, SecularGenerator
from entropax.method.ideal.populations import Populations, SteadyPopulations
from entropax.state import SystemState


def steady_of(
    generator: AbstractGenerator, *, conserves_nothing: bool = False
) -> tuple[Stationary, SteadyPopulations | None]:
    """The steady state's form, and where populations may evolve apart, theirs; `conserves_nothing`:
    that is known.
    """
    rates = generator.populations
    if rates is None:
        return _steady_of_all(generator, conserves_nothing=conserves_nothing), None
    links = rates.steady()
    form = generator.pack(rates.state(links.populations))
    alone = Stationary(form, links.is_unique, jnp.ones_like(links.is_unique))
    if isinstance(generator, SecularGenerator):  # there is nothing but populations
        return alone, links
    whole = _steady_of_all(generator, conserves_nothing=conserves_nothing)
    return jax.tree.map(lambda x, y: jnp.where(rates.is_apart, x, y), alone, whole), links


def _steady_of_all(generator: AbstractGenerator, *, conserves_nothing: bool) -> Stationary:
    trace = generator.trace()
    if trace.size <= STEADY_STATE_BY_LU.here:
        steady = stationary(generator.matrix(), trace.ravel())
        return steady._replace(x=steady.x.reshape(trace.shape))

    def full(y: Array) -> Array:
        return conserves_nothing & (jnp.min(modes(generator.unpack(y))[0]) > EMPTY)

    return stationary_by_action(generator, generator.preconditioner(), trace, certainly=full)


def log_of(
    generator: AbstractGenerator, steady: Stationary, links: SteadyPopulations | None
) -> Inexact[Array, "d d"]:
    r"""$\ln\pi$ of a steady state; NaN where that is no state, as of Redfield equations."""
    state = generator.unpack(steady.x)
    spectrum = held_spectrum(state)
    log = matfn(Logarithm(), state, spectrum=spectrum)
    log = jnp.where(jnp.min(spectrum[0]) > -VERDICT, log, jnp.nan)
    rates = generator.populations
    if rates is None or links is None:
        return log
    p = links.populations
    alone = rates.state(jnp.log(jnp.where(p > 0, p, ROUNDING)))
    return jnp.where(rates.is_apart, alone, log)


def reference_of(generator: AbstractGenerator) -> Inexact[Array, "d d"]:
    r"""$\ln\pi$ of the steady state of the moment; NaN where it is not unique."""
    steady, links = steady_of(generator)
    return jnp.where(steady.unique, log_of(generator, steady, links), jnp.nan)


def link_by_link(state: SystemState, rates: Populations, links: SteadyPopulations) -> SystemState:
    """A steady state with the flows of its populations, where these are all there is."""
    apart = rates.is_apart
    dissipated = jax.vmap(rates.state)(links.changes)
    return dataclasses.replace(
        state,
        dissipated=jnp.where(apart, dissipated, state.dissipated),
        energy_current=jnp.where(apart, links.energy, state.energy_current),
        particle_current=jnp.where(apart, links.particles, state.particle_current),
        production=jnp.where(apart, links.production, jnp.nan),
    )
