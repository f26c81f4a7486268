r"""The start of exact dynamics: $\rho_0 = \sum_{ij} X_i\,C_{ij}\,X_j^\dagger$ over sectors i, j.

The columns of X are the states that the start fills, C what is between them: a start in one window
costs what that window does, and a ket is one column.
"""

import abc
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

from entropax.entropy import shannon, von_neumann
from entropax.method.windows.sectors import Sector
from entropax.model.starts import Kets


class AbstractStartColumns(eqx.Module):
    """The columns of each sector, and what is between those of two."""

    sectors: eqx.AbstractVar[tuple[Sector, ...]]

    @property
    @abc.abstractmethod
    def links_sectors(self) -> bool:
        """Whether there is anything between the columns of two sectors."""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of sectors between which the density matrix has entries."""
        count = range(len(self.sectors))
        if not self.links_sectors:
            return [(i, i) for i in count]
        return [(i, j) for i in count for j in count]

    @abc.abstractmethod
    def columns(self, number: int) -> Inexact[Array, "_ columns"]:
        """X of a sector."""

    @abc.abstractmethod
    def weighted(self, one: int, other: int, amplitudes: Array) -> Array:
        """X C, C between the columns of two sectors."""

    @abc.abstractmethod
    def entropy(self) -> Array:
        """Von Neumann entropy of everything: conserved."""


class LevelByLevel(AbstractStartColumns):
    """Baths that are diagonal in their levels, `state` as `AbstractJointStart.on_levels` has it:
    each filled state is a column.
    """

    state: Inexact[Array, "..."]
    sectors: tuple[Sector, ...] = eqx.field(static=True)
    is_diagonal: bool = eqx.field(static=True)

    @property
    def links_sectors(self) -> bool:
        return not self.is_diagonal

    def columns(self, number: int) -> Inexact[Array, "_ columns"]:
        sector = self.sectors[number]
        return jnp.eye(sector.size)[:, sector.columns]

    def weighted(self, one: int, other: int, amplitudes: Array) -> Array:
        a, b = self.sectors[one], self.sectors[other]
        i, j = a.columns, b.columns
        if self.is_diagonal:
            return amplitudes * self.state[(a.level[i], *(p[i] for p in a.place))]
        same = a.bath_state[i][:, None] == b.bath_state[j][None, :]
        place = [p[i][:, None] for p in a.place]
        between = self.state[(a.level[i][:, None], b.level[j][None, :], *place)]
        return amplitudes @ jnp.where(same, between, 0.0)

    def entropy(self) -> Array:
        if self.is_diagonal:
            return shannon(self.state)
        flat = self.state.reshape(*self.state.shape[:2], -1)
        return jnp.sum(jax.vmap(von_neumann, in_axes=-1)(flat))


class SharedColumns(AbstractStartColumns):
    """Kets that reach through all sectors, `parts` of them in each, and the `weights` between."""

    parts: tuple[Inexact[Array, "_ columns"], ...]
    weights: Inexact[Array, "columns columns"]
    sectors: tuple[Sector, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, kets: Kets, sectors: tuple[Sector, ...]) -> Self:
        parts = tuple(kets.columns[(sector.level, *sector.place)] for sector in sectors)
        return cls(parts=parts, weights=kets.weights, sectors=sectors)

    @property
    def links_sectors(self) -> bool:
        return True

    def columns(self, number: int) -> Inexact[Array, "_ columns"]:
        return self.parts[number]

    def weighted(self, one: int, other: int, amplitudes: Array) -> Array:
        del one, other
        return amplitudes @ self.weights

    def entropy(self) -> Array:
        return von_neumann(self.weights)
