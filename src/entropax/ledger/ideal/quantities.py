"""What the ledger of a small system between ideal baths holds (Textbook)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.ledger.base import AbstractLedger, quantity


class AbstractMomentLedger(AbstractLedger):
    r"""What a state is worth at a moment; baths along the last axis of what belongs to one.

    Signs and units: `docs/conventions.md`. What an equation does not part is None, and NaN stands
    where there is no steady state, or more than one.
    """

    state: Inexact[Array, "*times d d"] = quantity(
        r"\rho", "density matrix, in the basis in which the system is given"
    )
    energy: Float[Array, "*times"] = quantity("U", r"$\mathrm{tr}\,\rho H_S$", "Textbook", "energy")
    system_entropy: Float[Array, "*times"] = quantity(r"S[\rho]", "von Neumann entropy", "", "nat")
    lowest_population: Float[Array, "*times"] = quantity(
        "", r"the smallest eigenvalue of $\rho$: negative where a Redfield equation fails"
    )
    heat_currents: Float[Array, "*times baths"] = quantity(
        r"J_\alpha",
        r"$\mathrm{tr}\,H_S D_\alpha(\rho) - \mu_\alpha I_\alpha$, into the system; with "
        '`Local(heat="bare")` $H_0$ for $H_S$',
        "Textbook",
        "energy/time",
    )
    particle_currents: Float[Array, "*times baths"] = quantity(
        r"I_\alpha", "into the system; 0 of baths that exchange none", "", "1/time"
    )
    power: Float[Array, "*times"] = quantity(
        r"\dot W",
        r"$\mathrm{tr}\,\rho\dot H_S$, done on the system by what drives it; and "
        r"$\mathrm{tr}\,V \sum D_\alpha$ with bare heat",
        "Textbook",
        "energy/time",
    )
    chemical_power: Float[Array, "*times"] = quantity(
        r"\dot W_{\mathrm{chem}}",
        r"$\sum_\alpha\mu_\alpha I_\alpha$, done on the system by particles that enter it",
        "",
        "energy/time",
    )
    entropy_rate: Float[Array, "*times"] = quantity(
        r"\dot S", "rate of change of `system_entropy`", "", "nat/time"
    )
    entropy_production_rate: Float[Array, "*times"] = quantity(
        r"\dot\Sigma",
        r"$\dot S - \sum_\alpha\beta_\alpha J_\alpha$, non-negative for `Davies` of "
        "couplings, and of jumps in detailed balance",
        "Spohn 1978",
        "nat/time",
    )
    entropy_production_rates: Float[Array, "*times baths"] = quantity(
        r"\dot\Sigma_\alpha",
        r"$-\mathrm{tr}\,D_\alpha(\rho)\ln\rho - \beta_\alpha J_\alpha$ of each bath; "
        "they add up",
        "Spohn 1978",
        "nat/time",
    )
    nonadiabatic_rate: Float[Array, "*times"] | None = quantity(
        r"\dot\Sigma_{\mathrm{na}}",
        r"$-\mathrm{tr}\,\dot\rho\,(\ln\rho - \ln\pi)$, $\pi$ the steady state of the "
        "moment; NaN where that is not unique, None where not asked for (above 16 levels)",
        "Textbook",
        "nat/time",
    )
    housekeeping_rate: Float[Array, "*times"] | None = quantity(
        r"\dot\Sigma_{\mathrm{hk}}",
        r"`entropy_production_rate` less `nonadiabatic_rate`: the cost of keeping $\pi$",
        "Textbook",
        "nat/time",
    )
    population_rate: Float[Array, "*times"] | None = quantity(
        r"\dot\Sigma_{\mathrm{pop}}",
        r"$\frac{d}{dt}S[\Delta\rho] - \sum_\alpha\beta_\alpha J_\alpha$ by the baths, "
        r"$\Delta$ the dephasing between energies; None but for secular equations",
        "Textbook",
        "nat/time",
    )
    coherence_rate: Float[Array, "*times"] | None = quantity(
        r"\dot\Sigma_{\mathrm{coh}}",
        r"$-\frac{d}{dt}S(\rho\|\Delta\rho)$ by the baths; None but for secular equations",
        "Textbook",
        "nat/time",
    )
    free_energy: Float[Array, "*times baths"] = quantity(
        r"F_\alpha", r"$U - S/\beta_\alpha$", "", "energy"
    )
    ergotropy: Float[Array, "*times"] = quantity(
        r"\mathcal{E}",
        r"$\mathrm{tr}\,\rho H_S - \sum r^\downarrow_k \epsilon^\uparrow_k$: the most "
        "work that unitaries can draw",
        "",
        "energy",
    )

    def state_in_words(self, index: int) -> str:
        """How far the state is from one."""
        lowest = jnp.ravel(self.lowest_population)[index]
        trace = jnp.ravel(jnp.trace(self.state, axis1=-2, axis2=-1).real)[index]
        return f"There `lowest_population` is {lowest:.3g} and the trace 1{trace - 1:+.1e}"


class MomentLedger(AbstractMomentLedger):
    """The ledger of one moment."""

    def in_words(self, index: int) -> str:
        return f"{self.state_in_words(index)}."


class GKLSLedger(AbstractMomentLedger):
    """One entry a time, and what has flowed since the start."""

    entropy_production: Float[Array, " times"] = quantity(
        r"\Sigma",
        r"$\Delta S - \sum_\alpha\beta_\alpha Q_\alpha$, the integral of its rate",
        "Spohn 1978",
        "nat",
    )
    heat: Float[Array, "times baths"] = quantity(
        r"Q_\alpha", r"$\int J_\alpha dt$, out of the bath into the system", "Textbook", "energy"
    )
    particles: Float[Array, "times baths"] = quantity(
        r"N_\alpha", r"$\int I_\alpha dt$, out of the bath into the system"
    )
    work: Float[Array, " times"] = quantity(
        "W", r"$\int\mathrm{tr}\,\rho\dot H_S\,dt$, jumps included", "Textbook", "energy"
    )
    chemical_work: Float[Array, " times"] = quantity(
        r"W_{\mathrm{chem}}", r"$\sum_\alpha\mu_\alpha\int I_\alpha dt$", "", "energy"
    )
    landauer_bound: Float[Array, "times baths"] = quantity(
        r"Q_{\mathrm{L},\alpha}",
        r"$-\Delta S/\beta_\alpha$: the least heat $-Q$ that a bath, alone, is handed",
        "Landauer 1961",
        "energy",
    )
    residual: Float[Array, " times"] = quantity(
        "",
        r"$\Delta U - W - W_{\mathrm{chem}} - \sum_\alpha Q_\alpha$: the first law",
        "",
        "energy",
    )

    @property
    def entropy_production_fixed(self) -> Float[Array, " times"]:
        """The same as `entropy_production`: ideal baths keep their temperatures."""
        return self.entropy_production

    def in_words(self, index: int) -> str:
        state = self.state_in_words(index)
        return f"{state}; the first law's `residual` is {self.residual[index]:.3g}."
