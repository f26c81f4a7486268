r"""Two measurements on free fermions: what is counted, and entropy production, as random variables.

With $A = \sum_i a_i n_i$ measured at the start, which must commute with it, and at time t
(Levitov, Lesovik 1993; Klich 2003),

$$ \langle e^{u(A(t)-A(0))}\rangle = \det[1 - n + n\,e^{-ua}\, U^\dagger e^{ua} U], $$

and, with all occupations measured at both times, $\sigma = \ln p_0 - \ln q$ and q the product with
occupations m,

$$ \langle e^{u\sigma}\rangle = \det[(1-n)^{1+u}\, U^\dagger (1-m)^{-u} U
   + n^{1+u}\, U^\dagger m^{-u} U]. $$

Both are $\det\sum_i b_i U^\dagger g_i U$, and both x are an $a_1$ at the end less an $a_0$ at the
start: their variance is $\mathrm{tr}\,nB(1-n)B$ with $B = U^\dagger a_1 U - a_0$.
"""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact, Int

from entropax._checks import concrete, is_traced
from entropax.counting.blocks import Block, assembled
from entropax.counting.law import AbstractCounting
from entropax.counting.star import Star, Weighted
from entropax.linalg import (
    ArrowheadExponential,
    Exponential,
    log_determinant_of,
    log_determinants,
    matfn,
)
from entropax.state.fermions import Propagator, as_matrix

_ODDS = 37.0
"""The logarithm of the odds of an occupation at rounding level."""

_DIGITS = 30.0
"""The logarithm of how far weights of modes may lie apart: three digits are then left."""

_TOGETHER = 8
"""Values of u whose determinants are found at once."""


class Ends(NamedTuple):
    r"""Vectors or matrices at the ends: n, and of each count $a_0$ and $a_1$."""

    n: Array
    before: Sequence[Array]
    after: Sequence[Array]


class AbstractCounted(eqx.Module):
    """What is measured at both ends. `moment`: what it needs to know of a time."""

    @abc.abstractmethod
    def parts(self, u: Complex[Array, " counts"], moment: Any) -> tuple[Weighted, ...]:
        """The $b_i$ and $g_i$ of the module's head, vectors or matrices."""

    @abc.abstractmethod
    def ends(self, moment: Any) -> Ends:
        """Those of mean and variance."""

    @abc.abstractmethod
    def means(self, ends: Ends, later: Array, moment: Any) -> Float[Array, " counts"]:
        r"""The means; `later`: $U n U^\dagger$."""


class Gained(AbstractCounted):
    r"""$A(t) - A(0)$ of so many counts: by block weights of number and energy, or any matrices.

    `weights`: shape (counts, blocks, 2); `before`: in their place, one vector or matrix a count;
    the moment holds those `after`, None where they are the same.
    """

    start: tuple[Block, ...]
    blocks: tuple[Block, ...]
    weights: Float[Array, "counts blocks 2"] | None
    before: tuple[Inexact[Array, "..."], ...]

    def _tilt(self, u: Complex[Array, " counts"], matrices: Sequence[Array]) -> Array:
        """exp(sum of u times the counted)."""
        if self.weights is not None:
            each = jnp.einsum("c,cbw->bw", u, self.weights)
            return assembled(
                self.blocks, [b.tilted(*w) for b, w in zip(self.blocks, each, strict=True)]
            )
        total = jnp.ones(())
        for x, a in zip(u, matrices, strict=True):
            tilted = jnp.exp(x * a) if a.ndim == 1 else matfn(Exponential(x), a)
            total = tilted if total.ndim == 0 else _product(total, tilted)
        return total

    def parts(self, u: Complex[Array, " counts"], moment: Any) -> tuple[Weighted, ...]:
        n, hole = (self._filled(p, 1.0 - p) for p in (1.0, 0.0))
        after = self.before if moment is None else moment
        first = _product(n, self._tilt(-u, self.before))
        return Weighted(hole + 0j, None), Weighted(first, self._tilt(u, after))

    def _filled(self, p: float, q: float) -> Array:
        return assembled(self.start, [block.occupied(p, q) for block in self.start])

    def _weighed(self) -> list[Array]:
        if self.weights is None:
            return list(self.before)
        return [
            assembled(self.blocks, [b.weighed(*w) for b, w in zip(self.blocks, each, strict=True)])
            for each in self.weights
        ]

    def ends(self, moment: Any) -> Ends:
        before = self._weighed()
        return Ends(self._filled(1.0, 0.0), before, before if moment is None else moment)

    def means(self, ends: Ends, later: Array, moment: Any) -> Float[Array, " counts"]:
        del moment
        pairs = zip(ends.before, ends.after, strict=True)
        return jnp.stack([_trace(a1, later) - _trace(a0, ends.n) for a0, a1 in pairs])


