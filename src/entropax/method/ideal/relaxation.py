"""Constant generators of few numbers: states at any times by the exponential, without a step."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._crossovers import EXPONENTIAL_OF_A_GENERATOR
from entropax.linalg.semigroup import evolve
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator, SecularGenerator
from entropax.method.ideal.interaction_picture import Flow, Picture, rate_matrices


def is_exponential(generator: AbstractGenerator) -> bool:
    """Whether the generator, where it is constant, is one to be exponentiated."""
    return (
        isinstance(generator, MatrixGenerator | SecularGenerator)
        and generator.size <= EXPONENTIAL_OF_A_GENERATOR.here
    )


def relaxed(
    generator: AbstractGenerator,
    slope: Inexact[Array, "d d"] | None,
    begin: Flow,
    ts: Float[Array, " times"],
) -> Flow:
    """What `begin` is after each of the times, along a first axis; `slope`: dH/dt of a frame."""
    if isinstance(generator, MatrixGenerator):
        picture = Picture.of(generator.hamiltonian)
        rates, flows = rate_matrices(picture.without(generator), slope, picture)
        shape = generator.hamiltonian.shape

        def phases(z: Array, time: Array) -> Array:
            return picture.turned(z.reshape(shape), time).ravel()

        start = picture.from_given(generator.unpack(begin.y)).ravel()
        trace = jnp.eye(shape[0]).ravel()
        states, passed = evolve(rates, start, ts, trace=trace, phases=phases)
        forms = jax.vmap(lambda z: generator.pack(picture.to_given(z.reshape(shape))))(states)
    else:
        rates, flows = rate_matrices(generator, slope)
        assert isinstance(generator, SecularGenerator)
        rest = None if generator.has_no_coherences else _no_phases
        forms, passed = evolve(rates, begin.y, ts, trace=generator.trace(), phases=rest)
    baths = begin.energy.shape[0]
    # beyond what can be resolved all is infinite, as of a solver that gives up
    flowed = jnp.where(jnp.any(jnp.isinf(passed)), jnp.inf, passed @ flows.T)
    energy, particles, work = jnp.split(flowed, np.array([baths, 2 * baths]), axis=1)
    return Flow(forms, begin.energy + energy, begin.particles + particles, begin.work + work[:, 0])


def _no_phases(y: Array, time: Array) -> Array:
    del time
    return y
