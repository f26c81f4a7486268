r"""Exact states as amplitudes: $\rho(t) = X(t)\,C\,X(t)^\dagger$, $X(t) = U(t)X(0)$.

The columns of X are the states that the start fills, C the start's density matrix between them:
a start in one window costs what that window does, not what the whole does.
"""

import itertools
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, PRNGKeyArray

from entropax._batching import vmap_by_shape
from entropax.entropy import marginal, shannon, von_neumann
from entropax.linalg import Exponential, Spectrum, eigh, matfn_times
from entropax.method.windows.sectors import Sector
from entropax.model.views import WindowSystem, window_links


class Observables(NamedTuple):
    """What is observed at each time. `flow`: the rate of change of `joint`."""

    joint: Float[Array, "..."]
    flow: Float[Array, "..."]
    system: Complex[Array, "*t d d"]
    energy: Float[Array, "*t baths"]
    interaction: Float[Array, "*t"]


class WindowHamiltonian(eqx.Module):
    """What does not change while the state evolves: levels, couplings, start.

    `coupled`: of each sector, H less the system's energies. `start`: on the baths' levels.
    """

    coupled: tuple[Inexact[Array, "_ _"], ...]
    start: Inexact[Array, "..."]
    levels: tuple[Float[Array, " _"], ...]
    sectors: tuple[Sector, ...] = eqx.field(static=True)
    is_diagonal: bool = eqx.field(static=True)

    @classmethod
    def draw(
        cls, model: WindowSystem, sectors: tuple[Sector, ...], key: PRNGKeyArray | None
    ) -> Self:
        """Levels of bath i from key i, matrices of couplings from those that follow."""
        keys = [None] * (len(model.baths) + len(model.couplings))
        if key is not None:
            keys = [jax.random.fold_in(key, i) for i in range(len(keys))]
        levels = [bath.draw_levels(k) for bath, k in zip(model.baths, keys, strict=False)]
        parts = []
        for link, drawn_by in zip(window_links(model), keys[len(levels) :], strict=True):
            matrix = link.matrix.draw(drawn_by, link.bath, levels[link.number])
            operator = model.in_eigenbasis(link.operator)
            parts.append((link.strength, operator, matrix, link.number))
        coupled = []
        for sector in sectors:
            h = jnp.diag(sum(e[p] for e, p in zip(levels, sector.place, strict=True)))
            for strength, operator, matrix, number in parts:
                others = np.ones((sector.size, sector.size), bool)
                for other, place in enumerate(sector.place):
                    if other != number:
                        others &= place[:, None] == place[None, :]
                term = _product(operator, matrix, sector.level, sector.place[number])
                h = h + strength * (term if others.all() else term * others)
            coupled.append(h)
        start = model.start.on_levels(model, levels)
        return cls(tuple(coupled), start, tuple(levels), sectors, model.start.is_diagonal)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of sectors between which the density matrix has entries."""
        count = range(len(self.sectors))
        if self.is_diagonal:
            return [(i, i) for i in count]
        return [(i, j) for i in count for j in count]

    def begin(self, energies: Float[Array, " d"]) -> "Segment":
        """The start, under constant energies of the system from time 0 on."""
        amplitudes = [jnp.eye(s.size)[:, s.columns] for s in self.sectors]
        return Segment(self, energies, tuple(amplitudes), jnp.zeros(()), jnp.zeros(()))

    def weighted(self, one: int, other: int, amplitudes: Array) -> Array:
        """X C, C the start between the columns of two sectors."""
        a, b = self.sectors[one], self.sectors[other]
        i, j = a.columns, b.columns
        if self.is_diagonal:
            return amplitudes * self.start[(a.level[i], *(p[i] for p in a.place))]
        same = a.bath_state[i][:, None] == b.bath_state[j][None, :]
        place = [p[i][:, None] for p in a.place]
        between = self.start[(a.level[i][:, None], b.level[j][None, :], *place)]
        return amplitudes @ jnp.where(same, between, 0.0)

    def joint_entropy(self) -> Array:
        """Von Neumann entropy of everything: conserved."""
        if self.is_diagonal:
            return shannon(self.start)
        flat = self.start.reshape(*self.start.shape[:2], -1)
        return jnp.sum(jax.vmap(von_neumann, in_axes=-1)(flat))

    def overlaps(self, one: int, other: int) -> list[tuple[int, int, slice, slice]]:
        """Rows and columns that hold coherences between levels k < k' of two sectors."""
        right = self.sectors[other].spans
        return [
            (block[0], k, span, right[(k, *block[1:])])
            for block, span in self.sectors[one].spans.items()
            for k in range(block[0] + 1, self.sectors[one].shape[0])
            if (k, *block[1:]) in right
        ]


