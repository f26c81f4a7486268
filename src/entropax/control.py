"""Optimal protocols and couplings: gradient descent on any function of a solution."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax.progress import bar
from entropax.protocol import AbstractProtocol

P = TypeVar("P")


class Optimised(eqx.Module, Generic[P]):
    """What `optimise` returns, and what it goes on from.

    `value`: the best parameters seen, and `loss`, theirs; `history`: the loss before each step;
    `last`: the parameters after the last step, and `x`: those of them that are optimised, without
    their bounds; `state`: the optimiser's; `converged`: whether the gradient fell below the
    tolerance; `failure`: what went wrong, None where nothing did.
    """

    value: P
    loss: Float[Array, ""]
    history: Float[Array, " steps"]
    last: P
    x: PyTree[Array]
    state: PyTree
    converged: bool
    failure: str | None = eqx.field(static=True, default=None)


class OptimisationError(RuntimeError):
    """An optimisation that could not go on; `best` is the `Optimised` of the steps before."""

    def __init__(self, message: str, best: Optimised[Any]):
        super().__init__(message)
        self.best = best


def trainable(params: PyTree) -> PyTree[bool]:
    """Which leaves are optimised: arrays of real or complex numbers, less what protocols hold."""

    def mark(node: Any) -> Any:
        if not isinstance(node, AbstractProtocol):
            return eqx.is_inexact_array(node)
        fields, structure = jax.tree_util.tree_flatten_with_path(
            node, is_leaf=lambda x: x is not node
        )
        return jax.tree.unflatten(
            structure,
            [
                jax.tree.map(lambda _: False, child)
                if path[0].name in node.held
                else trainable(child)
                for path, child in fields
            ],
        )

    return jax.tree.map(mark, params, is_leaf=lambda x: isinstance(x, AbstractProtocol))


def optimise(
    loss: Callable[..., Any],
    params: P | Optimised[P],
    optimiser: optax.GradientTransformation | None = None,
    *,
    steps: int = 100,
    args: tuple[Any, ...] = (),
    free: PyTree[bool] | Callable[[Any], bool] | None = None,
    bounds: tuple[Any, Any] | None = None,
    tolerance: float | None = None,
    progress: bool = False,
    throw: bool = True,
) -> Optimised[P]:
    r"""The parameters at which a function of them is least, as far as so many steps lead.

    A loop around `optax` with one compiled program; the same loss and optimiser, called again, use
    the same program.

    **Arguments:**

    - `loss`: `loss(params, *args)`, a real number.
    - `params`: where to begin, any pytree (a protocol, an array of couplings, a model); or what
      `optimise` returned, to go on from there with the same loss, optimiser and bounds; with other
      `args` the best of before may no longer be one.
    - `optimiser`: any of optax; None for `optax.lbfgs()`, which suits losses without noise.
    - `steps`: how many at most.
    - `args`: what else the loss depends on, not optimised; may change without a new compilation.
    - `free`: which leaves are optimised, as for `eqx.partition`; None for `trainable`: all inexact
      arrays, but not what a protocol holds (the times and ends of a ramp).
    - `bounds`: low and high, each a number or a pytree like `params`, infinite where there is
      none: parameters are then $l + (h-l)/(1+e^{-x})$ or $l + \ln(1+e^x)$ of the x that are
      optimised. The start must lie between them.
    - `tolerance`: stop when no entry of the gradient (of x, where bounded) is above it.
    - `progress`: a bar with the loss.
    - `throw`: raise `OptimisationError` where the loss or its gradient is not finite, or the loss
      raises; it carries the best of the steps before. With False that best is returned, and its
      `failure` says why. Its `last` is the last point at which all was finite.

    Raises `ValueError` for a loss that is not a real number, or not finite at the start, and for a
    start outside the bounds.
    """
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"`steps` must be a positive integer, but is {steps!r}.")
    if not callable(loss):
        raise ValueError(f"`loss` must be a function of the parameters, but is {loss!r}.")
    optimiser = _DEFAULT if optimiser is None else optimiser
    before = params if isinstance(params, Optimised) else None
    begin = params.last if isinstance(params, Optimised) else params
    spec = trainable(begin) if free is None else free
    moving, rest = eqx.partition(begin, spec)
    if not jax.tree.leaves(moving):
        raise ValueError("`params` must hold a number to optimise, but all are held.")
    limits = _limits(bounds, begin, spec, moving)
    if before is None:
        _require_inside(moving, limits)
        x = _out_of_bounds(moving, limits)
        state = _strong(optimiser.init(x))
    else:
        x, state = before.x, _forgetting(before.state)
    history = [] if before is None else list(np.asarray(before.history))
    best = (np.inf, x) if before is None else (float(before.loss), None)
    converged, failure, cause = False, None, None
    sound = (x, state)

    def result() -> Optimised[P]:
        if before is not None and best[1] is None:  # no better one was found
            at = before.value
        else:
            at = eqx.combine(_into_bounds(best[1], limits), rest)
        last = eqx.combine(_into_bounds(x, limits), rest)
        losses = jnp.asarray(np.array(history))
        loss_there = jnp.asarray(best[0])
        return Optimised(at, loss_there, losses, last, x, state, converged, failure)

    with bar("loss", steps, shown=progress) as show:
        for index in range(steps):
            number = len(history)
            try:
                found = _step(loss, optimiser, x, state, rest, limits, args)
                value, steepest = float(found[2]), float(found[3])
            except Exception as error:
                if number == 0:
                    raise
                failure = f"`loss` failed at step {number}: {error}"
                cause = error
                break
            if not (np.isfinite(value) and np.isfinite(steepest)):
                what = f"is {value}" if not np.isfinite(value) else "has a gradient that is not"
                if number == 0:
                    raise ValueError(f"`loss` must be finite at the start, but {what}.")
                failure = f"`loss` must be finite, but {what} at step {number}."
                break
            sound = (x, state)
            history.append(value)
            best = (value, x) if value < best[0] else best
            if tolerance is not None and steepest <= tolerance:
                converged = True
                break
            x, state = found[:2]
            show(index + 1, f"{best[0]:.6g}")
    if failure is not None:
        x, state = sound
    if failure is not None and throw:
        found = result()
        text = f"{failure} The best so far, {float(found.loss):.6g}, is in `.best`."
        raise OptimisationError(text, found) from cause
    return result()


_DEFAULT = optax.lbfgs()


@eqx.filter_jit
def _step(
    loss: Callable[..., Any],
    optimiser: optax.GradientTransformation,
    x: PyTree[Array],
    state: PyTree[Array],
    rest: PyTree,
    limits: PyTree,
    args: tuple[Any, ...],
) -> tuple[PyTree[Array], PyTree[Array], Array, Array]:
    """x and the state after a step, the loss before it, and its steepest slope."""

    def objective(x: PyTree[Array]) -> Array:
        value = jnp.asarray(loss(eqx.combine(_into_bounds(x, limits), rest), *args))
        if value.shape != () or jnp.iscomplexobj(value):
            kind = "complex" if jnp.iscomplexobj(value) else f"of shape {value.shape}"
            raise ValueError(f"`loss` must return a real number, but what it returns is {kind}.")
        return value

    known = [optax.tree_utils.tree_get(state, name) for name in ("value", "grad")]
    if any(k is None for k in known):
        value, gradient = jax.value_and_grad(objective)(x)
    else:  # a line search has them from the step before
        value, gradient = optax.value_and_grad_from_state(objective)(x, state=state)
    # JAX's gradient of a complex argument points along the conjugate
    gradient = jax.tree.map(jnp.conj, gradient)
    rule = optax.with_extra_args_support(optimiser)
    change, state = rule.update(gradient, state, x, value=value, grad=gradient, value_fn=objective)
    sizes = [jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(gradient)]
    moved = optax.apply_updates(x, change)
    return moved, _strong(state), jnp.asarray(value), jnp.max(jnp.stack(sizes))


def _forgetting(state: PyTree[Array]) -> PyTree[Array]:
    """The state of a line search less the value it found last: of other `args` it is another."""
    if optax.tree_utils.tree_get(state, "value") is None:
        return state
    return _strong(optax.tree_utils.tree_set(state, value=jnp.array(jnp.inf)))


def _strong(state: PyTree[Array]) -> PyTree[Array]:
    """Without weak types, which would compile the second step anew."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), state)


