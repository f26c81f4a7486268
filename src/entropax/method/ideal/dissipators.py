r"""What one bath does to a state: dissipators of GKLS and Redfield equations.

In the basis in which the system is given.
"""

import abc
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Inexact

from entropax._tolerances import AS_STATED
from entropax.linalg import Spectrum
from entropax.method.ideal.rates import Transitions
from entropax.model.transition_frequencies import alike, same_frequency
from entropax.model.views import IdealSystem, jumps


class AbstractDissipator(eqx.Module):
    r"""One bath's map $\rho \to D_\alpha(\rho)$.

    `loss`: $\sum n\,\gamma L^\dagger L$ over all jumps, n the particles given to the bath with
    each, so that its mean is the particle current into the bath.
    """

    bath: eqx.AbstractVar[int]
    loss: eqx.AbstractVar[Inexact[Array, "d d"] | None]

    @abc.abstractmethod
    def half(self, state: Complex[Array, "d d"]) -> Complex[Array, "d d"]:
        r"""M with $D(\rho) = M + M^\dagger$."""

    @abc.abstractmethod
    def decaying(self) -> Inexact[Array, "d d"]:
        r"""Hermitian K of the term $-\frac12\{K, \rho\}$."""

    @abc.abstractmethod
    def turns_with(self, frame: Inexact[Array, "d d"]) -> Bool[Array, ""]:
        """Whether it is the same in a frame that rotates with this generator."""


class JumpDissipator(AbstractDissipator):
    r"""$\sum_k \gamma_k (L_k \rho L_k^\dagger - \frac12\{L_k^\dagger L_k, \rho\})$."""

    operators: Inexact[Array, "jumps d d"]
    rates: Float[Array, " jumps"]
    decay: Inexact[Array, "d d"]
    loss: Inexact[Array, "d d"] | None
    bath: int = eqx.field(static=True)

    def __init__(self, bath: int, operators: Array, rates: Array, particles: Sequence[int]):
        self.bath, self.operators, self.rates = bath, operators, rates
        each = jnp.einsum("k,kij,kil->kjl", rates, operators.conj(), operators)
        self.decay = jnp.sum(each, axis=0)
        counts = jnp.asarray(np.array(particles, dtype=float))
        self.loss = jnp.einsum("k,kij->ij", counts, each) if any(particles) else None

    def half(self, state: Complex[Array, "d d"]) -> Complex[Array, "d d"]:
        moved = self.operators @ state
        gained = jnp.einsum("k,kij,klj->il", self.rates, self.operators, moved.conj())
        return 0.5 * (gained - self.decay @ state)

    def decaying(self) -> Inexact[Array, "d d"]:
        return self.decay

    def turns_with(self, frame: Inexact[Array, "d d"]) -> Bool[Array, ""]:
        turned = frame @ self.operators - self.operators @ frame
        weight = jnp.sum(jnp.abs(self.operators) ** 2, axis=(1, 2))
        frequency = jnp.sum(self.operators.conj() * turned, axis=(1, 2)) / weight
        left = jnp.abs(turned - frequency[:, None, None] * self.operators)
        scale = jnp.max(jnp.abs(frame)) * jnp.max(jnp.abs(self.operators))
        return jnp.all(left <= AS_STATED * scale)


class ProductDissipator(AbstractDissipator):
    r"""$\Lambda\rho A^\dagger - A^\dagger\Lambda\rho$ + h.c., the Redfield form."""

    operator: Inexact[Array, "d d"]
    weighted: Inexact[Array, "d d"]
    loss: Inexact[Array, "d d"] | None
    bath: int = eqx.field(static=True)

    def __init__(self, part: Transitions, vectors: Array):
        self.bath = part.bath
        back = vectors.conj().T
        element = 0.5 * part.rate + (0.0 if part.shift is None else 1j * part.shift)
        self.operator = vectors @ part.operator @ back
        self.weighted = vectors @ (element * part.operator) @ back
        product = self.operator.conj().T @ self.weighted
        self.loss = part.particles * (product + product.conj().T) if part.particles else None

    def half(self, state: Complex[Array, "d d"]) -> Complex[Array, "d d"]:
        moved = self.weighted @ state
        return moved @ self.operator.conj().T - self.operator.conj().T @ moved

    def decaying(self) -> Inexact[Array, "d d"]:
        product = self.operator.conj().T @ self.weighted
        return product + product.conj().T

    def turns_with(self, frame: Inexact[Array, "d d"]) -> Bool[Array, ""]:
        del frame
        return jnp.array(False)


