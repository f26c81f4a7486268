"""Fermi's distribution."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


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