def _limits(bounds: tuple[Any, Any] | None, params: Any, spec: Any, moving: Any) -> Any:
    """Low and high of each number that is optimised; None where there are no bounds."""
    if bounds is None:
        return None
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"`bounds` must be a pair (low, high), but is {bounds!r}.") from None
    both = []
    for name, given in (("low", low), ("high", high)):
        if jax.tree_util.all_leaves([given]) and np.ndim(given) == 0:
            full = jax.tree.map(lambda leaf, g=given: jnp.full(leaf.shape, float(g)), moving)
        elif jax.tree.structure(given) == jax.tree.structure(params):
            full = eqx.filter(given, spec)
        else:
            raise ValueError(
                f"`bounds` must have a {name} that is a number or a pytree like `params`, "
                f"but it is {given!r}."
            )
        both.append(full)
    return tuple(both)


def _require_inside(moving: Any, limits: Any) -> None:
    if limits is None:
        return
    for leaf, least, most in zip(*map(jax.tree.leaves, (moving, *limits)), strict=True):
        inside = np.asarray((leaf > least) & (leaf < most))
        if not inside.all():
            where = np.unravel_index(np.argmin(inside), inside.shape)
            edges = f"{np.asarray(least)[where]:g} and {np.asarray(most)[where]:g}"
            raise ValueError(
                f"`params` must begin between the bounds ({edges}), "
                f"but hold {np.asarray(leaf)[where]:g}."
            )


