r"""Determinants of matrices that nearly commute with a diagonal one, in O(n^2) and without them.

A matrix M with $\epsilon_j M_{jk} - M_{jk}\epsilon_k = \sum_r L_{rj} R_{rk}$ is known from the few
rows of L and R wherever $\epsilon_j \ne \epsilon_k$, and so are all Schur complements that Gaussian
elimination leaves (Gohberg, Kailath and Olshevsky 1995). Where energies are equal, as on the
diagonal and between leads with the same modes, entries are kept beside them and eliminated along.

Columns go in their order, and the pivot of each is its largest entry. Complex numbers are kept as
real and imaginary parts: XLA's loops over them are faster.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from entropax.linalg.masked import masked_inverse

_ROWS = 32
"""The number of rows in which a column is laid out: the search for a pivot is vectorised."""

_LEAST = 64
"""The size of a remainder up to which eliminated rows stay in the arrays."""


class CauchyLike(eqx.Module):
    r"""Matrices with entries $\sum_r L_{rj} R_{rk}/(\epsilon_j-\epsilon_k)$ off equal energies;
    there the sum must be zero.

    `columns`: for each row the columns of its energy, its own first, -1 where there are no more;
    `equal`: the entries there. Any leading axes are those of a batch.
    """

    energies: Float[Array, " n"]
    left: Complex[Array, "*batch r n"]
    right: Complex[Array, "*batch r n"]
    equal: Complex[Array, "*batch depth n"]
    columns: Int[Array, "depth n"]

    def matrix(self) -> Complex[Array, "*batch n n"]:
        """The matrices themselves."""
        gaps = self.energies[:, None] - self.energies[None, :]
        n = self.energies.shape[0]
        rows = jnp.arange(n)
        columns = jnp.where(self.columns < 0, n, self.columns)  # beyond: dropped
        is_equal = jnp.zeros(gaps.shape, bool)
        for column in columns:
            is_equal = is_equal.at[rows, column].set(True, mode="drop")
        out = jnp.einsum("...rj,...rk->...jk", self.left, self.right)
        out = out * masked_inverse(gaps, ~is_equal)
        for depth, column in enumerate(columns):
            out = out.at[..., rows, column].set(self.equal[..., depth, :], mode="drop")
        return jnp.asarray(out)


def equal_columns(energies: np.ndarray, tolerance: float) -> np.ndarray:
    """`columns` of a `CauchyLike`: for each row its own column, and those of the same energy."""
    n = energies.shape[0]
    order = np.argsort(energies, kind="stable")
    group = np.zeros(n, int)
    group[order] = np.concatenate([[0], np.cumsum(np.diff(energies[order]) > tolerance)])
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    depth = max(len(m) for m in members)
    columns = np.full((depth, n), -1)
    for member in members:
        for j in member:
            columns[: len(member), j] = [j, *(k for k in member if k != j)]
    return columns


class _Left(NamedTuple):
    """Schur complements: what is left of rows and columns, real parts first.

    `rows`: energies of rows, `alive`: 1 of those that have not been pivots; `place`: the columns of
    the stored entries, counted from the first that is left.
    """

    rows: Float[Array, "b n"]
    alive: Float[Array, "b n"]
    left: Float[Array, "2 b r n"]
    columns: Float[Array, " m"]
    right: Float[Array, "2 b r m"]
    equal: Float[Array, "2 b depth n"]
    place: Int[Array, "b depth n"]
    log_size: Float[Array, " b"]
    angle: Float[Array, " b"]


@eqx.filter_custom_jvp
def log_determinants(matrices: CauchyLike) -> Complex[Array, " batch"]:
    """ln det of each matrix of a batch, its imaginary part modulo 2 pi.

    O(n^2) for each. Derivatives are those of the dense matrices, one after the other: O(n^3).
    """
    batch, _, n = matrices.left.shape
    order = jnp.broadcast_to(matrices.columns, (batch, *matrices.columns.shape))
    remainder = _Left(
        jnp.broadcast_to(matrices.energies, (batch, n)),
        jnp.ones((batch, n)),
        jnp.stack([matrices.left.real, matrices.left.imag]),
        matrices.energies,
        jnp.stack([matrices.right.real, matrices.right.imag]),
        jnp.stack([matrices.equal.real, matrices.equal.imag]),
        order,
        jnp.zeros(batch),
        jnp.zeros(batch),
    )
    while (size := remainder.columns.shape[0]) > _LEAST:
        remainder = _compressed(_eliminate(remainder, size // 2), size // 2)
    remainder = _eliminate(remainder, size)
    return jax.lax.complex(remainder.log_size, remainder.angle)


@log_determinants.def_jvp
def _log_determinants_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    # value and derivative share one factorisation
    return eqx.filter_jvp(_dense_log_determinants, primals, tangents)


def _dense_log_determinants(matrices: CauchyLike) -> Complex[Array, " batch"]:
    def one(parts: tuple[Array, Array, Array]) -> Array:
        return log_determinant_of(CauchyLike(matrices.energies, *parts, matrices.columns).matrix())

    return jax.lax.map(one, (matrices.left, matrices.right, matrices.equal))


def log_determinant_of(matrix: Complex[Array, "n n"]) -> Complex[Array, ""]:
    """ln det of a matrix that is written out."""
    sign, log = jnp.linalg.slogdet(matrix)
    return log + 1j * jnp.angle(sign)


def _compressed(done: _Left, count: int) -> _Left:
    """Without the rows and columns that have been eliminated."""
    size = done.columns.shape[0] - count
    kept = jnp.argsort(-done.alive, axis=-1, stable=True)[:, :size]

    def rows(x: Array) -> Array:
        index = kept.reshape(*[1] * (x.ndim - 3), kept.shape[0], *[1] * (x.ndim > 2), size)
        return jnp.take_along_axis(x, index, axis=-1)

    return _Left(
        rows(done.rows),
        jnp.ones_like(done.alive[:, :size]),
        rows(done.left),
        done.columns[count:],
        done.right[..., count:],
        rows(done.equal),
        rows(done.place) - count,
        done.log_size,
        done.angle,
    )


def _eliminate(remainder: _Left, count: int) -> _Left:
    """The Schur complements after the first `count` columns."""
    n, m = remainder.rows.shape[-1], remainder.columns.shape[0]
    fill = -n % _ROWS
    index = jnp.arange(n)
    numbers = jnp.arange(m)

    def step(k: Array, x: _Left) -> _Left:
        # the column
        of_column = jax.lax.dynamic_index_in_dim(x.right, k, axis=3, keepdims=False)
        gap = x.rows - x.columns[k]
        (cr, ci) = _combined(of_column, x.left)
        inverse = 1.0 / jnp.where(gap == 0.0, 1.0, gap)
        cr, ci = cr * inverse, ci * inverse
        for depth in range(x.place.shape[1]):
            here = x.place[:, depth] == k
            cr = jnp.where(here, x.equal[0, :, depth], cr)
            ci = jnp.where(here, x.equal[1, :, depth], ci)
        cr, ci = jax.lax.optimization_barrier((cr * x.alive, ci * x.alive))
        # its largest entry
        size = jnp.pad(cr * cr + ci * ci - (1.0 - x.alive), ((0, 0), (0, fill)), constant_values=-1)
        table = size.reshape(size.shape[0], _ROWS, -1)
        across = jnp.argmax(jnp.max(table, axis=1), axis=1)
        down = jnp.argmax(jnp.take_along_axis(table, across[:, None, None], axis=2)[..., 0], axis=1)
        pivot = down * table.shape[2] + across

        def at_pivot(rows: Array) -> Array:
            place = pivot.reshape(*[1] * (rows.ndim - 3), -1, *[1] * (rows.ndim > 2), 1)
            return jnp.take_along_axis(rows, place, axis=-1)[..., 0]

        pr, pi = at_pivot(cr), at_pivot(ci)
        scale = pr * pr + pi * pi
        ir, ii = pr / scale, -pi / scale
        # its row, over the pivot
        of_row = at_pivot(x.left)
        energy = at_pivot(x.rows)
        gap = energy[:, None] - x.columns
        rr, ri = _combined(of_row, x.right)
        inverse = 1.0 / jnp.where(gap == 0.0, 1.0, gap)
        rr, ri = rr * inverse, ri * inverse
        stored, places = at_pivot(x.equal), at_pivot(x.place)
        for depth in range(x.place.shape[1]):
            here = numbers == places[:, depth, None]
            rr = jnp.where(here, stored[0, :, depth, None], rr)
            ri = jnp.where(here, stored[1, :, depth, None], ri)
        rr, ri = rr * ir[:, None] - ri * ii[:, None], rr * ii[:, None] + ri * ir[:, None]
        rr, ri = jax.lax.optimization_barrier((rr, ri))
        qr, qi = cr * ir[:, None] - ci * ii[:, None], cr * ii[:, None] + ci * ir[:, None]
        qr, qi = jax.lax.optimization_barrier((qr, qi))
        left = x.left - _outer(of_row, qr, qi)
        right = x.right - _outer(of_column, rr, ri)
        er, ei = [], []
        for depth in range(x.place.shape[1]):
            at = jnp.clip(x.place[:, depth], 0, m - 1)
            sr, si = (jnp.take_along_axis(z, at, axis=1) for z in (rr, ri))
            er.append(x.equal[0, :, depth] - (cr * sr - ci * si))
            ei.append(x.equal[1, :, depth] - (cr * si + ci * sr))
        equal = jnp.stack([jnp.stack(er, 1), jnp.stack(ei, 1)])
        is_pivot = index == pivot[:, None]
        before = jnp.sum(jnp.where(index < pivot[:, None], x.alive, 0.0), axis=1)
        return _Left(
            x.rows,
            jnp.where(is_pivot, 0.0, x.alive),
            left,
            x.columns,
            right,
            equal,
            x.place,
            x.log_size + 0.5 * jnp.log(scale),
            x.angle + jnp.arctan2(pi, pr) + jnp.pi * before,
        )

    return jax.lax.fori_loop(0, count, step, remainder)


def _combined(weights: Float[Array, "2 b r"], rows: Float[Array, "2 b r n"]) -> tuple[Array, Array]:
    """Sums of complex rows with complex weights."""
    (wr, wi), (xr, xi) = weights[..., None], rows
    zero = jnp.zeros(())
    each = range(weights.shape[-1])
    real = sum((wr[:, r] * xr[:, r] - wi[:, r] * xi[:, r] for r in each), zero)
    return real, sum((wr[:, r] * xi[:, r] + wi[:, r] * xr[:, r] for r in each), zero)


def _outer(weights: Float[Array, "2 b r"], real: Array, imaginary: Array) -> Array:
    wr, wi = weights[..., None]
    a, b = real[:, None], imaginary[:, None]
    return jnp.stack([wr * a - wi * b, wr * b + wi * a])
