"""How a loss is lowered: a step of an optax optimiser, or of L-BFGS with a line search."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax.control.bounds import into_bounds


class Problem(eqx.Module):
    """A loss as a function of the x that are optimised."""

    loss: Callable[..., Any]
    rest: PyTree
    limits: PyTree
    args: tuple[Any, ...]

    def params(self, x: PyTree[Array]) -> Any:
        """The parameters of free numbers x."""
        return eqx.combine(into_bounds(x, self.limits), self.rest)

    def __call__(self, x: PyTree[Array]) -> Array:
        loss = self.loss(self.params(x), *self.args)
        try:
            value = jnp.asarray(loss)
            kind = f"of shape {value.shape} and kind {value.dtype}"
            right = value.shape == () and jnp.issubdtype(value.dtype, jnp.floating)
        except (TypeError, ValueError):
            kind, right, value = f"{type(loss).__name__}", False, jnp.zeros(())
        if not right:
            raise ValueError(f"`loss` must return a real number, but what it returns is {kind}.")
        return value


Step = tuple[
    PyTree[Array], PyTree[Array], Float[np.ndarray, "*starts"], Float[np.ndarray, "*starts"]
]


@runtime_checkable
class Descent(Protocol):
    """A method of descent: how its state begins, and how it takes a step."""

    def init(self, x: PyTree[Array]) -> PyTree[Array]:
        """The state before the first step."""
        ...

    def step(self, problem: Problem, x: PyTree[Array], state: Any) -> Step:
        """x and the state after a step, the loss before it, and its steepest slope."""
        ...


class DescentOfOne(Descent, Protocol):
    """From one start."""

    def resumed(self, x: PyTree[Array], state: Any, *, is_same: bool) -> PyTree[Array]:
        """The state to go on from; `is_same`: with the same `args`."""
        ...


def descent_of(optimiser: optax.GradientTransformation | None) -> DescentOfOne:
    """The descent of an optimiser; None: L-BFGS with a line search."""
    if optimiser is None:
        return _LineSearch()
    if not isinstance(optimiser, optax.GradientTransformation):
        raise ValueError(
            f"`optimiser` must be one of optax, such as optax.adam(1e-2), but is {optimiser!r}."
        )
    return _Optax(optimiser)


def descent_of_several(optimiser: optax.GradientTransformation | None) -> "Several":
    """The descent of several starts at once; None: L-BFGS, each with a line search."""
    if optimiser is None:
        return Several(_Optax(optax.lbfgs()), goes_on_by_search=True)
    return Several(cast(_Optax, descent_of(optimiser)), goes_on_by_search=False)


class _Optax(NamedTuple):
    """Descent by any optimiser of optax; a step is one compiled program."""

    optimiser: optax.GradientTransformation

    def init(self, x: PyTree[Array]) -> PyTree[Array]:
        return strong(self.optimiser.init(x))

    def resumed(self, x: PyTree[Array], state: PyTree[Array], *, is_same: bool) -> PyTree[Array]:
        del x, is_same
        return _forgetting(state)

    def step(self, problem: Problem, x: PyTree[Array], state: PyTree[Array]) -> Step:
        moved, state, value, steepest = _step(problem, self.optimiser, x, state)
        return moved, state, np.asarray(value), np.asarray(steepest)


class Several(NamedTuple):
    """The same descent from several starts, in one program; `goes_on_by_search`: alone by L-BFGS
    with its line search in Python.
    """

    each: _Optax
    goes_on_by_search: bool

    def init(self, x: PyTree[Array]) -> PyTree[Array]:
        return jax.vmap(self.each.init)(x)

    def alone(self, x: PyTree[Array], state: PyTree[Array]) -> PyTree[Array]:
        """The state with which a start goes on alone."""
        return _LineSearch().init(x) if self.goes_on_by_search else state

    def step(self, problem: Problem, x: PyTree[Array], state: PyTree[Array]) -> Step:
        moved, state, value, steepest = _steps(problem, self.each.optimiser, x, state)
        return moved, state, np.asarray(value), np.asarray(steepest)


@eqx.filter_jit
def _steps(
    problem: Problem,
    optimiser: optax.GradientTransformation,
    x: PyTree[Array],
    state: PyTree[Array],
) -> tuple[PyTree[Array], PyTree[Array], Array, Array]:
    return jax.vmap(lambda x, state: _step(problem, optimiser, x, state))(x, state)


@eqx.filter_jit
def _step(
    problem: Problem,
    optimiser: optax.GradientTransformation,
    x: PyTree[Array],
    state: PyTree[Array],
) -> tuple[PyTree[Array], PyTree[Array], Array, Array]:
    stored = [optax.tree_utils.tree_get(state, name) for name in ("value", "grad")]
    if any(k is None for k in stored):
        value, gradient = jax.value_and_grad(problem)(x)
    else:  # a line search has them from the step before
        value, gradient = optax.value_and_grad_from_state(problem)(x, state=state)
    # JAX's gradient of a complex argument points along the conjugate
    gradient = jax.tree.map(jnp.conj, gradient)
    rule = optax.with_extra_args_support(optimiser)
    change, state = rule.update(gradient, state, x, value=value, grad=gradient, value_fn=problem)
    moved = optax.apply_updates(x, change)
    return moved, strong(state), jnp.asarray(value), _steepest(gradient)


class _Point(NamedTuple):
    """The loss at a point on a line, its gradient there, and the slope along the line."""

    x: PyTree[Array]
    value: Array
    gradient: PyTree[Array]
    slope: Array


class Searched(NamedTuple):
    """Memory of L-BFGS, the loss at x (infinite where not known), and its gradient there."""

    memory: PyTree[Array]
    value: Array
    gradient: PyTree[Array]


_MEMORY = optax.scale_by_lbfgs()


_TRIALS = 20
"""Iterations of one line search at most."""


class _LineSearch:
    """L-BFGS with its line search in Python, so that the compiled program holds the loss once."""

    def init(self, x: PyTree[Array]) -> Searched:
        memory = strong(_MEMORY.init(x))
        return Searched(memory, jnp.array(jnp.inf), jax.tree.map(jnp.zeros_like, x))

    def resumed(self, x: PyTree[Array], state: Searched, *, is_same: bool) -> Searched:
        """The state to go on from: with its memory for the same `args`, empty for others."""
        return state._replace(value=jnp.array(jnp.inf)) if is_same else self.init(x)

    def step(self, problem: Problem, x: PyTree[Array], state: Searched) -> Step:
        value, gradient = state.value, state.gradient
        if not np.isfinite(value):
            still = jax.tree.map(jnp.zeros_like, x)
            _, value, gradient, _ = _along(problem, x, still, jnp.zeros(()))
        before, steepest = np.asarray(value), np.asarray(_steepest(gradient))
        if not (np.isfinite(before) and np.isfinite(steepest)) or steepest == 0.0:
            return x, Searched(state.memory, value, gradient), before, steepest
        direction, slope, memory = _direction(gradient, state.memory, x)
        there = _lower(
            lambda length: _along(problem, x, direction, jnp.asarray(length, float)),
            float(before),
            float(slope),
        )
        if there is None:  # from here along the gradient, without a memory
            return x, Searched(self.init(x).memory, value, gradient), before, steepest
        return there.x, Searched(memory, there.value, there.gradient), before, steepest


@eqx.filter_jit
def _along(
    problem: Problem, x: PyTree[Array], direction: PyTree[Array], length: Float[Array, ""]
) -> _Point:
    """The loss, its gradient and its slope along a line, at a point on that line."""
    there = jax.tree.map(lambda x, d: x + length * d, x, direction)
    value, gradient = jax.value_and_grad(problem)(there)
    gradient = jax.tree.map(jnp.conj, gradient)  # as in `_step`
    return _Point(there, value, gradient, _inner(gradient, direction))


@eqx.filter_jit
def _direction(
    gradient: PyTree[Array], memory: PyTree[Array], x: PyTree[Array]
) -> tuple[PyTree[Array], Array, PyTree[Array]]:
    """The direction of L-BFGS, the slope of the loss along it, and the memory after the step."""
    uphill, memory = _MEMORY.update(gradient, memory, x)
    direction = jax.tree.map(jnp.negative, uphill)
    return direction, _inner(gradient, direction), strong(memory)


def _lower(at: Callable[[float], _Point], value: float, slope: float) -> _Point | None:
    """A point on a line that obeys the strong Wolfe conditions, or else is the lowest tried; None
    where none is lower than the start. What is not finite counts as infinitely high.
    """
    from scipy.optimize import line_search  # takes most of a second, and is seldom asked for

    tried: dict[float, _Point] = {}

    def point(length: np.ndarray) -> _Point:
        step = float(length[0])
        if step not in tried:
            tried[step] = at(step)
        return tried[step]

    def height(length: np.ndarray) -> float:
        loss = float(point(length).value)
        return loss if np.isfinite(loss) else np.inf

    def rise(length: np.ndarray) -> np.ndarray:
        return np.array([float(point(length).slope)])

    with warnings.catch_warnings():  # of failure, which is dealt with below
        warnings.simplefilter("ignore", RuntimeWarning)
        arguments = np.zeros(1), np.ones(1), np.array([slope]), value
        length = line_search(height, rise, *arguments, maxiter=_TRIALS)[0]
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


def as_arrays(tree: Any) -> Any:
    """The tree with plain numbers as arrays, so that a change of them compiles nothing anew."""
    number = float | complex | np.ndarray | np.inexact
    return jax.tree.map(
        lambda x: jnp.asarray(x, np.result_type(x)) if isinstance(x, number) else x, tree
    )


def _forgetting(state: PyTree[Array]) -> PyTree[Array]:
    """The state of a line search without its last loss, which is not that of other `args`."""
    if optax.tree_utils.tree_get(state, "value") is None:
        return state
    return strong(optax.tree_utils.tree_set(state, value=jnp.array(jnp.inf)))


def strong(state: PyTree[Array]) -> PyTree[Array]:
    """The state without weak types, with which the second step would be compiled anew."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), state)
