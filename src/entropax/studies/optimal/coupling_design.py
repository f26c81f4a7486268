"""Which couplings carry a given charge at least entropy: an energy filter, found by gradient."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise_with_constraint
from entropax.equilibrium import fermi
from entropax.model import Junction, Lead
from entropax.plot import subplots
from entropax.solve import Solution, solve
from entropax.studies.base import Claim, Options, Study

MODES, WIDTH, RATE, TIME = 100, 6.0, 0.3, 20.0
BETA, MU = (3.0, 1.0), (0.25, -0.25)
LEVEL = 0.25
CROSSING = (BETA[0] * MU[0] - BETA[1] * MU[1]) / (BETA[0] - BETA[1])
"""The energy at which both leads are filled alike: charge passes it without entropy."""


class Design(NamedTuple):
    """Energies; flat and best couplings, left and right; charge and entropy of both."""

    energies: np.ndarray
    couplings: np.ndarray
    charge: np.ndarray
    entropy: np.ndarray
    violation: float


def run(couplings) -> Solution:
    """Both leads with these couplings, from thermal leads and an empty level."""
    energies = jnp.linspace(-0.5 * WIDTH, 0.5 * WIDTH, couplings.shape[1])
    leads = [
        Lead(energies, own, beta, mu) for own, beta, mu in zip(couplings, BETA, MU, strict=True)
    ]
    return solve(Junction(LEVEL, 0.0, leads), [0.0, TIME], throw=False)


def entropy(couplings, charge):
    """Sigma at the end."""
    del charge
    return run(couplings).ledger.entropy_production[1]


def excess(couplings, charge):
    """Charge that has left the left lead and reached the right one, less what is asked for."""
    particles = run(couplings).ledger.particles
    return 0.5 * (particles[0, 0] - particles[1, 0] + particles[1, 1] - particles[0, 1]) - charge


def _run(options: Options) -> Design:
    modes = options.modes_or(MODES)
    spacing = WIDTH / (modes - 1)
    flat = jnp.full((2, modes), np.sqrt(RATE * spacing / (2.0 * np.pi)))
    charge = excess(flat, 0.0)
    found = optimise_with_constraint(
        entropy,
        excess,
        flat,
        steps=60,
        rounds=10,
        weight=20.0,
        args=(charge,),
        tolerance=1e-6,
        progress=options.progress,
    )
    energies = np.linspace(-0.5 * WIDTH, 0.5 * WIDTH, modes)
    couplings = np.stack([np.asarray(flat), np.abs(np.asarray(found.value))])
    charges = [float(charge), float(excess(found.value, 0.0))]
    produced = [float(entropy(flat, 0.0)), float(found.loss)]
    return Design(
        energies, couplings, np.array(charges), np.array(produced), float(found.violation[0])
    )


def _claims(found: Design) -> list[Claim]:
    weight = found.couplings[1] ** 2
    near = np.abs(found.energies - CROSSING) < 0.5
    share = np.sum(weight[:, near]) / np.sum(weight)
    flat = np.mean(near)
    return [
        Claim(
            "the same charge is carried",
            f"{found.charge[1]:.6f} of {found.charge[0]:.6f}",
            bool(abs(found.charge[1] - found.charge[0]) < 1e-5),
        ),
        Claim(
            "with less entropy than by equal couplings",
            f"{found.entropy[1]:.4f} instead of {found.entropy[0]:.4f}",
            bool(found.entropy[1] < 0.8 * found.entropy[0]),
        ),
        Claim(
            f"the best ones are a filter around {CROSSING:g}, where both leads are filled alike",
            f"{share:.0%} of their squares within 0.5 of it; {flat:.0%} of equal ones",
            bool(share > 2.0 * flat),
        ),
    ]


def _plot(found: Design):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    spacing = found.energies[1] - found.energies[0]
    density = 2.0 * np.pi * found.couplings**2 / spacing
    left.plot(found.energies, density[0, 0], color="0.6", ls=":", label="equal couplings")
    colors = ("#c1272d", "#0f62a8")
    for own, name, color in zip(density[1], ("left", "right"), colors, strict=True):
        left.plot(found.energies, own, color=color, label=f"optimum, {name}")
    left.set(xlabel="energy of the mode", ylabel=r"$2\pi t_k^2/\Delta\epsilon$")
    left.legend(frameon=False, fontsize=8)
    for beta, mu, color in zip(BETA, MU, colors, strict=True):
        filled = fermi(jnp.asarray(beta * (found.energies - mu)))
        right.plot(found.energies, filled, color=color, label=rf"$\beta={beta:g}$, $\mu={mu:g}$")
    right.axvline(CROSSING, color="0.6", ls=":")
    right.set(xlabel="energy", ylabel="filling at the start")
    right.legend(frameon=False, fontsize=8)
    return figure


STUDY = Study(
    name="coupling-design",
    title="Couplings that carry a charge at least entropy",
    citation="Usui et al. (2024) for the model; filtering: Humphrey, Newbury, Taylor, Linke, "
    "Phys. Rev. Lett. 89, 116801 (2002)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda found: found._asdict(),
)
