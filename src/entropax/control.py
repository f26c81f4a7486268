"""Optimal protocols and couplings: gradient descent on any function of a solution."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax._checks import require_count
from entropax.progress import bar
from entropax.protocol import AbstractProtocol

P = TypeVar("P")


class Optimised(eqx.Module, Generic[P]):
    """What `optimise` returns, and what it goes on from.

    `value`: the best parameters seen, and `loss`, theirs; `history`: the loss before each step;
    `last`: the parameters after the last step, and `x`: those of them that are optimised, without
    their bounds; `state`: the optimiser's; `args`: those of the loss; `converged`: whether the
    gradient fell below the tolerance; `failure`: what went wrong, None where nothing did.
    """

    value: P
    loss: Float[Array, ""]
    history: Float[Array, " steps"]
    last: P
    x: PyTree[Array]
    state: PyTree
    args: PyTree
    converged: bool
    failure: str | None = eqx.field(static=True, default=None)

    def __repr__(self) -> str:
        found = f"loss={float(self.loss):.8g}, steps={len(self.history)}"
        return f"Optimised({found}, converged={self.converged}, failure={self.failure!r})"


class OptimisationError(RuntimeError):
    """An optimisation that could not go on; `best`: the `Optimised` of the steps before."""

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

    A loop around one compiled program that holds the loss and its gradient; the same loss and
    optimiser, called again, use the same program.

    **Arguments:**

    - `loss`: `loss(params, *args)`, a real number.
    - `params`: where to begin, any pytree (a protocol, an array of couplings, a model); or what
      `optimise` returned, to go on from there with the same loss, optimiser and bounds; with other
      `args` the best of before is forgotten.
    - `optimiser`: any of optax; None for L-BFGS with a line search (Nocedal, Wright 2006, sections
      3.5 and 7.2), which suits losses without noise. `optax.lbfgs()` is the same with the line
      search inside the program, which then holds the loss and its gradient three times.
    - `steps`: how many at most.
    - `args`: what else the loss depends on, not optimised; its numbers and arrays may change
      without a new compilation (but integers, which may be sizes).
    - `free`: which leaves are optimised, as for `eqx.partition`; None for `trainable`: all inexact
      arrays, but not what a protocol holds (the times and ends of a ramp).
    - `bounds`: low and high, each a number or a pytree like `params`, infinite where there is
      none: parameters are then $l + (h-l)/(1+e^{-x})$ or $l + \ln(1+e^x)$ of the x that are
      optimised. The start must lie between them. A pytree for one number among several:
      `eqx.tree_at(lambda p: p.protocol.values, ramp, jnp.array([-1.0, -jnp.inf]))`.
    - `tolerance`: stop when no entry of the gradient (of x, where bounded) is above it.
    - `progress`: a bar with the loss.
    - `throw`: raise `OptimisationError` where the loss or its gradient is not finite, or the loss
      raises; it carries the best of the steps before. With False that best is returned, and its
      `failure` says why. Its `last` is the last point at which all was finite.

    Raises `ValueError` for a loss that is not a real number, or not finite at the start, for a
    start outside the bounds, and for going on with another optimiser or other bounds.
    """
    steps = require_count("steps", steps)
    if not callable(loss):
        raise ValueError(f"`loss` must be a function of the parameters, but is {loss!r}.")
    descent = _descent(optimiser)
    if not isinstance(args, tuple):
        raise ValueError(f"`args` must be a tuple, such as (x,), but is {args!r}.")
    args = _as_arrays(args)
    before = params if isinstance(params, Optimised) else None
    begin = params.last if isinstance(params, Optimised) else _as_arrays(params)
    spec = trainable(begin) if free is None else free
    moving, rest = eqx.partition(begin, spec)
    if not jax.tree.leaves(moving):
        raise ValueError(
            "`params` must hold a number to optimise, real or complex, but all that they hold is "
            "fixed: integers, what protocols hold, what `free` leaves out."
        )
    limits = _limits(bounds, begin, spec, moving)
    if before is None:
        _require_inside(moving, limits)
        x = _strong(_out_of_bounds(moving, limits))
        state = descent.init(x)
    else:
        _require_going_on(before, moving, limits, descent)
        x, is_same = before.x, eqx.tree_equal(before.args, args)
        state = descent.resumed(x, before.state, is_same=bool(is_same))
    history = [] if before is None else list(np.asarray(before.history))
    best: tuple[float, Any] = (np.inf, x)
    if before is not None:
        best = (float(before.loss) if eqx.tree_equal(before.args, args) else np.inf, None)
    converged, failure = False, None
    sound = (x, state)

    def result() -> Optimised[P]:
        if before is not None and best[1] is None:  # no better one was found
            at = before.value
        else:
            at = eqx.combine(_into_bounds(best[1], limits), rest)
        last = eqx.combine(_into_bounds(x, limits), rest)
        losses = jnp.asarray(np.array(history))
        loss_there = jnp.asarray(best[0])
        return Optimised(at, loss_there, losses, last, x, state, args, converged, failure)

    with bar("loss", steps, shown=progress) as show:
        for index in range(steps):
            number = len(history)
            try:
                there, later, value, steepest = descent.step(
                    _Problem(loss, rest, limits, args), x, state
                )
                is_finite = np.isfinite(value) and np.isfinite(steepest)
                if not is_finite:  # outside of a program a loss says what is wrong
                    loss(eqx.combine(_into_bounds(x, limits), rest), *args)
            except Exception as error:
                if number == 0:
                    raise
                failure = f"`loss` failed at step {number}: {_sentence(error)}"
                if isinstance(state, _Searched) and np.isfinite(state.value):
                    history.append(float(state.value))  # of the point that the search began at
                    best = (history[-1], x) if history[-1] < best[0] else best
                break
            if not is_finite:
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
            x, state = there, later
            show(index + 1, f"{best[0]:.6g}")
    if failure is not None:
        x, state = sound
    if failure is not None and throw:
        found = result()
        text = f"{failure} The best so far, {float(found.loss):.6g}, is in `.best`."
        # what failed inside the compiled program says where in JAX, twice: nothing that helps
        raise OptimisationError(text, found) from None
    return result()


