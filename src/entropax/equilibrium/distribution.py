"""Fermi's distribution."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.linalg import SpectralFunction


def log_odds(
    energies: Float[Array, "*k"], beta: Float[Array, ""], mu: Float[Array, ""]
) -> Float[Array, "*k"]:
    r"""$x_k = \beta(\epsilon_k-\mu) = \ln[(1-n_k)/n_k]$; 0 at $\mu$ for any beta."""
    distance = energies - mu
    cold = jnp.isinf(beta)
    step = jnp.where(distance == 0, 0.0, jnp.where(distance > 0, beta, -beta))
    return jnp.where(cold, jax.lax.stop_gradient(step), jnp.where(cold, 1.0, beta) * distance)


def fermi(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """f(x) = 1/(e^x + 1), to full relative accuracy in both tails."""
    return jax.nn.sigmoid(-x)


class Fermi(SpectralFunction):
    r"""f as a function of energy, for matrices: $1/(e^{\beta(\epsilon-\mu)} + 1)$.

    `order`: how often f is differentiated, 0 for f itself.
    """

    beta: Float[Array, ""]
    mu: Float[Array, ""]
    order: int = eqx.field(default=0, static=True)

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        odds = log_odds(x, self.beta, self.mu)
        n, hole = fermi(odds), fermi(-odds)
        # in powers of -beta: n(1-n), n(1-n)(1-2n), n(1-n)(1-6n(1-n))
        shapes = (n, n * hole, n * hole * (hole - n), n * hole * (1.0 - 6.0 * n * hole))
        steep = jnp.where(jnp.isinf(self.beta), 0.0, -self.beta) ** self.order
        return shapes[self.order] * steep

    def derivative(self) -> "Fermi":
        return Fermi(self.beta, self.mu, self.order + 1)

    def length_scale(self, low: Array, high: Array) -> Array:
        del low, high
        beta = jnp.abs(self.beta)
        return jnp.where(beta > 0, 1.0 / jnp.where(beta > 0, beta, 1.0), jnp.inf)
