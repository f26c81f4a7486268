"""Inverses that are zero, with zero derivative, where they are not wanted."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def masked_inverse(x: Float[Array, "*shape"], wanted: Bool[Array, "*shape"]) -> Array:
    """1/x where `wanted`, 0 elsewhere: no infinity or NaN arises, in derivatives neither."""
    return jnp.where(wanted, jnp.reciprocal(jnp.where(wanted, x, jnp.ones_like(x))), 0.0)
