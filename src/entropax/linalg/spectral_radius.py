"""The modulus of the largest eigenvalue of any square matrix, without its eigenvectors."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_SQUARINGS = 48
"""Powers up to 2^48: rounding of the norm is then the error, not the angles between vectors."""


def log_spectral_radius(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    r"""$\ln\max_i|\mu_i| = \lim_m \ln\|A^m\|/m$, by repeated squaring; -inf of a nilpotent matrix.

    Right to rounding also for pairs of one modulus. Cost: 48 products. Differentiable where the
    largest eigenvalues are simple.
    """

    def square(carry: tuple[Array, Array], power: Array) -> tuple[tuple[Array, Array], None]:
        matrix, log = carry
        size = jnp.sqrt(jnp.sum(matrix**2))
        is_zero = size == 0
        scaled = matrix / jnp.where(is_zero, 1.0, size)
        grown = jnp.where(is_zero, -jnp.inf, jnp.log(jnp.where(is_zero, 1.0, size)))
        return (scaled @ scaled, log + grown * 0.5**power), None

    begin = matrix, jnp.zeros(())
    (_, log), _ = jax.lax.scan(square, begin, jnp.arange(_SQUARINGS, dtype=float))
    return log