def _sentence(error: Exception) -> str:
    """What an error says, without the stacks that a compiled program puts around it."""
    lines = (line.strip() for line in str(error).rsplit("RuntimeError: ")[-1].splitlines())
    told = list(itertools.takewhile(lambda line: not line.startswith(("---", "Traceback")), lines))
    return " ".join(line for line in told if line) or type(error).__name__


class _Problem(eqx.Module):
    """A loss as a function of the x that are optimised."""

    loss: Callable[..., Any]
    rest: PyTree
    limits: PyTree
    args: tuple[Any, ...]

    def __call__(self, x: PyTree[Array]) -> Array:
        found = self.loss(eqx.combine(_into_bounds(x, self.limits), self.rest), *self.args)
        try:
            value = jnp.asarray(found)
            kind = f"of shape {value.shape} and kind {value.dtype}"
            right = value.shape == () and jnp.issubdtype(value.dtype, jnp.floating)
        except (TypeError, ValueError):
            kind, right, value = f"{type(found).__name__}", False, jnp.zeros(())
        if not right:
            raise ValueError(f"`loss` must return a real number, but what it returns is {kind}.")
        return value


class _Descent(Protocol):
    """A way to take steps."""

    def init(self, x: PyTree[Array]) -> PyTree[Array]:
        """The state before the first step."""
        ...

    def resumed(self, x: PyTree[Array], state: Any, *, is_same: bool) -> PyTree[Array]:
        """The state to go on from; `is_same`: with the same `args`."""
        ...

    def step(
        self, problem: _Problem, x: PyTree[Array], state: Any
    ) -> tuple[PyTree[Array], PyTree[Array], float, float]:
        """x and the state after a step, the loss before it, and its steepest slope."""
        ...


def _descent(optimiser: optax.GradientTransformation | None) -> _Descent:
    if optimiser is None:
        return _LineSearch()
    if not isinstance(optimiser, optax.GradientTransformation):
        raise ValueError(
            f"`optimiser` must be one of optax, such as optax.adam(1e-2), but is {optimiser!r}."
        )
    return _Optax(optimiser)


class _Optax(NamedTuple):
    """Any optimiser, each step one program."""

    optimiser: optax.GradientTransformation

    def init(self, x: PyTree[Array]) -> PyTree[Array]:
        return _strong(self.optimiser.init(x))

    def resumed(self, x: PyTree[Array], state: PyTree[Array], *, is_same: bool) -> PyTree[Array]:
        del x, is_same
        return _forgetting(state)

    def step(
        self, problem: _Problem, x: PyTree[Array], state: PyTree[Array]
    ) -> tuple[PyTree[Array], PyTree[Array], float, float]:
        moved, state, value, steepest = _step(problem, self.optimiser, x, state)
        return moved, state, float(value), float(steepest)


