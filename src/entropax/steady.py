"""Steady states of small systems between ideal baths."""

import equinox as eqx
import jax.numpy as jnp

from entropax._checks import Faults, faults_of
from entropax._precision import require_float64
from entropax.ledger import AbstractMomentLedger, is_state, moment_ledger
from entropax.ledger.base import quantity
from entropax.method import AbstractIdealBathEquation
from entropax.method.ideal.master_equation import IdealPlan
from entropax.model import OpenSystem
from entropax.model.views import temperatures
from entropax.solve import FAILURES, RESULTS, raise_failures


class SteadyState(AbstractMomentLedger):
    """What `steady_state` returns: the ledger of one moment, `result`, one `RESULTS`, and the
    `faults` of what it was given.
    """

    result: RESULTS = quantity("", "how it ended")
    faults: Faults = quantity("", "what must not be")

    @property
    def failed(self):
        """Whether the rest must not be used."""
        return jnp.any(jnp.stack([self.result == kind for kind in FAILURES]), axis=0)

    def in_words(self, index: int) -> str:
        return f"{self.state_in_words(index)}."


def steady_state(
    model: OpenSystem, method: AbstractIdealBathEquation, *, throw: bool | None = None
) -> SteadyState:
    r"""The steady state, $\mathcal{L}(\pi) = 0$ with $\mathrm{tr}\pi = 1$, and what flows in it.

    **Arguments:**

    - `model`: an `OpenSystem` with ideal baths that is not driven, but for a `frame`; its start is
      not asked for.
    - `method`: `Davies`, `Local`, `Redfield` or `Lindblad`.
    - `throw`: None to raise where there is more than one steady state, or none was found, and
      inside of `jit` and `vmap` to say so in `SteadyState.result`, a mask for batches; True and
      False as for `solve`.

    The linear system is solved, by LU decomposition up to 50 levels (for `Davies` over what
    commutes with $H_S$, where its energies are known beforehand: populations and coherences within
    levels), and above by GMRES that needs the generator's action alone. Derivatives, forward and
    reverse, follow from the implicit function theorem; `jax.vmap` equals a loop.

    Raises `ValueError` for a driven model or one that `method` does not know.
    """
    if not isinstance(method, AbstractIdealBathEquation):
        raise ValueError(
            f"`method` must be one for ideal baths, such as Davies(), but is {method!r}."
        )
    require_float64()
    return raise_failures(_steady_state(method, method.plan_steady(model)), throw)


@eqx.filter_jit
def _steady_state(method: AbstractIdealBathEquation, plan: IdealPlan) -> SteadyState:
    state, steady = method.stationary(plan)
    moment = moment_ledger(state, *temperatures(plan.model))
    result = RESULTS.where(is_state(moment), RESULTS.successful, RESULTS.unphysical)
    result = RESULTS.where(steady.unique, result, RESULTS.not_unique)
    result = RESULTS.where(steady.converged, result, RESULTS.not_converged)
    result = RESULTS.where(jnp.all(jnp.isfinite(state.rate)), result, RESULTS.not_finite)
    faults = faults_of(plan.model) + state.faults
    result = RESULTS.where(jnp.any(faults.present), RESULTS.invalid, result)
    return SteadyState(**vars(moment), result=result, faults=faults)