class SecularDissipator(AbstractDissipator):
    r"""$\sum_\omega \gamma(\omega) (A_\omega\rho A_\omega^\dagger - \frac12\{A_\omega^\dagger
    A_\omega, \rho\})$, all frequencies in one tensor between eigenstates: O(d^4).
    """

    gain: Inexact[Array, "d d d d"]
    decay: Inexact[Array, "d d"]
    vectors: Inexact[Array, "d d"]
    loss: Inexact[Array, "d d"] | None
    bath: int = eqx.field(static=True)

    def __init__(self, parts: Sequence[Transitions], spectrum: Spectrum):
        energies, self.vectors = spectrum
        self.bath = parts[0].bath
        # from [i, j, l, k] to the order of the gain, [i, l, j, k]
        kept = jnp.transpose(same_frequency(energies), (0, 2, 1, 3))
        gains = [_secular_gain(part, kept) for part in parts]
        self.gain = sum(gains[1:], gains[0])
        # what is lost is what is gained, to rounding
        self.decay = jnp.einsum("iijk->kj", self.gain)
        terms = [
            part.particles * jnp.einsum("iijk->kj", gain)
            for part, gain in zip(parts, gains, strict=True)
        ]
        some = any(part.particles for part in parts)
        loss = sum(terms[1:], terms[0])
        self.loss = self.vectors @ loss @ self.vectors.conj().T if some else None

    def half(self, state: Complex[Array, "d d"]) -> Complex[Array, "d d"]:
        back = self.vectors.conj().T
        inside = back @ state @ self.vectors
        size = inside.size
        gained = (self.gain.reshape(size, size) @ inside.ravel()).reshape(inside.shape)
        return 0.5 * self.vectors @ (gained - self.decay @ inside) @ back

    def decaying(self) -> Inexact[Array, "d d"]:
        return self.vectors @ self.decay @ self.vectors.conj().T

    def turns_with(self, frame: Inexact[Array, "d d"]) -> Bool[Array, ""]:
        inside = self.vectors.conj().T @ frame @ self.vectors
        turns = jnp.diagonal(inside).real
        frequencies = turns[None, :] - turns[:, None]
        gap = jnp.abs(frequencies[:, None, :, None] - frequencies[None, :, None, :])
        scale = jnp.max(jnp.abs(frame))
        apart = (gap > AS_STATED * scale) & (jnp.abs(self.gain) > 0)
        mixed = jnp.abs(inside - jnp.diag(turns)) > AS_STATED * scale
        return ~(jnp.any(apart) | jnp.any(mixed))


def _secular_gain(part: Transitions, kept: Bool[Array, "d d d d"]) -> Inexact[Array, "d d d d"]:
    r"""$\gamma A_{ij} A^*_{lk}$ where both belong to one frequency, indices [i, l, j, k]."""
    rate = 0.5 * (part.rate[:, None, :, None] + part.rate[None, :, None, :])
    a = part.operator
    return jnp.where(kept, rate * a[:, None, :, None] * a.conj()[None, :, None, :], 0.0)


def secular_dissipators(
    parts: Sequence[Transitions], spectrum: Spectrum
) -> list[SecularDissipator]:
    """One for each bath that has transitions."""
    baths = sorted({part.bath for part in parts})
    return [SecularDissipator([p for p in parts if p.bath == bath], spectrum) for bath in baths]


def lamb_shift(parts: Sequence[Transitions], energies: Float[Array, " d"]) -> Inexact[Array, "d d"]:
    r"""$\sum_\omega S(\omega) A_\omega^\dagger A_\omega$ between eigenstates."""
    total = jnp.zeros((energies.shape[0],) * 2)
    level = alike(energies)
    for part in parts:
        assert part.shift is not None
        product = part.operator.conj().T @ (part.shift * part.operator)
        total = total + jnp.where(level, 0.5 * (product + product.conj().T), 0.0)
    return total


def given_jumps(model: IdealSystem) -> list[JumpDissipator]:
    """The hand-written jumps of a model."""
    return [
        JumpDissipator(number, jump.operator[None], jump.fixed_rate[None], (jump.particles,))
        for number, jump in jumps(model)
    ]
