"""The Hamiltonian of everything, sector by sector, and what of it is driven."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, PRNGKeyArray

from entropax.method.windows.sectors import Sector
from entropax.method.windows.start_columns import (
    AbstractStartColumns,
    LevelByLevel,
    SharedColumns,
)
from entropax.model.views import WindowSystem, window_links
from entropax.protocol import AbstractProtocol


class Controls(NamedTuple):
    """What a drive changes, at one time: `system`, H_S between eigenstates of H_0, of which the
    diagonal alone is held where there is no more; `strengths` of the couplings that are driven.
    """

    system: Inexact[Array, "d *d"]
    strengths: Float[Array, " switched"]

    @classmethod
    def of(cls, undriven: WindowSystem, switched: Sequence[int]) -> Self:
        """Those of the undriven model of a time; `switched`: which couplings are driven."""
        is_diagonal = undriven.interaction is None
        system = undriven.spectrum()[0] if is_diagonal else undriven.between_eigenstates()
        links = window_links(undriven)
        strengths = [links[index].strength for index in switched]
        return cls(system, jnp.stack(strengths) if strengths else jnp.zeros(0))

    def __sub__(self, other: "Controls") -> "Controls":
        is_diagonal = self.system.ndim == other.system.ndim == 1
        system = self.system - other.system if is_diagonal else self.matrix - other.matrix
        return Controls(system, self.strengths - other.strengths)

    @property
    def matrix(self) -> Inexact[Array, "d d"]:
        """H_S as a matrix."""
        return jnp.diag(self.system) if self.system.ndim == 1 else self.system


def switched_couplings(model: WindowSystem) -> tuple[int, ...]:
    """The couplings whose strength is driven."""
    return tuple(
        index
        for index, coupling in enumerate(model.couplings)
        if isinstance(coupling.size, AbstractProtocol)
    )


class Drawn(NamedTuple):
    """Levels of each bath, S of each coupling between eigenstates of H_0, and B; and the keys that
    the baths' states are drawn by.
    """

    levels: tuple[Float[Array, " _"], ...]
    operators: tuple[Inexact[Array, "d d"], ...]
    matrices: tuple[Inexact[Array, "_ _"], ...]
    keys: list[PRNGKeyArray | None]

    @classmethod
    def of(cls, model: WindowSystem, key: PRNGKeyArray | None) -> Self:
        """Levels of bath i from key i, then matrices of couplings, then the baths' states."""
        baths, links = len(model.baths), window_links(model)
        keys: list[PRNGKeyArray | None] = [None] * (2 * baths + len(links))
        if key is not None:
            keys = [jax.random.fold_in(key, i) for i in range(len(keys))]
        levels = [bath.draw_levels(k) for bath, k in zip(model.baths, keys, strict=False)]
        matrices = [
            link.matrix.draw(drawn_by, link.bath, levels[link.number])
            for link, drawn_by in zip(links, keys[baths:-baths], strict=True)
        ]
        operators = [model.in_eigenbasis(link.operator) for link in links]
        return cls(tuple(levels), tuple(operators), tuple(matrices), keys[-baths:])


class WindowHamiltonian(eqx.Module):
    r"""What does not change while the state evolves: levels, couplings, start.

    `resting`: in each sector, $\sum_\nu H_\nu$ and the couplings that are not driven; `switched`:
    in each sector, $S_c \otimes B_c$ of each coupling that is.
    """

    resting: tuple[Inexact[Array, "_ _"], ...]
    switched: tuple[tuple[Inexact[Array, "_ _"], ...], ...]
    start: AbstractStartColumns
    levels: tuple[Float[Array, " _"], ...]
    sectors: tuple[Sector, ...] = eqx.field(static=True)

    @classmethod
    def draw(
        cls, model: WindowSystem, sectors: tuple[Sector, ...], key: PRNGKeyArray | None
    ) -> Self:
        """From a key as `Drawn` uses it."""
        levels, operators, matrices, keys = Drawn.of(model, key)
        links, driven = window_links(model), switched_couplings(model)
        resting, switched = [], []
        for sector in sectors:
            total = jnp.diag(sum(e[p] for e, p in zip(levels, sector.place, strict=True)))
            moving = []
            for index, link in enumerate(links):
                term = _term(operators[index], matrices[index], sector, link.number)
                if index in driven:
                    moving.append(term)
                else:
                    total = total + link.strength * term
            resting.append(total)
            switched.append(tuple(moving))
        start: AbstractStartColumns
        if model.start.is_incoherent:
            state = model.start.on_levels(model, levels)
            is_diagonal = model.start.is_diagonal
            start = LevelByLevel(state=state, sectors=sectors, is_diagonal=is_diagonal)
        else:
            start = SharedColumns.of(model.start.kets(model, levels, keys), sectors)
        return cls(tuple(resting), tuple(switched), start, levels, sectors)

    def under(self, controls: Controls) -> tuple[Inexact[Array, "_ _"], ...]:
        """H in each sector."""
        parts = zip(self.resting, self.switched, self.sectors, strict=True)
        return tuple(
            _with_system(
                sum((g * x for g, x in zip(controls.strengths, moving, strict=True)), h),
                controls.system,
                sector,
            )
            for h, moving, sector in parts
        )

    def overlaps(self, one: int, other: int) -> list[tuple[int, int, slice, slice]]:
        """Rows and columns that hold coherences between levels k < k' of two sectors."""
        right = self.sectors[other].spans
        return [
            (block[0], k, span, right[(k, *block[1:])])
            for block, span in self.sectors[one].spans.items()
            for k in range(block[0] + 1, self.sectors[one].shape[0])
            if (k, *block[1:]) in right
        ]


def _with_system(h: Array, system: Inexact[Array, "d *d"], sector: Sector) -> Array:
    """H and the system's part of it."""
    if system.ndim == 1:
        return h + jnp.diag(system[sector.level])
    rows, columns = np.nonzero(sector.partners.T >= 0)
    partners = sector.partners[columns, rows]
    kind = jnp.result_type(h, system)
    return h.astype(kind).at[rows, partners].add(system[sector.level[rows], columns])


def _term(operator: Array, matrix: Array, sector: Sector, number: int) -> Array:
    """The product of an operator of the system and one of a bath, in a sector."""
    product = _product(operator, matrix, sector.level, sector.place[number])
    others = np.ones((sector.size, sector.size), bool)
    for other, place in enumerate(sector.place):
        if other != number:
            others &= place[:, None] == place[None, :]
    return product if others.all() else product * others


def _product(operator: Array, matrix: Array, level: np.ndarray, place: np.ndarray) -> Array:
    """operator[k, q] matrix[i, j] at the rows and columns (level, place) of a sector.

    By slices where these come in few runs: gathering number by number takes longer than to
    diagonalise what is gathered.
    """
    steps = (np.diff(level) != 0) | (np.diff(place) != 1)
    edges = [0, *(np.flatnonzero(steps) + 1), len(level)]
    if len(edges) > 32:
        rows, columns = level[:, None], level[None, :]
        return operator[rows, columns] * matrix[place[:, None], place[None, :]]
    runs = [(level[a], slice(place[a], place[a] + b - a)) for a, b in itertools.pairwise(edges)]
    return jnp.block([[operator[k, q] * matrix[i, j] for q, j in runs] for k, i in runs])
