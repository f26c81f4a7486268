"""The Bloch-Redfield equation: Born and Markov, without the secular step."""

import equinox as eqx

from entropax.method.ideal.dissipators import ProductDissipator, given_jumps
from entropax.method.ideal.equation import AbstractIdealBathEquation, require_global
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.rates import faults_among, transitions
from entropax.model import OpenSystem
from entropax.model.transition_frequencies import total_spectrum


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

    def secular(self, model: OpenSystem) -> bool:
        del model
        return False

    def require(self, model: OpenSystem) -> None:
        require_global(self, model)

    @eqx.filter_jit
    def generator(self, model: OpenSystem) -> AbstractGenerator:
        spectrum = total_spectrum(model)
        parts = transitions(model, spectrum, lamb_shift=self.lamb_shift)
        own = [ProductDissipator(part, spectrum[1]) for part in parts]
        total = model.total_hamiltonian()
        return MatrixGenerator(
            hamiltonian=total,
            dissipators=(*own, *given_jumps(model)),
            heat_operator=total,
            boundary_operator=None,
            faults=faults_among(parts),
            baths=len(model.baths),
        )
