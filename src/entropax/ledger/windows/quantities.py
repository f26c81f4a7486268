"""What the ledger of a small system and its window baths holds (Riera, Strasberg, Esposito)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact

from entropax.entropy import (
    ObservationalTerms,
)
from entropax.ledger.base import AbstractLedger, AbstractRecord, quantity


class ObservationLedger(AbstractRecord):
    r"""Observational entropy under an `Observation`, one entry a time (Strasberg, section II)."""

    outcomes: Float[Array, "times ..."] = quantity(
        r"p_{sE_1E_2\dots}", "probabilities of outcomes: system, then the window of each bath"
    )
    volumes: tuple[Float[Array, "times windows"], ...] = quantity(
        "V_E", "volumes of each bath's windows"
    )
    entropy: Float[Array, " times"] = quantity(
        r"S_{\mathrm{obs}}", r"$\sum p\,(-\ln p + \ln V_E)$", "Strasberg Eqs. 9, 34", "nat"
    )
    entropy_production: Float[Array, " times"] = quantity(
        r"\Delta S_{\mathrm{obs}}", "since the start", "Strasberg, below Eq. 9", "nat"
    )
    terms: ObservationalTerms = quantity(
        "",
        "what `entropy` is made of beside `joint_entropy`: `system_coherence`, "
        "`bath_coherence`, `ignorance`, `correlation`, `coarse_correlation`",
        "Strasberg Eqs. 22, 37, 39, 41",
        "nat",
    )
    terms_initial: ObservationalTerms = quantity(
        "",
        "the same at the start; its `ignorance` is the initial mismatch",
        "Strasberg Eqs. 14, 16",
        "nat",
    )
    joint_entropy: Float[Array, " times"] = quantity(
        "S", "von Neumann entropy of everything: conserved", "", "nat"
    )
    bath_entropy: Float[Array, "times baths"] = quantity(
        r"S[\rho_{B_\nu}]", "von Neumann entropy of a bath", "", "nat"
    )
    residual: Float[Array, " times"] = quantity(
        "", "`entropy` less `joint_entropy` and the terms: rounding", "", "nat"
    )


class WindowLedger(AbstractLedger):
    r"""One entry a time; baths along the last axis of what belongs to one.

    Signs and units: `docs/conventions.md`. What a description cannot know is None.
    """

    joint: Float[Array, "times ..."] = quantity(
        r"p(\epsilon_k, E_1, E_2, \dots)", "level, then the window of each bath"
    )
    joint_rate: Float[Array, "times ..."] = quantity(
        r"\dot p", "rate of change of `joint`", "", "1/time"
    )
    entropy_production: Float[Array, " times"] | None = quantity(
        r"\Sigma",
        r"$S_{\mathrm{obs}}(t) - S_{\mathrm{obs}}(0)$; None of frozen baths",
        "Riera Eq. 54",
        "nat",
    )
    entropy_production_rate: Float[Array, " times"] | None = quantity(
        r"\dot\Sigma",
        r"$dS_{\mathrm{obs}}/dt$, non-negative for `EMME()` where no two levels have one "
        "energy; None of frozen baths",
        "Riera Eqs. 54-57",
        "nat/time",
    )
    entropy_production_local: Float[Array, " times"] | None = quantity(
        r"\Sigma_{\mathrm{loc}}",
        r"$\Delta S^S_{\mathrm{obs}} + \sum_\nu\Delta S^{B_\nu}_{\mathrm{obs}}$, without "
        "correlations; None of frozen baths",
        "Riera Eq. 66",
        "nat",
    )
    clausius: Float[Array, " times"] | None = quantity(
        r"\Sigma_{\mathrm{Cl}}",
        r"$\Delta S^S_{\mathrm{obs}} - \sum_\nu\int dQ_\nu/T^*_\nu$; None of frozen baths",
        "Riera Eqs. 67, 74",
        "nat",
    )
    entropy_production_fixed: Float[Array, " times"] = quantity(
        r"\sigma",
        r"$\Delta S[\rho_S] - \sum_\nu\beta_\nu(0)\,Q_\nu$, $\beta_\nu(0)$ of "
        r"`Product(beta=...)`, else $\beta^*_\nu(0)$; +inf where a bath that started at "
        "$T^* = 0$ has taken energy",
        "Esposito Eq. 10, Strasberg Eq. 5",
        "nat",
    )
    entropy_production_weak: Float[Array, " times"] | None = quantity(
        r"\sigma_{\mathrm{weak}}",
        r"$\Delta S[\rho_S] - \beta(0)\,(\Delta U_S - W)$; None of several baths",
        "Esposito Eq. 25",
        "nat",
    )
    observational_entropy: Float[Array, " times"] | None = quantity(
        r"S_{\mathrm{obs}}",
        r"$\sum p\,(-\ln p + \ln V_E)$; None of frozen baths",
        "Riera Eqs. 51, 73",
        "nat",
    )
    system_entropy: Float[Array, " times"] = quantity(
        r"S[\rho_S]", "von Neumann entropy of the system", "", "nat"
    )
    system_observational_entropy: Float[Array, " times"] = quantity(
        r"S^S_{\mathrm{obs}}", r"$-\sum p(\epsilon_k) \ln p(\epsilon_k)$", "", "nat"
    )
    bath_observational_entropy: Float[Array, "times baths"] | None = quantity(
        r"S^{B_\nu}_{\mathrm{obs}}",
        r"$\sum p(E)(-\ln p(E) + \ln V_E)$; None of frozen baths",
        "Riera Eq. 64, Strasberg Eq. 11",
        "nat",
    )
    beta: Float[Array, "times baths"] = quantity(
        r"\beta^*_\nu",
        "of the canonical distribution over windows with the actual energy; +inf, -inf "
        "or NaN where `determined` is False",
        "Riera Eq. 62",
        "1/energy",
    )
    thermal_entropy: Float[Array, "times baths"] = quantity(
        r"S_{B_\nu}(p_{T^*})", "entropy of that distribution", "Riera Eq. 65", "nat"
    )
    determined: Bool[Array, "times baths"] = quantity("", r"whether $\beta^*$ is a finite number")
    coarse_mutual_information: Float[Array, " times"] = quantity(
        "I_{CG}",
        r"$\sum p \ln[p / (p(\epsilon_k)\, p(E))]$, E the windows of all baths",
        "Riera Eq. 41",
        "nat",
    )
    coarse_correlation: Float[Array, " times"] = quantity(
        r"I_{\mathrm{cor}}[p]",
        r"$\sum p \ln[p / (p(\epsilon_k)\, p(E_1)\, p(E_2) \dots)]$",
        "Strasberg Eq. 37",
        "nat",
    )
    mutual_information: Float[Array, " times"] | None = quantity(
        "I",
        "$S_S + S_B - S$; None but for `Schrodinger(mutual_information=True)`",
        "Riera Eq. 40",
        "nat",
    )
    system_state: Inexact[Array, "times d d"] = quantity(
        r"\rho_S", "density matrix between eigenstates of $H_0$"
    )
    system_energy: Float[Array, " times"] = quantity(
        "U_S", r"$\mathrm{tr}\,\rho_S H_S(t)$, all of $H_S$", "Riera Eq. 48", "energy"
    )
    energy: Float[Array, "times baths"] = quantity(
        r"\langle H_\nu\rangle",
        r"of a bath's levels; in `EMME` $\sum E\,p(E)$; of frozen baths their start's and "
        "what jumps handed over",
        "",
        "energy",
    )
    window_energy: Float[Array, "times baths"] = quantity(
        r"E_\nu", r"$\sum E\,p(E)$, in every description", "", "energy"
    )
    heat: Float[Array, "times baths"] = quantity(
        r"Q_\nu",
        r"$-\Delta\langle H_\nu\rangle$, out of the bath into the system",
        "Riera Eq. 50",
        "energy",
    )
    work: Float[Array, " times"] = quantity(
        "W",
        r"$\int(\sum_k\dot\epsilon_k\,p(\epsilon_k) + \sum_j\dot f_j\langle V_j\rangle + "
        r"\sum_c\dot\lambda_c\langle S_c\otimes B_c\rangle)\,dt$, jumps included; the last in "
        "`Schrodinger` alone",
        "Riera Eq. 47",
        "energy",
    )
    interaction_energy: Float[Array, " times"] | None = quantity(
        r"\langle V\rangle", "None but for `Schrodinger`", "", "energy"
    )
    observed: ObservationLedger | None = quantity(
        "",
        "an `ObservationLedger`; None but for `Schrodinger(observation=...)`",
        "Strasberg, section II",
    )

    @property
    def total_energy(self) -> Float[Array, " times"]:
        """Energy of everything; of system and baths alone where the interaction is not known."""
        parts = self.system_energy + jnp.sum(self.energy, axis=-1)
        return parts if self.interaction_energy is None else parts + self.interaction_energy

    def in_words(self, index: int) -> str:
        joint = self.joint[index]
        lowest, total = float(jnp.min(joint)), float(jnp.sum(joint))
        return f"There the lowest entry of `joint` is {lowest:.3g} and their sum 1{total - 1:+.1e}."
