"""What the ledger of free fermions between finite baths holds (Usui, section II)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from entropax.ledger.base import AbstractLedger, AbstractRecord, quantity
from entropax.linalg import masked_inverse


class EntropyTerms(AbstractRecord):
    r"""What entropy production is made of (Usui Eqs. 8-11, 14, 23).

    `entropy_production` = `system_bath` + `inter_bath` + sum of `intra_bath` + `athermality`
    - `athermality_initial` - `correlation_initial`; and `entropy_production_fixed` exceeds it by
    `finite_bath`.
    """

    system_bath: Float[Array, " times"] = quantity(
        "I_{S-B}",
        "$S_S + S_B - S_{SB}$, $S_{SB}$ conserved: mutual information of system and baths",
        "Usui Eq. 8",
        "nat",
    )
    inter_bath: Float[Array, " times"] = quantity(
        "I_{L-R}",
        r"$\sum_\nu S_\nu - S_B$: total correlation of the baths, 0 of one",
        "Usui Eq. 9",
        "nat",
    )
    intra_bath: Float[Array, "times baths"] = quantity(
        r"I_\nu",
        r"$\sum_k s(n_{\nu k}) - S_\nu$: total correlation of a bath's modes",
        "Usui Eq. 10, corrected",
        "nat",
    )
    athermality: Float[Array, " times"] = quantity(
        r"D^*_{\mathrm{env}}",
        r"$\sum_{\nu k} D[n_{\nu k} \| n^*_{\nu k}]$: modes against their effective state",
        "Usui Eq. 11",
        "nat",
    )
    athermality_initial: Float[Array, ""] = quantity(
        r"D^*_{\mathrm{env}}(0)",
        "the same at the start: 0 from thermal baths",
        "Usui Eq. 23",
        "nat",
    )
    correlation_initial: Float[Array, ""] = quantity(
        "I(0)",
        r"$I_{S-B} + I_{L-R} + \sum_\nu I_\nu$ at the start: 0 from a product of modes",
        "",
        "nat",
    )
    finite_bath: Float[Array, " times"] = quantity(
        r"D^{\mathrm{eq}}_{\mathrm{env}}",
        r"$\sum_{\nu k} D[\pi_{\nu k}(t) \| \pi_{\nu k}(0)] = \sigma - \Sigma$: how far "
        "effective states moved",
        "Usui Eq. 14",
        "nat",
    )


class FermionLedger(AbstractLedger):
    r"""Energies, entropies and entropy production, one entry a time and one column a bath.

    Signs and units: `docs/conventions.md`. Where an effective temperature is infinite or not
    unique (a zero-temperature start, an empty or filled bath, modes all at one energy or filled
    alike) `beta` is +-inf, NaN or 0, `mu` may be NaN, and everything else that has a limit is that
    limit; `determined` says where.
    """

    entropy_production: Float[Array, " times"] = quantity(
        r"\Sigma",
        r"$\Delta S_S + \sum_\nu [S^*_\nu(t) - S^*_\nu(0)]$, running temperatures",
        "Usui Eq. 7",
        "nat",
    )
    entropy_production_fixed: Float[Array, " times"] = quantity(
        r"\sigma",
        r"$\Delta S_S - \sum_\nu \beta_\nu(0) Q_\nu$, the baths' initial temperatures; "
        "+inf from a zero one",
        "Usui Eq. 13",
        "nat",
    )
    terms: EntropyTerms = quantity(
        "", r"what $\Sigma$ is made of (`EntropyTerms`)", "Usui Eqs. 8-11, 14, 23"
    )
    residual: Float[Array, " times"] = quantity(
        "",
        r"what is left of $\Sigma$ minus the sum of its terms: rounding",
        "Usui Eqs. 12, 23",
        "nat",
    )
    beta: Float[Array, "times baths"] = quantity(
        r"\beta^*_\nu", "effective inverse temperature of a bath", "Usui Eqs. 5, 6", "1/energy"
    )
    mu: Float[Array, "times baths"] = quantity(
        r"\mu^*_\nu", "effective chemical potential of a bath", "Usui Eqs. 5, 6", "energy"
    )
    energy: Float[Array, "times baths"] = quantity(
        r"E_\nu", r"$\sum_k \epsilon_{\nu k} n_{\nu k}$ of a bath", "", "energy"
    )
    particles: Float[Array, "times baths"] = quantity(r"N_\nu", r"$\sum_k n_{\nu k}$ of a bath")
    heat: Float[Array, "times baths"] = quantity(
        r"Q_\nu",
        r"$-(\Delta E_\nu - \mu_\nu(0) \Delta N_\nu)$, out of the bath into the system",
        "Usui Eqs. 13, 22, corrected",
        "energy",
    )
    work: Float[Array, " times"] = quantity(
        "W",
        r"$\int \sum_i \dot u_i \langle\partial H/\partial u_i\rangle\,dt$ over all that "
        "is driven, jumps included; 0 where nothing is",
        "",
        "energy",
    )
    chemical_work: Float[Array, " times"] = quantity(
        r"W_{\mathrm{chem}}",
        r"$-\sum_\nu \mu_\nu(0) \Delta N_\nu$, done on the system by particles that enter it",
        "",
        "energy",
    )
    system_entropy: Float[Array, " times"] = quantity(
        "S_S", "von Neumann entropy of the system", "Usui Eq. 21", "nat"
    )
    system_occupation: Float[Array, " times"] = quantity("N_S", "particles in the system")
    system_energy: Float[Array, " times"] = quantity(
        "E_S", r"$\sum h_{ij} C_{ij}$ over the system's block", "", "energy"
    )
    interaction_energy: Float[Array, " times"] = quantity(
        r"E_{\mathrm{int}}",
        r"$\sum h_{ij} C_{ij}$ over pairs of sites in different parts",
        "",
        "energy",
    )
    bath_entropy: Float[Array, "times baths"] = quantity(
        r"S_\nu", "von Neumann entropy of a bath", "Usui Eq. 21", "nat"
    )
    thermal_entropy: Float[Array, "times baths"] = quantity(
        r"S^*_\nu",
        "entropy of a bath's effective grand canonical state",
        "Usui, below Eq. 7",
        "nat",
    )
    environment_entropy: Float[Array, " times"] = quantity(
        "S_B", "von Neumann entropy of all baths together", "Usui Eq. 21", "nat"
    )
    determined: Bool[Array, "times baths"] = quantity(
        "", r"whether $\beta^*$ and $\mu^*$ are finite numbers"
    )

    @property
    def total_energy(self) -> Float[Array, " times"]:
        """Energy of everything: grows by `work`."""
        return self.system_energy + self.interaction_energy + jnp.sum(self.energy, axis=-1)

    @property
    def total_particles(self) -> Float[Array, " times"]:
        """Particles of everything: conserved."""
        return self.system_occupation + jnp.sum(self.particles, axis=-1)

    @property
    def distance_from_thermality(self) -> Float[Array, "times baths"]:
        r"""$D[\rho_\nu \| \pi_\nu] / S^*_\nu \in [0, 1]$ (Usui, Fig. 4, bottom row).

        0 where the effective state is pure to rounding, and the bath in it.
        """
        mixed = self.thermal_entropy > 1e-10
        distance = self.thermal_entropy - self.bath_entropy
        return distance * masked_inverse(self.thermal_entropy, mixed)

    def in_words(self, index: int) -> str:
        total, work = self.total_energy[index], self.work[index]
        return f"There `total_energy` is {float(total):.6g} and `work` {float(work):.6g}."
