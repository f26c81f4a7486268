"""Steady states of small systems between ideal baths."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import Faults, faults_of, require_count
from entropax._precision import require_float64
from entropax.counting.jumps import JumpCounts, countable, jump_counts
from entropax.counting.kinds import Count, OfAll, require_count_of
from entropax.ledger import AbstractMomentLedger, is_state, moment_ledger
from entropax.ledger.base import quantity
from entropax.method import AbstractIdealBathEquation
from entropax.method.ideal.master_equation import IdealPlan
from entropax.model import OpenSystem
from entropax.model.views import temperatures
from entropax.solve import FAILURES, RESULTS, raise_failures


class Uncertainty(NamedTuple):
    """See `SteadyState.uncertainty`."""

    thermodynamic: Float[Array, ""]
    kinetic: Float[Array, ""]


class SteadyState(AbstractMomentLedger):
    """What `steady_state` returns: the ledger of one moment, `result`, one `RESULTS`, and the
    `faults` of what it was given.
    """

    result: RESULTS = quantity("", "how it ended")
    faults: Faults = quantity("", "what must not be")
    model: OpenSystem = quantity("", "of what")
    method: AbstractIdealBathEquation = quantity("", "by what equation")

    @property
    def failed(self):
        """Whether the rest must not be used."""
        return jnp.any(jnp.stack([self.result == kind for kind in FAILURES]), axis=0)

    @property
    def noise(self) -> Float[Array, "baths baths"]:
        r"""Zero-frequency noise of particle currents, $\lim_t \mathrm{Cov}(N_\nu, N_\mu)/t$."""
        return self.covariance("particles")

    def covariance(self, of: Count = "particles") -> Float[Array, "baths baths"]:
        """The same of "particles", "energy" or "heat" that baths gain, between all of them."""
        require_count_of(of, 0, len(self.model.baths))
        return _covariance(self._counts(of), of)

    def cumulants(
        self, of: Count | OfAll, bath: int | None = None, order: int = 2
    ) -> Float[Array, " order"]:
        r"""$\lim_t \kappa_k/t$ for k = 1 to `order` of what `bath` gains (minus the currents of
        the ledger); "work" counts the heat that all gain together, what is put in and may not
        stay, and "entropy_production" that heat times $\beta_\nu$.

        From the generator with counting fields on its jumps (Flindt et al. 2008), one linear solve
        an order. Under `Redfield` these are no cumulants of a law of probability (a warning).
        """
        require_count_of(of, bath, len(self.model.baths))
        return _cumulants(self._counts(of), of, bath, require_count("order", order))

    def fano(self, of: Count = "particles", bath: int = 0) -> Float[Array, ""]:
        r"""Noise over the size of the current, $\kappa_2/|\kappa_1|$."""
        first, second = self.cumulants(of, bath)
        return second / jnp.abs(first)

    def uncertainty(self, of: Count = "particles", bath: int = 0) -> Uncertainty:
        r"""How precise a current is beside what it costs.

        `thermodynamic`: $\kappa_2\dot\Sigma/\kappa_1^2$, at least 2 for rates between populations
        (Barato, Seifert 2015); `kinetic`: $\kappa_2 a/\kappa_1^2$ with a jumps a time, at least 1
        (Di Terlizzi, Baiesi 2019).
        """
        require_count_of(of, bath, len(self.model.baths))
        counts = self._counts(of)
        first, second = _cumulants(counts, of, bath, 2)
        relative = second / first**2
        return Uncertainty(relative * self.entropy_production_rate, relative * _activity(counts))

    def _counts(self, of: str) -> JumpCounts:
        return jump_counts(self.method, countable(self.model, self.method, of))

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
def _covariance(counts: JumpCounts, of: str) -> Float[Array, "baths baths"]:
    return counts.covariance([counts.weights(of, b) for b in range(counts.beta.shape[0])])


@eqx.filter_jit
def _cumulants(counts: JumpCounts, of: str, bath: int | None, order: int) -> Float[Array, " order"]:
    return counts.cumulants(counts.weights(of, bath), order)


@eqx.filter_jit
def _activity(counts: JumpCounts) -> Float[Array, ""]:
    return counts.activity()


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
    return SteadyState(
        **vars(moment), result=result, faults=faults, model=plan.model, method=method
    )
