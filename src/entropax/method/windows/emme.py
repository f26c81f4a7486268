"""The extended microcanonical master equation: finite baths that evolve."""

import dataclasses
from typing import Any, Literal

import diffrax
import equinox as eqx

from entropax._checks import whole
from entropax.method.windows.bath_closures import EvolvingBaths
from entropax.method.windows.master_equation import AbstractMasterEquation
from entropax.method.windows.moment import Dissipators


class EMME(AbstractMasterEquation):
    r"""The extended microcanonical master equation (Riera Eqs. 5, 71, 75).

    $$ \dot\rho_S(E) = -i[H'_S(E), \rho_S(E)] + \sum_\omega \Big( \frac{\gamma(E,E-\omega)}
       {V_{E-\omega}} S_\omega \rho_S(E-\omega) S_\omega^\dagger - \frac{\gamma(E+\omega,E)}{2V_E}
       \{\rho_S(E), S_\omega^\dagger S_\omega\} \Big) $$

    for every bath, with rates $\gamma$ from the coupling's matrix: Riera Eq. 27 for ensembles, 25
    for a given matrix, 29 for eigenstate thermalisation. Off-resonant windows share a jump
    linearly (Eq. B12), so everything is continuous in the system's energies.

    **Arguments:**

    - `memory`: "infinite" (Markov), where a driven strength enters by its square of the moment,
      or "finite": rates grow from zero with the memory integral up to t (Eqs. 14, 44, 45), and may
      be negative off resonance; of a driven model with the history of strengths and energies,
      $\lambda(t)\int_0^t\lambda(t-\tau)\,h(\tau)\,e^{i\int_{t-\tau}^t\Omega}d\tau$.
    - `dissipators`: where the system has an `interaction` or `drives`, "global": between
      eigenstates of all of $H_S$, those of the moment (right for slow drives), or "local": of
      $H_0$, all else in the commutator alone (right for weak ones).
    - `secular`: keep only pairs of transitions of one frequency; False keeps all (Redfield), and
      populations may become negative, which `Solution.result` tells.
    - `lamb_shift`, `first_order`: whether $H'_S(E)$ holds the shifts of Eqs. 21 and 17.
    - `coherences`: follow full density matrices; None for: only where they can appear, and
      wherever the energies are traced (by `jit` or `grad`), so that nothing is known: pass False
      there for populations alone.
    - `solver`: any explicit diffrax solver; None for Dopri8, or, for few populations (48; 256
      where there is one coupling) and infinite memory, the exponential of the generator.
    - `rtol`, `atol`, `max_steps`, `adjoint`: as in diffrax; forward-mode derivatives through a
      solver need `diffrax.ForwardMode()`.

    Rates bend where a driven energy comes into resonance with the windows: a derivative through
    such a moment is right to about 1e-6, by the solver's steps.

    The exponential takes rates below rounding of the fastest one for zero: name a `solver` where
    rates differ by 13 orders. It follows the populations that rates lead to from the start alone,
    where all numbers but the strength are known, not traced.

    Raises `ValueError` for a model that is no `OpenSystem`, and for negative times.
    Cost: O(d^2 W^2) a step for populations of d levels and W windows, O(d^4 W^2) with coherences.
    """

    closure = EvolvingBaths

    _: dataclasses.KW_ONLY
    memory: Literal["infinite", "finite"] = eqx.field(default="infinite", static=True)
    dissipators: Dissipators = eqx.field(default="global", static=True)
    secular: bool = eqx.field(default=True, static=True)
    lamb_shift: bool = eqx.field(default=True, static=True)
    first_order: bool = eqx.field(default=True, static=True)
    coherences: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()


def microcanonical_master_equation(**options: Any) -> EMME:
    r"""The microcanonical master equation (Strasberg Eq. 43), populations of the `EMME` alone.

    $$ \partial_t p_{sE} = \sum_{\alpha\gamma s'} \frac{2\pi}{\delta V_E} \mathrm{Re}\{
       S_\alpha^{ss'} S_\gamma^{s's} f_{\alpha\gamma}(E,E')\}
       \Big[\frac{V_E}{V_{E'}} p_{s'E'} - p_{sE}\Big], \qquad E' = E + \epsilon_s-\epsilon_{s'} $$

    with $f_{\alpha\gamma}(E,E') = \mathrm{tr}\,\Pi_E B_\alpha \Pi_{E'} B_\gamma$, the
    couplings explicit matrices; the paper leaves out $1/\delta$, the density of states. Off
    resonance neighbouring windows share a jump. Its limit of a bath that stays canonical, the Pauli
    equation (46), is `BornMarkovSecular` from a canonical start. `options`: as of `EMME`.
    """
    return EMME(coherences=False, lamb_shift=False, first_order=False, **options)
