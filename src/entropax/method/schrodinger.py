"""Exact dynamics of a small system and its window baths, by diagonalisation."""

import dataclasses
import itertools
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, PRNGKeyArray, PyTree

from entropax._checks import is_traced
from entropax.entropy import shannon, von_neumann
from entropax.linalg import Exponential, eigh, matfn
from entropax.method.base import AbstractMethod, open_system
from entropax.method.states import WindowState
from entropax.model import OpenSystem

CHUNK = 64
"""Times that are treated together: enough for matrix products to run at full speed."""

Block = tuple[int, ...]
"""(k, window of the first bath, window of the second, ...)."""


class Schrodinger(AbstractMethod):
    r"""Exact dynamics of system and baths together.

    In the eigenbasis of H an expectation value is $\sum_{ab} e^{-i(\lambda_a-\lambda_b)t} R_{ab}
    X_{ba}$ with $R = V^\dagger\rho_0 V$ and $X = V^\dagger O V$: O(D^2) per time, and no density
    matrix is propagated. Sectors that H never couples are found and diagonalised apart, and those
    that the start leaves empty are left out; arithmetic is real where all couplings are.

    **Arguments:**

    - `key`: draws random levels and coupling matrices; one draw per key. Not needed where all is
      given.
    - `mutual_information`: also follow the baths' density matrix for the exact
      $I = S_S + S_B - S$ (Riera Eq. 40): O(D D_B^2 + D_B^3) per time.
    - `memory_limit`: GiB that matrices may take; None for what the device has. One member of a
      batch is counted.

    Sectors can only be found where operators, means and the start are known numbers, not traced
    ones. Derivatives with respect to all numbers of the model, forward and reverse, exact at
    degenerate spectra: O(D^3) per time. Raises `ValueError` where the matrices do not fit.
    """

    key: PRNGKeyArray | None = None
    mutual_information: bool = eqx.field(default=False, static=True)
    memory_limit: float | None = eqx.field(default=None, static=True)
    sectors: tuple[tuple[Block, ...], ...] | None = eqx.field(default=None, static=True)

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        del ts
        known = open_system(self, model)
        random = [c.matrix.is_random for c in known.couplings]
        if self.key is None and (any(random) or any(b.is_random for b in known.baths)):
            raise ValueError("`key` must be given where levels or couplings are drawn.")
        sectors = self.sectors
        if sectors is None:
            sectors = _sectors(known)
        method = dataclasses.replace(self, sectors=sectors)
        method._require_memory(known)
        return method

    def _require_memory(self, model: OpenSystem) -> None:
        volumes = tuple(bath.volumes for bath in model.baths)
        sizes = [sum(_size(volumes, block) for block in sector) for sector in self.sectors or ()]
        observables = model.sites + len(model.baths)
        # h, vectors, LAPACK's workspace, R; two parts of every observable
        need = sum(16.0 * n * n * observables for n in sizes) + 16.0 * 8 * max(sizes) ** 2
        if self.mutual_information:
            need += 16.0 * 4 * float(np.prod([bath.size for bath in model.baths])) ** 2
        have = _memory_of_device() if self.memory_limit is None else self.memory_limit * 2**30
        if need > have:
            raise ValueError(
                f"`model` must fit into memory for the method Schrodinger, but sectors of "
                f"{sizes} states need about {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB."
            )

    def initial(self, model: eqx.Module) -> WindowState:
        problem = self._problem(open_system(self, model))
        now = jnp.zeros(1)
        return jax.tree.map(
            lambda x: x[0], self._states(problem, _from_density_matrices(problem, now), now)
        )

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        problem = self._problem(open_system(self, model))
        forms = _forms(problem)
        total = ts.shape[0]
        size = min(CHUNK, max(total, 1))
        chunks = -(-total // size)
        padded = jnp.concatenate([ts, jnp.zeros(chunks * size - total)]).reshape(chunks, size)

        def step(progress, indexed):
            index, times = indexed
            result = jax.vmap(reduce)(
                self._states(problem, _from_eigenbasis(problem, forms, times), times)
            )
            return meter.step(progress, (index + 1) / chunks), result

        progress, results = jax.lax.scan(step, meter.init(), (jnp.arange(chunks), padded))
        meter.close(progress)
        return jax.tree.map(lambda x: x.reshape(chunks * size, *x.shape[2:])[:total], results)

    def _states(
        self, problem: "_Problem", values: "_Values", ts: Float[Array, " t"]
    ) -> WindowState:
        energies = problem.energies
        own = jnp.sum(jnp.diagonal(values.system, axis1=1, axis2=2).real * energies, axis=-1)
        total = problem.total_energy()
        shared = None
        if self.mutual_information:
            joint = problem.joint_entropy()

            def information(t: Array, system: Array) -> Array:
                return von_neumann(system) + von_neumann(problem.bath_at(t)) - joint

            shared = jax.lax.map(lambda x: jax.checkpoint(information)(*x), (ts, values.system))
        return WindowState(
            joint=values.joint,
            system=values.system,
            energy=values.energy,
            interaction_energy=total - own - jnp.sum(values.energy, axis=-1),
            mutual_information=shared,
        )

    def _problem(self, model: OpenSystem) -> "_Problem":
        keys = [None] * (len(model.baths) + len(model.couplings))
        if self.key is not None:
            keys = [jax.random.fold_in(self.key, i) for i in range(len(keys))]
        levels = [bath.draw_levels(k) for bath, k in zip(model.baths, keys, strict=False)]
        matrices = []
        for coupling, number, key in zip(
            model.couplings, model.bath_of_coupling, keys[len(levels) :], strict=True
        ):
            matrices.append(coupling.matrix.draw(key, model.baths[number], levels[number]))
        start = model.start.on_levels(model, levels)
        assert self.sectors is not None, "`prepare` comes first"
        sectors = tuple(_Sector.of(model, blocks) for blocks in self.sectors)
        energies = model.spectrum()[0]
        hamiltonians = []
        for sector in sectors:
            diagonal = energies[sector.level]
            for number, own in enumerate(levels):
                diagonal = diagonal + own[sector.place[number]]
            h = jnp.diag(diagonal)
            for coupling, number, matrix in zip(
                model.couplings, model.bath_of_coupling, matrices, strict=True
            ):
                operator = model.in_eigenbasis(coupling.operator)
                others = np.ones((sector.size, sector.size), bool)
                for other, place in enumerate(sector.place):
                    if other != number:
                        others &= place[:, None] == place[None, :]
                k, i = sector.level, sector.place[number]
                term = operator[k[:, None], k[None, :]] * matrix[i[:, None], i[None, :]]
                h = h + coupling.strength * term * others
            hamiltonians.append(h)
        return _Problem(
            tuple(hamiltonians), start, tuple(levels), energies, sectors, model.start.is_diagonal
        )


@dataclasses.dataclass(frozen=True)
class _Sector:
    """States that H connects: blocks (k, windows), one after the other, levels in each."""

    blocks: tuple[Block, ...]
    shape: tuple[int, ...]
    volumes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, model: OpenSystem, blocks: tuple[Block, ...]) -> Self:
        volumes = tuple(bath.volumes for bath in model.baths)
        return cls(blocks, (model.levels, *(bath.windows for bath in model.baths)), volumes)

    @property
    def spans(self) -> dict[Block, slice]:
        """Where each block lies."""
        ends = np.cumsum([0, *(_size(self.volumes, block) for block in self.blocks)])
        return {
            block: slice(int(a), int(b))
            for block, a, b in zip(self.blocks, ends[:-1], ends[1:], strict=True)
        }

    @property
    def size(self) -> int:
        return sum(_size(self.volumes, block) for block in self.blocks)

    @property
    def level(self) -> np.ndarray:
        """k of each state."""
        return np.concatenate(
            [np.full(_size(self.volumes, block), block[0]) for block in self.blocks]
        )

    @property
    def place(self) -> list[np.ndarray]:
        """For each bath, the level that it is in."""
        columns = []
        for block in self.blocks:
            ranges = []
            for volumes, window in zip(self.volumes, block[1:], strict=True):
                first = sum(volumes[:window])
                ranges.append(np.arange(first, first + volumes[window]))
            grid = np.meshgrid(*ranges, indexing="ij")
            columns.append(np.stack([axis.ravel() for axis in grid]))
        return list(np.concatenate(columns, axis=1))

    @property
    def bath_state(self) -> np.ndarray:
        """Index of the joint state of all baths."""
        return np.ravel_multi_index(tuple(self.place), [sum(v) for v in self.volumes])