def _into_bounds(x: PyTree[Array], limits: Any) -> PyTree[Array]:
    if limits is None:
        return x

    def bring(x: Array, low: Array, high: Array) -> Array:
        below, above = jnp.isfinite(low), jnp.isfinite(high)
        least, most = jnp.where(below, low, 0.0), jnp.where(above, high, 0.0)
        between = least + (most - least) * jax.nn.sigmoid(x)
        half = jnp.where(below, least + jax.nn.softplus(x), most - jax.nn.softplus(-x))
        return jnp.where(below & above, between, jnp.where(below | above, half, x))

    return jax.tree.map(bring, x, *limits)


def _out_of_bounds(values: PyTree[Array], limits: Any) -> PyTree[Array]:
    if limits is None:
        return values

    def leave(value: Array, low: Array, high: Array) -> Array:
        below, above = jnp.isfinite(low), jnp.isfinite(high)
        up, down = jnp.where(below, value - low, 1.0), jnp.where(above, high - value, 1.0)
        between = jnp.log(up) - jnp.log(down)
        half = jnp.where(below, _inverse_softplus(up), -_inverse_softplus(down))
        return jnp.where(below & above, between, jnp.where(below | above, half, value))

    return jax.tree.map(leave, values, *limits)


def _inverse_softplus(y: Array) -> Array:
    return y + jnp.log(-jnp.expm1(-y))


class _Lagrangian(eqx.Module):
    """f + lambda c + w/2 |c|^2; equal ones share their compiled program."""

    problem: Callable[..., tuple[Any, Any]] = eqx.field(static=True)

    def parts(self, params: Any, args: tuple[Any, ...]) -> tuple[Array, Array]:
        own, off = self.problem(params, *args)
        return jnp.asarray(own), jnp.ravel(jnp.asarray(off))

    def __call__(self, params: Any, multipliers: Array, weight: Array, *args: Any) -> Array:
        own, off = self.parts(params, args)
        return own + multipliers @ off + 0.5 * weight * (off @ off)


@eqx.filter_jit
def _parts(lagrangian: _Lagrangian, params: Any, args: tuple[Any, ...]) -> tuple[Array, Array]:
    return lagrangian.parts(params, args)


class Constrained(eqx.Module, Generic[P]):
    """What `optimise_with_constraint` returns.

    `value`: the parameters of the last round; `loss`, `violation`: theirs, the second one entry a
    constraint; `multipliers`: how much the least loss falls by when a constraint's zero is moved;
    `history`: the Lagrangian at each step; `converged`: no violation is above the tolerance.
    """

    value: P
    loss: Float[Array, ""]
    violation: Float[Array, " constraints"]
    multipliers: Float[Array, " constraints"]
    history: Float[Array, " steps"]
    converged: bool


def optimise_with_constraint(
    problem: Callable[..., tuple[Any, Any]],
    params: P,
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
    $\lambda \to \lambda + wc$, and w is doubled where c has not fallen to a quarter (Nocedal,
    Wright 2006, section 17.3). All rounds share one compiled program.

    **Arguments:** `problem`: `problem(params, *args)` returns the loss f, and c, a number or an
    array that must vanish (a final occupation less the one that is wanted); `steps`: of each
    round; `weight`: the first w; others: as of `optimise`, `tolerance` that of the constraint.
    """
    lagrangian = _Lagrangian(problem)
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 1:
        raise ValueError(f"`rounds` must be a positive integer, but is {rounds!r}.")
    size = eqx.filter_eval_shape(lagrangian.parts, params, args)[1].shape[0]
    multipliers, strength, history = jnp.zeros(size), jnp.asarray(float(weight)), []
    before, worst = np.inf, np.inf
    own, off = jnp.zeros(()), multipliers
    optimiser = _DEFAULT if optimiser is None else optimiser
    for _ in range(rounds):
        found = optimise(
            lagrangian,
            params,
            optimiser,
            steps=steps,
            args=(multipliers, strength, *args),
            free=free,
            bounds=bounds,
            tolerance=0.1 * tolerance,
            progress=progress,
        )
        params = found.value
        history.append(found.history)
        own, off = _parts(lagrangian, params, args)
        worst = float(jnp.max(jnp.abs(off)))
        multipliers = multipliers + strength * off
        if worst <= tolerance:
            break
        strength = jnp.where(worst > 0.25 * before, 2.0 * strength, strength)
        before = worst
    return Constrained(
        params, own, off, multipliers, jnp.concatenate(history), bool(worst <= tolerance)
    )
