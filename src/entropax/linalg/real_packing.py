r"""Hermitian matrices as real arrays: $X = \mathrm{Re}\,A + \mathrm{Im}\,A$.

The real part is symmetric and the imaginary part antisymmetric, so nothing is lost, norms are kept,
and what is linear over Hermitian matrices becomes a real matrix.
"""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact


def to_real(matrix: Inexact[Array, "... d d"]) -> Float[Array, "... d d"]:
    """X of a Hermitian A."""
    return matrix.real + jnp.imag(matrix)


def from_real(packed: Float[Array, "... d d"]) -> Complex[Array, "... d d"]:
    """The Hermitian A of any real X."""
    turned = jnp.swapaxes(packed, -1, -2)
    return 0.5 * (packed + turned) + 0.5j * (packed - turned)