def _size(volumes: tuple[tuple[int, ...], ...], block: Block) -> int:
    return int(np.prod([v[w] for v, w in zip(volumes, block[1:], strict=True)]))


class _Values(NamedTuple):
    joint: Float[Array, "t ..."]
    system: Complex[Array, "t d d"]
    energy: Float[Array, "t baths"]


class _Problem(eqx.Module):
    """Hamiltonians of the sectors, and the start on the baths' levels."""

    hamiltonians: tuple[Inexact[Array, "n n"], ...]
    start: Inexact[Array, "..."]
    levels: tuple[Float[Array, " levels"], ...]
    energies: Float[Array, " d"]
    sectors: tuple[_Sector, ...] = eqx.field(static=True)
    is_diagonal: bool = eqx.field(static=True)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of sectors between which the density matrix has entries."""
        count = range(len(self.sectors))
        return (
            [(i, i) for i in count] if self.is_diagonal else list(itertools.product(count, count))
        )

    def populations(self, sector: _Sector) -> Array:
        """The diagonal start on the states of a sector."""
        return self.start[(sector.level, *sector.place)]

    def rho(self, one: int, other: int) -> Array:
        """The start's density matrix between two sectors."""
        a, b = self.sectors[one], self.sectors[other]
        if self.is_diagonal:
            return jnp.diag(self.populations(a))
        same = a.bath_state[:, None] == b.bath_state[None, :]
        place = [p[:, None] for p in a.place]
        return jnp.where(same, self.start[(a.level[:, None], b.level[None, :], *place)], 0.0)

    def in_eigenbasis(self, one: int, other: int, spectra: list) -> Array:
        left, right = spectra[one][1], spectra[other][1]
        if self.is_diagonal:
            return (left.conj().T * self.populations(self.sectors[one])) @ right
        return left.conj().T @ self.rho(one, other) @ right

    def total_energy(self) -> Array:
        """Energy of everything: conserved."""
        total = jnp.zeros(())
        for i, h in enumerate(self.hamiltonians):
            total = total + jnp.sum(h.T * self.rho(i, i)).real
        return total

    def joint_entropy(self) -> Array:
        """Von Neumann entropy of everything: conserved."""
        if self.is_diagonal:
            return shannon(self.start)
        flat = self.start.reshape(*self.start.shape[:2], -1)
        return jnp.sum(jax.vmap(von_neumann, in_axes=-1)(flat))

    def at(self, time: Array, one: int, other: int, spectra: list) -> Array:
        """The density matrix between two sectors, with derivatives exact at any spectrum."""
        flow = Exponential(-1j * time)
        left = matfn(flow, self.hamiltonians[one], spectrum=spectra[one])
        right = matfn(flow, self.hamiltonians[other], spectrum=spectra[other])
        return left @ self.rho(one, other) @ right.conj().T

    def bath_at(self, time: Array) -> Array:
        """The density matrix of all baths together."""
        size = int(np.prod([len(own) for own in self.levels]))
        total = jnp.zeros((size, size), jnp.complex128)
        spectra = [eigh(h) for h in self.hamiltonians]
        for one, other in self.pairs:
            a, b = self.sectors[one], self.sectors[other]
            now = self.at(time, one, other, spectra)
            same = a.level[:, None] == b.level[None, :]
            place = (a.bath_state[:, None], b.bath_state[None, :])
            total = total.at[place].add(jnp.where(same, now, 0.0))
        return total

    def overlaps(self, one: int, other: int) -> list[tuple[int, int, slice, slice]]:
        """Rows and columns that hold coherences between levels k < k' of two sectors."""
        right = self.sectors[other].spans
        return [
            (block[0], k, span, right[(k, *block[1:])])
            for block, span in self.sectors[one].spans.items()
            for k in range(block[0] + 1, self.energies.shape[0])
            if (k, *block[1:]) in right
        ]

    def observables(self) -> list["_Observable"]:
        """All that is asked for: windows and energies within sectors, coherences between them."""
        found = []
        for pair in self.pairs:
            if pair[0] == pair[1]:
                spans = self.sectors[pair[0]].spans
                found += [_Observable("joint", pair, block, span) for block, span in spans.items()]
                found += [_Observable("energy", pair, (n,), None) for n in range(len(self.levels))]
            for k, q, rows, columns in self.overlaps(*pair):
                found.append(_Observable("coherence", pair, (k, q), rows, columns))
        return found

    def collect(self, values: list[Array]) -> "_Values":
        """Put together the values, one entry a time, of all `observables`."""
        d, times = self.energies.shape[0], values[0].shape[0]
        joint = jnp.zeros((times, *self.sectors[0].shape))
        system = jnp.zeros((times, d, d), jnp.complex128)
        energy = jnp.zeros((times, len(self.levels)))
        for observable, value in zip(self.observables(), values, strict=True):
            where = (slice(None), *observable.entry)
            if observable.kind == "joint":
                joint = joint.at[where].set(value)
            elif observable.kind == "energy":
                energy = energy.at[where].add(value)
            else:
                system = system.at[where].add(value)
        system = system + jnp.swapaxes(system, 1, 2).conj()
        populations = jnp.sum(joint, axis=tuple(range(2, joint.ndim)))
        system = system + jax.vmap(jnp.diag)(populations)
        return _Values(joint, system, energy)


