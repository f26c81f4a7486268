"""Generators whose dissipators do not see interactions and drives."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, Int

from entropax._checks import Faults, refuse
from entropax._tolerances import AS_STATED
from entropax.method.ideal.block_generator import BlockGenerator
from entropax.method.ideal.conservation import BlockStructure
from entropax.method.ideal.dissipators import (
    AbstractDissipator,
    JumpDissipator,
    given_jumps,
    lamb_shift,
    secular_dissipators,
)
from entropax.method.ideal.equation import AbstractEquation, Follow, follow_all
from entropax.method.ideal.evolution import as_matrix
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.populations import Populations, populations_of
from entropax.method.ideal.rates import (
    Transitions,
    faults_among,
    transitions,
)
from entropax.model.transition_frequencies import bare_spectrum, total_spectrum
from entropax.model.views import IdealSystem
from entropax.protocol import AbstractProtocol, Interval


class Structure(NamedTuple):
    """Blocks that stay apart, and whether nothing is conserved."""

    blocks: BlockStructure | None
    conserves_nothing: bool


class AbstractLocalEquation(AbstractEquation):
    """Dissipators of the bare Hamiltonian, beside the commutator with all of it.

    `structure`: of a generator that is too large for one LU decomposition.
    """

    has_rate_equation = True

    heat: eqx.AbstractVar[Literal["full", "bare"]]
    structure: eqx.AbstractVar[Structure | None]

    def is_secular(self, model: IdealSystem) -> bool:
        del model
        return False

    @property
    def conserves_nothing(self) -> bool:
        return self.structure is not None and self.structure.conserves_nothing

    def steady_generator(self, model: IdealSystem) -> AbstractGenerator:
        whole = self.generator_with_populations(model)
        if self.structure is None or self.structure.blocks is None:
            return whole
        return BlockGenerator(as_matrix(whole), self.structure.blocks)

    def moves(self, model: IdealSystem) -> bool:
        sizes = [coupling.size for coupling in model.couplings]
        seen = (*sizes, *(model.energies if isinstance(model.energies, tuple) else ()))
        return not all(p.is_piecewise_constant for p in seen if isinstance(p, AbstractProtocol))

    def follow(self, model: IdealSystem, stretch: Interval) -> Follow:
        if self.moves(model) or model.is_piecewise_constant:
            return follow_all(self, model, stretch)
        # drives alone: dissipators are made once
        first = model.within(stretch[0], stretch)
        fixed, before = as_matrix(self.generator(first)), first.total_hamiltonian()

        def at(time: Array) -> AbstractGenerator:
            total = model.within(time, stretch).total_hamiltonian()
            return dataclasses.replace(
                fixed,
                hamiltonian=fixed.hamiltonian + total - before,
                heat_operator=total if self.heat == "full" else fixed.heat_operator,
                boundary_operator=None if self.heat == "full" else total - fixed.heat_operator,
            )

        return at

    def _assemble(
        self,
        model: IdealSystem,
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
                model, model.frame, [*dissipators, *jumps], hamiltonian
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


class LocalEquation(AbstractLocalEquation):
    """Generators of the local equation. `labels`: of each channel, numbers of the jumps that
    transitions belong to; None where energies are traced.
    """

    heat: Literal["full", "bare"] = eqx.field(static=True)
    lamb_shift: bool = eqx.field(static=True)
    labels: tuple[Int[Array, "d d"], ...] | None
    counts: tuple[int, ...] = eqx.field(static=True)
    structure: Structure | None = eqx.field(default=None, static=True)

    def make(self, model: IdealSystem, *, with_populations: bool) -> AbstractGenerator:
        spectrum = bare_spectrum(model)
        energies, vectors = spectrum
        parts = transitions(model, spectrum, lamb_shift=self.lamb_shift)
        if self.labels is None:
            dissipators = secular_dissipators(parts, spectrum)
        else:
            labelled = zip(parts, self.labels, self.counts, strict=True)
            dissipators = [_jumps(*jumps, vectors) for jumps in labelled if jumps[2]]
        shift = None
        if self.lamb_shift:
            shift = vectors @ lamb_shift(parts, energies) @ vectors.conj().T
        populations = None
        if with_populations and model.interaction is None and model.frame is None:
            populations = populations_of(model, spectrum, parts)
        return self._assemble(model, dissipators, shift, populations, faults_among(parts))


class LindbladEquation(AbstractLocalEquation):
    """Generators of hand-written jumps."""

    heat: Literal["full", "bare"] = eqx.field(static=True)
    structure: Structure | None = eqx.field(default=None, static=True)

    def make(self, model: IdealSystem, *, with_populations: bool) -> AbstractGenerator:
        populations = None
        if with_populations and model.frame is None:
            populations = populations_of(model, total_spectrum(model), [])
        return self._assemble(model, [], None, populations, Faults.none())


def _require_turning(
    model: IdealSystem,
    frame: Inexact[Array, "d d"],
    dissipators: Sequence[AbstractDissipator],
    hamiltonian: Array,
) -> tuple[Array, Faults]:
    r"""The Hamiltonian, where a frame leaves $H_0$ and dissipators as they are.

    It does where $[G, H_0] = 0$ and each jump has one frequency in the frame, $[G, L] = gL$.
    """
    scale = jnp.max(jnp.abs(frame))
    commutator = frame @ model.bare_hamiltonian()
    commutator = commutator - commutator.conj().T
    message = "`frame` must commute with the bare Hamiltonian."
    largest = scale * jnp.max(jnp.abs(hamiltonian))
    hamiltonian, faults = refuse(
        hamiltonian, jnp.any(jnp.abs(commutator) > AS_STATED * largest), message
    )
    message = "`frame` must give each jump one frequency, [G, L] = g L."
    for part in dissipators:
        hamiltonian, fault = refuse(hamiltonian, ~part.turns_with(frame), message)
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
        here = labels == label
        share = jnp.where(here, weight, 0.0)
        rates.append(jnp.sum(share * part.rate) / jnp.sum(share))
        operators.append(vectors @ jnp.where(here, part.operator, 0.0) @ vectors.conj().T)
    return JumpDissipator(
        part.bath, jnp.stack(operators), jnp.stack(rates), (part.particles,) * count
    )
