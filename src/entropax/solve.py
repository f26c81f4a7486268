"""The one door: model x method x times -> Solution."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax._checks import Numbers, finite_array
from entropax.ledger import (
    FermionLedger,
    FermionModel,
    Measurement,
    measure,
    reference,
    settle,
)
from entropax.method import AbstractMethod, Exact
from entropax.progress import RichProgressMeter


class RESULTS(eqx.Enumeration):
    """How a time of a solution ended."""

    successful = ""
    undetermined_temperature = (
        "A bath has no unique finite effective temperature (`ledger.determined` says which): "
        "`beta` is 0, infinite or NaN, `mu` may be NaN; all else that has a limit is that limit."
    )
    unmatched = (
        "No grand canonical state with a bath's energy and particle number was found; the "
        "effective temperature and all that rests on it are wrong."
    )
    not_finite = "The state holds NaN or infinite numbers."


class Solution(eqx.Module):
    """What `solve` returns.

    `ts`: the times; `ledger`: one entry a time; `saved`: what `save` returned at each time;
    `result`: one `RESULTS` a time, to be compared as a whole: `result == RESULTS.successful` is a
    mask of times; `stats`: numbers of what was done (`times`, `sites`).
    """

    ts: Float[Array, " times"]
    ledger: FermionLedger
    saved: PyTree[Array] | None
    result: RESULTS
    stats: dict[str, int]

    @property
    def failed(self) -> Array:
        """Mask of the times at which the ledger must not be used."""
        return (self.result == RESULTS.unmatched) | (self.result == RESULTS.not_finite)


def solve(
    model: FermionModel,
    ts: Numbers,
    method: AbstractMethod | None = None,
    *,
    save: Callable[[Any], PyTree[Array]] | None = None,
    progress: bool | diffrax.AbstractProgressMeter = False,
    throw: bool = True,
) -> Solution:
    """Entropy production, and all that belongs to it, of `model` at the times `ts`.

    **Arguments:**

    - `model`: a `Junction` or a `FermionNetwork`.
    - `ts`: shape (times,), finite, in any order.
    - `method`: how; `Exact()` where left out.
    - `save`: a function of the state at one time (see `entropax.method`), whose results are
      stacked in `Solution.saved`. States themselves are not kept: each is reduced to its ledger
      at once. A new function object compiles anew, so define it once.
    - `progress`: True for a bar, or any diffrax progress meter.
    - `throw`: raise where a time fails; with False see `Solution.result`, a mask for batches.

    Differentiable, forward and reverse, in every number of the model and in `ts`; `jax.vmap`
    over any of them equals a loop. One compilation serves all calls of equal shapes.

    Raises `ValueError` for times that are not finite, or a model that `method` does not know.
    """
    times = finite_array("ts", ts, ndim=1)
    method = Exact() if method is None else method
    if not isinstance(method, AbstractMethod):
        found = type(method).__name__
        raise ValueError(f"`method` must be a method such as Exact(), but is {method!r} ({found}).")
    if save is not None and not callable(save):
        raise ValueError(f"`save` must be a function of a state, but is {save!r}.")
    if isinstance(progress, bool):
        progress = RichProgressMeter() if progress else diffrax.NoProgressMeter()
    return _solve(model, times, method, save, progress, throw)


@eqx.filter_jit
def _solve(
    model: FermionModel,
    ts: Float[Array, " times"],
    method: AbstractMethod,
    save: Callable[[Any], PyTree[Array]] | None,
    meter: diffrax.AbstractProgressMeter,
    throw: bool,
) -> Solution:
    start = reference(model, method.initial(model))

    def reduce(state):
        return measure(start, state), None if save is None else save(state)

    measured, saved = method.run(model, ts, reduce, meter)
    solution = Solution(
        ts=ts,
        ledger=settle(start, measured),
        saved=saved,
        result=_judge(start.start, measured),
        stats={"times": ts.shape[0], "sites": model.sites},
    )
    if throw:
        for kind in (RESULTS.unmatched, RESULTS.not_finite):
            bad = jnp.any(solution.result == kind)
            solution = eqx.error_if(solution, bad, RESULTS[kind])
    return solution


def _judge(start: Measurement, state: Measurement) -> RESULTS:
    sound = jnp.isfinite(state.energy + state.particles + state.bath_entropy)
    sound = jnp.all(sound, axis=-1) & jnp.isfinite(state.environment_entropy)
    converged = jnp.all(state.converged & start.converged, axis=-1)

    def judge(sound, converged, determined):
        result = RESULTS.where(determined, RESULTS.successful, RESULTS.undetermined_temperature)
        result = RESULTS.where(converged, result, RESULTS.unmatched)
        return RESULTS.where(sound, result, RESULTS.not_finite)

    return jax.vmap(judge)(sound, converged, jnp.all(state.determined, axis=-1))
