"""The one door: model x method x times -> Solution."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from entropax._checks import Faults, Numbers, concrete, faults_of, finite_array, is_traced
from entropax._functions import as_pytree
from entropax._tolerances import VERDICT
from entropax.ledger import (
    AbstractLedger,
    FermionLedger,
    FermionModel,
    GKLSLedger,
    Verdict,
    WindowLedger,
    open_account,
)
from entropax.method import AbstractMethod, Exact, Plan
from entropax.model import OpenSystem
from entropax.progress import RichProgressMeter
from entropax.sharpness import with_marks
from entropax.state import SystemState, WindowState

_VERDICT = f"{VERDICT:.0e}".replace("e-0", "e-")


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
    unphysical = (
        f"Probabilities are negative or do not add up to 1 (to {_VERDICT}): the master equation "
        'does not hold here. Redfield and, for window baths, `secular=False` and `memory="finite"` '
        "leave out terms of fourth order in the coupling, and as small are the negative values. "
        "Weaken the coupling, take the secular (Markov) equation or exact dynamics, or read the "
        "values as the size of the error (`throw=False`)."
    )
    unresolved = (
        f"The first law is off by more than {_VERDICT} of the energies: steps resolve neither the "
        "driving nor the band. Take more `steps`, order 4, and a `PiecewiseConstant` for what "
        "jumps. Or couplings of a junction that a program traces are too large for its energies: "
        "take `FermionNetwork.from_junction(junction)`."
    )
    not_unique = (
        "The steady state is not unique: something is conserved (`audit` names it), or rates are "
        "below rounding of the fastest one, as at very low temperatures."
    )
    not_converged = "The iterative solver did not find the steady state."
    out_of_steps = (
        "The integrator ran out of steps (`max_steps`): energies or some rates are large beside "
        "what is followed. Take more steps, a `frame` that rotates with a drive, a solver of stiff "
        "equations (`solver=diffrax.Kvaerno5()`), or `steady_state` for late times."
    )
    not_finite = (
        "The state holds NaN or infinite numbers: of the input, or of rates and energies that "
        "become impossible between the times asked for."
    )
    invalid = (
        "A program was given a value that the model or method must not have; `Solution.faults` "
        "says which."
    )


LedgerT = TypeVar("LedgerT")

Save = Callable[[Any], PyTree[Array]]
Progress = bool | diffrax.AbstractProgressMeter
_SILENT = diffrax.NoProgressMeter()


FAILURES = (
    RESULTS.unmatched,
    RESULTS.unphysical,
    RESULTS.unresolved,
    RESULTS.not_unique,
    RESULTS.not_converged,
    RESULTS.out_of_steps,
    RESULTS.not_finite,
    RESULTS.invalid,
)


class Solution(eqx.Module, Generic[LedgerT]):
    """What `solve` returns.

    `ts`: the times; `ledger`: one entry a time; `saved`: what `save` returned at each time;
    `result`: one `RESULTS` a time, to be compared as a whole: `result == RESULTS.successful` is a
    mask of times; `stats`: numbers of what was done (`times`, and `sites` or `dimension` of the
    model); `faults`: what a program was given that must not be, by the sentences that name it.
    """

    ts: Float[Array, " times"]
    ledger: LedgerT
    saved: PyTree[Array] | None
    result: RESULTS
    stats: dict[str, int]
    faults: Faults = eqx.field(default_factory=Faults.none)

    @property
    def failed(self) -> Array:
        """Mask of the times at which the ledger must not be used."""
        return jnp.any(jnp.stack([self.result == kind for kind in FAILURES]), axis=0)


@overload
def solve(
    model: FermionModel,
    ts: Numbers,
    method: AbstractMethod[Any] | None = None,
    *,
    save: Save | None = None,
    progress: Progress = False,
    throw: bool | None = None,
) -> Solution[FermionLedger]: ...


@overload
def solve(
    model: OpenSystem[Any, Any],
    ts: Numbers,
    method: AbstractMethod[SystemState],
    *,
    save: Save | None = None,
    progress: Progress = False,
    throw: bool | None = None,
) -> Solution[GKLSLedger]: ...


@overload
def solve(
    model: OpenSystem[Any, Any],
    ts: Numbers,
    method: AbstractMethod[WindowState],
    *,
    save: Save | None = None,
    progress: Progress = False,
    throw: bool | None = None,
) -> Solution[WindowLedger]: ...


def solve(
    model: FermionModel | OpenSystem[Any, Any],
    ts: Numbers,
    method: AbstractMethod[Any] | None = None,
    *,
    save: Save | None = None,
    progress: Progress = False,
    throw: bool | None = None,
) -> Solution[Any]:
    """Entropy production, and all that belongs to it, of `model` at the times `ts`.

    **Arguments:**

    - `model`: a `Junction`, a `FermionNetwork` or an `OpenSystem`.
    - `ts`: shape (times,), finite, in any order.
    - `method`: how. Free fermions: `Exact()`, also where left out; where driven `SplitStep` (a
      `Junction`) or `Magnus` (a `FermionNetwork`) must be given; an `OpenSystem`:
      `Schrodinger`, `EMME` or `BornMarkovSecular` with window baths, `Davies`, `Local`,
      `Redfield` or `Lindblad` with ideal ones.
    - `save`: a function of the state at one time (see `entropax.state`), whose results are
      stacked in `Solution.saved`. States themselves are not kept: each is reduced to its ledger
      at once.
    - `progress`: True for a bar, or any diffrax progress meter.
    - `throw`: None to raise where a time fails, and inside of `jit` and `vmap`, where raising
      would call the host, to make the ledger NaN there, and to say so in `Solution.result`, a mask
      for batches; False to leave all as it is; True to raise also as a program runs, which
      then neither is kept on disk nor runs without the host.

    Differentiable, forward and reverse, in every number of the model and in `ts` (forward through
    an ODE solver with `adjoint=diffrax.ForwardMode()`); `jax.vmap` over any of them equals a loop.
    One compilation serves all calls of equal shapes (and, for `Davies`, equal degeneracies).

    Raises `ValueError` for times that are not finite, or a model that `method` does not know.
    """
    times = finite_array("ts", ts, ndim=1)
    if method is None:
        if isinstance(model, OpenSystem):
            raise ValueError(
                "`method` must be given for an OpenSystem: Schrodinger(key), EMME() or "
                "BornMarkovSecular() with window baths, Davies(), Local(), Redfield() or "
                "Lindblad() with ideal ones."
            )
        method = Exact()
    method = require_method(method)
    if save is not None and not callable(save):
        raise ValueError(f"`save` must be a function of a state, but is {save!r}.")
    save = None if save is None else as_pytree(save)
    if isinstance(progress, bool):
        progress = RichProgressMeter() if progress else diffrax.NoProgressMeter()
    marked = with_marks(model, times if any(map(is_traced, jax.tree.leaves(ts))) else ts)
    solution = solve_plan(method, method.plan(marked, times), save, progress)
    return raise_failures(solution, throw)


def require_method(method: object) -> AbstractMethod[Any]:
    """The method, where it is one."""
    if not isinstance(method, AbstractMethod):
        kind = type(method).__name__
        raise ValueError(f"`method` must be a method such as Exact(), but is {method!r} ({kind}).")
    return method


@eqx.filter_jit
def solve_plan(
    method: AbstractMethod[Any],
    plan: Plan[Any, Any],
    save: Save | None = None,
    meter: diffrax.AbstractProgressMeter = _SILENT,
) -> Solution[Any]:
    """`solve` of what has been planned.

    Nothing but a bar calls the host, so that JAX can keep the program between runs.
    """
    account = open_account(method.initial(plan), plan.model)

    def reduce(state):
        return account.measure(state), None if save is None else save(state)

    measured, saved = plan.as_asked(method.run(plan, reduce, meter))
    ledger = account.settle(measured)
    verdict = account.judge(measured, ledger)
    ts = plan.as_asked(plan.ts)
    faults = faults_of(plan.model) + verdict.faults + _fault_of_times(ts)
    return Solution(
        ts=ts,
        ledger=ledger,
        saved=saved,
        result=_result(verdict, jnp.any(faults.present)),
        stats={"times": plan.asked, **plan.model.extent},
        faults=faults,
    )


def _fault_of_times(ts: Float[Array, " times"]) -> Faults:
    message = "`ts` must be finite, and where the model and the method are defined."
    return Faults(jnp.any(jnp.isnan(ts)).reshape(1), (message,))


def raise_failures(solution: Any, throw: bool | None = None) -> Any:
    """The solution, where its `result` is no failure; `throw` as for `solve`."""
    if throw is False:
        return solution
    # a fault of what was given explains all others
    kinds = concrete(_failures(solution.result, solution.faults.present))
    messages = solution.faults.messages
    sentences = [*messages, *(RESULTS[kind] for kind in FAILURES)]
    if is_traced(kinds):
        if throw is None:
            return _blanked(solution)
        return eqx.branched_error_if(solution, jnp.any(kinds), jnp.argmax(kinds), sentences)
    present = np.flatnonzero(np.asarray(kinds))
    if not present.size:
        return solution
    number = int(present[0])
    text = sentences[number]
    if number >= len(messages):
        text = f"{text} {_where(solution, FAILURES[number - len(messages)])}".rstrip()
    raise eqx.EquinoxRuntimeError(text)


def _blanked(solution: Any) -> Any:
    """NaN at times that failed: what goes on with it must not go on with a wrong number."""
    failed = solution.failed

    def blank(x: Any) -> Any:
        if not eqx.is_inexact_array(x):
            return x
        per_time = bool(failed.ndim) and x.shape[:1] == failed.shape
        mask = failed if per_time else jnp.any(failed)
        return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), jnp.nan, x)

    if isinstance(solution, Solution):
        return eqx.tree_at(lambda s: s.ledger, solution, jax.tree.map(blank, solution.ledger))
    return jax.tree.map(blank, solution)


def _where(solution: Any, kind: RESULTS) -> str:
    """When it failed first, by how much, and how to see the rest."""
    if isinstance(solution, AbstractLedger):  # of one moment
        return solution.in_words(0) if kind == RESULTS.unphysical else ""
    failed = np.asarray(solution.result == kind)
    if failed.ndim == 0:  # of a cycle as a whole
        return ""
    ts = np.asarray(solution.ts)
    first = int(np.flatnonzero(failed)[np.argmin(ts[failed])])
    text = f"First at t = {ts[first]:.6g}, at {failed.sum()} of {ts.size} times"
    before = ts[~np.asarray(solution.failed) & (ts < ts[first])]
    text += f", the last sound one t = {before.max():.6g}." if before.size else "."
    says = kind in (RESULTS.unphysical, RESULTS.unresolved)
    if says and isinstance(solution.ledger, AbstractLedger):
        text = f"{text} {solution.ledger.in_words(first)}"
    return f"{text} With `throw=False` all times are returned, and `result` says which failed."


@eqx.filter_jit
def _failures(result: RESULTS, faults: Bool[Array, " faults"]) -> Bool[Array, " kinds"]:
    """Each fault, then each kind of failure."""
    return jnp.append(faults, jnp.stack([jnp.any(result == kind) for kind in FAILURES]))


def _result(verdict: Verdict, is_invalid: Bool[Array, ""]) -> RESULTS:
    def one(reached, sound, physical, closed, converged, determined):
        result = RESULTS.where(determined, RESULTS.successful, RESULTS.undetermined_temperature)
        result = RESULTS.where(converged, result, RESULTS.unmatched)
        result = RESULTS.where(closed, result, RESULTS.unresolved)
        result = RESULTS.where(physical, result, RESULTS.unphysical)
        result = RESULTS.where(sound, result, RESULTS.not_finite)
        result = RESULTS.where(reached, result, RESULTS.out_of_steps)
        return RESULTS.where(is_invalid, RESULTS.invalid, result)

    *masks, _ = verdict
    return jax.vmap(one)(*masks)
