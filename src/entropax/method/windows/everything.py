r"""System and baths as one tensor, on which H acts factor by factor.

No matrix over everything is made: a product with $S\otimes B$ costs as many operations as the
tensor has entries, times the levels of that bath. Axes are each bath, the system, real and
imaginary part, and the columns of `Filled`: real factors act on real numbers alone.
"""

from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, PRNGKeyArray

from entropax.entropy import shannon, von_neumann
from entropax.equilibrium import expectation
from entropax.linalg.chebyshev import times_i
from entropax.method.windows.hamiltonian import Controls, Drawn, switched_couplings
from entropax.method.windows.propagation import Observables
from entropax.method.windows.sectors import Sector
from entropax.model.views import WindowSystem, window_links

_SMALL = 4
"""Rows of a matrix that is summed over entry by entry: a product of matrices would read and write
more than it computes."""


class Filled(NamedTuple):
    r"""The start $X C X^\dagger$. `weights`: C, of columns that nothing links its diagonal alone;
    or, for each state of the baths, a block between the levels of the system.
    """

    columns: Inexact[Array, "*levels d columns"]
    weights: Inexact[Array, "..."]

    @classmethod
    def of(
        cls,
        model: WindowSystem,
        levels: tuple[Float[Array, " _"], ...],
        sectors: tuple[Sector, ...],
        keys: list[PRNGKeyArray | None],
    ) -> Self:
        """The start of a model; `sectors` know which states it fills."""
        start = model.start
        if not start.is_incoherent:
            columns, weights = start.kets(model, levels, keys)
            return cls(jnp.moveaxis(columns, 0, -2), weights)
        state = start.on_levels(model, levels)
        shape = (model.levels, *(len(e) for e in levels))
        filled = np.zeros(shape, bool)
        for sector in sectors:
            columns = sector.columns
            filled[(sector.level[columns], *(p[columns] for p in sector.place))] = True
        if start.is_diagonal:
            place = np.nonzero(filled)
            weights = state[place]
        else:
            beside = np.nonzero(np.any(filled, axis=0))
            weights = jnp.moveaxis(state[(slice(None), slice(None), *beside)], -1, 0)
            level = np.tile(np.arange(shape[0]), len(beside[0]))
            place = (level, *(np.repeat(p, shape[0]) for p in beside))
        number = np.arange(len(place[0]))
        columns = jnp.zeros((*shape[1:], shape[0], len(number)))
        level, *beside = place
        return cls(columns.at[(*beside, level, number)].set(1.0), weights)

    def weighted(self, x: Float[Array, "*levels d 2 columns"]) -> Float[Array, "..."]:
        """X C."""
        if self.weights.ndim == 1:
            return x * self.weights
        z = as_complex(x)
        if self.weights.ndim == 2:
            return as_parts(z @ self.weights)
        count, d, _ = self.weights.shape
        blocks = jnp.einsum("...ik,ikq->...iq", z.reshape(*z.shape[:-1], count, d), self.weights)
        return as_parts(blocks.reshape(z.shape))

    def entropy(self) -> Array:
        """Von Neumann entropy of everything: conserved."""
        if self.weights.ndim == 1:
            return shannon(self.weights)
        if self.weights.ndim == 2:
            return von_neumann(self.weights)
        return jnp.sum(jax.vmap(von_neumann)(self.weights))


