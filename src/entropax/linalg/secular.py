r"""Roots of secular equations, all at once, each as a distance from its nearest pole.

$$ F(x) = s\,x - r + \sum_k \frac{w_k}{p_k - x} = 0, \qquad w_k > 0,\; s \in \{0, 1\}, $$

rises from $-\infty$ to $+\infty$ between neighbouring poles, so each gap holds one root: the
eigenvalues of an arrowhead matrix (s = 1), or those of a diagonal matrix with one direction
removed (s = 0).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from entropax._precision import EPS
from entropax.linalg.sums import sum_over_rows

_MAX_STEPS = 200


class Poles(NamedTuple):
    """Poles merged where they coincide and sorted, those with weight first.

    Slots hold the distinct poles; only the first `coupled` carry weight. `slot` says where each
    original pole went, `size` how many went to a slot.
    """

    position: Float[Array, " n"]
    weight: Float[Array, " n"]
    size: Int[Array, " n"]
    coupled: Int[Array, ""]
    slot: Int[Array, " n"]


def merge_poles(
    position: Float[Array, " n"], weight: Float[Array, " n"], tolerance: Float[Array, ""] | float
) -> Poles:
    """Sort poles, merge those closer than `tolerance`, and put weightless ones last."""
    n = position.shape[0]
    order = jnp.argsort(position)
    ordered = position[order]
    starts = jnp.concatenate([jnp.ones(1, bool), jnp.diff(ordered) > tolerance])
    group = jnp.cumsum(starts) - 1
    size = jnp.zeros(n, int).at[group].add(1)
    total = jnp.zeros(n).at[group].add(weight[order])
    first = jnp.full(n, -jnp.inf).at[group].max(jnp.where(starts, ordered, -jnp.inf))
    first = jnp.where(size > 0, first, 0.0)
    front = jnp.argsort(~(total > 0), stable=True)
    place = jnp.argsort(front)
    slot = jnp.zeros(n, int).at[order].set(place[group])
    return Poles(first[front], total[front], size[front], jnp.sum(total > 0), slot)


class Roots(NamedTuple):
    """Root a lies at `poles[origin[a]] + offset[a]`; entries with `valid` False are no roots."""

    origin: Int[Array, " n_plus_1"]
    offset: Float[Array, " n_plus_1"]
    valid: Bool[Array, " n_plus_1"]


def secular_roots(poles: Poles, *, slope: float, shift: Float[Array, ""] | float) -> Roots:
    """All roots of the secular equation, to full relative accuracy of the offsets.

    Root a lies between poles a-1 and a; the outermost two exist only for `slope` = 1. The
    iteration keeps the nearest pole exactly and fits value and slope of all others by the pole
    at the far end of the gap, inside a bracket that falls back to bisection: about 8 sweeps of
    O(n^2).
    """
    n = poles.position.shape[0]
    p, count = poles.position, poles.coupled
    w = jnp.where(jnp.arange(n) < count, poles.weight, 0.0)
    reach = 1.01 * jnp.sqrt(jnp.sum(w))
    last = p[jnp.maximum(count - 1, 0)]
    floor = jnp.minimum(jnp.where(count > 0, p[0], shift), shift) - reach
    ceiling = jnp.maximum(jnp.where(count > 0, last, shift), shift) + reach

    a = jnp.arange(n + 1)
    below, above = jnp.clip(a - 1, 0, n - 1), jnp.clip(a, 0, n - 1)
    lower = jnp.where(a == 0, floor, p[below])
    upper = jnp.where(a < count, p[above], ceiling)
    inner = (a > 0) & (a < count)
    valid = (a <= count) & (inner | (slope > 0))

    half = 0.5 * (upper - lower)
    middle, _, _ = _secular(p, w, slope, shift, lower, half)
    from_below = jnp.where(inner, middle >= 0, a > 0) & (count > 0)
    origin = jnp.where(from_below, below, above)
    centre = p[origin]
    low = jnp.where(from_below, 0.0, jnp.where(inner, -half, lower - centre))
    high = jnp.where(from_below, jnp.where(inner, half, upper - centre), 0.0)
    high = jnp.where(count > 0, high, upper - centre)
    far_pole = jnp.where(from_below, upper, lower) - centre
    side = jnp.where(from_below, 1.0, -1.0)
    near_weight = w[origin]

    def sweep(state):
        step, x, low, high, done = state
        value, rise, size = _secular(p, w, slope, shift, centre, x)
        low, high = jnp.where(value < 0, x, low), jnp.where(value >= 0, x, high)
        far = far_pole - x
        rest = jnp.maximum(rise - near_weight / x**2, 0.0)
        # c - near_weight/y + far^2 rest/(far_pole - y) = 0 for the new offset y
        c = side * (value + near_weight / x - far * rest)
        b = c * jnp.abs(far_pole) + near_weight + far**2 * rest
        product = near_weight * jnp.abs(far_pole)
        root = jnp.sqrt(jnp.maximum(b * b - 4.0 * c * product, 0.0))
        new = side * jnp.where(b > 0, 2.0 * product / (b + root), (b - root) / (2.0 * c))
        width = high - low
        done |= jnp.abs(value) <= 4 * EPS * size
        done |= jnp.abs(new - x) <= 4 * EPS * jnp.abs(x)
        done |= width <= EPS * jnp.maximum(jnp.abs(low), jnp.abs(high))
        new = jnp.where((new > low) & (new < high), new, 0.5 * (low + high))
        return step + 1, jnp.where(done, x, new), low, high, done

    start = jnp.where(from_below, high, low) * jnp.where(inner, 1.0, 0.5)
    start = jnp.where(count > 0, start, shift - centre)
    initial = (0, start, low, high, ~valid | (count == 0))
    _, offset, _, _, _ = jax.lax.while_loop(
        lambda state: (state[0] < _MAX_STEPS) & ~jnp.all(state[4]), sweep, initial
    )
    return Roots(origin, offset, valid)


def _secular(
    p: Array, w: Array, slope: float, shift: Array | float, centre: Array, offset: Array
) -> tuple[Array, Array, Array]:
    """F, F' and the sum of the terms' magnitudes at centre + offset."""

    def terms(p: Array, w: Array) -> tuple[Array, Array, Array]:
        distance = (p[:, None] - centre[None, :]) - offset[None, :]
        inverse = jnp.where(w[:, None] > 0, 1.0 / distance, 0.0)
        term = w[:, None] * inverse
        return jnp.sum(term, 0), jnp.sum(term * inverse, 0), jnp.sum(jnp.abs(term), 0)

    value, rise, size = sum_over_rows(terms, p, w)
    x = centre + offset
    return slope * x - shift + value, slope + rise, slope * jnp.abs(x) + jnp.abs(shift) + size
