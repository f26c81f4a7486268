"""Equations whose dissipators do not see interactions and drives: local and hand-written ones."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from entropax._checks import Faults, is_traced, refuse
from entropax.method.ideal.block_generator import BlockGenerator
from entropax.method.ideal.conservation import BlockStructure, blocks_of, conserved
from entropax.method.ideal.dissipators import (
    AbstractDissipator,
    JumpDissipator,
    given_jumps,
    lamb_shift,
    secular_dissipators,
)
from entropax.method.ideal.equation import DENSE, LARGEST, AbstractIdealBathEquation
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.populations import Populations, populations_of
from entropax.method.ideal.rates import (
    Transitions,
    faults_among,
    require_rates,
    require_shift,
    transitions,
)
from entropax.model import Coupling, OpenSystem
from entropax.model.transition_frequencies import bare_spectrum, frequency_groups, total_spectrum
from entropax.protocol import AbstractProtocol, Interval


class Structure(NamedTuple):
    """Blocks that stay apart, and whether nothing is conserved."""

    blocks: BlockStructure | None
    conserves_nothing: bool


class AbstractLocal(AbstractIdealBathEquation):
    """Dissipators of the bare Hamiltonian, beside the commutator with all of it."""

    heat: Literal["full", "bare"] = eqx.field(default="full", static=True)
    structure: Structure | None = eqx.field(default=None, static=True)

    def __check_init__(self) -> None:
        if self.heat not in ("full", "bare"):
            raise ValueError(f'`heat` must be "full" or "bare", but is {self.heat!r}.')

    def secular(self, model: OpenSystem) -> bool:
        del model
        return False

    @jax.ensure_compile_time_eval()
    def require(self, model: OpenSystem) -> None:
        now = model.before()
        frame, bare = now.frame, now.bare_hamiltonian()
        if frame is None or is_traced(frame) or is_traced(bare):
            return
        stirred = np.abs(np.asarray(frame @ bare - bare @ frame))
        if np.max(stirred) > 1e-9 * float(jnp.max(jnp.abs(frame)) * jnp.max(jnp.abs(bare))):
            raise ValueError(
                "`frame` must commute with the bare Hamiltonian, but their commutator has an "
                f"element of {np.max(stirred):.3g}."
            )

    @property
    def conserves_nothing(self) -> bool:
        return self.structure is not None and self.structure.conserves_nothing

    def prepare_steady(self, model: OpenSystem) -> Self:
        return dataclasses.replace(self, structure=self._structure(model))

    def _structure(self, model: OpenSystem) -> Structure | None:
        """Blocks and conservation laws, where a steady state is too large for one LU."""
        if model.levels**2 <= DENSE:
            return None
        generator = self.generator(model)
        assert isinstance(generator, MatrixGenerator)
        if any(map(is_traced, jax.tree.leaves(generator))):
            return None
        jumps = [jump for part in generator.dissipators for jump in acting(part)]
        hamiltonian = np.asarray(generator.hamiltonian)
        return Structure(blocks_of(hamiltonian, jumps), not conserved(hamiltonian, jumps))

    def steady_generator(self, model: OpenSystem) -> AbstractGenerator:
        whole = self.generator_with_populations(model)
        if self.structure is None or self.structure.blocks is None:
            return whole
        assert isinstance(whole, MatrixGenerator)
        return BlockGenerator(whole, self.structure.blocks)

    def moves(self, model: OpenSystem) -> bool:
        own = [c.strength if isinstance(c, Coupling) else c.rate for c in model.couplings]
        given = (*own, *(model.energies if isinstance(model.energies, tuple) else ()))
        return not all(p.is_piecewise_constant for p in given if isinstance(p, AbstractProtocol))

    def follow(self, model: OpenSystem, stretch: Interval) -> Callable[[Array], AbstractGenerator]:
        if self.moves(model) or model.is_piecewise_constant:
            return super().follow(model, stretch)
        # drives alone: dissipators are made once
        first = model.within(stretch[0], stretch)
        fixed, before = self.generator(first), first.total_hamiltonian()

        def at(time: Array) -> AbstractGenerator:
            total = model.within(time, stretch).total_hamiltonian()
            assert isinstance(fixed, MatrixGenerator)
            return dataclasses.replace(
                fixed,
                hamiltonian=fixed.hamiltonian + total - before,
                heat_operator=total if self.heat == "full" else fixed.heat_operator,
                boundary_operator=None if self.heat == "full" else total - fixed.heat_operator,
            )

        return at

    def _assemble(
        self,
        model: OpenSystem,
        dissipators: Sequence[AbstractDissipator],
        shift: Inexact[Array, "d d"] | None,
        populations: Populations | None,
        faults: Faults,
    ) -> MatrixGenerator:
        total, bare = model.total_hamiltonian(), model.bare_hamiltonian()
        turning = total if model.frame is None else total - model.frame
        full = self.heat == "full"
        jumps = given_jumps(model)
        hamiltonian = turning if shift is None else turning + shift
        if model.frame is not None:
            hamiltonian, turning_faults = _require_turning(
                model, [*dissipators, *jumps], hamiltonian
            )
            faults += turning_faults
        return MatrixGenerator(
            hamiltonian=hamiltonian,
            dissipators=(*dissipators, *jumps),
            heat_operator=total if full else bare,
            boundary_operator=None if full else total - bare,
            populations=populations,
            faults=faults,
            baths=len(model.baths),
        )


class Local(AbstractLocal):
    r"""The local (site) master equation: jumps are those of $H_0$, without interaction and drives.

    $$ \dot\rho = -i[H_S, \rho] + \sum_\alpha\sum_\omega \gamma_\alpha(\omega)\big(A^0_\omega \rho
       A^{0\dagger}_\omega - \tfrac12\{A^{0\dagger}_\omega A^0_\omega, \rho\}\big) $$

    with $A^0_\omega$ between eigenstates of $H_0$, that is of `energies` or `hamiltonian` alone: of
    the sites, where that is their sum. Right for couplings between sites that are weak beside the
    baths'; its fixed point is not thermal for $H_S$, and with $J_\alpha = \mathrm{tr} H_S D_\alpha$
    heat may seem to flow from cold to hot (Levy, Kosloff 2014).

    **Arguments:**

    - `heat`: "full": $J_\alpha = \mathrm{tr} H_S D_\alpha$; "bare": $\mathrm{tr} H_0 D_\alpha$,
      which obeys the second law, the rest $\mathrm{tr} V D_\alpha$ counted as `power`, the work of
      keeping the sites coupled (De Chiara et al. 2018).
    - others: as of `Davies`.
    - `labels`, `counts`: found by the method, not given.

    Cost: O(m d^3) a step for m jumps; O(d^4) where energies are traced.
    """

    labels: tuple[Int[Array, "d d"], ...] | None = None
    counts: tuple[int, ...] = eqx.field(default=(), static=True)

    def require(self, model: OpenSystem) -> None:
        super().require(model)
        if self.lamb_shift:
            if model.interaction is not None or model.drives:
                raise ValueError(
                    "`lamb_shift` must be False for Local where sites interact or are driven: the "
                    "shift of the bare levels does not conserve the energy of all."
                )
            require_shift(model)
        now = model.before()
        require_rates(now, now.bare_hamiltonian())

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> "Local":
        super().prepare(model, ts)
        assert isinstance(model, OpenSystem)
        return self._labelled(model)

    def prepare_steady(self, model: OpenSystem) -> "Local":
        labelled = self._labelled(model)
        return dataclasses.replace(labelled, structure=labelled._structure(model))

    @jax.ensure_compile_time_eval()
    def _labelled(self, model: OpenSystem) -> "Local":
        labels, counts = [], []
        moving = isinstance(model.energies, tuple)
        known = not moving and not is_traced(model.bare_hamiltonian())
        couplings = [c for c in model.couplings if isinstance(c, Coupling)]
        if not known or any(is_traced(c.operator) for c in couplings):
            if model.levels > LARGEST and couplings:
                raise ValueError(
                    f"`model` must have energies and operators known before the program is "
                    f"compiled above {LARGEST} levels, or jumps given as `Jump`s; levels are "
                    f"{model.levels}."
                )
            return self
        energies, vectors = map(np.asarray, bare_spectrum(model))
        groups = np.asarray(frequency_groups(jnp.asarray(energies)))
        for coupling, number in zip(model.couplings, model.bath_of_coupling, strict=True):
            if not isinstance(coupling, Coupling):
                continue
            for channel in model.baths[number].channels(coupling.operator):
                operator = vectors.conj().T @ np.asarray(channel.operator) @ vectors
                weight = np.bincount(groups.ravel(), np.abs(operator).ravel() ** 2)
                kept = np.flatnonzero(weight > 1e-24 * np.max(weight))
                place = np.full(weight.size, -1)
                place[kept] = np.arange(kept.size)
                labels.append(jnp.asarray(place[groups]))
                counts.append(int(kept.size))
        return dataclasses.replace(self, labels=tuple(labels), counts=tuple(counts))

    @eqx.filter_jit
    def generator(self, model: OpenSystem) -> AbstractGenerator:
        return self._generator(model, with_populations=False)

    @eqx.filter_jit
    def generator_with_populations(self, model: OpenSystem) -> AbstractGenerator:
        return self._generator(model, with_populations=True)

    def _generator(self, model: OpenSystem, *, with_populations: bool) -> AbstractGenerator:
        spectrum = bare_spectrum(model)
        energies, vectors = spectrum
        parts = transitions(model, spectrum, lamb_shift=self.lamb_shift)
        if self.labels is None:
            own = secular_dissipators(parts, spectrum)
        else:
            both = zip(parts, self.labels, self.counts, strict=True)
            own = [_jumps(part, labels, count, vectors) for part, labels, count in both if count]
        shift = None
        if self.lamb_shift:
            shift = vectors @ lamb_shift(parts, energies) @ vectors.conj().T
        populations = None
        if with_populations and model.interaction is None and model.frame is None:
            populations = populations_of(model, spectrum, parts)
        return self._assemble(model, own, shift, populations, faults_among(parts))


class Lindblad(AbstractLocal):
    r"""A hand-written GKLS equation: the `Jump`s of the model beside $-i[H_S, \rho]$.

    **Arguments:** as of `Local`; heat counts at the beta of each jump's bath.

    Raises `ValueError` for a model with `Coupling`s.
    """

    def require(self, model: OpenSystem) -> None:
        super().require(model)
        for index, coupling in enumerate(model.couplings):
            if isinstance(coupling, Coupling):
                raise ValueError(
                    f"`couplings[{index}]` must be a Jump for Lindblad, but is a Coupling."
                )

    @eqx.filter_jit
    def generator(self, model: OpenSystem) -> AbstractGenerator:
        return self._assemble(model, [], None, None, Faults.none())

    @eqx.filter_jit
    def generator_with_populations(self, model: OpenSystem) -> AbstractGenerator:
        populations = None
        if model.frame is None:
            populations = populations_of(model, total_spectrum(model), [])
        return self._assemble(model, [], None, populations, Faults.none())


def _require_turning(
    model: OpenSystem, dissipators: Sequence[AbstractDissipator], hamiltonian: Array
) -> tuple[Array, Faults]:
    r"""The Hamiltonian, where a frame leaves $H_0$ and dissipators as they are.

    It does where $[G, H_0] = 0$ and each jump has one frequency in the frame, $[G, L] = gL$.
    """
    frame = model.frame
    assert frame is not None
    scale = jnp.max(jnp.abs(frame))
    stirred = frame @ model.bare_hamiltonian()
    stirred = stirred - stirred.conj().T
    told = "`frame` must commute with the bare Hamiltonian."
    largest = scale * jnp.max(jnp.abs(hamiltonian))
    hamiltonian, faults = refuse(hamiltonian, jnp.any(jnp.abs(stirred) > 1e-9 * largest), told)
    told = "`frame` must give each jump one frequency, [G, L] = g L."
    for part in dissipators:
        hamiltonian, fault = refuse(hamiltonian, ~part.turns_with(frame), told)
        faults += fault
    return hamiltonian, faults


def acting(part: AbstractDissipator) -> list[np.ndarray]:
    """The jumps of a dissipator, zero where their rates are."""
    assert isinstance(part, JumpDissipator), "labelled"
    both = zip(part.rates, part.operators, strict=True)
    return [np.asarray(operator) * float(rate > 0) for rate, operator in both]


def _jumps(
    part: Transitions, labels: Int[Array, "d d"], count: int, vectors: Array
) -> JumpDissipator:
    weight = jnp.abs(part.operator) ** 2
    operators, rates = [], []
    for label in range(count):
        own = labels == label
        share = jnp.where(own, weight, 0.0)
        rates.append(jnp.sum(share * part.rate) / jnp.sum(share))
        operators.append(vectors @ jnp.where(own, part.operator, 0.0) @ vectors.conj().T)
    return JumpDissipator(
        part.bath, jnp.stack(operators), jnp.stack(rates), (part.particles,) * count
    )