class Segment(eqx.Module):
    """A stretch of time with constant energies of the system.

    `amplitudes`: X of each sector at time `begin`; `work`: done on the system until then.
    """

    setting: WindowHamiltonian
    energies: Float[Array, " d"]
    amplitudes: tuple[Inexact[Array, "_ columns"], ...]
    begin: Float[Array, ""]
    work: Float[Array, ""]

    @property
    def hamiltonians(self) -> tuple[Inexact[Array, "_ _"], ...]:
        """H of each sector."""
        setting = self.setting
        return tuple(
            h + jnp.diag(self.energies[sector.level])
            for h, sector in zip(setting.coupled, setting.sectors, strict=True)
        )

    def spectra(self) -> list[Spectrum]:
        """Eigenvalues and eigenvectors of the Hamiltonians, as constants."""
        return vmap_by_shape(eigh, self.hamiltonians)

    def at(self, time: Array, spectra: list[Spectrum]) -> tuple[Array, ...]:
        """X of each sector at a later time."""
        return self.evolved(time - self.begin, self.amplitudes, spectra)

    def evolved(
        self, duration: Array, amplitudes: tuple[Array, ...], spectra: list[Spectrum]
    ) -> tuple[Array, ...]:
        r"""$e^{-iH\tau}X$ of each sector."""
        flow = Exponential(-1j * duration)

        def one(h: Array, x: Array, spectrum: Spectrum) -> Array:
            return matfn_times(flow, h, x, spectrum=spectrum)

        return tuple(vmap_by_shape(one, self.hamiltonians, amplitudes, spectra))

    def observe(self, amplitudes: tuple[Array, ...]) -> Observables:
        """All that is asked for of one state."""
        setting, d = self.setting, self.energies.shape[0]
        sectors = setting.sectors
        joint = jnp.zeros(sectors[0].shape)
        flow, coherence = joint, jnp.zeros((d, d), jnp.complex128)
        energy, interaction = jnp.zeros(len(setting.levels)), jnp.zeros(())
        for one, other in setting.pairs:
            left, right = amplitudes[one], amplitudes[other]
            weighted = setting.weighted(one, other, left)
            for k, q, rows, columns in setting.overlaps(one, other):
                overlap = jnp.sum(weighted[rows] * right[columns].conj())
                coherence = coherence.at[k, q].add(overlap)
            if one != other:
                continue
            sector, h = sectors[one], self.hamiltonians[one]
            populations = jnp.sum((weighted * left.conj()).real, axis=1)
            moved = jnp.sum((h @ weighted) * left.conj(), axis=1)  # the diagonal of H rho
            for block, span in sector.spans.items():
                joint = joint.at[block].set(jnp.sum(populations[span]))
                flow = flow.at[block].set(2.0 * jnp.sum(moved[span].imag))
            bare = self.energies[sector.level]
            for number, levels in enumerate(setting.levels):
                of_bath = levels[sector.place[number]]
                energy = energy.at[number].add(populations @ of_bath)
                bare = bare + of_bath
            interaction = interaction + jnp.sum(moved.real) - populations @ bare
        return Observables(joint, flow, density_matrix(joint, coherence), energy, interaction)

    def populations(self, amplitudes: tuple[Array, ...]) -> Float[Array, " d"]:
        """Populations of the system's levels."""
        return marginal(self.observe(amplitudes).joint, 0)

    def jump(
        self, time: Array, energies: Float[Array, " d"], amplitudes: tuple[Array, ...]
    ) -> "Segment":
        """The next stretch, with other energies from `time` on; the jump does work."""
        work = self.work + (energies - self.energies) @ self.populations(amplitudes)
        return Segment(self.setting, energies, amplitudes, time, work)

    def kets(self, amplitudes: tuple[Array, ...]) -> tuple[Array, Array]:
        """X and X C of all sectors together, shape (d, levels of each bath, columns)."""
        setting, sectors = self.setting, self.setting.sectors
        shape = (self.energies.shape[0], *(len(levels) for levels in setting.levels))
        ends = np.cumsum([0, *(x.shape[1] for x in amplitudes)])
        ket = jnp.zeros((*shape, int(ends[-1])), jnp.complex128)
        weighted = ket
        for i, (sector, x) in enumerate(zip(sectors, amplitudes, strict=True)):
            rows = (sector.level, *sector.place)
            ket = ket.at[(*rows, slice(ends[i], ends[i + 1]))].set(x)
        for i, j in setting.pairs:
            rows = (sectors[i].level, *sectors[i].place)
            part = setting.weighted(i, j, amplitudes[i])
            weighted = weighted.at[(*rows, slice(ends[j], ends[j + 1]))].set(part)
        return ket, weighted


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


def density_matrix(joint: Array, coherence: Array) -> Array:
    """The system's, from populations and what is above its diagonal."""
    return coherence + coherence.conj().T + jnp.diag(marginal(joint, 0))
