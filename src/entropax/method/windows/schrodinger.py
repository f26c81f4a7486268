"""Exact dynamics of a small system and its window baths, by diagonalisation."""

import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from entropax._checks import Faults, is_traced, require_count, require_key, whole
from entropax._device import memory
from entropax.entropy import observe, von_neumann
from entropax.linalg import Spectrum
from entropax.method.base import AbstractMethod, open_system
from entropax.method.compositions import SPLITTINGS
from entropax.method.stepping import step_through
from entropax.method.windows.driven import Amplitudes, DrivenEnergies, Splitting, middle_energies
from entropax.method.windows.observables import observables_at
from entropax.method.windows.propagation import Observables, Segment, WindowHamiltonian
from entropax.method.windows.sectors import Sector, find_sectors
from entropax.model import Observation, OpenSystem
from entropax.state import Observed, WindowState

_RATE = 2e10
"""Operations a second of one core, about."""
_LONG = 60.0
"""Seconds that are told beforehand."""


class Schrodinger(AbstractMethod):
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
    ones; where times or jumps are traced, each stretch is asked for all times. `prepare` fills in
    `sectors` and `plan`. Derivatives with respect to all numbers of the model, forward and
    reverse, exact at degenerate spectra: O(D^3) per time. Raises `ValueError` where the matrices
    do not fit.
    """

    key: PRNGKeyArray | None = None
    mutual_information: bool = eqx.field(default=False, static=True)
    observation: Observation | None = None
    steps: int = eqx.field(default=16, static=True, converter=whole)
    order: Literal[2, 4] = eqx.field(default=4, static=True)
    memory_limit: float | None = eqx.field(default=None, static=True)
    sectors: tuple[Sector, ...] | None = eqx.field(default=None, static=True)
    plan: tuple[int, ...] | None = eqx.field(default=None, static=True)

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

    def require_times(self, model: eqx.Module, ts: Float[Array, " times"]) -> Array:
        return open_system(self, model).require_defined(ts)

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        known = open_system(self, model)
        random = [c.matrix.is_random for c in known.couplings]
        if self.key is None and (any(random) or any(b.is_random for b in known.baths)):
            raise ValueError("`key` must be given where levels or couplings are drawn.")
        observation = self.observation
        if observation is not None:
            observation = observation.fitted(known.levels, known.baths)
        sectors = find_sectors(known) if self.sectors is None else self.sectors
        method = dataclasses.replace(
            self,
            observation=observation,
            sectors=sectors,
            plan=_plan(known.with_separated_breaks(), ts),
        )
        method._require_memory(known, ts.shape[0])
        if known.is_driven and not known.is_piecewise_constant:
            method._tell_time(known, ts.shape[0])
        return method

    def need(self, model: OpenSystem, times: int) -> float:
        """Bytes that a program of so many times takes, about; of a prepared method."""
        sizes = [sector.size for sector in self.sectors or ()]
        # h, vectors; of sectors of one size LAPACK's workspace, R, an observable, products;
        # phases and products with them
        need = sum(16.0 * n * (2 * n + 2 * times) for n in sizes)
        need += max(16.0 * sizes.count(n) * n * (8 * n + 2 * times) for n in sizes)
        if self.mutual_information:
            need += 16.0 * 4 * float(np.prod([bath.size for bath in model.baths])) ** 2
        if self._sees_all:
            whole = model.levels * float(np.prod([bath.size for bath in model.baths]))
            need += 16.0 * 3 * whole * sum(len(s.columns) for s in self.sectors or ())
        return need

    def _require_memory(self, model: OpenSystem, times: int) -> None:
        need, sizes = self.need(model, times), [sector.size for sector in self.sectors or ()]
        have = (
            memory(jax.local_devices()[0])
            if self.memory_limit is None
            else self.memory_limit * 2**30
        )
        if need > have:
            raise ValueError(
                f"`model` must fit into memory for the method Schrodinger, but sectors of "
                f"{sizes} states need about {need / 2**30:.3g} GiB of {have / 2**30:.3g} GiB "
                f"(the device's, or `memory_limit`)."
            )

    def _tell_time(self, model: OpenSystem, times: int) -> None:
        """Warn of smooth driving that takes minutes."""
        with jax.ensure_compile_time_eval():
            pairs = (times + model.breaks.shape[0]) * -(-self.steps // 2)
            stages = 2 * (pairs + model.marks.shape[0]) * len(SPLITTINGS[self.order][0])
        filled = sum(16.0 * s.size**2 * len(s.columns) for s in self.sectors or ())
        seconds = stages * filled / _RATE
        if seconds > _LONG:
            warnings.warn(
                f"Smooth driving takes {stages} products with sectors of "
                f"{[s.size for s in self.sectors or ()]} states: about {seconds / 60:.0f} minutes "
                f"on one core. `progress=True` shows how far it is; `steps` between times "
                f"({self.steps}) may be fewer, and constant energies between jumps need none.",
                stacklevel=4,
            )

    def initial(self, model: eqx.Module) -> WindowState:
        return dataclasses.replace(self._first(open_system(self, model)), flow=None)

    def _first(self, known: OpenSystem) -> WindowState:
        stretch = self._setting(known).begin(known.before().spectrum()[0])
        values = stretch.observe(stretch.amplitudes)
        return self._state(known, stretch, values, stretch.amplitudes)

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model)
        if ts.shape[0] == 0:
            nothing = self._first(known)
            return jax.vmap(lambda _: reduce(nothing))(ts)
        known = known.with_separated_breaks()
        if known.is_driven and not known.is_piecewise_constant:
            resting = self._setting(known).begin(middle_energies(known, ts))
            splitting = Splitting(DrivenEnergies(known), resting, self.order)

            def show(x: Amplitudes, time: Array, work: Array) -> PyTree[Array]:
                stretch = splitting.state(x, time, work)
                return reduce(self._state(known, stretch, stretch.observe(x), x))

            # as many steps to each break as to each time
            at = jnp.concatenate([ts, jnp.clip(known.breaks, 0.0, jnp.max(ts))])
            found = step_through(splitting.driven, splitting, at, self.steps, show, meter)
            return jax.tree.map(lambda x: x[: ts.shape[0]], found)
        order = jnp.argsort(ts) if known.is_driven else jnp.arange(ts.shape[0])
        ts, back = ts[order], jnp.argsort(order)
        breaks = jnp.clip(known.breaks, 0.0, jnp.max(ts)) if known.is_driven else known.breaks
        edges = [jnp.zeros(()), *breaks, jnp.max(ts)]
        counts = self.plan or (ts.shape[0],) * (len(edges) - 1)
        energies = [known.within(a, (a, b)).spectrum()[0] for a, b in itertools.pairwise(edges)]
        stretch = self._setting(known).begin(known.before().spectrum()[0])
        stretch = stretch.jump(edges[0], energies[0], stretch.amplitudes)
        progress, found, done = meter.init(), [], 0
        for number, count in enumerate(counts):
            spectra = stretch.spectra()
            if count:
                own = ts[sum(counts[:number]) :][:count] if self.plan else ts
                if len(counts) > 1:  # times of other stretches must not run away
                    own = jnp.clip(own, edges[number], edges[number + 1])

                def tell(progress, of_these, before=done):
                    return meter.step(progress, (before + of_these) / sum(counts))

                progress, states = self._states(
                    known, stretch, spectra, own, reduce, tell, progress
                )
                found.append(states)
                done += count
            if number + 1 < len(counts):
                time = edges[number + 1]
                stretch = stretch.jump(time, energies[number + 1], stretch.at(time, spectra))
        meter.close(progress)
        if self.plan or len(counts) == 1:
            return jax.tree.map(lambda *x: jnp.concatenate(x)[back], *found)
        own = jnp.searchsorted(known.breaks, ts, side="right")
        return jax.tree.map(lambda *x: jnp.stack(x)[own, jnp.arange(ts.shape[0])][back], *found)

    def _states(
        self,
        model: OpenSystem,
        stretch: Segment,
        spectra: list[Spectrum],
        ts: Float[Array, " t"],
        reduce: Callable[[Any], PyTree[Array]],
        tell: Callable[[PyTree[Array], Array | int], PyTree[Array]],
        progress: PyTree[Array],
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """`reduce` of the states at times of one stretch; `tell`: how many of them are done."""
        values, total = observables_at(stretch, spectra, ts), ts.shape[0]
        if not self._sees_all:
            results = jax.vmap(lambda v: reduce(self._state(model, stretch, v, ())))(values)
            return tell(progress, total), results

        def once(time: Array, values: Observables) -> PyTree[Array]:
            amplitudes = stretch.at(time, spectra)
            return reduce(self._state(model, stretch, values, amplitudes))

        def step(progress, indexed):
            index, *now = indexed
            return tell(progress, index + 1), jax.checkpoint(once)(*now)

        return jax.lax.scan(step, progress, (jnp.arange(total), ts, values))

    @property
    def _sees_all(self) -> bool:
        """Whether the amplitudes of the baths' states are asked for, not only sums over them."""
        return self.mutual_information or self.observation is not None

    def _setting(self, model: OpenSystem) -> WindowHamiltonian:
        assert self.sectors is not None, "`prepare` comes first"
        return WindowHamiltonian.draw(model, self.sectors, self.key)

    def _state(
        self,
        model: OpenSystem,
        stretch: Segment,
        values: Observables,
        amplitudes: tuple[Array, ...],
    ) -> WindowState:
        shared = observed = None
        faults = None
        if self._sees_all:
            kets = stretch.kets(amplitudes)
            total = stretch.setting.joint_entropy()
            if self.mutual_information:
                baths = _reduced(*kets, range(1, kets[0].ndim - 1))
                shared = von_neumann(values.system) + von_neumann(baths) - total
            if self.observation is not None:
                observed, faults = self._observed(model, stretch.setting, kets, total)
        return WindowState(
            joint=values.joint,
            flow=values.flow,
            system=values.system,
            energies=stretch.energies,
            energy=values.energy,
            work=stretch.work,
            interaction_energy=values.interaction,
            mutual_information=shared,
            observed=observed,
            faults=faults,
        )

    def _observed(
        self, model: OpenSystem, setting: WindowHamiltonian, kets: tuple[Array, Array], total: Array
    ) -> tuple[Observed, Faults]:
        assert self.observation is not None
        conditional = jnp.einsum("k...r,q...r->kq...", kets[1], kets[0].conj())
        states, members, faults = [], [], Faults.none()
        for number, (bath, own) in enumerate(zip(model.baths, setting.levels, strict=True)):
            states.append(_reduced(*kets, [1 + number]))
            inside, fault = self.observation.members(number, bath, own)
            members.append(inside)
            faults += fault
        basis = self.observation.basis
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


def _plan(model: OpenSystem, ts: Float[Array, " times"]) -> tuple[int, ...] | None:
    """How many times lie in each stretch between breaks, where that is known beforehand."""
    with jax.ensure_compile_time_eval():
        breaks = model.breaks
    if breaks.shape[0] == 0 or is_traced(breaks) or is_traced(ts):
        return None
    stretch = np.searchsorted(np.asarray(breaks), np.asarray(ts), side="right")
    counts = np.bincount(stretch, minlength=1)
    return tuple(int(n) for n in counts)
