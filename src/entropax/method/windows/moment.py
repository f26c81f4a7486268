"""The system at one time, as the dissipators of a window equation see it."""

from typing import Literal, NamedTuple, Self

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.linalg import modes
from entropax.model.views import WindowSystem

Dissipators = Literal["global", "local"]
"""Between eigenstates of all of H_S, those of the moment, or of H_0 alone."""


class Moment(NamedTuple):
    """`energies` between which jumps lead; `vectors`: their states as columns, between eigenstates
    of H_0 (None: these themselves); `hamiltonian`: H_S between them.
    """

    energies: Float[Array, " d"]
    vectors: Inexact[Array, "d d"] | None
    hamiltonian: Inexact[Array, "d d"]

    @classmethod
    def of(cls, undriven: WindowSystem, dissipators: Dissipators) -> Self:
        """That of the undriven model of a time."""
        total = undriven.between_eigenstates()
        if undriven.interaction is None or dissipators == "local":
            return cls(undriven.spectrum()[0], None, total)
        energies, vectors = modes(total)
        return cls(energies, vectors, jnp.diag(energies))

    def enter(self, matrix: Inexact[Array, "d d *windows"]) -> Inexact[Array, "d d *windows"]:
        """A matrix between eigenstates of H_0, between those of the moment."""
        if self.vectors is None:
            return matrix
        left = jnp.einsum("ka,kq...->aq...", self.vectors.conj(), matrix)
        return jnp.einsum("aq...,qb->ab...", left, self.vectors)

    def leave(self, matrix: Inexact[Array, "d d *windows"]) -> Inexact[Array, "d d *windows"]:
        """The way back."""
        if self.vectors is None:
            return matrix
        left = jnp.einsum("ka,ab...->kb...", self.vectors, matrix)
        return jnp.einsum("kb...,qb->kq...", left, self.vectors.conj())