class Everything(eqx.Module):
    """A model's draw as factors. `strengths`: of couplings that are not driven, 0 of others;
    `norms`: of each coupling at strength 1.
    """

    drawn: Drawn
    start: Filled
    strengths: Float[Array, " couplings"]
    norms: Float[Array, " couplings"]
    volumes: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    numbers: tuple[int, ...] = eqx.field(static=True)
    switched: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def draw(
        cls, model: WindowSystem, sectors: tuple[Sector, ...], key: PRNGKeyArray | None
    ) -> Self:
        drawn, links = Drawn.of(model, key), window_links(model)
        switched = switched_couplings(model)
        fixed = [
            jnp.zeros(()) if index in switched else link.strength
            for index, link in enumerate(links)
        ]
        norms = [
            _norm(operator) * _norm(matrix)
            for operator, matrix in zip(drawn.operators, drawn.matrices, strict=True)
        ]
        return cls(
            drawn,
            Filled.of(model, drawn.levels, sectors, drawn.keys),
            jnp.stack(fixed),
            jnp.stack(norms),
            volumes=tuple(bath.volumes for bath in model.baths),
            numbers=tuple(link.number for link in links),
            switched=switched,
        )

    def begin(self) -> Float[Array, "*levels d 2 columns"]:
        """X at time 0."""
        return as_parts(self.start.columns)

    def couplings(self, controls: Controls) -> Float[Array, " couplings"]:
        """The strengths of all couplings."""
        if not self.switched:
            return self.strengths
        return self.strengths.at[np.array(self.switched)].set(controls.strengths)

    def times(self, controls: Controls, x: Array, middle: Array | float = 0.0) -> Array:
        """(H - middle) X; energies are taken from there before they are multiplied."""
        y = self._bare(controls, x, middle) * x
        if controls.system.ndim == 2:
            y = y + _on_axis(_off_diagonal(controls.system), x, x.ndim - 3)
        for index, strength in enumerate(self.couplings(controls)):
            y = y + strength * self.coupled(index, x)
        return y

    def coupled(self, index: int, x: Array) -> Array:
        """S X B of a coupling, at strength 1."""
        moved = _on_axis(self.drawn.matrices[index], x, self.numbers[index])
        return _on_axis(self.drawn.operators[index], moved, x.ndim - 3)

    def span(self, controls: Controls) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The middle of all energies, and how far they may be from it; constants."""
        h = controls.matrix
        bare, around = jnp.diagonal(h).real, jnp.sum(jnp.abs(_off_diagonal(h)), axis=1)
        lowest, highest = jnp.min(bare - around), jnp.max(bare + around)
        for levels in self.drawn.levels:
            lowest, highest = lowest + jnp.min(levels), highest + jnp.max(levels)
        reach = 0.5 * (highest - lowest) + jnp.abs(self.couplings(controls)) @ self.norms
        middle = 0.5 * (highest + lowest)
        return jax.lax.stop_gradient(middle), jax.lax.stop_gradient(reach)

    def reach_under(self, undriven: WindowSystem) -> Float[Array, ""]:
        """How far energies may be from their middle in the undriven model of a time."""
        return self.span(Controls.of(undriven, self.switched))[1]

    def observe(self, controls: Controls, x: Array) -> Observables:
        """All that is asked for of one state."""
        weighted, (middle, _) = self.start.weighted(x), self.span(controls)
        populations = jnp.sum(weighted * x, axis=(-2, -1))
        moved = self.times(controls, weighted, middle)
        bare = jnp.sum(self._bare(controls, x, middle)[..., 0, 0] * populations)
        rate = 2.0 * jnp.sum(moved[..., 1, :] * x[..., 0, :] - moved[..., 0, :] * x[..., 1, :], -1)
        system = self.system(weighted, x)
        energy = []
        for axis, levels in enumerate(self.drawn.levels):
            others = tuple(i for i in range(populations.ndim) if i != axis)
            energy.append(jnp.sum(populations, axis=others) @ levels)
        mixed = expectation(_off_diagonal(controls.matrix), system)
        between = jnp.sum(moved * x) - bare - mixed
        joint, flow = self._of_windows(populations), self._of_windows(rate)
        return Observables(joint, flow, system, jnp.stack(energy), between)

    def system(self, weighted: Array, x: Array) -> Complex[Array, "d d"]:
        """The system's density matrix."""
        d = x.shape[-3]
        left, right = (jnp.moveaxis(y, (-2, -3), (0, 1)).reshape(2, d, -1) for y in (weighted, x))
        real = left[0] @ right[0].T + left[1] @ right[1].T
        return jax.lax.complex(real, left[1] @ right[0].T - left[0] @ right[1].T)

    def forces(self, x: Array) -> tuple[Complex[Array, "d d"], Float[Array, " switched"]]:
        r"""The system's density matrix, and $\langle S_c\otimes B_c\rangle$ of what is driven."""
        weighted = self.start.weighted(x)
        means = [jnp.sum(self.coupled(i, weighted) * x) for i in self.switched]
        return self.system(weighted, x), jnp.stack(means) if means else jnp.zeros(0)

    def _bare(
        self, controls: Controls, x: Array, middle: Array | float
    ) -> Float[Array, "*levels d 1 1"]:
        """Energies of baths and system, without what mixes or couples, over the middle."""
        total = (jnp.diagonal(controls.matrix).real - middle).reshape(-1, 1, 1)
        total = total.reshape((1,) * (x.ndim - 3) + total.shape)
        for axis, levels in enumerate(self.drawn.levels):
            shape = [1] * x.ndim
            shape[axis] = -1
            total = total + levels.reshape(shape)
        return total

    def _of_windows(self, values: Float[Array, "*levels d"]) -> Float[Array, "d *windows"]:
        values = jnp.moveaxis(values, -1, 0)
        for axis, volumes in enumerate(self.volumes, start=1):
            ends = np.cumsum(volumes)[:-1]
            parts = jnp.split(values, ends, axis=axis)
            values = jnp.stack([jnp.sum(part, axis=axis) for part in parts], axis=axis)
        return values


def _off_diagonal(matrix: Inexact[Array, "d d"]) -> Inexact[Array, "d d"]:
    return matrix * (1.0 - jnp.eye(matrix.shape[0]))


def as_parts(z: Inexact[Array, "*shape columns"]) -> Float[Array, "*shape 2 columns"]:
    """Real and imaginary parts, along an axis of their own."""
    return jnp.stack([z.real, jnp.imag(z)], axis=-2)


def as_complex(x: Float[Array, "*shape 2 columns"]) -> Complex[Array, "*shape columns"]:
    """The way back."""
    return jax.lax.complex(x[..., 0, :], x[..., 1, :])


def system_first(x: Float[Array, "*levels d 2 columns"]) -> Complex[Array, "d *levels columns"]:
    """Complex amplitudes with the system along the first axis."""
    return jnp.moveaxis(as_complex(x), -2, 0)


def _on_axis(matrix: Inexact[Array, "n n"], x: Array, axis: int) -> Array:
    """The matrix on an axis."""
    if jnp.iscomplexobj(matrix):
        return _on_axis(matrix.real, x, axis) + times_i(_on_axis(matrix.imag, x, axis))
    if axis == 0:
        return (matrix @ x.reshape(x.shape[0], -1)).reshape(x.shape)
    flat = x.reshape(int(np.prod(x.shape[:axis])), x.shape[axis], -1)
    if matrix.shape[0] <= _SMALL:
        rows = [sum(m * flat[:, q] for q, m in enumerate(row)) for row in matrix]
        return jnp.stack(rows, axis=1).reshape(x.shape)
    return (matrix @ flat).reshape(x.shape)


def _norm(matrix: Inexact[Array, "n n"]) -> Float[Array, ""]:
    values = jnp.linalg.eigvalsh(jax.lax.stop_gradient(matrix))
    return jnp.max(jnp.abs(values), initial=0.0)