class _Observable(NamedTuple):
    """One entry of `_Values`: its entry there, and the rows and columns of the state it sums."""

    kind: str
    pair: tuple[int, int]
    entry: tuple[int, ...]
    rows: slice | None
    columns: slice | None = None


def _forms(problem: _Problem) -> tuple[list, list]:
    """Eigenvalues, and the matrices R_ab X_ba whose phases give each observable; constants."""
    problem = jax.lax.stop_gradient(problem)
    spectra = [eigh(h) for h in problem.hamiltonians]
    states = {pair: problem.in_eigenbasis(*pair, spectra) for pair in problem.pairs}

    def form(observable: _Observable) -> Array:
        one, other = observable.pair
        left, right, state = spectra[one][1], spectra[other][1], states[observable.pair]
        if observable.kind == "joint":
            rows = left[observable.rows]
            return state * (rows.conj().T @ rows).T
        if observable.kind == "energy":
            own = problem.levels[observable.entry[0]]
            place = problem.sectors[one].place[observable.entry[0]]
            return state * ((left.conj().T * own[place]) @ left).T
        return state * (left[observable.rows].T @ right[observable.columns].conj())

    return [values for values, _ in spectra], [form(x) for x in problem.observables()]


@jax.custom_jvp
def _from_eigenbasis(
    problem: _Problem, forms: tuple[list, list], ts: Float[Array, " t"]
) -> _Values:
    """All observables at some times, from the eigenbasis."""
    spectra, matrices = forms
    cosine = [jnp.cos(ts[:, None] * values) for values in spectra]
    sine = [jnp.sin(ts[:, None] * values) for values in spectra]

    def value(observable: _Observable, form: Array) -> Array:
        one, other = observable.pair
        c, s = cosine[one], sine[one]
        if observable.kind == "coherence":
            return jnp.sum(((c - 1j * s) @ form) * (cosine[other] + 1j * sine[other]), axis=-1)
        # Hermitian: real products, three times as fast as complex ones on a CPU
        real = jnp.sum((c @ form.real) * c + (s @ form.real) * s, axis=-1)
        if not jnp.iscomplexobj(form):
            return real
        return real - 2.0 * jnp.sum((c @ form.imag) * s, axis=-1)

    return problem.collect([value(*x) for x in zip(problem.observables(), matrices, strict=True)])


