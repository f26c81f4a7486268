"""Optimisation under a constraint, by an augmented Lagrangian."""

import warnings
from collections.abc import Callable
from typing import Any, Generic

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax._checks import require_count
from entropax.control.optimise import P, as_arrays, optimise


class _Lagrangian(eqx.Module):
    """The function f + lambda c + w/2 |c|^2; equal Lagrangians share a compiled program."""

    problem: Callable[..., tuple[Any, Any]] = eqx.field(static=True)

    def parts(self, params: Any, args: tuple[Any, ...]) -> tuple[Array, Array]:
        pair = self.problem(params, *args)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                "`problem` must return a pair, the loss and what must vanish, but returns "
                f"{pair!r}."
            )
        loss, off = pair
        return jnp.asarray(loss), jnp.ravel(jnp.asarray(off))

    def __call__(self, params: Any, multipliers: Array, weight: Array, *args: Any) -> Array:
        loss, off = self.parts(params, args)
        return loss + multipliers @ off + 0.5 * weight * (off @ off)


@eqx.filter_jit
def _parts(lagrangian: _Lagrangian, params: Any, args: tuple[Any, ...]) -> tuple[Array, Array]:
    return lagrangian.parts(params, args)


class Constrained(eqx.Module, Generic[P]):
    r"""What `optimise_with_constraint` returns.

    `value`: the parameters of the last round; `loss`: their loss; `violation`: how far they miss
    each constraint; `multipliers`: $-\partial f^*/\partial\delta$ of the least loss where
    $c = \delta$ instead of 0; `weight`: the last w; `history`: the Lagrangian at each step;
    `converged`: no violation is above the tolerance.
    """

    value: P
    loss: Float[Array, ""]
    violation: Float[Array, " constraints"]
    multipliers: Float[Array, " constraints"]
    weight: Float[Array, ""]
    history: Float[Array, " steps"]
    converged: bool

    def __repr__(self) -> str:
        worst = float(jnp.max(jnp.abs(self.violation)))
        summary = f"loss={float(self.loss):.8g}, violation={worst:.2g}, steps={len(self.history)}"
        return f"Constrained({summary}, converged={self.converged})"


def optimise_with_constraint(
    problem: Callable[..., tuple[Any, Any]],
    params: P | Constrained[P],
    optimiser: optax.GradientTransformation | None = None,
    *,
    steps: int = 50,
    rounds: int = 12,
    args: tuple[Any, ...] = (),
    weight: float = 10.0,
    tolerance: float = 1e-8,
    free: PyTree[bool] | Callable[[Any], bool] | None = None,
    bounds: tuple[Any, Any] | None = None,
    progress: bool = False,
) -> Constrained[P]:
    r"""The least loss where a constraint is zero, by an augmented Lagrangian.

    Rounds of `optimise` with $f + \lambda\cdot c + \frac w2|c|^2$, after each of which
    $\lambda \to \lambda + wc$, and w is quadrupled where c has not fallen to a quarter (Nocedal,
    Wright 2006, section 17.3). All rounds share one compiled program.

    **Arguments:** `problem`: `problem(params, *args)` returns the loss f, and c, a number or an
    array that must vanish (a final occupation less the one that is wanted); `params`: where to
    begin, or what this function returned, to go on with its multipliers and weight; `steps`: of
    each round; `weight`: the first w; others: as of `optimise`, `tolerance` that of the constraint.

    Warns where the constraint is not met to the tolerance after the last round.
    """
    lagrangian = _Lagrangian(problem)
    rounds = require_count("rounds", rounds)
    if not weight > 0:
        raise ValueError(f"`weight` must be positive, but is {weight!r}.")
    args = as_arrays(args)
    if isinstance(params, Constrained):
        at: P = params.value
        multipliers, strength, history = params.multipliers, params.weight, [params.history]
    else:
        at = as_arrays(params)
        multipliers = jnp.zeros(eqx.filter_eval_shape(lagrangian.parts, at, args)[1].shape)
        strength, history = jnp.asarray(float(weight)), []
    before, worst = np.inf, np.inf
    loss, off = jnp.zeros(()), multipliers
    for _ in range(rounds):
        optimised = optimise(
            lagrangian,
            at,
            optimiser,
            steps=steps,
            args=(multipliers, strength, *args),
            free=free,
            bounds=bounds,
            tolerance=0.1 * tolerance,
            progress=progress,
        )
        at = optimised.value
        history.append(optimised.history)
        loss, off = _parts(lagrangian, at, args)
        worst = float(jnp.max(jnp.abs(off)))
        multipliers = multipliers + strength * off
        if worst <= tolerance:
            break
        strength = jnp.where(worst > 0.25 * before, 4.0 * strength, strength)
        before = worst
    converged = bool(worst <= tolerance)
    if not converged:
        warnings.warn(
            f"The constraint is off by {worst:.2g}, more than the tolerance {tolerance:.2g}: go on "
            "from what is returned, with more `steps` or `rounds`.",
            stacklevel=2,
        )
    return Constrained(at, loss, off, multipliers, strength, jnp.concatenate(history), converged)
