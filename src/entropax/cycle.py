"""Limit cycles of driven systems between ideal baths, and cycles of finite baths that run down."""

import math
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import (
    Faults,
    Numbers,
    check,
    concrete,
    finite_array,
    is_traced,
    require_count,
)
from entropax._precision import require_float64
from entropax._tolerances import AS_STATED, VERDICT
from entropax.counting.cycles import cumulants_of_a_period
from entropax.counting.kinds import Count, OfAll, require_count_of
from entropax.equilibrium import expectation
from entropax.ledger import GKLSLedger
from entropax.linalg import modes, stationary
from entropax.linalg.spectral_radius import log_spectral_radius
from entropax.method import AbstractIdealBathEquation, AbstractMethod
from entropax.method.ideal.master_equation import IdealPlan
from entropax.model import OpenSystem, Product
from entropax.model.driven import AbstractDriven
from entropax.model.views import as_ideal, temperatures
from entropax.protocol import AbstractProtocol
from entropax.sharpness import with_marks
from entropax.solve import (
    FAILURES,
    RESULTS,
    Solution,
    raise_failures,
    require_method,
    solve,
    solve_plan,
)

_LOOKS = 97
"""Times of a period at which protocols are held against the next one."""

_SLOWEST = 1e-8
"""What must decay in a period for a cycle to be told from what is conserved: above what integration
at the default tolerances leaves of the eigenvalue 1."""


_FASTEST = math.log(1e-8)
"""The logarithm of what is left of other states after a period, below which it is rounding."""


class LimitCycle(eqx.Module):
    r"""What `limit_cycle` returns. Signs are those of the ledger: work is done on the system, heat
    goes into it.

    `state`: $\rho$ at the beginning of a period; `work`, `chemical_work`, `entropy_production`, and
    `heat` of each bath: of one period, jumps back to its beginning included; `power`: the work a
    time; `rate`: $-\ln|\mu_2|/T$, the rate at which other states come closer, $\mu_2$ the second
    eigenvalue of the map of a period, of coherences too where these are followed (NaN where they
    have decayed below 1e-8 in one: too fast to be told); `ledger`: of one period, at the times
    `ts`; `result`: one `RESULTS`; `faults`: of what a program was given; `model` and `method`: what
    it is of.
    """

    period: Float[Array, ""]
    state: Inexact[Array, "d d"]
    work: Float[Array, ""]
    chemical_work: Float[Array, ""]
    heat: Float[Array, " baths"]
    entropy_production: Float[Array, ""]
    rate: Float[Array, ""]
    beta: Float[Array, " baths"]
    ts: Float[Array, " times"]
    ledger: GKLSLedger
    result: RESULTS
    faults: Faults
    model: OpenSystem
    method: AbstractIdealBathEquation

    def cumulants(
        self, of: Count | OfAll, bath: int | None = None, order: int = 2
    ) -> Float[Array, " order"]:
        """Cumulants that each of many periods adds, of what `bath` gains or of all ("work" is what
        is put in and leaves as heat): as of `SteadyState.cumulants`.

        Of models that are constant between jumps; else `ValueError`.
        """
        require_count_of(of, bath, len(self.model.baths))
        system = as_ideal(self.model, type(self.method).__name__)
        if not system.is_piecewise_constant:
            raise ValueError(
                "`model` must be constant between jumps (`PiecewiseConstant`) where a cycle is "
                "counted."
            )
        equation = self.method.plan(system, concrete(self.ts)).decided
        return cumulants_of_a_period(
            self.method, equation, system, self.period, of, bath, require_count("order", order)
        )

    @property
    def power(self) -> Float[Array, ""]:
        """Work done on the system, a time: negative of an engine."""
        return (self.work + self.chemical_work) / self.period

    @property
    def efficiency(self) -> Float[Array, ""]:
        """That of an engine, the work drawn for the heat that comes in; of a refrigerator the heat
        from the coldest bath for the work done (the coefficient of performance); else NaN.
        """
        return _efficiency(self.work + self.chemical_work, self.heat, self.beta)

    @property
    def failed(self) -> Array:
        """Whether the rest must not be used."""
        return jnp.any(jnp.stack([self.result == kind for kind in FAILURES]), axis=0)


