"""Generators as linear maps: the twin's Liouvillian, what they conserve, forms of states."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax._checks import Faults
from entropax.linalg import from_real, to_real
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.generators import (
    AbstractGenerator,
    MatrixGenerator,
    SecularGenerator,
    smooth_inverse,
)
from entropax.method.ideal.populations import populations_of


@eqx.filter_jit
def jumping(h: jax.Array, operators: jax.Array, rates: jax.Array) -> MatrixGenerator:
    """One jump operator a bath."""
    parts = [
        JumpDissipator(bath, operators[bath, None], rates[bath, None], (1 - 2 * bath,))
        for bath in range(2)
    ]
    return MatrixGenerator(h, tuple(parts), h, None, baths=2)


@jax.jit
def flows(generator: AbstractGenerator, state: jax.Array) -> tuple[jax.Array, ...]:
    y = generator.pack(state)
    dissipated = generator.dissipated(y)
    energy, power = generator.energy_given(dissipated), generator.boundary_power(dissipated)
    return energy, power, generator.particles_taken(y), generator.speed()


@jax.jit
def matrix(generator: AbstractGenerator) -> jax.Array:
    return generator.matrix()


def test_a_matrix_of_jumps_is_the_twins_liouvillian(rng: np.random.Generator) -> None:
    known = ideal.case("random")
    operators = rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4))
    rates = np.array([0.3, 1.2])
    generator = jumping(*map(jnp.asarray, (known.h, operators, rates)))
    jumps = [np.sqrt(g) * x for g, x in zip(rates, operators, strict=True)]
    whole = np.asarray(matrix(generator))
    expected = twin.generator(known.h, jumps)
    np.testing.assert_allclose(twin.complex_map(whole), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.eye(4).ravel() @ whole, 0.0, atol=1e-13)  # the trace stays
    # energy and particles that each bath gives
    energy, power, taken, speed = flows(generator, jnp.asarray(known.rho))
    moved = [twin.dissipate([jump], known.rho) for jump in jumps]
    expected = [np.trace(known.h @ x).real for x in moved]
    np.testing.assert_allclose(energy, expected, rtol=0, atol=1e-12)
    clicks = [np.trace(jump.conj().T @ jump @ known.rho).real for jump in jumps]
    np.testing.assert_allclose(taken, [-clicks[0], clicks[1]], rtol=0, atol=1e-12)
    assert float(power) == 0.0
    decay = sum(jump.conj().T @ jump for jump in jumps)
    np.testing.assert_allclose(speed, np.max(np.abs(decay)), rtol=1e-13)


def test_nothing_decays_faster_than_twice_what_is_lost_at_most() -> None:
    """All levels lose together: K is 1 everywhere, and its largest eigenvalue is the size."""
    together = np.zeros((2, 4, 4))
    together[0, 0] = 1.0
    generator = jumping(jnp.zeros((4, 4)), jnp.asarray(together), jnp.array([1.0, 0.0]))
    fastest = np.max(np.abs(np.linalg.eigvals(np.asarray(matrix(generator)))))
    assert float(generator.most_lost()) == pytest.approx(4.0, rel=1e-14)
    assert 2.0 * float(generator.speed()) < fastest + 1e-9 <= 2.0 * float(generator.most_lost())


@eqx.filter_jit
def sector(
    model: ex.OpenSystem, parts: Any, spectrum: Any, pairs: tuple[tuple[int, int], ...]
) -> SecularGenerator:
    return SecularGenerator(
        parts,
        spectrum,
        pairs,
        populations_of(model, spectrum, parts),
        Faults.none(),
        baths=len(model.baths),
    )


def test_populations_follow_paulis_equation() -> None:
    """Rates gamma(w)|A_ij|^2 from j to i, and what leaves j in its diagonal."""
    known = ideal.case("random")
    parts, spectrum = ideal.channels(known)
    generator = sector(known.model(), parts, spectrum, tuple((k, k) for k in range(4)))
    for bath, part in enumerate(parts):
        rates = np.asarray(part.rate) * np.abs(np.asarray(part.operator)) ** 2
        expected = rates - np.diag(rates.sum(axis=0))
        np.testing.assert_allclose(generator.dissipators[bath], expected, rtol=0, atol=1e-13)
    assert generator.populations is not None
    assert generator.shift is None
    np.testing.assert_array_equal(generator.trace(), np.ones(4))
    np.testing.assert_array_equal(generator.coherent(jnp.ones(4)), np.zeros(4))


def test_populations_alone_are_those_among_pairs() -> None:
    """Pauli's rates, and those at which states are left, are the diagonal of the whole map."""
    known = ideal.case("random")
    parts, spectrum = ideal.channels(known)
    parts = [part._replace(particles=1) for part in parts]
    generator = sector(known.model(), parts, spectrum, tuple((k, k) for k in range(4)))
    rates = [np.asarray(part.rate * jnp.abs(part.operator) ** 2) for part in parts]
    for part, bath, gain in zip(parts, range(2), rates, strict=True):
        for one, other in zip(generator._pauli(part), generator._with_pairs(part), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
        np.testing.assert_allclose(generator.loss[bath], gain.sum(axis=0), rtol=1e-13)


def test_a_sector_of_a_degenerate_level_is_closed() -> None:
    """Populations and the coherence within the level, against the twin's whole Liouvillian."""
    known = ideal.case("level")
    parts, spectrum = ideal.channels(known)
    pairs = ((0, 0), (1, 1), (2, 2), (3, 3), (1, 2), (2, 1))
    generator = sector(known.model(), parts, spectrum, pairs)
    assert generator.populations is None
    inside = np.asarray(twin.random_state(np.random.default_rng(3), 4))
    kept = np.zeros((4, 4))
    kept[tuple(np.array(pairs).T)] = 1.0
    vectors = np.asarray(spectrum[1])
    rho = vectors @ (inside * kept) @ vectors.conj().T
    y = generator.pack(jnp.asarray(rho))
    np.testing.assert_allclose(generator.unpack(y), rho, rtol=0, atol=1e-14)
    moved = (known.davies @ rho.ravel()).reshape(4, 4)
    np.testing.assert_allclose(generator.unpack(generator(y)), moved, rtol=0, atol=1e-12)
    given = [np.trace(known.h @ twin.dissipate(jumps, rho)).real for jumps in known.jumps]
    np.testing.assert_allclose(
        generator.energy_given(generator.dissipated(y)), given, rtol=0, atol=1e-12
    )


@jax.jit
def inverse(h: jax.Array, decay: jax.Array, image: jax.Array) -> jax.Array:
    return from_real(smooth_inverse(h, decay)(to_real(image)))


@pytest.mark.parametrize("kind", ideal.KINDS)
def test_the_smooth_inverse_inverts_decay_between_eigenstates(kind: str) -> None:
    """-i[H, X] - {K, X}/2, where K commutes with H: then nothing is left out."""
    known = ideal.case(kind)
    energies, vectors = np.linalg.eigh(known.h)
    decay = (vectors * np.exp(energies)) @ vectors.conj().T
    x = known.rho
    image = -1j * (known.h @ x - x @ known.h) - 0.5 * (decay @ x + x @ decay)
    back = inverse(*map(jnp.asarray, (known.h, decay, image)))
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-12)
