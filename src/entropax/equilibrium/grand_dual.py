r"""The convex dual of a grand canonical state near the Fermi sea, and its minimum.

Near an end of the band E and N say little: what matters is what the state lacks to the filled Fermi
sea there. So particles are counted above the sea ($s_k=1$, $n'_k=n_k$) and holes in it ($s_k=-1$,
$n'_k=1-n_k$), with energies $e_k$ from the Fermi level, $s_k e_k \ge 0$. The dual is

$$ \Phi = \sum_k \ln(1 + e^{s_k(\alpha-\beta e_k)}) + \beta\,U - \alpha\,\delta,
   \quad U = \sum_k n'_k |e_k|, \quad \delta = \sum_k s_k n'_k, $$

and the excess energy U, a sum of positive terms, is known from occupations to relative accuracy.

Here b, a are beta and alpha, e and `side` energies and $s_k$, `excess` and `offset` U and $\delta$,
in the units of a `Sea`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from entropax._precision import EPS, TINY
from entropax.equilibrium.distribution import fermi
from entropax.linalg import blocked_sum

_MAX_STEPS = 300


class _Descent(NamedTuple):
    """A point of a descent on the dual, the next step from there, and how much of it is tried.

    `fall`: the slope along the whole step; `blunt`: how steep it may be at the end of one that is
    not too long; `size`: the step's, relative to the point's.
    """

    b: Array
    a: Array
    height: Array
    rounding: Array
    db: Array
    da: Array
    fall: Array
    blunt: Array
    size: Array
    is_last: Array
    length: Array
    steps: Array
    done: Array


def minimise(
    e: Array, side: Array, excess: Array, offset: Array, skip: Array
) -> tuple[Array, Array]:
    """The minimiser (b, a) of the dual; (0, logit of the mean) if `skip`."""
    # Not optimistix: on 12000 random baths of 2 to 100 modes its Dogleg left up to 1.6% (cold ones)
    # unconverged after 100 steps, its Newton more; this descends the dual and left none.
    filled = jnp.sum(side < 0)
    particles, holes = filled + offset, e.shape[0] - filled - offset
    start = jnp.log(jnp.maximum(particles, TINY)) - jnp.log(jnp.maximum(holes, TINY))

    def advance(here: _Descent) -> _Descent:
        """The point at the end of the step; where that is too long, this one with half of it."""
        b, a = here.b + here.length * here.db, here.a + here.length * here.da
        x = side * (b * e - a)
        n = fermi(x)
        energy, number = blocked_sum(n * side * jnp.stack([e, jnp.ones_like(e)]))
        down_b, down_a = excess - energy, number - offset
        tilt_b, tilt_a = b * excess, a * offset
        height = jnp.sum(jnp.logaddexp(0.0, -x)) + tilt_b - tilt_a
        higher = height > here.height + 0.1 * here.length * here.fall + here.rounding
        steeper = down_b * here.db + down_a * here.da > here.blunt
        is_too_long = (higher | steeper) & (here.length > 1e-9)

        db, da = newton_step(e, n, down_b, down_a)
        fall = down_b * db + down_a * da
        # relative to each mode's log odds: far modes have large ones where others are a hair apart
        size = jnp.max(jnp.abs(e * db - da) / (1.0 + jnp.abs(a) + jnp.abs(b * e)))
        there = _Descent(
            b,
            a,
            height,
            rounding=8 * EPS * (jnp.abs(height) + jnp.abs(tilt_b) + jnp.abs(tilt_a)),
            db=db,
            da=da,
            fall=fall,
            blunt=0.9 * jnp.abs(fall) + 8 * EPS * (jnp.abs(db * excess) + jnp.abs(da) * jnp.sum(n)),
            size=size,
            is_last=(size <= 4 * EPS)
            | ((size < 1e-7) & (size > 0.25 * here.size))
            | jnp.isnan(size),
            length=jnp.ones(()),
            steps=here.steps + 1,
            done=here.is_last | (here.steps == _MAX_STEPS),
        )
        shorter = here._replace(length=0.5 * here.length)
        return jax.tree.map(lambda x, y: jnp.where(is_too_long, x, y), shorter, there)

    zero, infinite = jnp.zeros(()), jnp.array(jnp.inf)
    first = _Descent(
        zero,
        start,
        height=infinite,
        rounding=zero,
        db=zero,
        da=zero,
        fall=zero,
        blunt=zero,
        size=infinite,
        is_last=jnp.array(False),
        length=zero,
        steps=jnp.array(0),
        done=skip,
    )
    minimum = jax.lax.while_loop(lambda here: ~here.done, advance, first)
    return minimum.b, minimum.a


def newton_step(
    e: Array, n: Array, energy_slope: Array, number_slope: Array
) -> tuple[Array, Array]:
    """The Newton step of the dual; along alpha alone where all energies are equal."""
    mean, variance, total = moments(e, n)
    bent = variance > 0
    db = -(energy_slope + mean * number_slope) / jnp.where(bent, variance, 1.0)
    db = jnp.where(bent, db, 0.0)
    return db, mean * db - number_slope / total


def moments(e: Array, n: Array) -> tuple[Array, Array, Array]:
    """Mean and summed variance of the energies of the modes that can react, and their number."""
    w = n * (1.0 - n)
    total = jnp.maximum(jnp.sum(w), TINY)
    mean = (w @ e) / total
    return mean, w @ (e - mean) ** 2, total