@eqx.filter_jit
def _step(
    problem: _Problem,
    optimiser: optax.GradientTransformation,
    x: PyTree[Array],
    state: PyTree[Array],
) -> tuple[PyTree[Array], PyTree[Array], Array, Array]:
    known = [optax.tree_utils.tree_get(state, name) for name in ("value", "grad")]
    if any(k is None for k in known):
        value, gradient = jax.value_and_grad(problem)(x)
    else:  # a line search has them from the step before
        value, gradient = optax.value_and_grad_from_state(problem)(x, state=state)
    # JAX's gradient of a complex argument points along the conjugate
    gradient = jax.tree.map(jnp.conj, gradient)
    rule = optax.with_extra_args_support(optimiser)
    change, state = rule.update(gradient, state, x, value=value, grad=gradient, value_fn=problem)
    moved = optax.apply_updates(x, change)
    return moved, _strong(state), jnp.asarray(value), _steepest(gradient)


class _Point(NamedTuple):
    """The loss at a point on a line, its gradient there, and the slope along the line."""

    x: PyTree[Array]
    value: Array
    gradient: PyTree[Array]
    slope: Array


class _Searched(NamedTuple):
    """Memory of L-BFGS, and the loss and its gradient at x: infinite where not known."""

    memory: PyTree[Array]
    value: Array
    gradient: PyTree[Array]


_MEMORY = optax.scale_by_lbfgs()

_TRIALS = 20
"""Of one line search."""


class _LineSearch:
    """L-BFGS, its line search outside of programs: the one that is compiled holds the loss once."""

    def init(self, x: PyTree[Array]) -> _Searched:
        memory = _strong(_MEMORY.init(x))
        return _Searched(memory, jnp.array(jnp.inf), jax.tree.map(jnp.zeros_like, x))

    def resumed(self, x: PyTree[Array], state: _Searched, *, is_same: bool) -> _Searched:
        """Gradients of other `args` are those of another loss."""
        return state._replace(value=jnp.array(jnp.inf)) if is_same else self.init(x)

    def step(
        self, problem: _Problem, x: PyTree[Array], state: _Searched
    ) -> tuple[PyTree[Array], PyTree[Array], float, float]:
        value, gradient = state.value, state.gradient
        if not np.isfinite(value):
            still = jax.tree.map(jnp.zeros_like, x)
            _, value, gradient, _ = _along(problem, x, still, jnp.zeros(()))
        before, steepest = float(value), float(_steepest(gradient))
        if not (np.isfinite(before) and np.isfinite(steepest)) or steepest == 0.0:
            return x, _Searched(state.memory, value, gradient), before, steepest
        direction, slope, memory = _direction(gradient, state.memory, x)
        there = _lower(
            lambda length: _along(problem, x, direction, jnp.asarray(length, float)),
            before,
            float(slope),
        )
        if there is None:  # from here along the gradient, without a memory
            return x, _Searched(self.init(x).memory, value, gradient), before, steepest
        return there.x, _Searched(memory, there.value, there.gradient), before, steepest


@eqx.filter_jit
def _along(
    problem: _Problem, x: PyTree[Array], direction: PyTree[Array], length: Float[Array, ""]
) -> _Point:
    """What the loss is at a point on a line, and how it changes there."""
    there = jax.tree.map(lambda x, d: x + length * d, x, direction)
    value, gradient = jax.value_and_grad(problem)(there)
    gradient = jax.tree.map(jnp.conj, gradient)  # as in `_step`
    return _Point(there, value, gradient, _inner(gradient, direction))


@eqx.filter_jit
def _direction(
    gradient: PyTree[Array], memory: PyTree[Array], x: PyTree[Array]
) -> tuple[PyTree[Array], Array, PyTree[Array]]:
    """Where L-BFGS leads, the slope of the loss that way, and the memory afterwards."""
    uphill, memory = _MEMORY.update(gradient, memory, x)
    direction = jax.tree.map(jnp.negative, uphill)
    return direction, _inner(gradient, direction), _strong(memory)


