"""Null vectors of generators: L x = 0 with w.x = 1, by linear solves with implicit derivatives."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import lineax
from jaxtyping import Array, Bool, Float

_DISTINCT = 1e-12
"""The singular value, in units of the largest entry, below which null vectors are several."""


_NEAR = 1e-10
"""The residual, relative to the right side, up to which an iterative solve has converged."""


class Stationary(NamedTuple):
    """The null vector x (meaningless where not `unique`); `converged`: the solve succeeded."""

    x: Float[Array, "*shape"]
    unique: Bool[Array, ""]
    converged: Bool[Array, ""]


def stationary(generator: Float[Array, "n n"], weights: Float[Array, " n"]) -> Stationary:
    r"""The x with $L x = 0$ and $w\cdot x = 1$ of a generator whose left null vector is w.

    $L + w w^T/w^2$ is solved for $w/w^2$; it is singular where null vectors are several, which
    its smallest singular value tells, found by inverse iteration. There x means nothing.

    Cost: one LU decomposition, O(n^3). Differentiable by the implicit function theorem.
    """
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(generator), initial=0.0))
    scale = jnp.where(scale > 0, scale, 1.0)
    unit = weights / jnp.sum(weights**2)
    matrix = generator / scale + weights[:, None] * unit[None, :]
    fixed = jax.lax.stop_gradient(matrix)
    sound = jnp.all(jnp.isfinite(fixed))
    several = sound & ~(_smallest_singular_value(fixed) > _DISTINCT)
    # a regular matrix in its place: no infinities that would spoil other members of a batch
    x = _solve(jnp.where(several, jnp.eye(weights.size), matrix), unit)
    return Stationary(x, ~several, jnp.ones_like(sound))


def _solve(matrix: Array, vector: Array) -> Array:
    operator = lineax.MatrixLinearOperator(matrix)
    return lineax.linear_solve(operator, vector, lineax.LU(), throw=False).value


def _smallest_singular_value(matrix: Array) -> Array:
    """The smallest singular value to a few percent, from above; NaN where a pivot is zero."""
    factors = jax.scipy.linalg.lu_factor(matrix)
    v = jnp.cos(jnp.arange(matrix.shape[0]) ** 2 + 1.0)
    for _ in range(3):
        v = jax.scipy.linalg.lu_solve(factors, v / jnp.linalg.norm(v))
        v = jax.scipy.linalg.lu_solve(factors, v, trans=1)
    return 1.0 / jnp.sqrt(jnp.linalg.norm(v))


def stationary_by_action(
    generator: Callable[[Array], Array],
    precondition: Callable[[Array], Array],
    weights: Float[Array, "*shape"],
    *,
    certainly: Callable[[Array], Array] | None = None,
    rtol: float = 1e-12,
    restart: int = 300,
    max_steps: int = 6000,
) -> Stationary:
    r"""As `stationary`, of an L that is known by its action alone, by preconditioned GMRES.

    Solved from two starts: where null vectors are several the results differ. The second is left
    out where `certainly(x)` says that x is the only one.
    """
    unit = weights / jnp.sum(weights**2)
    structure = jax.eval_shape(lambda: unit)

    def action(y: Array) -> Array:
        x = precondition(y)
        return generator(x) + weights * jnp.sum(unit * x)

    operator = lineax.FunctionLinearOperator(action, structure)
    solver = lineax.GMRES(
        rtol=rtol, atol=rtol * 1e-3, restart=restart, max_steps=max_steps, stagnation_iters=restart
    )

    def solve(start: Array) -> tuple[Array, Array]:
        solution = lineax.linear_solve(operator, unit, solver, options={"y0": start}, throw=False)
        # what stagnates at the rounding of a stiff generator has been found all the same
        left = jnp.max(jnp.abs(jax.lax.stop_gradient(action(solution.value) - unit)))
        near = left <= _NEAR * jnp.max(jnp.abs(unit))
        return precondition(solution.value), (solution.result == lineax.RESULTS.successful) | near

    def again(x: Array) -> tuple[Array, Array]:
        place = jnp.arange(weights.size).reshape(weights.shape)
        other, converged = solve(jnp.cos(place**2 + 1.0) * jnp.max(jnp.abs(x)))
        return jnp.max(jnp.abs(x - other)) < 1e-6 * jnp.max(jnp.abs(x)), converged

    def once(x: Array) -> tuple[Array, Array]:
        del x
        return jnp.array(True), jnp.array(True)

    x, converged = solve(jnp.zeros_like(unit))
    fixed = jax.lax.stop_gradient(x)
    if certainly is None:
        unique, confirmed = again(fixed)
    else:
        unique, confirmed = jax.lax.cond(certainly(fixed), once, again, fixed)
    return Stationary(x, unique, converged & confirmed)
