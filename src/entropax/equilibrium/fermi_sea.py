"""Modes seen from the filled Fermi sea at the nearer end of their band."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._precision import EPS, TINY


class Sea(NamedTuple):
    r"""The modes seen from the lower end of the band (`sign` 1), or reversed from the upper (-1).

    `side` $s_k$ is -1 in the sea and 1 above; `level` is the Fermi level, the energy that a small
    change of the number fills or empties, and `middle` is midway between the sea and what is above.
    `e`: `sign` times energies from `level`, in units of `scale`, the width of the band (1 if none).
    """

    sign: Array
    side: Float[Array, " k"]
    level: Float[Array, ""]
    middle: Float[Array, ""]
    scale: Float[Array, ""]
    e: Float[Array, " k"]

    @classmethod
    def seen(cls, energies: Array, sign: Array, side: Array, offset: Array) -> Self:
        """The sea seen from an end; `offset`: how many more particles there are than in the sea."""
        above = jnp.min(jnp.where(side > 0, sign * energies, jnp.inf))
        below = jnp.max(jnp.where(side < 0, sign * energies, -jnp.inf))
        level = sign * jnp.where((offset >= 0) & jnp.isfinite(above), above, below)
        # energies that differ by rounding are equal
        rounding = 8 * EPS * jnp.max(jnp.abs(energies)) + TINY
        width = jnp.max(energies) - jnp.min(energies)
        scale = jnp.where(width > rounding, width, 1.0)
        away = jnp.where(jnp.abs(energies - level) <= rounding, 0.0, energies - level)
        middle = 0.5 * sign * (above + below)
        return cls(sign, side, level, middle, scale, sign * away / scale)


def ranks(energies: Array) -> Array:
    """The rank of each mode: how many come before it by energy, equal ones in their order."""
    return jnp.argsort(jnp.argsort(energies))


def sides(rank: Array, sign: Array, filled: Array) -> Array:
    """-1 for the first `filled` modes from an end of the band, 1 for the others."""
    in_sea = jnp.where(sign > 0, rank < filled, rank >= rank.shape[0] - filled)
    return jnp.where(in_sea, -1.0, 1.0)


def from_nearer_end(seen: Callable[[Array], Any]) -> Any:
    """The value of `seen` at the end of the band from which the excess energy is smaller.

    `seen(sign)` returns a tuple for an end of the band, whose second entry is that energy.
    """
    both = jax.vmap(seen)(jnp.array([1.0, -1.0]))
    low, high = both[1]
    return jax.tree.map(lambda x: jnp.where(low <= high, x[0], x[1]), both)
