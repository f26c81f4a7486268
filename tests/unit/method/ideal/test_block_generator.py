"""Generators on blocks, against the whole matrices that they stand for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from cases import ideal
from twins import lindblad as twin

from entropax.method.ideal.block_generator import BlockGenerator
from entropax.method.ideal.conservation import BlockStructure, blocks_of
from entropax.method.ideal.generators import MatrixGenerator

EXCITATIONS = BlockStructure(((0,), (1, 2), (3,)), ((-1, 0, 1), (1, 2, -1), (-1, 0, 1)))


@functools.partial(jax.jit, static_argnames="parted")
def flows(whole: MatrixGenerator, state: jax.Array, *, parted: bool) -> tuple:
    """What a state becomes, gives and is taken, whole or by blocks; and how these pack it."""
    generator = BlockGenerator(whole, EXCITATIONS) if parted else whole
    y = generator.pack(state)
    dissipated = generator.dissipated(y)
    return generator.unpack(y), (
        generator.unpack(generator(y)),
        generator.energy_given(dissipated),
        generator.boundary_power(dissipated),
        generator.particles_taken(y),
        jnp.sum(generator.trace() * y),
        generator.speed(),
    )


def test_blocks_do_what_the_whole_does() -> None:
    whole = ideal.exchanging()
    operators = [np.asarray(op) for part in whole.dissipators for op in part.operators]
    assert blocks_of(np.asarray(whole.hamiltonian), operators) == EXCITATIONS
    rho = twin.random_state(np.random.default_rng(3), 4)
    apart = np.zeros((4, 4), complex)
    for block in EXCITATIONS.members:
        apart[np.ix_(block, block)] = rho[np.ix_(block, block)]
    kept, ours = flows(whole, jnp.asarray(apart), parted=True)
    np.testing.assert_allclose(kept, apart, rtol=0, atol=1e-16)
    _, theirs = flows(whole, jnp.asarray(apart), parted=False)
    for few, many in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(few, many, rtol=0, atol=1e-14)
    assert abs(float(ours[2])) > 1e-3  # the work of keeping the qubits coupled
    # what they leave out: coherences between blocks
    np.testing.assert_allclose(flows(whole, jnp.asarray(rho), parted=True)[0], apart, atol=1e-16)


@jax.jit
def linear(whole: MatrixGenerator) -> tuple:
    """The matrix over the numbers of blocks, matrices of these numbers, the preconditioner."""
    blocks = BlockGenerator(whole, EXCITATIONS)
    units = jnp.eye(6)
    return blocks.matrix(), jax.vmap(blocks.unpack)(units), blocks.preconditioner()(units[0])


def test_the_null_vector_is_that_of_the_whole() -> None:
    whole = ideal.exchanging()
    matrix, units, inverted = map(np.asarray, linear(whole))
    assert matrix.shape == (6, 6)
    y = np.linalg.svd(matrix)[2][-1]
    state = np.tensordot(y, units, 1)
    jumps = [
        np.sqrt(float(g)) * np.asarray(x)
        for part in whole.dissipators
        for g, x in zip(part.rates, part.operators, strict=True)
    ]
    expected = twin.null_state(twin.generator(np.asarray(whole.hamiltonian), jumps))
    np.testing.assert_allclose(state / np.trace(state), expected, rtol=0, atol=1e-12)
    # the preconditioner inverts what leaves a block, of one state exactly: up at the rate 0.1
    np.testing.assert_allclose(inverted, [-10.0, 0.0, 0.0, 0.0, 0.0, 0.0], rtol=1e-14)
