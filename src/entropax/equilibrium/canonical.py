"""Canonical states of levels and windows, and energy -> beta."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float

from entropax._precision import EPS, TINY


class Canonical(NamedTuple):
    r"""A canonical state over windows or levels, $p_i = g_i e^{-\beta E_i}/Z$.

    `entropy` is $\sum p_i(-\ln p_i + \ln g_i)$. `beta` is +inf (-inf) where the energy is the
    lowest (highest), NaN where all energies are alike; `determined`: it is a finite number.
    """

    beta: Float[Array, ""]
    entropy: Float[Array, ""]
    determined: Bool[Array, ""]


def match_canonical(
    energies: Float[Array, " k"], degeneracies: Float[Array, " k"], energy: Float[Array, ""]
) -> Canonical:
    r"""The canonical state with mean `energy` (Riera Eq. 62).

    $\beta$ minimises $\ln Z(\beta) + \beta U$, whose minimum is the entropy: it is the one root of
    a monotone function, bracketed and bisected, then polished by Newton's method. Derivatives
    follow from the implicit function theorem, $d\beta = -dU/\mathrm{var}\,E$ and
    $dS = \beta\,dU$ at fixed energies; at the edges, where beta is infinite, the state is the
    limit and constant. Cost: a sort, and O(k) a step, some 50 steps.
    """
    if energies.shape[0] == 1:
        alone = jnp.log(degeneracies[0]) + 0.0 * energy
        return Canonical(jnp.full_like(energy, jnp.nan), alone, jnp.zeros_like(energy, bool))
    fixed = jax.lax.stop_gradient
    low, high = jnp.min(energies), jnp.max(energies)
    spread = fixed(high - low)
    wide = spread > 16 * EPS * fixed(jnp.max(jnp.abs(energies)))
    scale = jnp.where(wide, spread, 1.0)
    e, target = (energies - fixed(low)) / scale, (energy - fixed(low)) / scale
    e = jnp.where(wide, e, jnp.arange(e.shape[0]) / e.shape[0])  # whatever has a root
    room = 16 * EPS * (1.0 + fixed(jnp.max(jnp.abs(energies))) / scale)
    ground, top = fixed(target) <= room, fixed(target) >= 1.0 - room
    inside = wide & ~ground & ~top & jnp.isfinite(fixed(target))
    safe = jnp.where(inside, target, jnp.mean(fixed(e)))
    b = _canonical_root(e, jnp.log(degeneracies), safe)
    logs = jnp.log(degeneracies) - b * e
    # the dual: where b is off by x, it is off by x^2
    dual = jax.nn.logsumexp(logs) + b * safe
    edge = jnp.where(top, fixed(e) >= 1.0, fixed(e) <= 0.0)
    limit = jnp.log(jnp.sum(jnp.where(edge | ~wide, degeneracies, 0.0)))
    infinite = jnp.where(ground, jnp.inf, jnp.where(top, -jnp.inf, jnp.nan))
    beta = jnp.where(inside, b / scale, jnp.where(wide, infinite, jnp.nan))
    return Canonical(beta, jnp.where(inside, dual, limit), inside)


@jax.custom_jvp
def _canonical_root(e: Array, logs: Array, target: Array) -> Array:
    """b with mean e = target under exp(logs - b e), for e within [0, 1]."""

    def excess(b: Array, args: None) -> Array:
        del args
        return jnp.sum(jax.nn.softmax(logs - b * e) * e) - target

    # |b| times the smallest gap: a weight below rounding at the edge, whatever the degeneracies
    ordered = jnp.sort(e)
    gaps = jnp.diff(ordered)
    gap = jnp.min(jnp.where(gaps > 0, gaps, 1.0))
    reach = (80.0 + jnp.max(logs) - jnp.min(logs) + jnp.log(logs.shape[0])) / gap
    b = jnp.zeros(())
    bisection = optimistix.Bisection(rtol=1e-12, atol=1e-12, flip=True)  # it falls
    solution = optimistix.root_find(
        excess,
        bisection,
        b,
        options={"lower": -reach, "upper": reach},
        max_steps=200,
        throw=False,
    )
    b = solution.value
    for _ in range(2):
        p = jax.nn.softmax(logs - b * e)
        variance = p @ (e - p @ e) ** 2
        step = (p @ e - target) / jnp.where(variance > 0, variance, 1.0)
        good = (variance > 0) & (jnp.abs(step) < 1e-3 * (1.0 + jnp.abs(b)))
        b = b + jnp.where(good, step, 0.0)
    return b


@_canonical_root.defjvp
def _canonical_root_jvp(primals, tangents):
    e, logs, target = primals
    de, dlogs, dtarget = tangents
    b = _canonical_root(e, logs, target)
    p = jax.nn.softmax(logs - b * e)
    away = e - p @ e
    variance = jnp.maximum(p @ away**2, TINY)
    shifted = p @ de + p @ (away * (dlogs - b * de))
    return b, (shifted - dtarget) / variance
