"""Optimal protocols and couplings: gradient descent on any function of a solution."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from entropax._checks import require_count
from entropax.control.bounds import into_bounds, limits_of, out_of_bounds, require_inside
from entropax.control.descent import (
    Descent,
    Problem,
    as_arrays,
    descent_of,
    descent_of_several,
    strong,
)
from entropax.control.run import Run
from entropax.control.run_store import RunStore
from entropax.progress import bar
from entropax.protocol import AbstractProtocol

P = TypeVar("P")


class Optimised(eqx.Module, Generic[P]):
    """What `optimise` returns, and what it goes on from.

    `value`: the best parameters seen; `loss`: their loss; `history`: the loss before each step;
    `last`: the parameters after the last step, and `x`: those of them that are optimised, without
    their bounds; `state`: the optimiser's; `args`: those of the loss; `converged`: whether the
    gradient fell below the tolerance; `runs`: the same of each start, none where there was one;
    `failure`: what went wrong, None where nothing did.
    """

    value: P
    loss: Float[Array, ""]
    history: Float[Array, " steps"]
    last: P
    x: PyTree[Array]
    state: PyTree
    args: PyTree
    converged: bool
    runs: "tuple[Optimised[P], ...]" = ()
    failure: str | None = eqx.field(static=True, default=None)

    def __repr__(self) -> str:
        summary = f"loss={float(self.loss):.8g}, steps={len(self.history)}"
        if self.runs:
            summary += f", best of {len(self.runs)} starts"
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
    starts: Sequence[P] = (),
    args: tuple[Any, ...] = (),
    free: PyTree[bool] | Callable[[Any], bool] | None = None,
    bounds: tuple[Any, Any] | None = None,
    tolerance: float | None = None,
    store: str | os.PathLike[str] | None = None,
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
    - `starts`: further places to begin, each like `params`: all descend together, in one vmapped
      program, each as it would alone, and the best is returned, with the others in `runs`. L-BFGS
      then is that of optax, whose line search is part of the program.
    - `args`: what else the loss depends on, not optimised; its numbers and arrays may change
      without a new compilation (but integers, which may be sizes).
    - `free`: which leaves are optimised, as for `eqx.partition`; None for `trainable`: all inexact
      arrays, but not what a protocol holds (the times and ends of a ramp).
    - `bounds`: low and high, each a number or a pytree like `params`, infinite where there is
      none: parameters are then $l + (h-l)/(1+e^{-x})$ or $l + \ln(1+e^x)$ of the x that are
      optimised. The start must lie between them. A pytree for one number among several:
      `eqx.tree_at(lambda p: p.protocol.values, ramp, jnp.array([-1.0, -jnp.inf]))`.
    - `tolerance`: stop when no entry of the gradient (of x, where bounded) is above it.
    - `store`: a folder that keeps where the descent stands: the same call goes on there, after a
      kill too, and takes no more than `steps` in all. What is kept ends where it would have ended
      without an interruption, bit by bit.
    - `progress`: a bar with the loss.
    - `throw`: raise `OptimisationError` where the loss or its gradient is not finite, or the loss
      raises; it carries the best of the steps before. With False that best is returned, and its
      `failure` says why. Its `last` is the last point at which all was finite. Of several starts
      those that fail are left behind; it raises where all do.

    Raises `ValueError` for a loss that is not a real number, or not finite at the start, for a
    start outside the bounds or unlike `params`, and for going on with another optimiser or other
    bounds; `StoreError` for a store of another question.
    """
    steps = require_count("steps", steps)
    if not callable(loss):
        raise ValueError(f"`loss` must be a function of the parameters, but is {loss!r}.")
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
    if before is not None:
        if len(starts):
            raise ValueError("`starts` must be left out where `params` is a result to go on from.")
        descent = descent_of(optimiser)
        _require_going_on(before, moving, limits, descent)
        is_same = bool(eqx.tree_equal(before.args, args))  # else the best of before is forgotten
        state = descent.resumed(before.x, before.state, is_same=is_same)
        least = float(before.loss) if is_same else np.inf
        run = Run.resume(problem, descent, before.x, state, np.asarray(before.history), least)
    else:
        places = [moving, *_further(starts, begin, spec)]
        for place in places:
            require_inside(place, limits)
        xs = [strong(out_of_bounds(place, limits)) for place in places]
        if len(xs) == 1:
            run = Run.begin(problem, descent_of(optimiser), xs[0])
        else:
            together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *xs)
            run = Run.begin(problem, descent_of_several(optimiser), together, len(xs))
    kept = None
    if store is not None:
        asked = {"loss": loss, "params": params, "starts": starts, "optimiser": optimiser}
        kept = RunStore(store, args=args, free=free, bounds=bounds, **asked)
        run.go_on_from(kept)
    with bar("loss", steps, shown=progress) as show:
        for index in range(run.taken, steps):
            goes_on = run.step(tolerance)
            if kept is not None and not run.has_failed:
                run.keep(kept, last=not goes_on or index == steps - 1)
            if not goes_on:
                break
            show(index + 1, f"{run.least:.6g}")
    optimised = _summary(run, before, tolerance)
    runs = optimised.runs or (optimised,)
    if all(run.failure is not None for run in runs) and throw:
        text = f"{optimised.failure} The best so far, {float(optimised.loss):.6g}, is in `.best`."
        # what failed inside the compiled program says where in JAX, twice: nothing that helps
        raise OptimisationError(text, optimised) from None
    return optimised


def _further(starts: Sequence[Any], begin: Any, spec: Any) -> list[Any]:
    """What moves of further starts; `ValueError` where one is unlike the first."""
    moving, rest = eqx.partition(begin, spec)
    shapes = [leaf.shape for leaf in jax.tree.leaves(moving)]
    further = []
    for number, plain in enumerate(starts):
        start = as_arrays(plain)
        if jax.tree.structure(start) != jax.tree.structure(begin):
            raise ValueError(f"`starts[{number}]` must be like `params`, but is {plain!r}.")
        there, fixed = eqx.partition(start, spec)
        if [leaf.shape for leaf in jax.tree.leaves(there)] != shapes:
            raise ValueError(
                f"`starts[{number}]` must have numbers of the shapes that `params` has, {shapes}, "
                f"but has {[leaf.shape for leaf in jax.tree.leaves(there)]}."
            )
        if not eqx.tree_equal(fixed, rest):
            raise ValueError(
                f"`starts[{number}]` must differ from `params` in what is optimised alone."
            )
        further.append(jax.tree.map(lambda x, like: x.astype(like.dtype), there, moving))
    return further


def _summary(run: Run, before: Optimised[P] | None, tolerance: float | None) -> Optimised[P]:
    """What there is by now; of several starts that which led to the least loss."""
    place = run.place
    if place.least.ndim > 0:
        runs = tuple(_summary(each, before, tolerance) for each in run.apart())
        best = runs[int(np.nanargmin(np.asarray(place.least)))]
        return dataclasses.replace(best, runs=runs)
    has_improved = before is None or bool(place.improved)
    return Optimised(
        value=run.params(place.best) if has_improved else cast(Optimised[P], before).value,
        loss=place.least,
        history=jnp.asarray(np.array(run.losses)),
        last=run.params(place.x),
        x=place.x,
        state=place.state,
        args=run.problem.args,
        converged=run.has_converged(tolerance),
        failure=run.failures[0],
    )


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