class Produced(AbstractCounted):
    r"""$\sigma = \ln p_0 - \ln q$; the moment is the system's $\langle c_j^\dagger c_i\rangle$.

    `end`: the blocks of q, the system's first, whose filling is that of the moment.
    """

    start: tuple[Block, ...]
    end: tuple[Block, ...]

    def _at(self, moment: Array) -> tuple[Block, ...]:
        system = eqx.tree_at(lambda b: b.filling, self.end[0], moment, is_leaf=_is_none)
        return (system, *self.end[1:])

    def parts(self, u: Complex[Array, " counts"], moment: Any) -> tuple[Weighted, ...]:
        (x,), blocks = u, self._at(moment)
        pairs = []
        for p, q in ((0.0, 1.0), (1.0, 0.0)):
            b = [block.occupied(p * (1.0 + x), q * (1.0 + x)) for block in self.start]
            g = [block.occupied(-p * x, -q * x) for block in blocks]
            pairs.append(Weighted(assembled(self.start, b), assembled(blocks, g)))
        return tuple(pairs)

    def ends(self, moment: Any) -> Ends:
        n = assembled(self.start, [block.occupied(1.0, 0.0) for block in self.start])
        before, after = (
            assembled(blocks, [block.occupied(-1.0, 1.0, is_log=True) for block in blocks])
            for blocks in (self.start, self._at(moment))
        )
        return Ends(n, [before], [after])

    def means(self, ends: Ends, later: Array, moment: Any) -> Float[Array, " counts"]:
        total = jnp.zeros(())
        for blocks, n, sign in ((self.start, ends.n, 1.0), (self._at(moment), later, -1.0)):
            filled, empty = (
                assembled(blocks, [b.occupied(p, 1.0 - p, is_log=True) for b in blocks])
                for p in (1.0, 0.0)
            )
            total = total + sign * (_trace(filled, n) + _trace(empty, _one_less(n)))
        return total[None]


class FermionCounting(AbstractCounting):
    r"""What `counting` returns for free fermions: counts x, one or several.

    `mean`, `variance`, `covariance`, `cumulants(order)`, `generating(u)`, `distribution()`; of
    several counts u is one number for each, along a first axis, and `cumulants`, `distribution`
    are those of one count alone.
    """

    ts: Float[Array, " times"]
    propagators: Propagator
    moments: Any
    counted: AbstractCounted
    level: Float[Array, ""] | None
    """The level of a junction whose U keeps its structure, None where U is written out."""
    columns: Int[Array, "depth sites"] | None
    what: str = eqx.field(static=True)
    counts: int = eqx.field(static=True)
    is_whole: bool = eqx.field(static=True)

    def _each_time(self, function: Any, *more: Array) -> Any:
        """A function of U, of the moment, and of more, at each time."""

        def at(packed: Any) -> Any:
            u, moment, rest = packed
            return function(self._written(u), moment, *rest)

        return jax.lax.map(at, (self.propagators, self.moments, more))

    def _written(self, u: Propagator) -> Star | Complex[Array, "sites sites"]:
        if self.level is None or self.columns is None or not isinstance(u, ArrowheadExponential):
            return as_matrix(u)
        return Star.of(u, self.level, self.columns)

    @property
    def means(self) -> Float[Array, "times counts"]:
        """The mean of each count."""
        return _moments_of(self)[0]

    @property
    def covariance(self) -> Float[Array, "times counts counts"]:
        """Covariances of the counts."""
        return _moments_of(self)[1]

    def mean_and_variance(self) -> tuple[Float[Array, " times"], Float[Array, " times"]]:
        if self.counts > 1:
            raise ValueError(
                "`of` must be one count for this; several have `means`, `covariance`, `generating`."
            )
        means, covariance = _moments_of(self)
        return means[:, 0], covariance[:, 0, 0]

    @property
    def spread(self) -> Float[Array, ""]:
        return _spread(self)

    def logs(self, u: Complex[Array, "points times"]) -> Complex[Array, "points times"]:
        return self.joint_logs(u[:, None, :])

    def joint_logs(
        self, u: Complex[Array, "points counts times"]
    ) -> Complex[Array, "points times"]:
        """The same of several counts."""

        def at(u_matrix: Any, moment: Any, points: Complex[Array, "points counts"]) -> Array:
            def some(chunk: Array) -> Array:
                parts = jax.vmap(lambda x: self.counted.parts(x, moment))(chunk)
                if isinstance(u_matrix, Star):
                    return log_determinants(u_matrix.brackets(parts))
                return jax.vmap(lambda p: log_determinant_of(_bracket(u_matrix, p)))(parts)

            count = points.shape[0]
            size = _TOGETHER if isinstance(u_matrix, Star) else 1
            fill = -count % size
            chunks = jnp.pad(points, ((0, fill), (0, 0)))
            out = jax.lax.map(some, chunks.reshape(-1, size, points.shape[1]))
            return out.reshape(-1)[:count]

        return self._each_time(at, jnp.moveaxis(u, -1, 0)).T

    def _require_digits(self, u: Array) -> None:
        """`ValueError` where rows of the determinant become parallel: weights e^{ua} of modes lie
        further apart than numbers have digits. Of entropy production between -1 and 0 they do not.
        """
        low = -1.0 if isinstance(self.counted, Produced) else 0.0
        beyond = jnp.max(jnp.maximum(u.real, low - u.real), initial=0.0)
        exponent = concrete(jnp.maximum(beyond, 0.0) * self.spread)
        if not is_traced(exponent) and float(exponent) > _DIGITS:
            raise ValueError(
                f"`u` must be smaller in size: weights of modes are e^{float(exponent):.3g} apart, "
                "and no digits of their determinant are left."
            )

    def generating(self, u: Any) -> Any:
        at = jnp.asarray(u)
        if self.counts == 1:
            self._require_digits(at)
            return super().generating(at)
        if at.ndim == 0 or at.shape[0] != self.counts:
            raise ValueError(
                f"`u` must have one entry a count along its first axis ({self.counts}), but has "
                f"shape {at.shape}."
            )
        points = jnp.moveaxis(at.reshape(self.counts, -1), 0, 1)[..., None] + 0j
        points = jnp.broadcast_to(points, (*points.shape[:2], self.ts.shape[0]))
        values = jnp.exp(_joint_logs(self, points)).reshape(*at.shape[1:], self.ts.shape[0])
        return values if jnp.iscomplexobj(at) else values.real