def _lower(at: Callable[[float], _Point], value: float, slope: float) -> _Point | None:
    """A point on a line that obeys the strong Wolfe conditions, or else is the lowest tried; None
    where none is lower than the start. What is not finite counts as infinitely high.
    """
    from scipy.optimize import line_search  # takes most of a second, and is seldom asked for

    tried: dict[float, _Point] = {}

    def point(length: np.ndarray) -> _Point:
        own = float(length[0])
        if own not in tried:
            tried[own] = at(own)
        return tried[own]

    def height(length: np.ndarray) -> float:
        found = float(point(length).value)
        return found if np.isfinite(found) else np.inf

    def rise(length: np.ndarray) -> np.ndarray:
        return np.array([float(point(length).slope)])

    with warnings.catch_warnings():  # of failure, which is dealt with below
        warnings.simplefilter("ignore", RuntimeWarning)
        given = np.zeros(1), np.ones(1), np.array([slope]), value
        length = line_search(height, rise, *given, maxiter=_TRIALS)[0]
    if length is not None and height(np.array([length])) < value:
        return point(np.array([length]))
    lowest = min(tried, key=lambda length: height(np.array([length])), default=None)
    return tried[lowest] if lowest is not None and height(np.array([lowest])) < value else None


def _inner(first: PyTree[Array], second: PyTree[Array]) -> Array:
    """Real part of the inner product."""
    products = jax.tree.map(lambda a, b: jnp.sum(a.conj() * b).real, first, second)
    return sum(jax.tree.leaves(products), jnp.zeros(()))


@eqx.filter_jit
def _steepest(gradient: PyTree[Array]) -> Array:
    sizes = [jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(gradient)]
    return jnp.max(jnp.stack(sizes))


def _as_arrays(tree: Any) -> Any:
    """Plain numbers as arrays: values that a compiled program takes, not parts of it."""
    number = float | complex | np.ndarray | np.inexact
    return jax.tree.map(
        lambda x: jnp.asarray(x, np.result_type(x)) if isinstance(x, number) else x, tree
    )


def _require_going_on(before: Optimised[Any], moving: Any, limits: Any, descent: _Descent) -> None:
    """What an optimisation goes on with must be what it began with."""
    if jax.tree.structure(before.x) != jax.tree.structure(moving):
        raise ValueError("`free` must be what the result was found with; or begin at its `value`.")
    state = eqx.filter_eval_shape(descent.init, before.x)
    if jax.tree.structure(state) != jax.tree.structure(before.state):
        raise ValueError(
            "`optimiser` must be the one that the result was found with; for another one begin at "
            "its `value`."
        )
    pairs = zip(*map(jax.tree.leaves, (_into_bounds(before.x, limits), moving)), strict=True)
    if not all(np.allclose(a, b, rtol=1e-12, atol=0.0) for a, b in pairs):
        raise ValueError(
            "`bounds` must be those that the result was found with; for others begin at its "
            "`value`."
        )


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
    for least, most in zip(*map(jax.tree.leaves, both), strict=True):
        if not np.all(np.asarray(least < most)):
            raise ValueError(f"`bounds` must be a low below a high, but are {low} and {high}.")
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
        found = self.problem(params, *args)
        if not isinstance(found, tuple) or len(found) != 2:
            raise ValueError(
                "`problem` must return a pair, the loss and what must vanish, but returns "
                f"{found!r}."
            )
        own, off = found
        return jnp.asarray(own), jnp.ravel(jnp.asarray(off))

    def __call__(self, params: Any, multipliers: Array, weight: Array, *args: Any) -> Array:
        own, off = self.parts(params, args)
        return own + multipliers @ off + 0.5 * weight * (off @ off)


@eqx.filter_jit
def _parts(lagrangian: _Lagrangian, params: Any, args: tuple[Any, ...]) -> tuple[Array, Array]:
    return lagrangian.parts(params, args)


class Constrained(eqx.Module, Generic[P]):
    r"""What `optimise_with_constraint` returns.

    `value`: the parameters of the last round; `loss`, `violation`: theirs, the second one entry a
    constraint; `multipliers`: $-\partial f^*/\partial\delta$ of the least loss where
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
        found = f"loss={float(self.loss):.8g}, violation={worst:.2g}, steps={len(self.history)}"
        return f"Constrained({found}, converged={self.converged})"


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
    args = _as_arrays(args)
    if isinstance(params, Constrained):
        at: P = params.value
        multipliers, strength, history = params.multipliers, params.weight, [params.history]
    else:
        at = _as_arrays(params)
        multipliers = jnp.zeros(eqx.filter_eval_shape(lagrangian.parts, at, args)[1].shape)
        strength, history = jnp.asarray(float(weight)), []
    before, worst = np.inf, np.inf
    own, off = jnp.zeros(()), multipliers
    for _ in range(rounds):
        found = optimise(
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
        at = found.value
        history.append(found.history)
        own, off = _parts(lagrangian, at, args)
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
    return Constrained(at, own, off, multipliers, strength, jnp.concatenate(history), converged)
