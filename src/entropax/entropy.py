"""Entropies and divergences: arrays in, numbers (in nats) out.

Safe at the edges: probabilities 0 and occupations 0 and 1 give the right value and a finite
gradient (slopes are clipped at rounding level, |ln| <= 37).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.linalg import BinaryEntropy, Logarithm, ShannonTerm, matfn, trace_fn

_NEGLIGIBLE = 1e-14


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


def von_neumann(state: Inexact[Array, "d d"]) -> Float[Array, ""]:
    """S(rho) = -tr rho ln rho of a density matrix."""
    return trace_fn(ShannonTerm(), state)


def relative_entropy(
    state: Inexact[Array, "d d"], reference: Inexact[Array, "d d"]
) -> Float[Array, ""]:
    """D[rho || sigma] = tr rho (ln rho - ln sigma) >= 0.

    +inf where `state` has weight (above 1e-14) outside the support of `reference`: where its
    eigenvalues are at the rounding level of the largest.
    """
    values, vectors = jnp.linalg.eigh(reference)
    weight = jnp.sum(vectors.conj() * (state @ vectors), axis=0).real
    absent = values <= values.shape[0] * 2.0**-52 * jnp.max(values)
    outside = jnp.sum(jnp.where(absent, weight, 0.0)) > _NEGLIGIBLE
    cross = jnp.sum(matfn(Logarithm(), reference).conj() * state).real
    return jnp.where(outside, jnp.inf, -von_neumann(state) - cross)


def binary_relative_entropy(
    occupation: Float[Array, "*shape"], log_odds: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    r"""D[n || n'] of two fermionic modes, the second given by $x = \ln[(1-n')/n']$, elementwise.

    $D = -s(n) + n \ln(1+e^{x}) + (1-n) \ln(1+e^{-x})$, exact however close n' is to 0 or 1;
    x = +inf is an empty reference mode, -inf a filled one; D is +inf where n has weight (above
    1e-14) that such a reference lacks.
    """
    filled = _times_softplus(occupation, log_odds)
    empty = _times_softplus(1.0 - occupation, -log_odds)
    return filled + empty - binary_entropy(occupation)


def _times_softplus(n: Array, x: Array) -> Array:
    finite = ~jnp.isinf(x)
    value = n * jnp.logaddexp(0.0, jnp.where(finite, x, 0.0))
    return jnp.where(finite, value, jnp.where((x > 0) & (n > _NEGLIGIBLE), jnp.inf, 0.0))


def mutual_information(joint: Float[Array, "a b"]) -> Float[Array, ""]:
    """I = H(a) + H(b) - H(ab) >= 0 of a joint probability table."""
    return shannon(joint.sum(0)) + shannon(joint.sum(1)) - shannon(joint)
