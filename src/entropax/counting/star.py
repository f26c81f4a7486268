r"""Two measurements on a star, in O(n^2) a time and a value of u.

With $U = e^{-iht}$, h a diagonal D and a border V, and $P = U^\dagger g\,U$ of a diagonal g,

$$ [D, P] = U^\dagger [V, g]\, U + P V - V P, $$

which has rank six: products of U with few vectors give all of P (`linalg.CauchyLike`). The level's
own place in D is free, as V makes up for it: beyond the band, where it meets no mode.
"""

from typing import NamedTuple, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from entropax.linalg import ArrowheadExponential, CauchyLike, complex_matmul


class Weighted(NamedTuple):
    r"""The product b P of a diagonal b, by sites, and $P = U^\dagger g U$; `g` None: P is 1."""

    b: Complex[Array, "u sites"]
    g: Complex[Array, "u sites"] | None


class Star(eqx.Module):
    """U of a star at one time, and its table of divided differences."""

    u: ArrowheadExponential
    differences: Complex[Array, "modes modes"]
    level: Float[Array, ""]
    columns: Int[Array, "depth sites"]

    @classmethod
    def of(cls, u: ArrowheadExponential, level: Float[Array, ""], columns: Array) -> Self:
        return cls(u, u.differences(), level, columns)

    @property
    def energies(self) -> Float[Array, " sites"]:
        """D: the level's place, and the modes' energies."""
        return nodes_of(self.u.energies)

    def times(self, v: Complex[Array, "u sites"]) -> Complex[Array, "u sites"]:
        """U v of each row."""
        t, column = self.u.couplings, self.u.column
        first, modes = v[:, :1], v[:, 1:]
        spread = complex_matmul(modes * t, self.differences) * t
        rest = first * column[1:] + self.u.free * modes + spread
        return jnp.concatenate([v @ column[:, None], rest], axis=1)

    def back(self, v: Complex[Array, "u sites"]) -> Complex[Array, "u sites"]:
        r"""$U^\dagger v$ of each row; U is symmetric."""
        return self.times(v.conj()).conj()

    def equal(self, g: Complex[Array, "u sites"]) -> Complex[Array, "u depth sites"]:
        """The entries of P at `columns`."""
        t, x, free = self.u.couplings, self.u.column, self.u.free
        z = jnp.diagonal(self.differences)
        squares = self.differences.real**2 + self.differences.imag**2
        first, modes = g[:, :1], g[:, 1:]
        weighted = modes * t**2
        spread = (weighted.real @ squares) + 1j * (weighted.imag @ squares)
        along = jnp.abs(x[1:]) ** 2 * first
        diagonal = along + modes * (1.0 + 2.0 * t**2 * (free.conj() * z).real) + t**2 * spread
        level = first * jnp.abs(x[0]) ** 2 + modes @ (jnp.abs(x[1:]) ** 2)[:, None]
        entries = [jnp.concatenate([level, diagonal], axis=1)]
        for column in self.columns[1:]:
            # another mode k of the same energy: its row of the table is that of j
            k = jnp.maximum(column[1:] - 1, 0)
            other = x[1:].conj() * x[1:][k] * first + t * t[k] * (
                free.conj() * modes * z + free * modes[:, k] * z.conj() + spread
            )
            entries.append(jnp.pad(other, ((0, 0), (1, 0))))
        return jnp.stack(entries, axis=1)

    def brackets(self, parts: tuple[Weighted, ...]) -> CauchyLike:
        """The sum of products, for each u."""
        count, sites = parts[0].b.shape
        t = jnp.pad(self.u.couplings, (1, 0)) + 0j
        border = self.times(t[None])
        x = self.u.column
        unit = jnp.zeros(sites, complex).at[0].set(1.0)
        beyond = self.level - self.energies[0]
        zero = jnp.zeros((count, sites), complex)
        with_x, with_t, with_unit, unit_with = zero, zero, zero, zero
        left, right = [], []
        equal = zero[:, None] + jnp.zeros((self.columns.shape[0], 1))
        for b, g in parts:
            if g is None:
                equal = equal.at[:, 0].add(b)
                continue
            turned = t * (g - g[:, :1])  # [V, g]
            column, row = self.back(g * x), self.times(g * x.conj())
            with_x = with_x - b * self.back(turned)
            with_t = with_t + b * column
            with_unit = with_unit + b * (self.back(g * border) + beyond * column)
            unit_with = unit_with - b[:, :1] * (self.times(g * border.conj()) + beyond * row)
            left += [b * x.conj(), -b * t]
            right += [self.times(turned), row]
            equal = equal + b[:, None] * self.equal(g)
        left += [with_x, with_t, with_unit, jnp.broadcast_to(unit, zero.shape)]
        right += [jnp.broadcast_to(v, zero.shape) for v in (x, t, unit)] + [unit_with]
        stack = jnp.stack(left, axis=1), jnp.stack(right, axis=1)
        return CauchyLike(self.energies, *stack, equal, self.columns)


def nodes_of(energies: Float[Array, " modes"]) -> Float[Array, " sites"]:
    """The energies of modes, and first a place for the level where none of them is."""
    low, high = jnp.min(energies), jnp.max(energies)
    scale = jnp.where(high > low, high - low, 1.0)
    return jnp.append(high + 0.25 * scale, energies)
