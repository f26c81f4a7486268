"""Exact dynamics of a small system and its window baths, by diagonalisation."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from entropax._checks import Faults, is_traced, require_count, require_key, whole
from entropax.entropy import observe, von_neumann
from entropax.linalg import Spectrum
from entropax.method.base import AbstractMethod, Plan
from entropax.method.compositions import SPLITTINGS
from entropax.method.stepping import step_through
from entropax.method.windows.driven import Amplitudes, DrivenEnergies, Splitting, middle_energies
from entropax.method.windows.estimates import require_memory, warn_of_minutes
from entropax.method.windows.observables import observables_at
from entropax.method.windows.propagation import Observables, Segment, WindowHamiltonian
from entropax.method.windows.sectors import Sector, find_sectors
from entropax.model import Observation
from entropax.model.views import WindowSystem, as_windows, window_links
from entropax.state import Observed, WindowState


class Decided(NamedTuple):
    """States that H connects; how many times lie in each stretch between breaks, where that is
    known; and what is observed of this model.
    """

    sectors: tuple[Sector, ...]
    counts: tuple[int, ...] | None
    observation: Observation | None


ExactPlan = Plan[WindowSystem, Decided]


class Schrodinger(AbstractMethod[WindowState]):
    r"""Exact dynamics of system and baths together.

    In the eigenbasis of H an expectation value is $\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab}
    X_{ba}$ with $R = V^\dagger\rho_0 V$ and $X = V^\dagger O V$: O(D^2) per time, and no density
    matrix is propagated. Sectors that H never couples are found and diagonalised apart, and those
    that the start leaves empty are left out; arithmetic is real where all couplings are.

    Driven energies that are constant between jumps are treated exactly, one diagonalisation a
    stretch. Where they vary smoothly, $U = \prod e^{-ia_jhH_0}\, e^{-ib_jh\,\delta\epsilon(t_j)}$
    with H_0 at the energies of mid-time: exact at any step where nothing is driven, unitary
    always, O(D^2) times the number of filled states a stage. Where the steps do not resolve the
    driving, the first law does not close and `Solution.result` is `unresolved`; pulses
    are looked for beforehand (`entropax.sharpness`).

    **Arguments:**

    - `key`: draws random levels and coupling matrices; one draw per key. Not needed where all is
      given.
    - `mutual_information`: also follow the baths' density matrix for the exact
      $I = S_S + S_B - S$ (Riera Eq. 40): O(D_B^2 r + D_B^3) per time for r filled states.
    - `observation`: also the observational entropy of an `Observation` and the terms that it is
      made of (Strasberg Eqs. 9, 22, 34, 39), in `ledger.observed`: O(D^2 r) per time, and two
      eigenproblems of each bath.
    - `steps`, `order`: of smooth driving: steps between neighbouring times, rounded up to an even
      number, and 2 or 4.
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
    steps: int = eqx.field(default=16, static=True, converter=whole)
    order: Literal[2, 4] = eqx.field(default=4, static=True)
    memory_limit: float | None = eqx.field(default=None, static=True)

    def __check_init__(self) -> None:
        if self.order not in SPLITTINGS:
            raise ValueError(f"`order` must be 2 or 4, but is {self.order!r}.")
        require_count("steps", self.steps)
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
        if self.key is None and any(random):
            raise ValueError("`key` must be given where levels or couplings are drawn.")
        observation = self.observation
        if observation is not None:
            observation = observation.fitted(system.levels, system.baths)
        plan = Plan.of(system, times, Decided(find_sectors(system), None, observation))
        counts = _times_of_each_stretch(system.with_separated_breaks(), plan.ts)
        plan = dataclasses.replace(plan, decided=plan.decided._replace(counts=counts))
        sizes = [sector.size for sector in plan.decided.sectors]
        require_memory(self.need(plan), sizes, self.memory_limit)
        if system.is_driven and not system.is_piecewise_constant:
            warn_of_minutes(plan.decided.sectors, self._stages(plan), self.steps)
        return plan

    def _stages(self, plan: ExactPlan) -> int:
        """How many exponentials are multiplied for smooth driving."""
        with jax.ensure_compile_time_eval():
            pairs = (plan.ts.shape[0] + plan.model.breaks.shape[0]) * -(-self.steps // 2)
            return 2 * (pairs + plan.model.marks.shape[0]) * len(SPLITTINGS[self.order][0])

    def need(self, plan: ExactPlan) -> float:
        """Bytes that the program of a plan takes, about."""
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
            need += (
                16.0 * 3 * plan.model.levels * environment * sum(len(s.columns) for s in sectors)
            )
        return need

    def initial(self, plan: ExactPlan) -> WindowState:
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
        if plan.model.is_driven and not plan.model.is_piecewise_constant:
            return self._run_split(plan, reduce, meter)
        return self._run_segments(plan, reduce, meter)

    def _run_split(
        self,
        plan: ExactPlan,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """Energies that vary smoothly: by split steps."""
        model, ts = plan.model, plan.ts
        resting = self._hamiltonian(plan).begin(middle_energies(model, ts))
        splitting = Splitting(DrivenEnergies(model), resting, self.order)

        def show(x: Amplitudes, time: Array, work: Array) -> PyTree[Array]:
            segment = splitting.state(x, time, work)
            return reduce(self._state(plan, segment, segment.observe(x), x))

        # as many steps to each break as to each time
        nodes = jnp.concatenate([ts, jnp.clip(model.breaks, 0.0, ts[-1])])
        order = jnp.argsort(nodes)
        shown = step_through(splitting.driven, splitting, nodes[order], self.steps, show, meter)
        places = jnp.argsort(order)[: ts.shape[0]]
        return jax.tree.map(lambda x: x[places], shown)

    def _run_segments(
        self,
        plan: ExactPlan,
        reduce: Callable[[WindowState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        """Energies that are constant between jumps: one diagonalisation a segment."""
        model, ts, counts = plan.model, plan.ts, plan.decided.counts
        breaks = jnp.clip(model.breaks, 0.0, ts[-1]) if model.is_driven else model.breaks
        edges = [jnp.zeros(()), *breaks, ts[-1]]
        energies = [model.within(a, (a, b)).spectrum()[0] for a, b in itertools.pairwise(edges)]
        asked = counts or (ts.shape[0],) * len(energies)
        segment = self._begin(plan)
        segment = segment.jump(edges[0], energies[0], segment.amplitudes)
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
                segment = segment.jump(time, energies[number + 1], segment.at(time, spectra))
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
        """The start, under the energies before it."""
        return self._hamiltonian(plan).begin(plan.model.before().spectrum()[0])

    def _state(
        self,
        plan: ExactPlan,
        segment: Segment,
        values: Observables,
        amplitudes: tuple[Array, ...],
    ) -> WindowState:
        mutual_information = observed = None
        faults = None
        if self._sees_all:
            kets = segment.kets(amplitudes)
            total = segment.setting.joint_entropy()
            if self.mutual_information:
                baths = _reduced(*kets, range(1, kets[0].ndim - 1))
                mutual_information = von_neumann(values.system) + von_neumann(baths) - total
            if plan.decided.observation is not None:
                observed, faults = _observed(
                    plan.decided.observation, plan.model, segment.setting, kets, total
                )
        return WindowState(
            joint=values.joint,
            flow=values.flow,
            system=values.system,
            energies=segment.energies,
            energy=values.energy,
            work=segment.work,
            interaction_energy=values.interaction,
            mutual_information=mutual_information,
            observed=observed,
            faults=faults,
        )


def _observed(
    observation: Observation,
    model: WindowSystem,
    setting: WindowHamiltonian,
    kets: tuple[Array, Array],
    total: Array,
) -> tuple[Observed, Faults]:
    conditional = jnp.einsum("k...r,q...r->kq...", kets[1], kets[0].conj())
    states, members, faults = [], [], Faults.none()
    for number, (bath, levels) in enumerate(zip(model.baths, setting.levels, strict=True)):
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
