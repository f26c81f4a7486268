"""Equations whose dissipators do not see interactions and drives: local and hand-written ones."""

import dataclasses
from typing import Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from entropax._checks import is_traced, whole
from entropax._crossovers import ALL_COHERENCES, STEADY_STATE_BY_LU
from entropax._tolerances import AS_STATED
from entropax.method.ideal.conservation import blocks_of, conserved
from entropax.method.ideal.evolution import as_matrix
from entropax.method.ideal.local_equation import (
    AbstractLocalEquation,
    LindbladEquation,
    LocalEquation,
    Structure,
    acting,
)
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.method.ideal.rates import (
    require_rates,
    require_shift,
)
from entropax.model import Coupling
from entropax.model.transition_frequencies import bare_spectrum, frequency_groups
from entropax.model.views import IdealSystem, ideal_links


class AbstractLocal(AbstractIdealBathEquation):
    """A method whose dissipators do not see interactions and drives."""

    heat: eqx.AbstractVar[Literal["full", "bare"]]

    def __check_init__(self) -> None:
        if self.heat not in ("full", "bare"):
            raise ValueError(f'`heat` must be "full" or "bare", but is {self.heat!r}.')


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

    Cost: O(m d^3) a step for m jumps; O(d^4) where energies are traced.
    """

    _: dataclasses.KW_ONLY
    heat: Literal["full", "bare"] = eqx.field(default="full", static=True)
    lamb_shift: bool = eqx.field(default=False, static=True)
    housekeeping: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

    def equation(self, model: IdealSystem, ts: Float[Array, " times"]) -> LocalEquation:
        del ts
        _require_frame(model)
        if self.lamb_shift:
            if model.interaction is not None or model.drives:
                raise ValueError(
                    "`lamb_shift` must be False for Local where sites interact or are driven: the "
                    "shift of the bare levels does not conserve the energy of all."
                )
            require_shift(model)
        before = model.before()
        require_rates(before, before.bare_hamiltonian())
        labels, counts = _labels_of(model)
        return LocalEquation(
            heat=self.heat, lamb_shift=self.lamb_shift, labels=labels, counts=counts
        )

    def steady_equation(self, model: IdealSystem) -> LocalEquation:
        equation = self.equation(model, jnp.zeros(0))
        return dataclasses.replace(equation, structure=_structure_of(equation, model))


class Lindblad(AbstractLocal):
    r"""A hand-written GKLS equation: the `Jump`s of the model beside $-i[H_S, \rho]$.

    **Arguments:** as of `Local`; heat counts at the beta of each jump's bath.

    Raises `ValueError` for a model with `Coupling`s.
    """

    _: dataclasses.KW_ONLY
    heat: Literal["full", "bare"] = eqx.field(default="full", static=True)
    lamb_shift: bool = eqx.field(default=False, static=True)
    housekeeping: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

    def equation(self, model: IdealSystem, ts: Float[Array, " times"]) -> LindbladEquation:
        del ts
        _require_frame(model)
        for index, coupling in enumerate(model.couplings):
            if isinstance(coupling, Coupling):
                raise ValueError(
                    f"`couplings[{index}]` must be a Jump for Lindblad, but is a Coupling."
                )
        return LindbladEquation(heat=self.heat)

    def steady_equation(self, model: IdealSystem) -> LindbladEquation:
        equation = self.equation(model, jnp.zeros(0))
        return dataclasses.replace(equation, structure=_structure_of(equation, model))


@jax.ensure_compile_time_eval()
def _require_frame(model: IdealSystem) -> None:
    """`ValueError` for a frame in which the bare Hamiltonian moves."""
    before = model.before()
    frame, bare = before.frame, before.bare_hamiltonian()
    if frame is None or is_traced(frame) or is_traced(bare):
        return
    commutator = np.abs(np.asarray(frame @ bare - bare @ frame))
    if np.max(commutator) > AS_STATED * float(jnp.max(jnp.abs(frame)) * jnp.max(jnp.abs(bare))):
        raise ValueError(
            "`frame` must commute with the bare Hamiltonian, but their commutator has an "
            f"element of {np.max(commutator):.3g}."
        )


def _structure_of(equation: AbstractLocalEquation, model: IdealSystem) -> Structure | None:
    """Blocks and conservation laws, where a steady state is too large for one LU."""
    if model.levels**2 <= STEADY_STATE_BY_LU.here:
        return None
    generator = as_matrix(equation.generator(model))
    if any(map(is_traced, jax.tree.leaves(generator))):
        return None
    jumps = [jump for part in generator.dissipators for jump in acting(part)]
    hamiltonian = np.asarray(generator.hamiltonian)
    return Structure(blocks_of(hamiltonian, jumps), not conserved(hamiltonian, jumps))


@jax.ensure_compile_time_eval()
def _labels_of(
    model: IdealSystem,
) -> tuple[tuple[Int[Array, "d d"], ...] | None, tuple[int, ...]]:
    """Numbers of the jumps that transitions belong to, and how many jumps, of each channel."""
    labels, counts, links = [], [], ideal_links(model)
    traced = isinstance(model.energies, tuple) or is_traced(model.bare_hamiltonian())
    if traced or any(is_traced(link.coupling.operator) for link in links):
        if model.levels > ALL_COHERENCES.here and links:
            raise ValueError(
                f"`model` must have energies and operators known before the program is "
                f"compiled above {ALL_COHERENCES.here} levels, or jumps given as `Jump`s; "
                f"levels are {model.levels}."
            )
        return None, ()
    energies, vectors = map(np.asarray, bare_spectrum(model))
    groups = np.asarray(frequency_groups(jnp.asarray(energies)))
    for link in links:
        for channel in link.bath.channels(link.coupling.operator):
            operator = vectors.conj().T @ np.asarray(channel.operator) @ vectors
            weight = np.bincount(groups.ravel(), np.abs(operator).ravel() ** 2)
            kept = np.flatnonzero(weight > 1e-24 * np.max(weight))
            place = np.full(weight.size, -1)
            place[kept] = np.arange(kept.size)
            labels.append(jnp.asarray(place[groups]))
            counts.append(int(kept.size))
    return tuple(labels), tuple(counts)
