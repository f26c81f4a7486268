"""What one bath does to a state: jumps, secular tensors and Redfield products against the twin."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

from entropax.method.ideal.dissipators import (
    AbstractDissipator,
    JumpDissipator,
    ProductDissipator,
    SecularDissipator,
    lamb_shift,
    secular_dissipators,
)


@jax.jit
def change(part: AbstractDissipator, state: jax.Array) -> jax.Array:
    half = part.half(state)
    return half + half.conj().T


@eqx.filter_jit
def made(kind: type[Any], *arguments: Any) -> Any:
    """A dissipator, made inside a program: less is compiled."""
    return kind(*arguments)


def jumps_of(rng: np.random.Generator) -> JumpDissipator:
    operators = rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4))
    return made(JumpDissipator, 0, jnp.asarray(operators), jnp.array([0.3, 1.2]), (1, -2))


def test_jumps_are_the_twins(rng: np.random.Generator) -> None:
    part, rho = jumps_of(rng), twin.random_state(rng, 4)
    both = zip((0.3, 1.2), np.asarray(part.operators), strict=True)
    operators = [np.sqrt(rate) * operator for rate, operator in both]
    moved = change(part, jnp.asarray(rho))
    np.testing.assert_allclose(moved, twin.dissipate(operators, rho), rtol=0, atol=1e-13)
    assert abs(np.trace(moved)) < 1e-13
    decays = [x.conj().T @ x for x in operators]
    np.testing.assert_allclose(part.decaying(), sum(decays), rtol=0, atol=1e-13)
    # one particle for each jump of the first kind, less two for each of the second
    np.testing.assert_allclose(part.loss, decays[0] - 2 * decays[1], rtol=0, atol=1e-13)
    assert made(JumpDissipator, 0, part.operators, part.rates, (0, 0)).loss is None


@pytest.mark.parametrize("kind", ideal.KINDS)
def test_secular_tensors_are_jumps_of_one_frequency(kind: str) -> None:
    """Also where levels or gaps are degenerate; and they take no part of another bath."""
    known = ideal.case(kind)
    parts, spectrum = ideal.channels(known)
    first, second = secular(parts, spectrum)
    assert (first.bath, second.bath) == (0, 1)
    assert first.loss is None
    for part, jumps in zip((first, second), known.jumps, strict=True):
        expected = twin.dissipate(jumps, known.rho)
        moved = change(part, jnp.asarray(known.rho))
        np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12)
    decay = sum(jump.conj().T @ jump for jump in known.jumps[0])
    np.testing.assert_allclose(first.decaying(), decay, rtol=0, atol=1e-12)


@eqx.filter_jit
def secular(parts: Any, spectrum: Any) -> list[SecularDissipator]:
    return secular_dissipators(parts, spectrum)


def test_particles_of_secular_tensors_are_counted() -> None:
    """Two channels of one bath that give and take: the loss is their difference."""
    known = ideal.case("level")
    (part, _), spectrum = ideal.channels(known)
    lower, upper = jnp.triu(part.operator, 1), jnp.tril(part.operator, -1)
    both = [part._replace(operator=lower, particles=1), part._replace(operator=upper, particles=-1)]
    (whole,) = secular(both, spectrum)
    (down,), (up,) = secular(both[:1], spectrum), secular(both[1:], spectrum)
    np.testing.assert_allclose(whole.loss, down.decaying() - up.decaying(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shifted", [False, True])
def test_products_are_the_redfield_form(shifted: bool) -> None:
    """With i S beside gamma/2 where there is a shift."""
    known = ideal.case("random")
    (part, _), spectrum = ideal.channels(known)
    shift = (lambda w: 0.3 + 0.2 * w) if shifted else (lambda w: 0.0)
    if shifted:
        part = part._replace(shift=shift(part.energy), particles=1)
    product = made(ProductDissipator, part, spectrum[1])
    expected = twin.redfield(
        known.h, known.operators[0], lambda w: ideal.RATES[0](w) + 2j * shift(w), known.rho
    )
    moved = change(product, jnp.asarray(known.rho))
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12)
    if shifted:
        np.testing.assert_allclose(product.loss, product.decaying(), rtol=0, atol=1e-13)
    else:
        assert product.loss is None


@jax.jit
def turning(part: AbstractDissipator, frame: jax.Array) -> jax.Array:
    return part.turns_with(frame)


def test_only_what_has_one_frequency_turns_with_a_frame() -> None:
    frame = jnp.diag(jnp.array([0.0, 1.0]))
    for operator, turns in ((twin.LOWER, True), (twin.SZ, True), (twin.SX, False)):
        part = made(JumpDissipator, 0, jnp.asarray(operator)[None], jnp.ones(1), (0,))
        assert bool(turning(part, frame)) is turns
    known = ideal.case("random")
    parts, spectrum = ideal.channels(known)
    part = secular(parts, spectrum)[0]
    assert bool(turning(part, jnp.asarray(known.h)))
    assert not bool(turning(part, jnp.asarray(known.operators[0])))
    product = made(ProductDissipator, parts[0], spectrum[1])
    assert not bool(turning(product, jnp.asarray(known.h)))


@pytest.mark.parametrize("kind", ["random", "level"])
def test_the_shift_is_that_of_each_frequency(kind: str) -> None:
    """sum S(w) A_w^dagger A_w, which commutes with H."""
    known = ideal.case(kind)
    parts, (energies, vectors) = ideal.channels(known)
    parts = [part._replace(shift=0.3 + 0.2 * part.energy) for part in parts]
    inside = eqx.filter_jit(lamb_shift)(parts, energies)
    ours = np.asarray(vectors @ inside @ vectors.conj().T)
    expected = sum(
        (0.3 + 0.2 * w) * a.conj().T @ a
        for operator in known.operators
        for w, a in twin.parts(known.h, operator)
    )
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    assert np.max(np.abs(ours @ known.h - known.h @ ours)) < 1e-12
