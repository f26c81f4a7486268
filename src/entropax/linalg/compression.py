r"""Spectral sums of a diagonal matrix with one direction removed.

For a unit vector x, the compression of diag(n) to the complement of x has eigenvalues that
interlace the n_a: the roots of $\sum_a |x_a|^2/(\mu - n_a) = 0$, while values n_a shared by g
entries stay with multiplicity g - 1. So a trace costs O(n^2) and no eigenproblem.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._precision import EPS
from entropax.linalg.guards import forbid_derivative
from entropax.linalg.masked import masked_inverse
from entropax.linalg.secular import Poles, Roots, merge_poles, secular_roots
from entropax.linalg.spectral_functions import SpectralFunction, is_perturbed


def compressed_trace(
    fn: SpectralFunction, diagonal: Float[Array, " n"], weights: Float[Array, " n"]
) -> Float[Array, ""]:
    r"""$\mathrm{tr} f(P\,\mathrm{diag}(n)\,P)$ on the complement of the unit vector x.

    **Arguments:** `fn`: f; `diagonal`: the entries n_a, within [0, 1] (coinciding ones are merged
    at rounding level); `weights`: |x_a|^2, which sum to 1.

    Differentiable once in both arguments, also at vanishing weights and coinciding entries.
    """
    return _compressed_trace(fn, diagonal, weights)


@eqx.filter_custom_jvp
def _compressed_trace(fn: SpectralFunction, diagonal: Array, weights: Array) -> Array:
    poles, roots = _eigenvalues(diagonal, weights)
    active = jnp.arange(diagonal.shape[0]) < poles.coupled
    position = poles.position[roots.origin] + roots.offset
    moved = jnp.sum(jnp.where(roots.valid, fn(position), 0.0))
    # of each pole with weight one entry has moved; others keep their own value, however they chain
    gone = jnp.sum(jnp.where(active, fn(poles.position), 0.0))
    return moved + (jnp.sum(fn(diagonal)) - gone)


def _eigenvalues(diagonal: Array, weights: Array) -> tuple[Poles, Roots]:
    poles = merge_poles(diagonal, weights, 4 * EPS)
    return poles, secular_roots(poles, slope=0.0, shift=0.0)


@_compressed_trace.def_jvp
def _compressed_trace_jvp(primals, tangents):
    fn, diagonal, weights = primals
    dfn, ddiagonal, dweights = tangents
    if is_perturbed(dfn):
        raise NotImplementedError("`compressed_trace` has no derivative in its function")
    diagonal, weights = forbid_derivative(
        (diagonal, weights), "`compressed_trace` is differentiable once"
    )
    poles, roots = _eigenvalues(diagonal, weights)
    out = _compressed_trace(fn, diagonal, weights)
    slope = fn.derivative()

    # distance of root b from entry a, from the offsets: exact however close they are
    slot_position = poles.position[poles.slot]
    centre = poles.position[roots.origin]
    distance = (centre[None, :] - slot_position[:, None]) + roots.offset[None, :]
    used = roots.valid[None, :] & (distance != 0)
    inverse = masked_inverse(distance, used)
    norm = weights @ inverse**2
    pull = slope(centre + roots.offset) * masked_inverse(norm, roots.valid & (norm > 0))

    tangent = jnp.zeros_like(out)
    if dweights is not None:
        tangent = tangent + (dweights @ inverse) @ pull
        # a slot without weight keeps its eigenvalue until it gains some
        free = (poles.size > 0) & (jnp.arange(diagonal.shape[0]) >= poles.coupled)
        apart = poles.position[None, :] - poles.position[:, None]
        inverse_apart = masked_inverse(apart, free[:, None] & (apart != 0))
        push = jnp.sum(poles.weight[None, :] * inverse_apart, axis=1)
        gain = jnp.zeros_like(diagonal).at[poles.slot].add(dweights)
        move = gain * masked_inverse(push, free & (push != 0))
        tangent = tangent + slope(poles.position) @ move
    if ddiagonal is not None:
        share = poles.weight[poles.slot]
        stays = 1.0 - weights * masked_inverse(share, share > 0)
        tangent = tangent + ((weights * ddiagonal) @ inverse**2) @ pull
        tangent = tangent + jnp.sum(ddiagonal * stays * slope(diagonal))
    return out, tangent