@_from_eigenbasis.defjvp
def _from_eigenbasis_jvp(primals, tangents):
    problem, forms, ts = primals
    change, _, dts = tangents
    spectra = [eigh(h) for h in problem.hamiltonians]
    _, out = jax.jvp(
        lambda p, t: _from_density_matrices(p, t, spectra), (problem, ts), (change, dts)
    )
    return _from_eigenbasis(problem, forms, ts), out


def _from_density_matrices(
    problem: _Problem, ts: Float[Array, " t"], spectra: list | None = None
) -> _Values:
    """The same from density matrices, time by time: slower, differentiable."""
    spectra = [eigh(h) for h in problem.hamiltonians] if spectra is None else spectra

    def once(time: Array) -> _Values:
        states = {pair: problem.at(time, *pair, spectra) for pair in problem.pairs}

        def value(observable: _Observable) -> Array:
            state, pair = states[observable.pair], observable.pair
            if observable.kind == "coherence":
                return jnp.trace(state[observable.rows, observable.columns])[None]
            diagonal = jnp.diagonal(state).real
            if observable.kind == "joint":
                return jnp.sum(diagonal[observable.rows])[None]
            number = observable.entry[0]
            place = problem.sectors[pair[0]].place[number]
            return jnp.sum(diagonal * problem.levels[number][place])[None]

        values = [value(observable) for observable in problem.observables()]
        return jax.tree.map(lambda x: x[0], problem.collect(values))

    return jax.lax.map(jax.checkpoint(once), ts)


def _sectors(model: OpenSystem) -> tuple[tuple[Block, ...], ...]:
    """Blocks that H connects, those groups of them where the start has weight."""
    shape = (model.levels, *(bath.windows for bath in model.baths))
    blocks = list(itertools.product(*map(range, shape)))
    group = {block: i for i, block in enumerate(blocks)}
    links = [
        (model.connected(c), c.matrix.connects(model.baths[n]), n)
        for c, n in zip(model.couplings, model.bath_of_coupling, strict=True)
    ]
    for block in blocks:
        for operator, windows, number in links:
            for k in np.flatnonzero(operator[block[0]]):
                for w in np.flatnonzero(windows[block[1 + number]]):
                    partner = (int(k), *block[1 : 1 + number], int(w), *block[2 + number :])
                    old, new = group[partner], group[block]
                    if old != new:
                        group = {b: new if g == old else g for b, g in group.items()}
    with jax.ensure_compile_time_eval():
        start = model.start.on_windows(model)
    if is_traced(start):
        weight = np.ones(shape)
    else:
        weight = np.asarray(start)
        if not model.start.is_diagonal:
            weight = np.moveaxis(np.real(np.diagonal(weight)), -1, 0)
    found: dict[int, list[Block]] = {}
    for block in blocks:
        found.setdefault(group[block], []).append(block)
    return tuple(
        tuple(members)
        for members in found.values()
        if any(weight[member] > 0 for member in members)
    )


def _memory_of_device() -> float:
    device = jax.devices()[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
