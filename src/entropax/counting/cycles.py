r"""Counts of a limit cycle: the dominant eigenvalue of the map of a period with counting fields.

Between jumps of the protocols the map is $e^{L(u)t}$, whose Taylor coefficients in u are the first
row of the exponential of a triangular block matrix (Najfeld, Havel 1995); those of a period are
products of them.
"""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.counting.jumps import JumpCounts, counts_of, eigenvalue_series
from entropax.method.ideal.equation import AbstractEquation
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.model.views import IdealSystem


@eqx.filter_jit
def cumulants_of_a_period(
    method: AbstractIdealBathEquation,
    equation: AbstractEquation,
    model: IdealSystem,
    period: Float[Array, ""],
    of: str,
    bath: int | None,
    order: int,
) -> Float[Array, " order"]:
    """Cumulants that each of many periods adds, of a model that is constant between jumps."""
    model = model.with_separated_breaks()
    edges = [jnp.zeros(()), *jnp.clip(model.breaks, 0.0, period), period]
    total: list[Array] | None = None
    counts = None
    for a, b in itertools.pairwise(edges):
        counts = counts_of(method, equation, model.within(a, (a, b)))
        passed = _series(counts, counts.weights(of, bath), b - a, order)
        if total is None:
            total = passed
        else:
            total = [
                sum((passed[j] @ total[k - j] for j in range(1, k + 1)), passed[0] @ total[k])
                for k in range(order + 1)
            ]
    assert counts is not None
    assert total is not None
    size = counts.weight.size
    values = eigenvalue_series(total[0] - jnp.eye(size), total[1:], counts.weight)
    # of the logarithm of 1 + values
    logs: list[Array] = []
    for n in range(1, order + 1):
        rest = [j * logs[j - 1] * values[n - j - 1] for j in range(1, n)]
        logs.append(values[n - 1] - sum(rest, jnp.zeros(())) / n)
    return jnp.stack(logs) * np.array([math.factorial(k) for k in range(1, order + 1)])


def _series(
    counts: JumpCounts, weights: Float[Array, "baths 2"], duration: Float[Array, ""], order: int
) -> list[Float[Array, "n n"]]:
    """Taylor coefficients of e^{L(u) t}."""
    zero = jnp.zeros_like(counts.generator)
    each = [counts.generator]
    each += [counts.slopes([weights] * k) / math.factorial(k) for k in range(1, order + 1)]
    rows = [[each[j - i] if j >= i else zero for j in range(order + 1)] for i in range(order + 1)]
    grown = jax.scipy.linalg.expm(jnp.block(rows) * duration)
    size = counts.weight.size
    return [grown[:size, k * size : (k + 1) * size] for k in range(order + 1)]
