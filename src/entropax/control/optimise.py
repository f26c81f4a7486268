"""Optimal protocols and couplings: gradient descent on any function of a solution."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax._checks import require_count
from entropax.control.bounds import into_bounds, limits_of, out_of_bounds, require_inside
from entropax.control.descent import Descent, Problem, Searched, as_arrays, descent_of, strong
from entropax.progress import bar
from entropax.protocol import AbstractProtocol

P = TypeVar("P")


class Optimised(eqx.Module, Generic[P]):
    """What `optimise` returns, and what it goes on from.

    `value`: the best parameters seen; `loss`: their loss; `history`: the loss before each step;
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
        summary = f"loss={float(self.loss):.8g}, steps={len(self.history)}"
        return f"Optimised({summary}, converged={self.converged}, failure={self.failure!r})"


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
    descent = descent_of(optimiser)
    if not isinstance(args, tuple):
        raise ValueError(f"`args` must be a tuple, such as (x,), but is {args!r}.")
    args = as_arrays(args)
    before = params if isinstance(params, Optimised) else None
    begin = params.last if isinstance(params, Optimised) else as_arrays(params)
    spec = trainable(begin) if free is None else free
    moving, rest = eqx.partition(begin, spec)
    if not jax.tree.leaves(moving):
        raise ValueError(
            "`params` must hold a number to optimise, real or complex, but all that they hold is "
            "fixed: integers, what protocols hold, what `free` leaves out."
        )
    limits = limits_of(bounds, begin, spec, moving)
    problem = Problem(loss, rest, limits, args)
    if before is None:
        require_inside(moving, limits)
        x = out_of_bounds(moving, limits)
        under_way = _Optimisation.begin(problem, descent, strong(x))
    else:
        _require_going_on(before, moving, limits, descent)
        under_way = _Optimisation.resume(problem, descent, before)
    with bar("loss", steps, shown=progress) as show:
        for index in range(steps):
            if not under_way.step(tolerance):
                break
            show(index + 1, f"{under_way.least:.6g}")
    optimised = under_way.result()
    if optimised.failure is not None and throw:
        text = f"{optimised.failure} The best so far, {float(optimised.loss):.6g}, is in `.best`."
        # what failed inside the compiled program says where in JAX, twice: nothing that helps
        raise OptimisationError(text, optimised) from None
    return optimised


@dataclasses.dataclass
class _Optimisation(Generic[P]):
    """An optimisation under way: `x` and `state`, and what it has come by.

    `least` loss, at `best` (None: of the run that it resumes, at `value`); `sound`: x and state at
    the last point at which all was finite.
    """

    problem: Problem
    descent: Descent
    x: PyTree[Array]
    state: PyTree
    history: list[float]
    least: float
    best: PyTree[Array] | None
    value: P | None
    sound: tuple[PyTree[Array], PyTree]
    converged: bool = False
    failure: str | None = None

    @classmethod
    def begin(cls, problem: Problem, descent: Descent, x: PyTree[Array]) -> Self:
        state = descent.init(x)
        return cls(problem, descent, x, state, [], np.inf, x, None, (x, state))

    @classmethod
    def resume(cls, problem: Problem, descent: Descent, before: Optimised[P]) -> Self:
        """From where another ended; what it found is forgotten under other arguments."""
        x, is_same = before.x, bool(eqx.tree_equal(before.args, problem.args))
        state = descent.resumed(x, before.state, is_same=is_same)
        history = list(np.asarray(before.history))
        least = float(before.loss) if is_same else np.inf
        return cls(problem, descent, x, state, history, least, None, before.value, (x, state))

    def step(self, tolerance: float | None) -> bool:
        """One step; whether another one is to follow."""
        try:
            there, later, value, steepest = self.descent.step(self.problem, self.x, self.state)
            is_finite = bool(np.isfinite(value) and np.isfinite(steepest))
            if not is_finite:  # outside of a program a loss says what is wrong
                self.problem.loss(self.problem.params(self.x), *self.problem.args)
        except Exception as error:
            if not self.history:
                raise
            failure = f"`loss` failed at step {len(self.history)}: {_sentence(error)}"
            if isinstance(self.state, Searched) and np.isfinite(self.state.value):
                self._note(float(self.state.value))  # of the point that the search began at
            return self._fail(failure)
        if not is_finite:
            what = f"is {value}" if not np.isfinite(value) else "has a gradient that is not"
            if not self.history:
                raise ValueError(f"`loss` must be finite at the start, but {what}.")
            return self._fail(f"`loss` must be finite, but {what} at step {len(self.history)}.")
        self.sound = (self.x, self.state)
        self._note(value)
        self.converged = tolerance is not None and steepest <= tolerance
        if not self.converged:
            self.x, self.state = there, later
        return not self.converged

    def result(self) -> Optimised[P]:
        """What there is by now."""
        value = cast(P, self.value) if self.best is None else self.problem.params(self.best)
        losses = jnp.asarray(np.array(self.history))
        last, args = self.problem.params(self.x), self.problem.args
        ended = self.converged, self.failure
        return Optimised(
            value, jnp.asarray(self.least), losses, last, self.x, self.state, args, *ended
        )

    def _note(self, loss: float) -> None:
        self.history.append(loss)
        if loss < self.least:
            self.least, self.best = loss, self.x

    def _fail(self, message: str) -> bool:
        self.failure = message
        self.x, self.state = self.sound
        return False


def _sentence(error: Exception) -> str:
    """What an error says, without the stacks that a compiled program puts around it."""
    lines = (line.strip() for line in str(error).rsplit("RuntimeError: ")[-1].splitlines())
    message = list(
        itertools.takewhile(lambda line: not line.startswith(("---", "Traceback")), lines)
    )
    return " ".join(line for line in message if line) or type(error).__name__


def _require_going_on(before: Optimised[Any], moving: Any, limits: Any, descent: Descent) -> None:
    """Raise `ValueError` where `free`, `optimiser` or `bounds` are not those of the result."""
    if jax.tree.structure(before.x) != jax.tree.structure(moving):
        raise ValueError("`free` must be what the result was found with; or begin at its `value`.")
    state = eqx.filter_eval_shape(descent.init, before.x)
    if jax.tree.structure(state) != jax.tree.structure(before.state):
        raise ValueError(
            "`optimiser` must be the one that the result was found with; for another one begin at "
            "its `value`."
        )
    pairs = zip(*map(jax.tree.leaves, (into_bounds(before.x, limits), moving)), strict=True)
    if not all(np.allclose(a, b, rtol=1e-12, atol=0.0) for a, b in pairs):
        raise ValueError(
            "`bounds` must be those that the result was found with; for others begin at its "
            "`value`."
        )
