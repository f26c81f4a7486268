r"""Entropies of matrices that nearly commute with a diagonal one, in O(n^2) and without the matrix.

A Hermitian C with $\epsilon_j C_{jk} - C_{jk}\epsilon_k = (G S G^\dagger)_{jk}$ is known from its
diagonal and the few columns of G, and so are all Schur complements that Gaussian elimination leaves
(Gohberg, Kailath and Olshevsky 1995): $\ln\det(x+C)$ costs O(n^2). With
$y = x + 1/2$, $\delta = \lambda - 1/2$ and both ends of [0, 1] together,

$$ s(\lambda) = \ln 2 - 2\delta^2 + \int_0^\infty \Big[\ln\frac{(x+\lambda)(x+1-\lambda)}{y^2}
   + \frac{\delta^2}{y^2}\Big] dx , $$

whose integrand falls like $x \ln x$ and $x^{-4}$: in $\ln x = u_0 + a\sinh v$ the trapezoidal rule
converges exponentially, uniformly in $\lambda$.

Pivots are the largest remaining diagonal entries: in any other order small shifts lose all digits.
With them an error of $\ln\det$ is about rounding over x, and harmless under the weight x.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from entropax._crossovers import EIGENVALUES_OF_A_LEAD
from entropax.linalg.masked import masked_inverse
from entropax.linalg.matrix_functions import trace_fn
from entropax.linalg.spectral_functions import BinaryEntropy

_FLOOR = 1e-13
"""The value of its largest diagonal entry below which a remainder is nothing but rounding."""

_ROWS = 32
"""The number of rows in which the diagonal is laid out: the search for a pivot is vectorised."""

_TOGETHER = 11
"""The number of shifts handled at once, for both ends: all cores of a CPU are busy then."""

_LEAST = 64
"""The size of a remainder up to which its eliminated rows stay in the arrays."""


class Displaced(eqx.Module):
    r"""C with entries `diagonal` and, off it, $(G S G^\dagger)_{jk}/(\epsilon_j-\epsilon_k)$.

    `generators`: the columns of G as $(q, x, t, p)$, for
    $q_j x_k^* - x_j q_k^* - t_j p_k^* + p_j t_k^*$, zero for j = k. Energies must differ.
    """

    energies: Float[Array, " n"]
    diagonal: Float[Array, " n"]
    generators: Complex[Array, "4 n"]

    def matrix(self) -> Complex[Array, "n n"]:
        """The matrix itself, O(n^2) numbers."""
        off_diagonal = jax.vmap(self.row)(self.energies, self.generators.T)
        diagonal = jnp.eye(self.energies.shape[0], dtype=bool)
        return jnp.asarray(jnp.where(diagonal, self.diagonal[None, :], off_diagonal))

    def row(
        self, energy: Float[Array, ""], generators: Complex[Array, "4"]
    ) -> Complex[Array, " n"]:
        """The row of a mode, 0 on the diagonal."""
        (q, x, t, p), (qs, xs, ts, ps) = generators, self.generators.conj()
        gaps = energy - self.energies
        return (q * xs - x * qs - t * ps + p * ts) * masked_inverse(gaps, gaps != 0)


def displaced_entropy(c: Displaced, *, dense: int | None = None) -> Float[Array, ""]:
    r"""$\mathrm{tr}\, s(C)$, s the binary entropy, of C with eigenvalues in [0, 1].

    Above the size `dense` by elimination: O(n^2) operations at 88 shifts, O(n) numbers, right to
    1.5e-13 n (typically half of it). Derivatives are those of the dense matrix, O(n^3).
    """
    if c.energies.shape[0] <= (EIGENVALUES_OF_A_LEAD.here if dense is None else dense):
        return trace_fn(BinaryEntropy(), c.matrix())
    return _by_elimination(c)


@eqx.filter_custom_jvp
def _by_elimination(c: Displaced) -> Array:
    n = c.energies.shape[0]
    shifts, weights = _quadrature()
    squares = _distance_from_half(c)

    ends = jax.tree.map(lambda *x: jnp.stack(x), c, _complement(c))

    def bracket(shift: Array) -> Array:
        both = jax.vmap(lambda end: log_determinant(end, shift))(ends)
        return jnp.sum(both) + squares / (shift + 0.5) ** 2

    brackets = jax.lax.map(bracket, shifts, batch_size=_TOGETHER)
    return n * jnp.log(2.0) - 2.0 * squares + weights @ brackets


@_by_elimination.def_jvp
def _by_elimination_jvp(primals, tangents):
    # value and derivative share one eigenproblem
    return eqx.filter_jvp(lambda c: trace_fn(BinaryEntropy(), c.matrix()), primals, tangents)


def log_determinant(c: Displaced, shift: Float[Array, ""]) -> Float[Array, ""]:
    r"""$\ln\det[(x + C)/y]$, $y = x + 1/2$, of C with eigenvalues in [0, 1], by elimination.

    Half of the remaining rows is eliminated and dropped from the arrays, again and again: later
    steps touch shorter arrays.
    """
    y = shift + 0.5
    generators = jnp.concatenate([c.generators.real, c.generators.imag]) / jnp.sqrt(y)
    left = _Left(c.energies, (c.diagonal - 0.5) / y, generators, jnp.zeros(()))
    least = jnp.maximum(-0.5 / y, 1e-15 - 1.0)
    while (size := left.energies.shape[0]) > _LEAST:
        left = _eliminate(left, least, size // 2)
        kept = jnp.argsort(-left.excess)[: size - size // 2]
        left = _Left(left.energies[kept], left.excess[kept], left.generators[:, kept], left.log_det)
    return _eliminate(left, least, size).log_det


class _Left(NamedTuple):
    """A Schur complement. `excess`: its diagonal less 1, whose digits large shifts need; rows that
    have been eliminated have minus infinity there, and infinite energy. `generators`: real and
    imaginary parts; `log_det`: the sum of the logarithms of pivots so far.
    """

    energies: Float[Array, " n"]
    excess: Float[Array, " n"]
    generators: Float[Array, "8 n"]
    log_det: Float[Array, ""]


def _eliminate(left: _Left, least: Array, count: int) -> _Left:
    """The Schur complement after `count` more steps; excess is below `least` by rounding alone."""
    size = left.energies.shape[0]
    fill = -size % _ROWS
    padded = _Left(
        jnp.pad(left.energies, (0, fill), constant_values=jnp.inf),
        jnp.pad(left.excess, (0, fill), constant_values=-jnp.inf),
        jnp.pad(left.generators, ((0, 0), (0, fill))),
        left.log_det,
    )

    def step(_: Array, remainder: _Left) -> _Left:
        table = remainder.excess.reshape(_ROWS, -1)
        column = jnp.argmax(jnp.max(table, axis=0))
        place = jnp.argmax(table[:, column]) * table.shape[1] + column
        excess = jnp.maximum(remainder.excess[place], least)
        pivot = 1.0 + excess
        energies = remainder.energies.at[place].set(jnp.inf)
        q, x, t, p = (jax.lax.complex(*z) for z in remainder.generators[:, place].reshape(2, 4).T)
        # S G_p^dagger, then the column of the pivot, (G S G_p^dagger) / (energy - the pivot's)
        a = jnp.stack([x, -q, -p, t]).conj()
        by = jnp.append(a.real, -a.imag), jnp.append(a.imag, a.real)
        column = jnp.stack([_weighted(part, remainder.generators) for part in by])
        column = column / (energies - remainder.energies[place])
        # a remainder of rounding alone is taken as diagonal: eliminated, it would grow
        column = jnp.where(pivot > _FLOOR, column, 0.0)
        column = jnp.asarray(jax.lax.optimization_barrier(column))  # once, not in each use of it
        g = jnp.stack([q, x, t, p]) / pivot
        back = jnp.append(g.real, g.imag), jnp.append(-g.imag, g.real)
        taken = back[0][:, None] * column[0] + back[1][:, None] * column[1]
        generators = remainder.generators - taken
        rest = remainder.excess - (column[0] ** 2 + column[1] ** 2) / pivot
        rest = rest.at[place].set(-jnp.inf)
        return _Left(energies, rest, generators, remainder.log_det + jnp.log1p(excess))

    done = jax.lax.fori_loop(0, count, step, padded)
    return _Left(done.energies[:size], done.excess[:size], done.generators[:, :size], done.log_det)


def _weighted(weights: Array, rows: Array) -> Array:
    """`weights @ rows`; of so few rows, products and sums are faster than a matrix product."""
    return sum((w * row for w, row in zip(weights, rows, strict=True)), jnp.zeros(()))


def _complement(c: Displaced) -> Displaced:
    """1 - C."""
    signs = jnp.array([1.0, -1.0, -1.0, 1.0])[:, None]
    return Displaced(c.energies, 1.0 - c.diagonal, c.generators * signs)


def _distance_from_half(c: Displaced) -> Array:
    """tr (C - 1/2)^2, row by row."""

    def squares(mode: tuple[Array, Array]) -> Array:
        return jnp.sum(jnp.abs(c.row(*mode)) ** 2)

    off_diagonal = jnp.sum(jax.lax.map(squares, (c.energies, c.generators.T)))
    return off_diagonal + jnp.sum((c.diagonal - 0.5) ** 2)


def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """44 shifts and their weights: s to 2e-13 everywhere in [0, 1]."""
    middle, scale, low, high = -2.0, 6.0, -34.0, 8.0
    v = np.linspace(np.arcsinh((low - middle) / scale), np.arcsinh((high - middle) / scale), 44)
    shifts = np.exp(middle + scale * np.sinh(v))
    return shifts, shifts * scale * np.cosh(v) * (v[1] - v[0])