def limit_cycle(
    model: OpenSystem[Any, Any],
    period: Numbers,
    method: AbstractIdealBathEquation,
    *,
    times: int = 33,
    throw: bool | None = None,
) -> LimitCycle:
    r"""The state that returns after a period, $\Phi_T(\pi) = \pi$, and what a period yields in it.

    $\Phi_T$ is found by letting a basis of all states go through one period, side by side; $\pi$
    and its derivatives follow from one linear system.

    **Arguments:**

    - `model`: with ideal baths; its protocols are taken from 0 to `period`, and go on as they began
      (what jumps back at the end of the period does work). Those that are defined for longer must
      either repeat or rest.
    - `period`: T > 0.
    - `method`: `Davies`, `Local`, `Redfield` or `Lindblad`.
    - `times`: of the ledger, from 0 to T.
    - `throw`: None to raise where no cycle is the only one (something is conserved, or decays by
      less than 1e-8 a period), True and False as for `solve`.

    Derivatives, forward and reverse, in every number of the model and in T; `jax.vmap` equals a
    loop. Raises `ValueError` for a period that is not positive or that a protocol does not have,
    and for a model that `method` does not know. Cost: as many runs of a period as a state has
    numbers, in step, and O(d^6).
    """
    if not isinstance(method, AbstractIdealBathEquation):
        raise ValueError(
            f"`method` must be one for ideal baths, such as Davies(), but is {method!r}; of finite "
            "baths, which run down, `cycles` tells the work of each."
        )
    require_float64()
    last = check("period", finite_array("period", period, ndim=0), "positive", lambda xp, t: t > 0)
    require_period(model, last)
    count = require_count("times", times)
    shares, bare = np.arange(count + 1) / count, concrete(last)
    ts = last * shares if is_traced(last) else finite_array("period", bare * shares, ndim=1)
    marked = with_marks(model, ts if is_traced(bare) else np.asarray(bare) * shares)
    return raise_failures(_limit_cycle(method, method.plan(marked, ts), last), throw)


@eqx.filter_jit
def _limit_cycle(
    method: AbstractIdealBathEquation, plan: IdealPlan, period: Float[Array, ""]
) -> LimitCycle:
    matrix, trace = method.period_map(plan)
    steady = stationary(matrix - jnp.eye(trace.size), trace)
    decayed = log_spectral_radius(matrix - steady.x[:, None] * trace[None, :])
    unique = steady.unique & (decayed < -_SLOWEST)
    state = method.state_of(plan, steady.x)
    physical = jnp.min(modes(state)[0]) > -VERDICT
    # what is no state starts nothing: the run then goes through another, and `result` says so
    mixed = jnp.eye(state.shape[0]) / state.shape[0]
    start = Product(jnp.where(physical & unique, state, mixed))
    started = eqx.tree_at(lambda p: p.model.start, plan, start)
    solution = solve_plan(method, started)
    ledger = solution.ledger
    # the jump from the end of a period to its beginning
    model = plan.model.with_separated_breaks()  # as the run sees it
    first, last = model.at(jnp.zeros(())), model.at(period)
    back = expectation(first.total_hamiltonian() - last.total_hamiltonian(), ledger.state[-1])
    result = RESULTS.successful
    for kind in FAILURES:
        result = RESULTS.where(jnp.any(solution.result == kind), kind, result)
    result = RESULTS.where(physical, result, RESULTS.unphysical)
    result = RESULTS.where(unique, result, RESULTS.not_unique)
    result = RESULTS.where(jnp.any(solution.faults.present), RESULTS.invalid, result)
    return LimitCycle(
        period=period,
        state=state,
        work=ledger.work[-1] - ledger.work[0] + back,
        chemical_work=ledger.chemical_work[-1],
        heat=ledger.heat[-1],
        entropy_production=ledger.entropy_production[-1],
        rate=jnp.where(decayed > _FASTEST, -decayed / period, jnp.nan),
        beta=temperatures(plan.model)[0],
        ts=solution.ts,
        ledger=ledger,
        result=result,
        faults=solution.faults,
        model=plan.model,
        method=method,
    )


LedgerT = TypeVar("LedgerT")


class Cycles(eqx.Module, Generic[LedgerT]):
    """What `cycles` returns, one entry a cycle; baths along the last axis of `heat`.

    `work`, `chemical_work`: done on the system; `heat`: into it; `entropy_production` (None of
    frozen baths); `stored`: what the energy of the system and of its interaction with the baths has
    gained; `solution`: at the ends of all cycles, the first at time 0.
    """

    work: Float[Array, " cycles"]
    chemical_work: Float[Array, " cycles"]
    heat: Float[Array, "cycles baths"]
    entropy_production: Float[Array, " cycles"] | None
    stored: Float[Array, " cycles"]
    beta: Float[Array, "cycles baths"]
    solution: Solution[LedgerT]

    @property
    def efficiency(self) -> Float[Array, " cycles"]:
        """That of each cycle, with the temperatures at its beginning; as of a `LimitCycle`, but
        what is `stored` is not subtracted.
        """
        return _efficiency(self.work + self.chemical_work, self.heat, self.beta)


