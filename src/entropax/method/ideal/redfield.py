"""The Bloch-Redfield equation: Born and Markov, without the secular step."""

import dataclasses

import diffrax
import equinox as eqx
from jaxtyping import Array, Float

from entropax._checks import whole
from entropax.method.ideal.dissipators import ProductDissipator, given_jumps
from entropax.method.ideal.equation import (
    AbstractEquation,
    AbstractGlobalEquation,
    require_global,
)
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.method.ideal.rates import faults_among, transitions
from entropax.model.transition_frequencies import total_spectrum
from entropax.model.views import IdealSystem


class RedfieldEquation(AbstractGlobalEquation):
    """Redfield's generators."""

    has_rate_equation = False

    lamb_shift: bool = eqx.field(static=True)

    def is_secular(self, model: IdealSystem) -> bool:
        del model
        return False

    def make(self, model: IdealSystem, *, with_populations: bool) -> AbstractGenerator:
        del with_populations
        spectrum = total_spectrum(model)
        parts = transitions(model, spectrum, lamb_shift=self.lamb_shift)
        dissipators = [ProductDissipator(part, spectrum[1]) for part in parts]
        total = model.total_hamiltonian()
        return MatrixGenerator(
            hamiltonian=total,
            dissipators=(*dissipators, *given_jumps(model)),
            heat_operator=total,
            boundary_operator=None,
            faults=faults_among(parts),
            baths=len(model.baths),
        )


class Redfield(AbstractIdealBathEquation):
    r"""The Bloch-Redfield equation (Redfield 1957; Breuer, Petruccione 2002, section 3.3).

    $$ D(\rho) = \Lambda\rho A^\dagger - A^\dagger\Lambda\rho + \mathrm{h.c.}, \qquad
       \langle i|\Lambda|j\rangle = \tfrac12\gamma(\epsilon_j - \epsilon_i)\,\langle i|A|j\rangle $$

    between eigenstates of $H_S(t)$. All pairs of transitions stay, so that it holds for levels
    nearly alike where `Davies` does not, and positivity is not guaranteed: where it fails by more
    than 1e-6 `result` says so, and `ledger.lowest_population` by how much.

    **Arguments:** as of `Davies`, less `coherences`; `lamb_shift` adds the imaginary part of the
    bath's transform to $\gamma/2$.

    Cost: O(d^3) a step and bath.
    """

    _: dataclasses.KW_ONLY
    lamb_shift: bool = eqx.field(default=False, static=True)
    housekeeping: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()

    def equation(self, model: IdealSystem, ts: Float[Array, " times"]) -> AbstractEquation:
        del ts
        return self.steady_equation(model)

    def steady_equation(self, model: IdealSystem) -> AbstractEquation:
        require_global("Redfield", model, lamb_shift=self.lamb_shift)
        return RedfieldEquation(self.lamb_shift)
