r"""Counts of a limit cycle: the dominant eigenvalue of the map of a period with counting fields.

Between jumps of the protocols the map is $e^{L(u)t}$; a period's is a product of these, and so are
its Taylor coefficients in u.
"""

import itertools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.counting.jumps import counts_of, eigenvalue_series, factorials
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
        passed = counts.passed(counts.weights(of, bath), b - a, order)
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
    return jnp.stack(logs) * factorials(order)