@eqx.filter_jit
def _joint_logs(counting: FermionCounting, u: Array) -> Array:
    return counting.joint_logs(u)


@eqx.filter_jit
def _moments_of(
    counting: FermionCounting,
) -> tuple[Float[Array, "times counts"], Float[Array, "times counts counts"]]:
    """Means and covariances at each time."""
    counted = counting.counted

    def at(u: Any, moment: Any) -> tuple[Array, Array]:
        ends = counted.ends(moment)
        n, hole = ends.n, _one_less(ends.n)
        moved, later = _moved(u, ends)
        b = [_less(q, a0) for q, a0 in zip(moved, ends.before, strict=True)]
        weighted = [_product(_product(n, x), hole) for x in b]
        covariance = jnp.stack([jnp.stack([_real_trace(x, y) for y in b]) for x in weighted])
        return counted.means(ends, later, moment), covariance

    return counting._each_time(at)


@eqx.filter_jit
def _spread(counting: FermionCounting) -> Float[Array, ""]:
    """The largest difference of what two occupied modes count for, at any time."""

    def at(u: Any, moment: Any) -> Array:
        del u
        ends = jax.lax.stop_gradient(counting.counted.ends(moment))
        each = [x if x.ndim == 1 else jnp.linalg.eigvalsh(x) for x in (*ends.before, *ends.after)]
        if isinstance(counting.counted, Produced):  # beyond, nothing is filled or empty
            each = [jnp.clip(x, -_ODDS, _ODDS) for x in each]
        return jnp.max(jnp.concatenate(each)) - jnp.min(jnp.concatenate(each))

    return jnp.max(counting._each_time(at))


def _moved(u: Any, ends: Ends) -> tuple[list[Array], Array]:
    r"""$U^\dagger a_1 U$ of each count, and the diagonal or all of $U n U^\dagger$."""
    if isinstance(u, Star):
        unit = jnp.ones_like(ends.n)[None] + 0j
        moved = [u.brackets((Weighted(unit, a[None] + 0j),)).matrix()[0] for a in ends.after]
        # U is symmetric: the diagonal of U n U^dagger is that of U^dagger n U
        return moved, u.equal(ends.n[None] + 0j)[0, 0].real
    moved = [_sandwich(u, a) for a in ends.after]
    return moved, _sandwich(u.conj().T, ends.n)


def _bracket(u: Complex[Array, "n n"], parts: Sequence[Weighted]) -> Complex[Array, "n n"]:
    total = jnp.zeros(u.shape, complex)
    for b, g in parts:
        if g is None:
            total = total + (b if b.ndim == 2 else jnp.diag(b))
        else:
            total = total + _product(b, _sandwich(u, g))
    return total


def _sandwich(u: Array, x: Array) -> Array:
    r"""$U^\dagger x\,U$."""
    return u.conj().T @ (x[:, None] * u if x.ndim == 1 else x @ u)


def _product(a: Array, b: Array) -> Array:
    """The product of matrices, diagonal ones given as vectors."""
    if a.ndim == 1:
        return a * b if b.ndim == 1 else a[:, None] * b
    return a * b[None, :] if b.ndim == 1 else a @ b


def _one_less(x: Array) -> Array:
    return 1.0 - x if x.ndim == 1 else jnp.eye(x.shape[0]) - x


def _less(a: Array, b: Array) -> Array:
    return a - (jnp.diag(b) if b.ndim == 1 else b)


def _trace(a: Array, b: Array) -> Array:
    """tr a b, of a diagonal b where there is one."""
    if a.ndim == 1:
        return jnp.sum(a * (b if b.ndim == 1 else jnp.diagonal(b).real))
    return _real_trace(a, b if b.ndim == 2 else jnp.diag(b))


def _real_trace(a: Array, b: Array) -> Array:
    return jnp.sum(a * b.T).real


def _is_none(x: Any) -> bool:
    return x is None
