"""Entropies and divergences: arrays in, numbers (in nats) out.

Safe at the edges: probabilities 0 and occupations 0 and 1 give the right value and a finite
gradient (slopes are clipped at rounding level, |ln| <= 37).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax._precision import EPS
from entropax._tolerances import ROUNDED_ONCE
from entropax.linalg import (
    BinaryEntropy,
    Logarithm,
    ShannonTerm,
    Spectrum,
    matfn,
    modes,
    trace_fn,
    with_slope_of,
)


def binary_entropy(occupation: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """s(n) = -n ln n - (1-n) ln(1-n), elementwise: the entropy of a fermionic mode.

    >>> float(binary_entropy(jnp.array(0.5)))
    0.6931471805599453
    """
    return BinaryEntropy()(occupation)


def gaussian_entropy(correlation: Inexact[Array, "n n"]) -> Float[Array, ""]:
    r"""Von Neumann entropy $\sum_a s(\lambda_a)$ of a fermionic Gaussian state (Usui Eq. 21).

    `correlation`: C_ij = <c_i^dag c_j> of the sites concerned; $\lambda_a$ are its eigenvalues.
    Cost: one Hermitian eigenproblem. Differentiable twice, at degenerate, empty, filled and pure
    states too.
    """
    if correlation.shape[0] == 1:
        return binary_entropy(correlation[0, 0].real)
    return trace_fn(BinaryEntropy(), correlation)


def shannon(probabilities: Float[Array, "*shape"]) -> Float[Array, ""]:
    """H(p) = -sum p ln p over all entries."""
    return jnp.sum(ShannonTerm()(probabilities))


def von_neumann(
    state: Inexact[Array, "d d"], *, spectrum: Spectrum | None = None
) -> Float[Array, ""]:
    """S(rho) = -tr rho ln rho of a density matrix; `spectrum`: its `linalg.eigh`, where known."""
    return trace_fn(ShannonTerm(), state, spectrum=spectrum)


def relative_entropy(
    state: Inexact[Array, "d d"], reference: Inexact[Array, "d d"]
) -> Float[Array, ""]:
    """D[rho || sigma] = tr rho (ln rho - ln sigma) >= 0.

    +inf where `state` has weight (above 1e-14) outside the support of `reference`: where its
    eigenvalues are at the rounding level of the largest, or, where it is diagonal, zero. A cold
    Gibbs state is to be given in the basis of its energies, so that its small populations are not
    lost in rounding.
    """
    values, vectors = jnp.linalg.eigh(reference)
    weight = jnp.sum(vectors.conj() * (state @ vectors), axis=0).real
    absent = values <= values.shape[0] * EPS * jnp.max(values)
    cross = jnp.sum(matfn(Logarithm(), reference).conj() * state).real
    # populations p and q of what is diagonal have no rounding
    p, q = jnp.diagonal(state).real, jnp.diagonal(reference).real
    is_diagonal = jnp.all(reference == jnp.diag(jnp.diagonal(reference)))
    log = jnp.log(jnp.asarray(jnp.where(q > 0, q, 1.0)))
    weight, absent = jax.tree.map(
        lambda x, y: jnp.where(is_diagonal, x, y), (p, q <= 0), (weight, absent)
    )
    # elements off the diagonal move it all the same
    held = jax.lax.stop_gradient
    aside = reference + jnp.diag(held(q) - q)
    moved = jnp.sum(matfn(Logarithm(), aside).conj() * held(state)).real
    cross = jnp.asarray(jnp.where(is_diagonal, with_slope_of(log @ p, log @ p + moved), cross))
    outside = jnp.sum(jnp.asarray(jnp.where(absent, weight, 0.0))) > ROUNDED_ONCE
    return jnp.where(outside, jnp.inf, -von_neumann(state) - cross)


def binary_relative_entropy(
    occupation: Float[Array, "*shape"], log_odds: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    r"""D[n || n'] of two fermionic modes, the second given by $x = \ln[(1-n')/n']$, elementwise.

    $D = -s(n) + n \ln(1+e^{x}) + (1-n) \ln(1+e^{-x})$, exact however close n' is to 0 or 1;
    x = +inf is an empty reference mode, -inf a filled one; D is +inf where n has weight (above
    1e-14) that such a reference lacks. Occupations outside [0, 1] count as 0 or 1.
    """
    shares = jnp.stack([occupation, 1.0 - occupation])
    both = _times_softplus(shares, jnp.stack([log_odds, -log_odds]))
    return jnp.sum(both, axis=0) - binary_entropy(occupation)


def _times_softplus(n: Array, x: Array) -> Array:
    finite = ~jnp.isinf(x)
    n = n - jax.lax.stop_gradient(jnp.minimum(n, 0.0))  # rounding below 0, which x may magnify
    value = n * jnp.logaddexp(0.0, jnp.where(finite, x, 0.0))
    return jnp.where(finite, value, jnp.where((x > 0) & (n > ROUNDED_ONCE), jnp.inf, 0.0))


def mutual_information(joint: Float[Array, "a b"]) -> Float[Array, ""]:
    """I = H(a) + H(b) - H(ab) >= 0 of a joint probability table."""
    return shannon(joint.sum(0)) + shannon(joint.sum(1)) - shannon(joint)


def marginal(joint: Float[Array, "..."], axis: int) -> Float[Array, " outcomes"]:
    """The distribution along one axis."""
    return jnp.sum(joint, axis=tuple(a for a in range(joint.ndim) if a != axis))


def total_correlation(joint: Float[Array, "..."]) -> Float[Array, ""]:
    """sum_i H(i) - H >= 0 of a joint probability table of any number of axes (Strasberg Eq. 37)."""
    alone = [shannon(marginal(joint, axis)) for axis in range(joint.ndim)]
    return sum(alone, -shannon(joint))


def observational(
    probabilities: Float[Array, "..."], volumes: Sequence[Float[Array, " _"]]
) -> Float[Array, ""]:
    r"""$S_{obs} = \sum p\,(-\ln p + \ln V)$, $V = V_1 V_2 \cdots$ (Strasberg Eqs. 9, 34).

    `volumes`: one array for each of the last axes of `probabilities`; axes before have volume 1.

    >>> float(observational(jnp.array([0.25, 0.75]), [jnp.array([1.0, 3.0])]))  # ln 4
    1.3862943611198906
    """
    total = shannon(probabilities)
    ndim = probabilities.ndim
    for axis, volume in zip(range(ndim - len(volumes), ndim), volumes, strict=True):
        empty = volume <= 0
        total = total + marginal(probabilities, axis) @ jnp.where(
            empty, 0.0, jnp.log(jnp.where(empty, 1.0, volume))
        )
    return total


class CoarseGraining(NamedTuple):
    r"""A bath's state $\rho_B$ under a measurement of its window (Strasberg Eq. 12).

    `entropy`: $S[\rho_B]$; `dephased_entropy`: $S[\sum_E \Pi_E\rho_B\Pi_E]$; `ignorance`:
    $\sum_E p_E D[\rho_B(E)\|\rho_{mic}(E)] \ge 0$, what is not known of the microstate.
    """

    entropy: Float[Array, "*batch"]
    dephased_entropy: Float[Array, "*batch"]
    ignorance: Float[Array, "*batch"]


def coarse_graining(
    state: Inexact[Array, "levels levels"], members: Float[Array, "levels windows"]
) -> CoarseGraining:
    r"""The entropies of a bath's state; `members` is 1 where a level is in a window, else 0.

    By Eq. 12 the ignorance is $S_{obs}$ of the bath less the dephased entropy. Cost: two
    eigenproblems of the bath's size.
    """
    dephased = von_neumann(state * (members @ members.T))
    weight = jnp.diagonal(state).real @ members
    observational_entropy = observational(weight, [jnp.sum(members, axis=0)])
    return CoarseGraining(von_neumann(state), dephased, observational_entropy - dephased)


class ObservationalTerms(NamedTuple):
    r"""The terms of $S_{obs}$ less the von Neumann entropy of everything (Strasberg Eqs. 22, 39).

    All are non-negative. `system_coherence`: $S_{Sh}(p_s) - S[\rho_S]$; of each bath
    `bath_coherence`: $S[\sum_E\Pi_E\rho_B\Pi_E] - S[\rho_B]$, and `ignorance`:
    $\sum_E p_E D[\rho_B(E)\|\rho_{mic}(E)]$; `correlation`: $I_{cor}[\rho]$ less
    `coarse_correlation`, $I_{cor}[p_{sE}]$.
    """

    system_coherence: Float[Array, "*batch"]
    bath_coherence: Float[Array, "*batch baths"]
    ignorance: Float[Array, "*batch baths"]
    correlation: Float[Array, "*batch"]
    coarse_correlation: Float[Array, "*batch"]

    @property
    def total(self) -> Float[Array, "*batch"]:
        """The sum of all terms, `coarse_correlation` subtracted."""
        baths = jnp.sum(self.bath_coherence + self.ignorance, axis=-1)
        return self.system_coherence + baths + self.correlation - self.coarse_correlation


def observe(
    conditional: Inexact[Array, "d d ..."],
    baths: Sequence[Inexact[Array, "_ _"]],
    joint_entropy: Float[Array, ""],
    members: Sequence[Float[Array, "_ _"]],
    basis: Inexact[Array, "d d"] | None = None,
) -> tuple[Float[Array, "d ..."], ObservationalTerms, Float[Array, " baths"]]:
    r"""Measure system and windows: outcomes $p_{sE_1E_2\dots}$, terms of $S_{obs}$, $S[\rho_B]$.

    **Arguments:**

    - `conditional`: $\langle i|\rho|i\rangle$, the system's state (d, d) beside each level i of
      the baths, one axis a bath.
    - `baths`: the reduced state of each bath, between its levels.
    - `joint_entropy`: von Neumann entropy of everything.
    - `members`: for each bath, 1 where a level is in a window, else 0. An array: a scan over
      widths with equally many windows is a `vmap`.
    - `basis`: the vectors $|s\rangle$ as columns; None for the eigenbasis of $\rho_S$.

    $S_{obs}$ is `observational` of the outcomes and the sums of `members`; it exceeds
    `joint_entropy` by `ObservationalTerms.total` (Strasberg Eqs. 22, 39).
    """
    system = jnp.sum(conditional, axis=tuple(range(2, conditional.ndim)))
    vectors = modes(system)[1] if basis is None else basis
    outcomes = jnp.einsum("ks,kq...,qs->s...", vectors.conj(), conditional, vectors).real
    for axis, windows in enumerate(members, start=1):
        outcomes = jnp.moveaxis(jnp.tensordot(outcomes, windows, axes=(axis, 0)), -1, axis)
    system_entropy = von_neumann(system)
    each = [coarse_graining(state, m) for state, m in zip(baths, members, strict=True)]
    of_baths = jax.tree.map(lambda *x: jnp.stack(x), *each)
    populations = marginal(outcomes, 0)
    terms = ObservationalTerms(
        system_coherence=shannon(populations) - system_entropy,
        bath_coherence=of_baths.dephased_entropy - of_baths.entropy,
        ignorance=of_baths.ignorance,
        correlation=system_entropy + jnp.sum(of_baths.entropy) - joint_entropy,
        coarse_correlation=total_correlation(outcomes),
    )
    return outcomes, terms, of_baths.entropy
