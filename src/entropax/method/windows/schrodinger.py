"""Exact dynamics of a small system and its window baths, by diagonalisation."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from entropax._checks import Faults, concrete, is_traced, require_key, whole
from entropax.entropy import observe, von_neumann
from entropax.linalg import Spectrum
from entropax.linalg.chebyshev import LARGEST_ANGLE, terms_for
from entropax.method.base import AbstractMethod, Plan
from entropax.method.sampling import Samples, samples
from entropax.method.stepping import require_steps, step_through
from entropax.method.windows.driven import ChebyshevSteps, DrivenWindows
from entropax.method.windows.estimates import require_memory, warn_of_minutes
from entropax.method.windows.everything import Everything, system_first
from entropax.method.windows.hamiltonian import (
    Controls,
    WindowHamiltonian,
    switched_couplings,
)
from entropax.method.windows.observables import observables_at
from entropax.method.windows.propagation import Observables, Segment, begin
from entropax.method.windows.sectors import Sector, find_sectors
from entropax.model import Observation
from entropax.model.views import WindowSystem, as_windows, window_links
from entropax.state import Observed, WindowState

_TERMS_OF_TRACED = 24
"""The most terms of a stage of a model that is traced: for phases that turn by up to 4."""


_BEYOND = 1.5
"""What a reach may exceed that of the samples of a model by."""


class Decided(NamedTuple):
    """States that H connects; how many times lie in each stretch between breaks, where that is
    known; what is observed of this model; the terms of each step (None: eigenvectors), and whether
    they are known to be enough.
    """

    sectors: tuple[Sector, ...]
    counts: tuple[int, ...] | None
    observation: Observation | None
    terms: int | None
    is_known: bool


ExactPlan = Plan[WindowSystem, Decided]


class Schrodinger(AbstractMethod[WindowState]):
    r"""Exact dynamics of system and baths together.

    In the eigenbasis of H an expectation value is $\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab}
    X_{ba}$ with $R = V^\dagger\rho_0 V$ and $X = V^\dagger O V$: O(D^2) per time, and no density
    matrix is propagated. Sectors that H never couples are found and diagonalised apart, and those
    that the start leaves empty are left out; arithmetic is real where all couplings are.

    Energies, operators of the system and strengths of couplings may be driven. What is constant
    between jumps is treated exactly, one diagonalisation a stretch. What varies smoothly is so in
    steps of order 2 or 4 (commutator-free Magnus expansion, Blanes, Moan 2006), whose exponentials
    are applied by Chebyshev's expansion to rounding: unitary, exact where nothing is driven, no
    matrix over everything and no eigenproblem of it, O(D D_B r) a term for r filled states. Where
    the steps do not resolve the driving, the first law does not close and `Solution.result` is
    `unresolved`; pulses are looked for beforehand (`entropax.sharpness`).

    **Arguments:**

    - `key`: draws random levels, coupling matrices and pure states; one draw per key. Not needed
      where all is given.
    - `mutual_information`: also follow the baths' density matrix for the exact
      $I = S_S + S_B - S$ (Riera Eq. 40): O(D_B^2 r + D_B^3) per time for r filled states.
    - `observation`: also the observational entropy of an `Observation` and the terms that it is
      made of (Strasberg Eqs. 9, 22, 34, 39), in `ledger.observed`: O(D^2 r) per time, and two
      eigenproblems of each bath.
    - `propagation`: "eigenbasis" or "chebyshev" for what is constant between jumps, too: products
      with H in steps, for few filled states of many levels, and for GPUs; None for the eigenbasis.
    - `steps`, `order`: of what varies smoothly, and of "chebyshev": steps between neighbouring
      times, rounded up to an even number, and 2 or 4.
    - `memory_limit`: GiB that matrices may take; None for what the device has. One member of a
      batch is counted.

    Sectors can only be found where operators, means and the start are known numbers, not traced
    ones; where times or jumps are traced, each stretch is asked for all times. Derivatives with
    respect to all numbers of the model, forward and reverse, exact at degenerate spectra: O(D^3)
    per time. Raises `ValueError` where the matrices do not fit.
    """

    states = WindowState

    key: PRNGKeyArray | None = None
    _: dataclasses.KW_ONLY
    mutual_information: bool = eqx.field(default=False, static=True)
    observation: Observation | None = None
    propagation: Literal["eigenbasis", "chebyshev"] | None = eqx.field(default=None, static=True)
    steps: int = eqx.field(default=16, static=True, converter=whole)
    order: Literal[2, 4] = eqx.field(default=4, static=True)
    memory_limit: float | None = eqx.field(default=None, static=True)

    def __check_init__(self) -> None:
        require_steps(self.steps, self.order)
        if self.propagation not in (None, "eigenbasis", "chebyshev"):
            raise ValueError(
                '`propagation` must be "eigenbasis", "chebyshev" or None, but is '
                f"{self.propagation!r}."
            )
        if self.key is not None:
            require_key(self.key)
        limit = self.memory_limit
        if limit is not None and not (isinstance(limit, int | float) and 0.0 < limit < np.inf):
            raise ValueError(f"`memory_limit` must be a positive number of GiB, but is {limit!r}.")
        if self.observation is not None and not isinstance(self.observation, Observation):
            raise ValueError(f"`observation` must be an Observation, but is {self.observation!r}.")

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> ExactPlan:
        system = as_windows(model, type(self).__name__)
        times = system.require_defined(ts)
        random = [link.matrix.is_random or link.bath.is_random for link in window_links(system)]
        if self.key is None and (any(random) or system.start.is_random):
            raise ValueError("`key` must be given where levels, couplings or states are drawn.")
        observation = self.observation
        if observation is not None:
            observation = observation.fitted(system.levels, system.baths)
        decided = Decided(find_sectors(system), None, observation, None, is_known=True)
        plan = Plan.of(system, times, decided)
        is_smooth = system.is_driven and not system.is_piecewise_constant
        if is_smooth and self.propagation == "eigenbasis":
            named = ", ".join(n for n, p in system.protocols.items() if not p.is_piecewise_constant)
            raise ValueError(
                '`propagation` must be "chebyshev" or None where something varies smoothly: '
                f"{named}."
            )
        if is_smooth or self.propagation == "chebyshev":
            terms = self._terms(plan)
            is_known = terms is not None
            terms = _TERMS_OF_TRACED if terms is None else terms
            decided = decided._replace(terms=terms, is_known=is_known)
        else:
            counts = _times_of_each_stretch(system.with_separated_breaks(), plan.ts)
            decided = decided._replace(counts=counts)
        plan = dataclasses.replace(plan, decided=decided)
        sizes = [sector.size for sector in decided.sectors]
        require_memory(self.need(plan), sizes, self.memory_limit)
        if decided.terms is not None:
            warn_of_minutes(self._operations(plan), self.steps)
        return plan

    def _terms(self, plan: ExactPlan) -> int | None:
        """The most terms that a step needs, that of the longest between neighbouring times; None
        where a program traces what they hang on.
        """
        model = plan.model
        with jax.ensure_compile_time_eval():
            seen = samples(model, plan.ts)
            nodes = jnp.sort(jnp.append(jnp.clip(model.breaks, 0.0, plan.ts[-1]), plan.ts))
            longest = jnp.max(jnp.diff(nodes, prepend=0.0))
            if seen is None or is_traced(longest):
                return None
            reach = concrete(_reach(model, plan.decided.sectors, self.key, seen))
        stages = 2 * -(-self.steps // 2) * (1 if self.order == 2 else 2)
        if is_traced(reach):
            return None
        angle = _BEYOND * float(reach) * float(longest) / stages
        if angle > LARGEST_ANGLE:
            raise ValueError(
                f"`steps` must be more than {self.steps}: between two times phases turn by "
                f"{angle * stages:.3g}, in a step by at most {LARGEST_ANGLE:.0f}."
            )
        return terms_for(angle)

    def _operations(self, plan: ExactPlan) -> float:
        """Operations of all products with H, about."""
        model = plan.model
        with jax.ensure_compile_time_eval():
            pairs = (plan.ts.shape[0] + model.breaks.shape[0]) * -(-self.steps // 2)
            stages = 2 * (pairs + model.marks.shape[0]) * (1 if self.order == 2 else 2)
        sizes = [bath.size for bath in model.baths]
        entries = model.levels * float(np.prod(sizes)) * max(_columns(plan))
        terms = plan.decided.terms or 0
        links = window_links(model)
        return stages * terms * entries * 4.0 * sum(sizes[link.number] for link in links)

    def need(self, plan: ExactPlan) -> float:
        """Bytes that the program of a plan takes, about."""
        if plan.decided.terms is not None:
            sizes = [bath.size for bath in plan.model.baths]
            environment, columns = float(np.prod(sizes)), _columns(plan)
            columns = sum(columns) if plan.model.start.is_incoherent else max(columns)
            entries = plan.model.levels * environment * columns
            more = 4 * environment**2 if self.mutual_information else 0.0
            return 16.0 * (8 * entries + more + sum(2 * n * n for n in sizes))
        sectors, times = plan.decided.sectors, plan.ts.shape[0]
        sizes = [sector.size for sector in sectors]
        # h, vectors; of sectors of one size LAPACK's workspace, R, an observable, products;
        # phases and products with them
        need = sum(16.0 * n * (2 * n + 2 * times) for n in sizes)
        need += max(16.0 * sizes.count(n) * n * (8 * n + 2 * times) for n in sizes)
        environment = float(np.prod([bath.size for bath in plan.model.baths]))
        if self.mutual_information:
            need += 16.0 * 4 * environment**2
        if self._sees_all:
            need += 16.0 * 3 * plan.model.levels * environment * sum(_columns(plan))
        return need

    def initial(self, plan: ExactPlan) -> WindowState:
        if plan.decided.terms is not None:
            everything = Everything.draw(plan.model, plan.decided.sectors, self.key)
            before = Controls.of(plan.model.before(), switched_couplings(plan.model))
            state = self._of_everything(plan, everything, before, everything.begin(), jnp.zeros(()))
            return dataclasses.replace(state, flow=None)
        segment = self._begin(plan)
        values = segment.observe(segment.amplitudes)
        state = self._state(plan, segment, values, segment.amplitudes)
        return dataclasses.replace(state, flow=None)

    def run(
        self,
        plan: ExactPlan,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        plan = dataclasses.replace(plan, model=plan.model.with_separated_breaks())
        if plan.decided.terms is not None:
            return self._run_steps(plan, plan.decided.terms, reduce, meter)
        return self._run_segments(plan, reduce, meter)

    def _run_steps(
        self,
        plan: ExactPlan,
        terms: int,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """What varies smoothly: step by step."""
        model, ts, sectors = plan.model, plan.ts, plan.decided.sectors
        everything = Everything.draw(model, sectors, self.key)
        driven = DrivenWindows(model)
        is_known = plan.decided.is_known
        propagator = ChebyshevSteps(driven, everything, self.order, terms, is_traced=not is_known)

        def show(*position: Any) -> PyTree[Array]:
            x, controls, work = propagator.state(*position)
            state = self._of_everything(plan, everything, controls, x.x, work)
            faults = propagator.faults(x) + (state.faults or Faults.none())
            return reduce(dataclasses.replace(state, faults=faults))

        # as many steps to each break as to each time
        nodes = jnp.concatenate([ts, jnp.clip(model.breaks, 0.0, ts[-1])])
        order = jnp.argsort(nodes)
        asked = (order < ts.shape[0]) if model.breaks.shape[0] else None
        shown = step_through(
            driven, propagator, nodes[order], self.steps, show, meter, cuts=model.marks, asked=asked
        )
        places = jnp.argsort(order)[: ts.shape[0]]
        return jax.tree.map(lambda x: x[places], shown)

    def _of_everything(
        self,
        plan: ExactPlan,
        everything: Everything,
        controls: Controls,
        x: Array,
        work: Float[Array, ""],
    ) -> WindowState:
        """The state of amplitudes on a tensor."""
        values, kets = everything.observe(controls, x), None
        if self._sees_all:
            kets = system_first(x), system_first(everything.start.weighted(x))
        total = everything.start.entropy()
        seen = self._seen(plan, everything.drawn.levels, values, kets, total)
        return _state(controls, values, work, *seen)

    def _run_segments(
        self,
        plan: ExactPlan,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """What is constant between jumps: one diagonalisation a segment."""
        model, ts, counts = plan.model, plan.ts, plan.decided.counts
        breaks = jnp.clip(model.breaks, 0.0, ts[-1]) if model.is_driven else model.breaks
        edges = [jnp.zeros(()), *breaks, ts[-1]]
        switched = switched_couplings(model)
        controls = [
            Controls.of(model.within(a, (a, b)), switched) for a, b in itertools.pairwise(edges)
        ]
        asked = counts or (ts.shape[0],) * len(controls)
        segment = self._begin(plan)
        segment = segment.jump(edges[0], controls[0], segment.amplitudes)
        progress, answers, done = meter.init(), [], 0
        for number, count in enumerate(asked):
            spectra = segment.spectra()
            if count:
                times = ts[done:][:count] if counts else ts
                if len(asked) > 1:  # times of other segments must not run away
                    times = jnp.clip(times, edges[number], edges[number + 1])

                def tell(progress, of_these, before=done):
                    return meter.step(progress, (before + of_these) / sum(asked))

                progress, states = self._states(
                    plan, segment, spectra, times, reduce, tell, progress
                )
                answers.append(states)
                done += count
            if number + 1 < len(asked):
                time = edges[number + 1]
                segment = segment.jump(time, controls[number + 1], segment.at(time, spectra))
        meter.close(progress)
        if counts or len(asked) == 1:
            return jax.tree.map(lambda *x: jnp.concatenate(x), *answers)
        of_segment = jnp.searchsorted(model.breaks, ts, side="right")
        each = jnp.arange(ts.shape[0])
        return jax.tree.map(lambda *x: jnp.stack(x)[of_segment, each], *answers)

    def _states(
        self,
        plan: ExactPlan,
        segment: Segment,
        spectra: list[Spectrum],
        ts: Float[Array, " t"],
        reduce: Callable[[WindowState], PyTree[Array]],
        tell: Callable[[PyTree[Array], Array | int], PyTree[Array]],
        progress: PyTree[Array],
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """`reduce` of the states at times of one segment; `tell`: how many of them are done."""
        values, total = observables_at(segment, spectra, ts), ts.shape[0]
        if not self._sees_all:
            results = jax.vmap(lambda v: reduce(self._state(plan, segment, v, ())))(values)
            return tell(progress, total), results

        def once(time: Array, values: Observables) -> PyTree[Array]:
            amplitudes = segment.at(time, spectra)
            return reduce(self._state(plan, segment, values, amplitudes))

        def step(progress, indexed):
            index, *timed = indexed
            return tell(progress, index + 1), jax.checkpoint(once)(*timed)

        return jax.lax.scan(step, progress, (jnp.arange(total), ts, values))

    @property
    def _sees_all(self) -> bool:
        """Whether the amplitudes of the baths' states are asked for, not only sums over them."""
        return self.mutual_information or self.observation is not None

    def _hamiltonian(self, plan: ExactPlan) -> WindowHamiltonian:
        return WindowHamiltonian.draw(plan.model, plan.decided.sectors, self.key)

    def _begin(self, plan: ExactPlan) -> Segment:
        """The start, under the controls before it."""
        before = Controls.of(plan.model.before(), switched_couplings(plan.model))
        return begin(self._hamiltonian(plan), before)

    def _state(
        self,
        plan: ExactPlan,
        segment: Segment,
        values: Observables,
        amplitudes: tuple[Array, ...],
    ) -> WindowState:
        """The state of a segment."""
        kets = segment.kets(amplitudes) if self._sees_all else None
        levels, total = segment.setting.levels, segment.setting.start.entropy()
        seen = self._seen(plan, levels, values, kets, total)
        return _state(segment.controls, values, segment.work, *seen)

    def _seen(
        self,
        plan: ExactPlan,
        levels: tuple[Float[Array, " _"], ...],
        values: Observables,
        kets: tuple[Array, Array] | None,
        total: Float[Array, ""],
    ) -> tuple[Float[Array, ""] | None, Observed | None, Faults]:
        """What only the amplitudes X and X C tell; `total`: entropy of everything."""
        mutual_information = observed = None
        faults = Faults.none()
        if kets is not None and self.mutual_information:
            baths = _reduced(*kets, range(1, kets[0].ndim - 1))
            mutual_information = von_neumann(values.system) + von_neumann(baths) - total
        if kets is not None and plan.decided.observation is not None:
            seen = plan.decided.observation, plan.model, levels
            observed, faults = _observed(*seen, kets, total)
        return mutual_information, observed, faults


