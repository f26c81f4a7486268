"""The modulus of the largest eigenvalue of any square matrix, without an eigenproblem of it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_SQUARINGS = 48
"""Powers up to 2^48: rounding of the norm is then the error, not the angles between vectors."""

_ALONE = 1e-6
"""What A v may be off v by for the largest eigenvalue to be a real one, and not one of a pair."""


@jax.custom_jvp
def log_spectral_radius(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    r"""$\ln\max_i|\mu_i| = \lim_m \ln\|A^m\|/m$, by repeated squaring; -inf of a nilpotent matrix.

    Right to rounding also for pairs of one modulus. Cost: 48 products. The derivative is that of a
    real eigenvalue or of one complex pair, if these are largest alone; 0 of a nilpotent matrix.
    """
    return _power(matrix)[1]


def _power(matrix: Float[Array, "n n"]) -> tuple[Float[Array, "n n"], Float[Array, ""]]:
    """A high power, of norm 1, and the logarithm."""

    def square(carry: tuple[Array, Array], power: Array) -> tuple[tuple[Array, Array], None]:
        matrix, log = carry
        size = jnp.sqrt(jnp.sum(matrix**2))
        is_zero = size == 0
        scaled = matrix / jnp.where(is_zero, 1.0, size)
        grown = jnp.where(is_zero, -jnp.inf, jnp.log(jnp.where(is_zero, 1.0, size)))
        return (scaled @ scaled, log + grown * 0.5**power), None

    begin = matrix, jnp.zeros(())
    (power, log), _ = jax.lax.scan(square, begin, jnp.arange(_SQUARINGS, dtype=float))
    return power / jnp.maximum(jnp.sqrt(jnp.sum(power**2)), 1e-300), log


@log_spectral_radius.defjvp
def _log_spectral_radius_jvp(primals, tangents):
    r"""$\tfrac1k\mathrm{tr}[(Z^T A\,U)^{-1} Z^T dA\,U]$, U and Z the right and the left invariant
    subspace of the k largest eigenvalues.
    """
    (matrix,), (change,) = primals, tangents
    power, log = _power(matrix)
    right, is_real = _subspace(matrix, power)
    left, _ = _subspace(matrix.T, power.T)
    within = left.T @ matrix @ right
    is_sound = jnp.isfinite(log) & (jnp.abs(jnp.linalg.det(within)) > 0)
    inverse = jnp.linalg.inv(jnp.asarray(jnp.where(is_sound, within, jnp.eye(2))))
    both = jnp.trace(inverse @ (left.T @ change @ right))
    value = jnp.asarray(left[:, 0] @ matrix @ right[:, 0])
    moved = jnp.asarray(left[:, 0] @ change @ right[:, 0])
    alone = jnp.asarray(moved / jnp.asarray(jnp.where(value == 0, 1.0, value)))
    slope = jnp.where(is_real, alone, 0.5 * both)
    return log, jnp.where(jnp.isfinite(log), slope, 0.0)


def _norm(v: Float[Array, " n"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(v**2))


def _subspace(
    matrix: Float[Array, "n n"], power: Float[Array, "n n"]
) -> tuple[Float[Array, "n 2"], Array]:
    """v = A^m x and what A v adds to it, orthonormal; and whether v is an eigenvector."""
    v = power @ jnp.cos(jnp.arange(matrix.shape[0]) ** 2 + 1.0)
    v = v / jnp.maximum(_norm(v), 1e-300)
    moved = matrix @ v
    rest = moved - (v @ moved) * v
    size = _norm(rest)
    is_real = size <= _ALONE * _norm(moved)
    return jnp.stack([v, rest / jnp.where(size > 0, size, 1.0)], axis=1), is_real