def cycles(
    model: Any,
    period: Numbers,
    count: int,
    method: AbstractMethod[Any],
    *,
    progress: bool = False,
    throw: bool | None = None,
) -> Cycles[Any]:
    """What each of `count` cycles yields: finite baths run down until nothing is left to draw.

    **Arguments:** `model`: with protocols that repeat after `period` (`ex.Periodic` repeats one);
    `method`: any that knows it; `progress`, `throw`: as of `solve`.

    Raises `ValueError` for a period that is not positive or that a protocol does not have. Cost and
    derivatives are those of `solve` until the end of the last cycle.
    """
    method = require_method(method)
    last = check("period", finite_array("period", period, ndim=0), "positive", lambda xp, t: t > 0)
    number = require_count("count", count)
    require_period(model, last, may_rest=number == 1)
    ts = last * jnp.arange(number + 1)
    solution = solve(model, ts, method, progress=progress, throw=throw)
    ledger = solution.ledger
    energy = ledger.energy if isinstance(ledger, GKLSLedger) else ledger.system_energy
    between, produced = getattr(ledger, "interaction_energy", None), ledger.entropy_production
    energy = energy if between is None else energy + between
    if isinstance(ledger, GKLSLedger):
        beta = jnp.broadcast_to(temperatures(model)[0], (number, len(model.baths)))
    else:
        beta = ledger.beta[:-1]
    return Cycles(
        work=jnp.diff(ledger.work),
        chemical_work=jnp.diff(getattr(ledger, "chemical_work", jnp.zeros_like(ledger.work))),
        heat=jnp.diff(ledger.heat, axis=0),
        entropy_production=None if produced is None else jnp.diff(produced),
        stored=jnp.diff(energy),
        beta=beta,
        solution=solution,
    )


def _efficiency(
    work: Float[Array, "*batch"], heat: Float[Array, "*batch baths"], beta: Float[Array, "*b baths"]
) -> Float[Array, "*batch"]:
    came_in = jnp.sum(jnp.maximum(heat, 0.0), axis=-1)
    coldest = jnp.argmax(jnp.broadcast_to(beta, heat.shape), axis=-1)
    cold = jnp.take_along_axis(heat, coldest[..., None], axis=-1)[..., 0]
    is_engine = (work < 0) & (came_in > 0)
    is_refrigerator = (work > 0) & (cold > 0)
    engine = -work / jnp.where(is_engine, came_in, 1.0)
    refrigerator = cold / jnp.where(is_refrigerator, work, 1.0)
    return jnp.where(is_engine, engine, jnp.where(is_refrigerator, refrigerator, jnp.nan))


def require_period(
    model: AbstractDriven, period: Float[Array, ""], *, may_rest: bool = True
) -> None:
    """`ValueError` where a protocol does not repeat after the period, nor rests from then on, where
    it may.
    """
    last = concrete(period)
    if is_traced(last):
        return
    for name, protocol in model.protocols.items():
        end = concrete(protocol.domain[1])
        if any(map(is_traced, jax.tree.leaves(protocol))) or is_traced(end):
            continue
        # no time of these is likely to be a break
        inside = float(last) * (np.arange(_LOOKS) + 0.5**0.5) / _LOOKS
        inside = inside[inside + float(last) <= float(end)]
        if not inside.size:
            continue
        with jax.ensure_compile_time_eval():
            here, there = (np.asarray(_values(protocol, t)) for t in (inside, inside + last))
        scale = max(np.ptp(here), np.ptp(there), np.max(np.abs(here)))
        repeats = np.allclose(here, there, rtol=0.0, atol=AS_STATED * scale)
        rests = may_rest and float(np.ptp(there)) <= AS_STATED * scale
        if not (repeats or rests):
            place = int(np.argmax(np.abs(here - there)))
            raise ValueError(
                f"`{name}` must have the `period` {float(last):g}, but is {here[place]:.6g} at "
                f"t = {inside[place]:.6g} and {there[place]:.6g} a period later."
            )


@eqx.filter_jit
def _values(protocol: AbstractProtocol, ts: Array) -> Array:
    return jax.vmap(protocol)(jnp.asarray(ts))