def _state(
    controls: Controls,
    values: Observables,
    work: Float[Array, ""],
    mutual_information: Float[Array, ""] | None,
    observed: Observed | None,
    faults: Faults,
) -> WindowState:
    return WindowState(
        joint=values.joint,
        flow=values.flow,
        system=values.system,
        hamiltonian=controls.matrix,
        energy=values.energy,
        work=work,
        interaction_energy=values.interaction,
        mutual_information=mutual_information,
        observed=observed,
        faults=faults,
    )


def _observed(
    observation: Observation,
    model: WindowSystem,
    of_baths: tuple[Float[Array, " _"], ...],
    kets: tuple[Array, Array],
    total: Array,
) -> tuple[Observed, Faults]:
    conditional = jnp.einsum("k...r,q...r->kq...", kets[1], kets[0].conj())
    states, members, faults = [], [], Faults.none()
    for number, (bath, levels) in enumerate(zip(model.baths, of_baths, strict=True)):
        states.append(_reduced(*kets, [1 + number]))
        inside, fault = observation.members(number, bath, levels)
        members.append(inside)
        faults += fault
    basis = observation.basis
    if isinstance(basis, str):
        vectors = jnp.eye(model.levels) if basis == "energy" else None
    else:
        vectors = model.to_eigenbasis(basis)
    outcomes, terms, each = observe(conditional, states, total, members, vectors)
    volumes = tuple(jnp.sum(m, axis=0) for m in members)
    return Observed(outcomes, volumes, terms, total, each), faults


