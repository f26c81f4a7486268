"""One relation that a solution must obey, with what is left of it."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Identity(NamedTuple):
    """One relation at all times.

    `residual`: left side less right side; it vanishes where `relation` is "=", and is not negative
    where it is ">=".
    """

    name: str
    source: str
    relation: Literal["=", ">="]
    residual: Float[Array, " times"]

    @property
    def violation(self) -> float:
        """Largest amount by which the relation is violated; 0 where it holds."""
        residual = self.residual if self.relation == ">=" else -jnp.abs(self.residual)
        return float(jnp.maximum(0.0, -jnp.min(residual)))
