"""Exact dynamics of a small system and its window baths, by diagonalisation."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from entropax._checks import is_traced
from entropax.entropy import observe, von_neumann
from entropax.linalg import Exponential, Spectrum, matfn_times
from entropax.method.amplitudes import Setting, Stretch, Values, density_matrix
from entropax.method.base import AbstractMethod, open_system
from entropax.method.sectors import Sector, find_sectors
from entropax.method.states import Observed, WindowState
from entropax.model import Observation, OpenSystem

CHUNK = 64
"""Times that are treated together: enough for matrix products to run at full speed."""

# symmetric splittings A(a1 h) B(b1 h) A(a2 h) ... : Strang's, and S6 of order 4 of S. Blanes and
# P. C. Moan, J. Comput. Appl. Math. 142, 313 (2002)
_OUTER = (0.0792036964311957, 0.353172906049774, -0.0420650803577195)
_INNER = (0.209515106613362, -0.143851773179818)
_SPLITTINGS = {
    2: ((0.5, 0.5), (1.0,)),
    4: (
        (*_OUTER, 1.0 - 2.0 * sum(_OUTER), *_OUTER[::-1]),
        (*_INNER, 0.5 - sum(_INNER), 0.5 - sum(_INNER), *_INNER[::-1]),
    ),
}


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
    driving, the first law does not close and `Solution.result` is `unresolved`.

    **Arguments:**

    - `key`: draws random levels and coupling matrices; one draw per key. Not needed where all is
      given.
    - `mutual_information`: also follow the baths' density matrix for the exact
      $I = S_S + S_B - S$ (Riera Eq. 40): O(D_B^2 r + D_B^3) per time for r filled states.
    - `observation`: also the observational entropy of an `Observation` and the terms that it is
      made of (Strasberg Eqs. 9, 22, 34, 39), in `ledger.observed`: O(D^2 r) per time, and two
      eigenproblems of each bath.
    - `steps`, `order`: of smooth driving: steps between neighbouring times, and 2 or 4.
    - `memory_limit`: GiB that matrices may take; None for what the device has. One member of a
      batch is counted.

    Sectors can only be found where operators, means and the start are known numbers, not traced
    ones. Derivatives with respect to all numbers of the model, forward and reverse, exact at
    degenerate spectra: O(D^3) per time. Raises `ValueError` where the matrices do not fit.
    """

    key: PRNGKeyArray | None = None
    mutual_information: bool = eqx.field(default=False, static=True)
    observation: Observation | None = None
    steps: int = eqx.field(default=16, static=True)
    order: Literal[2, 4] = eqx.field(default=4, static=True)
    memory_limit: float | None = eqx.field(default=None, static=True)
    sectors: tuple[Sector, ...] | None = eqx.field(default=None, static=True)
    plan: tuple[int, ...] | None = eqx.field(default=None, static=True)

    def __check_init__(self) -> None:
        if self.order not in _SPLITTINGS:
            raise ValueError(f"`order` must be 2 or 4, but is {self.order!r}.")
        if not isinstance(self.steps, int) or self.steps < 1:
            raise ValueError(f"`steps` must be a positive integer, but is {self.steps!r}.")
        if self.observation is not None and not isinstance(self.observation, Observation):
            raise ValueError(f"`observation` must be an Observation, but is {self.observation!r}.")

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        known = open_system(self, model)
        known.require_defined(ts)
        random = [c.matrix.is_random for c in known.couplings]
        if self.key is None and (any(random) or any(b.is_random for b in known.baths)):
            raise ValueError("`key` must be given where levels or couplings are drawn.")
        observation = self.observation
        if observation is not None:
            observation = observation.fitted(known.levels, known.baths)
        sectors = find_sectors(known) if self.sectors is None else self.sectors
        method = dataclasses.replace(
            self, observation=observation, sectors=sectors, plan=_plan(known, ts)
        )
        method._require_memory(known)
        return method

    def _require_memory(self, model: OpenSystem) -> None:
        sizes = [sector.size for sector in self.sectors or ()]
        observables = model.sites + len(model.baths) + 1
        # h, vectors, LAPACK's workspace, R; two parts of every observable
        need = sum(16.0 * n * n * observables for n in sizes) + 16.0 * 8 * max(sizes) ** 2
        if self.mutual_information:
            need += 16.0 * 4 * float(np.prod([bath.size for bath in model.baths])) ** 2
        if self.mutual_information or self.observation is not None:
            whole = model.levels * float(np.prod([bath.size for bath in model.baths]))
            need += 16.0 * 3 * whole * sum(len(s.columns) for s in self.sectors or ())
        have = _memory_of_device() if self.memory_limit is None else self.memory_limit * 2**30
        if need > have:
            raise ValueError(
                f"`model` must fit into memory for the method Schrodinger, but sectors of "
                f"{sizes} states need about {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB."
            )

    def initial(self, model: eqx.Module) -> WindowState:
        known = open_system(self, model)
        stretch = self._setting(known).begin(known.before().spectrum()[0])
        values = stretch.observe(stretch.amplitudes)
        state = self._state(known, stretch, values, stretch.amplitudes)
        return dataclasses.replace(state, flow=None)

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        known = open_system(self, model)
        ts = known.require_defined(ts)
        if ts.shape[0] == 0:
            nothing = self.initial(known)
            return jax.vmap(lambda _: reduce(nothing))(ts)
        if known.is_driven and not known.is_piecewise_constant:
            return self._run_smooth(known, ts, reduce, meter)
        order = jnp.argsort(ts) if known.is_driven else jnp.arange(ts.shape[0])
        ts, back = ts[order], jnp.argsort(order)
        breaks = jnp.clip(known.breaks, 0.0, jnp.max(ts)) if known.is_driven else known.breaks
        edges = [jnp.zeros(()), *breaks, jnp.max(ts)]
        counts = self.plan or (ts.shape[0],) * (len(edges) - 1)
        energies = [known.within(a, (a, b)).spectrum()[0] for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007
        stretch = self._setting(known).begin(energies[0])
        steps = sum(-(-n // CHUNK) for n in counts)
        progress, found, done = meter.init(), [], 0
        for number, count in enumerate(counts):
            spectra = stretch.spectra()
            if count:
                own = ts[sum(counts[:number]) :][:count] if self.plan else ts
                if len(counts) > 1:  # times of other stretches must not run away
                    own = jnp.clip(
                        own, edges[number], jnp.maximum(edges[number + 1], edges[number])
                    )
                progress, states = self._chunks(
                    known, stretch, spectra, own, reduce, meter, progress, done / steps, steps
                )
                found.append(states)
                done += -(-count // CHUNK)
            if number + 1 < len(counts):
                stretch = _jump(stretch, edges[number + 1], energies[number + 1], spectra)
        meter.close(progress)
        if self.plan or len(counts) == 1:
            return jax.tree.map(lambda *x: jnp.concatenate(x)[back], *found)
        stretch_of_time = jnp.searchsorted(known.breaks, ts, side="right")
        return jax.tree.map(
            lambda *x: jnp.stack(x)[stretch_of_time, jnp.arange(ts.shape[0])][back], *found
        )

    def _chunks(
        self,
        model: OpenSystem,
        stretch: Stretch,
        spectra: list[Spectrum],
        ts: Float[Array, " t"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
        progress: PyTree[Array],
        before: float,
        steps: int,
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """`reduce` of the states at times of one stretch, chunk by chunk."""
        forms = _forms(stretch, spectra)
        whole = self.mutual_information or self.observation is not None
        total = ts.shape[0]
        size = min(CHUNK, total)
        chunks = -(-total // size)
        padded = jnp.concatenate([ts, jnp.full(chunks * size - total, ts[-1])])
        padded = padded.reshape(chunks, size)

        def once(time: Array, values: Values) -> PyTree[Array]:
            amplitudes = stretch.at(time, spectra) if whole else ()
            return reduce(self._state(model, stretch, values, amplitudes))

        def step(progress, indexed):
            index, times = indexed
            values = _from_eigenbasis(stretch, forms, times)
            if whole:
                result = jax.lax.map(lambda x: jax.checkpoint(once)(*x), (times, values))
            else:
                result = jax.vmap(once)(times, values)
            return meter.step(progress, before + (index + 1) / steps), result

        progress, results = jax.lax.scan(step, progress, (jnp.arange(chunks), padded))
        return progress, jax.tree.map(
            lambda x: x.reshape(chunks * size, *x.shape[2:])[:total], results
        )

    def _run_smooth(
        self,
        model: OpenSystem,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        order = jnp.argsort(ts)
        end = jnp.max(ts)
        breaks = jnp.clip(model.breaks, 0.0, end)
        grid = jnp.sort(jnp.concatenate([ts, breaks]))
        reference = model.within(0.5 * end, (0.5 * end, 0.5 * end)).spectrum()[0]
        resting = self._setting(model).begin(reference)
        spectra = resting.spectra()
        steps = 2 * -(-self.steps // 2)  # Simpson's rule for the work takes pairs of steps

        def populations(amplitudes: tuple[Array, ...]) -> Array:
            return jnp.sum(resting.observe(amplitudes).joint, axis=tuple(range(1, 1 + baths)))

        def interval(carry, edges):
            amplitudes, work, energies, progress = carry
            index, start, stop = edges
            stretch, h = (start, stop), (stop - start) / steps
            now = model.within(start, stretch).spectrum()[0]
            work = work + (now - energies) @ populations(amplitudes)

            def power(amplitudes: tuple[Array, ...], time: Array) -> Array:
                return model.slopes(time, stretch) @ populations(amplitudes)

            def substep(carry, j):
                amplitudes, work = carry
                time = start + j * h
                weight = jnp.where(j == 0, 1.0, jnp.where(j % 2 == 1, 4.0, 2.0))
                work = work + weight * h / 3.0 * power(amplitudes, time)
                return (
                    self._advance(model, resting, spectra, amplitudes, time, h, stretch),
                    work,
                ), None

            carry, _ = jax.lax.scan(jax.checkpoint(substep), (amplitudes, work), jnp.arange(steps))
            amplitudes, work = carry
            work = work + h / 3.0 * power(amplitudes, stop)
            energies = model.within(stop, stretch).spectrum()[0]
            after = model.within(stop, (stop, grid[jnp.minimum(index + 1, grid.shape[0] - 1)]))
            after = after.spectrum()[0]
            shown = work + (after - energies) @ populations(amplitudes)
            here = Stretch(resting.setting, after, amplitudes, stop, shown)
            result = reduce(self._state(model, here, here.observe(amplitudes), amplitudes))
            progress = meter.step(progress, (index + 1) / grid.shape[0])
            return (amplitudes, work, energies, progress), result

        baths = len(model.baths)
        amplitudes = tuple(x + 0j for x in resting.amplitudes)
        carry = (amplitudes, jnp.zeros(()), model.before().spectrum()[0], meter.init())
        starts = jnp.concatenate([jnp.zeros(1), grid[:-1]])
        carry, results = jax.lax.scan(
            jax.checkpoint(interval), carry, (jnp.arange(grid.shape[0]), starts, grid)
        )
        meter.close(carry[-1])
        place = jnp.searchsorted(grid, ts[order], side="right") - 1
        return jax.tree.map(lambda x: x[place][jnp.argsort(order)], results)

    def _advance(
        self,
        model: OpenSystem,
        resting: Stretch,
        spectra: list[Spectrum],
        amplitudes: tuple[Array, ...],
        time: Array,
        h: Array,
        stretch: tuple[Array, Array],
    ) -> tuple[Array, ...]:
        """One step of the splitting; time runs with the resting part."""
        outer, inner = _SPLITTINGS[self.order]
        hamiltonians = resting.hamiltonians
        for a, b in zip(outer, (*inner, 0.0), strict=True):
            flow = Exponential(-1j * a * h)
            amplitudes = tuple(
                matfn_times(flow, hamiltonian, x, spectrum=spectrum)
                for hamiltonian, x, spectrum in zip(hamiltonians, amplitudes, spectra, strict=True)
            )
            time = time + a * h
            if b:
                away = model.within(time, stretch).spectrum()[0] - resting.energies
                amplitudes = tuple(
                    jnp.exp(-1j * b * h * away)[sector.level][:, None] * x
                    for sector, x in zip(resting.setting.sectors, amplitudes, strict=True)
                )
        return amplitudes

    def _setting(self, model: OpenSystem) -> Setting:
        assert self.sectors is not None, "`prepare` comes first"
        return Setting.draw(model, self.sectors, self.key)

    def _state(
        self, model: OpenSystem, stretch: Stretch, values: Values, amplitudes: tuple[Array, ...]
    ) -> WindowState:
        setting = stretch.setting
        shared = observed = None
        if self.mutual_information:
            ket, weighted = stretch.kets(amplitudes)
            flat = (ket.shape[0], -1, ket.shape[-1])
            baths = jnp.einsum("kir,kjr->ij", weighted.reshape(flat), ket.reshape(flat).conj())
            shared = von_neumann(values.system) + von_neumann(baths) - setting.joint_entropy()
        if self.observation is not None:
            observed = self._observed(model, stretch, amplitudes)
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
        )

    def _observed(
        self, model: OpenSystem, stretch: Stretch, amplitudes: tuple[Array, ...]
    ) -> Observed:
        assert self.observation is not None
        setting = stretch.setting
        ket, weighted = stretch.kets(amplitudes)
        conditional = jnp.einsum("k...r,q...r->kq...", weighted, ket.conj())
        states, members = [], []
        for number, (bath, own) in enumerate(zip(model.baths, setting.levels, strict=True)):
            flat = (len(own), -1)
            left = jnp.moveaxis(weighted, 1 + number, 0).reshape(flat)
            right = jnp.moveaxis(ket, 1 + number, 0).reshape(flat)
            states.append(left @ right.conj().T)
            members.append(self.observation.members(number, bath, own))
        basis = self.observation.basis
        if isinstance(basis, str):
            vectors = jnp.eye(model.levels) if basis == "energy" else None
        else:
            vectors = model.to_eigenbasis(basis)
        total = setting.joint_entropy()
        outcomes, terms, each = observe(conditional, states, total, members, vectors)
        volumes = tuple(jnp.sum(m, axis=0) for m in members)
        return Observed(outcomes, volumes, terms, total, each)


def _plan(model: OpenSystem, ts: Float[Array, " times"]) -> tuple[int, ...] | None:
    """How many times lie in each stretch between breaks, where that is known beforehand."""
    with jax.ensure_compile_time_eval():
        breaks = model.breaks
    if breaks.shape[0] == 0 or is_traced(breaks) or is_traced(ts):
        return None
    stretch = np.searchsorted(np.asarray(breaks), np.asarray(ts), side="right")
    counts = np.bincount(stretch, minlength=1)
    return tuple(int(n) for n in counts)


def _jump(
    stretch: Stretch, time: Array, energies: Float[Array, " d"], spectra: list[Spectrum]
) -> Stretch:
    """The next stretch, with other energies from `time` on."""
    amplitudes = stretch.at(time, spectra)
    joint = stretch.observe(amplitudes).joint
    populations = jnp.sum(joint, axis=tuple(range(1, joint.ndim)))
    work = stretch.work + (energies - stretch.energies) @ populations
    return Stretch(stretch.setting, energies, amplitudes, time, work)


class _Observable(NamedTuple):
    """One entry of `Values`: its entry there, and the rows and columns of the state it sums."""

    kind: Literal["joint", "energy", "interaction", "coherence"]
    pair: tuple[int, int]
    entry: tuple[int, ...] = ()
    rows: slice | None = None
    columns: slice | None = None


def _observables(setting: Setting) -> list[_Observable]:
    """All that is asked for: windows and energies within sectors, coherences between them."""
    found = []
    for pair in setting.pairs:
        if pair[0] == pair[1]:
            spans = setting.sectors[pair[0]].spans
            found += [_Observable("joint", pair, block, span) for block, span in spans.items()]
            found += [_Observable("energy", pair, (n,)) for n in range(len(setting.levels))]
            found += [_Observable("interaction", pair)]
        for k, q, rows, columns in setting.overlaps(*pair):
            found.append(_Observable("coherence", pair, (k, q), rows, columns))
    return found


def _forms(stretch: Stretch, spectra: list[Spectrum]) -> tuple[list, list]:
    """Eigenvalues, and the matrices R_ab X_ba whose phases give each observable; constants."""
    stretch = jax.lax.stop_gradient(stretch)
    setting = stretch.setting
    inside = [
        vectors.conj().T @ x for (_, vectors), x in zip(spectra, stretch.amplitudes, strict=True)
    ]
    states = {
        (i, j): setting.weighted(i, j, inside[i]) @ inside[j].conj().T for i, j in setting.pairs
    }

    def form(observable: _Observable) -> Array:
        one, other = observable.pair
        left, right, state = spectra[one][1], spectra[other][1], states[observable.pair]
        if observable.kind == "joint":
            rows = left[observable.rows]
            return state * (rows.conj().T @ rows).T
        if observable.kind == "energy":
            own = setting.levels[observable.entry[0]]
            place = setting.sectors[one].place[observable.entry[0]]
            return state * ((left.conj().T * own[place]) @ left).T
        if observable.kind == "interaction":
            sector = setting.sectors[one]
            bare = sum(e[p] for e, p in zip(setting.levels, sector.place, strict=True))
            between = setting.coupled[one] - jnp.diag(bare)
            return state * (left.conj().T @ (between @ left)).T
        return state * (left[observable.rows].T @ right[observable.columns].conj())

    return [values for values, _ in spectra], [form(x) for x in _observables(setting)]


@jax.custom_jvp
def _from_eigenbasis(stretch: Stretch, forms: tuple[list, list], ts: Float[Array, " t"]) -> Values:
    """All observables at some times, from the eigenbasis."""
    spectra, matrices = forms
    since = ts - stretch.begin
    cosine = [jnp.cos(since[:, None] * values) for values in spectra]
    sine = [jnp.sin(since[:, None] * values) for values in spectra]

    def hermitian(form: Array, c: Array, s: Array, values: Array) -> tuple[Array, Array]:
        """The value and its rate; real products, three times as fast as complex ones on a CPU."""
        real, imaginary = c @ form.real, s @ form.real
        if jnp.iscomplexobj(form):
            real, imaginary = real + s @ form.imag, imaginary - c @ form.imag
        value = jnp.sum(c * real + s * imaginary, axis=-1)
        return value, 2.0 * jnp.sum((c * imaginary - s * real) * values, axis=-1)

    setting, times = stretch.setting, ts.shape[0]
    d = stretch.energies.shape[0]
    joint = jnp.zeros((times, *setting.sectors[0].shape))
    flow, coherence = joint, jnp.zeros((times, d, d), jnp.complex128)
    energy, interaction = jnp.zeros((times, len(setting.levels))), jnp.zeros(times)
    for observable, form in zip(_observables(setting), matrices, strict=True):
        one, other = observable.pair
        where = (slice(None), *observable.entry)
        c, s = cosine[one], sine[one]
        if observable.kind == "coherence":
            phases = cosine[other] + 1j * sine[other]
            value = jnp.sum(((c - 1j * s) @ form) * phases, axis=-1)
            coherence = coherence.at[where].add(value)
            continue
        value, rate = hermitian(form, c, s, spectra[one])
        if observable.kind == "joint":
            joint, flow = joint.at[where].set(value), flow.at[where].set(rate)
        elif observable.kind == "energy":
            energy = energy.at[where].add(value)
        else:
            interaction = interaction + value
    return Values(joint, flow, jax.vmap(density_matrix)(joint, coherence), energy, interaction)


@_from_eigenbasis.defjvp
def _from_eigenbasis_jvp(primals, tangents):
    stretch, forms, ts = primals
    change, _, dts = tangents
    spectra = stretch.spectra()
    _, out = jax.jvp(lambda s, t: _from_amplitudes(s, t, spectra), (stretch, ts), (change, dts))
    return _from_eigenbasis(stretch, forms, ts), out


def _from_amplitudes(stretch: Stretch, ts: Float[Array, " t"], spectra: list[Spectrum]) -> Values:
    """The same from amplitudes, time by time: slower, differentiable."""

    def once(time: Array) -> Values:
        return stretch.observe(stretch.at(time, spectra))

    return jax.lax.map(jax.checkpoint(once), ts)


def _memory_of_device() -> float:
    device = jax.devices()[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