def _reduced(ket: Array, weighted: Array, axes: Iterable[int]) -> Array:
    """The density matrix of some axes of X C X^dagger, all others traced out."""
    kept = tuple(axes)
    size = int(np.prod([ket.shape[axis] for axis in kept]))
    left, right = (jnp.moveaxis(x, kept, range(len(kept))) for x in (weighted, ket))
    return left.reshape(size, -1) @ right.reshape(size, -1).conj().T


@eqx.filter_jit
def _reach(
    model: WindowSystem, sectors: tuple[Sector, ...], key: PRNGKeyArray | None, seen: Samples
) -> Float[Array, ""]:
    """How far energies are from their middle in a driven model, as far as a few looks tell."""
    everything = Everything.draw(model, sectors, key)
    return jnp.max(seen.each(everything.reach_under))


def _columns(plan: ExactPlan) -> list[int]:
    """How many columns of amplitudes each sector has."""
    model, sectors = plan.model, plan.decided.sectors
    if model.start.is_incoherent:
        return [len(sector.columns) for sector in sectors]

    def kets() -> Array:
        levels = [jnp.zeros(bath.size) for bath in model.baths]
        return model.start.kets(model, levels, [jax.random.key(0)] * len(levels)).columns

    return [jax.eval_shape(kets).shape[-1]] * len(sectors)


def _times_of_each_stretch(
    model: WindowSystem, ts: Float[Array, " times"]
) -> tuple[int, ...] | None:
    """How many times lie in each stretch between breaks, where that is known beforehand."""
    with jax.ensure_compile_time_eval():
        breaks = model.breaks
    if breaks.shape[0] == 0 or is_traced(breaks) or is_traced(ts):
        return None
    stretch = np.searchsorted(np.asarray(breaks), np.asarray(ts), side="right")
    counts = np.bincount(stretch, minlength=1)
    return tuple(int(n) for n in counts)
