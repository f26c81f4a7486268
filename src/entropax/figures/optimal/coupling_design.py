"""Which couplings carry a given charge at least entropy: an energy filter, found by gradient."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise_with_constraint
from entropax.equilibrium import fermi
from entropax.figures.base import Claim, Figure, Options
from entropax.model import Junction, Lead
from entropax.plot import subplots
from entropax.solve import Solution, solve

MODES, WIDTH, RATE, TIME = 60, 6.0, 0.3, 60.0
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


def run(couplings) -> Solution:
    """Solution for two leads with these couplings, from thermal leads and an empty level."""
    energies = jnp.linspace(-0.5 * WIDTH, 0.5 * WIDTH, couplings.shape[1])
    leads = [
        Lead(energies, row, beta, mu) for row, beta, mu in zip(couplings, BETA, MU, strict=True)
    ]
    return solve(Junction(LEVEL, 0.0, leads), [0.0, TIME], throw=False)


def problem(couplings, charge):
    """Sigma, and the charge that went from left to right less the `charge` asked for."""
    ledger = run(couplings).ledger
    left, right = ledger.particles[1] - ledger.particles[0]
    return ledger.entropy_production[1], 0.5 * (right - left) - charge


def _run(options: Options) -> Design:
    modes = options.modes_or(MODES)
    spacing = WIDTH / (modes - 1)
    flat = jnp.full((2, modes), np.sqrt(RATE * spacing / (2.0 * np.pi)))
    produced, charge = problem(flat, 0.0)
    optimum = optimise_with_constraint(
        problem,
        flat,
        steps=options.times_or(150),
        rounds=12 if options.times is None else 2,
        weight=5.0,
        args=(charge,),
        tolerance=1e-6 if options.times is None else 1.0,
        progress=options.progress,
    )
    violation = float(optimum.violation[0])
    return Design(
        np.linspace(-0.5 * WIDTH, 0.5 * WIDTH, modes),
        np.stack([np.asarray(flat), np.abs(np.asarray(optimum.value))]),
        np.array([float(charge), float(charge) + violation]),
        np.array([float(produced), float(optimum.loss)]),
    )


def _claims(data: Design) -> list[Claim]:
    weight = np.min(data.couplings[1] ** 2, axis=0)
    near = np.abs(data.energies - CROSSING) < 0.5
    share = np.sum(weight[near]) / np.sum(weight)
    flat = np.mean(near)
    return [
        Claim(
            "the same charge is carried",
            f"{data.charge[1]:.6f} of {data.charge[0]:.6f}",
            bool(abs(data.charge[1] - data.charge[0]) < 1e-4),
        ),
        Claim(
            "with less than half of the entropy that equal couplings produce",
            f"{data.entropy[1]:.4f} instead of {data.entropy[0]:.4f}",
            bool(data.entropy[1] < 0.5 * data.entropy[0]),
        ),
        Claim(
            f"what couples to both leads is a filter at {CROSSING:g}, where both are filled alike",
            f"{share:.0%} of its squares within 0.5 of it; {flat:.0%} of equal ones",
            bool(share > 3.0 * flat),
        ),
    ]


def _plot(data: Design):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    spacing = data.energies[1] - data.energies[0]
    density = 2.0 * np.pi * data.couplings**2 / spacing
    left.plot(data.energies, density[0, 0], color="0.6", ls=":", label="equal couplings")
    colors = ("#c1272d", "#0f62a8")
    for curve, name, color in zip(density[1], ("left", "right"), colors, strict=True):
        left.plot(data.energies, curve, color=color, label=f"optimum, {name}")
    left.set(xlabel="energy of the mode", ylabel=r"$2\pi t_k^2/\Delta\epsilon$")
    left.legend(frameon=False, fontsize=8)
    for beta, mu, color in zip(BETA, MU, colors, strict=True):
        filled = fermi(jnp.asarray(beta * (data.energies - mu)))
        right.plot(data.energies, filled, color=color, label=rf"$\beta={beta:g}$, $\mu={mu:g}$")
    right.axvline(CROSSING, color="0.6", ls=":")
    right.set(xlabel="energy", ylabel="filling at the start")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="coupling-design",
    title="Couplings that carry a charge at least entropy",
    citation="Usui et al. (2024) for the model; filtering: Humphrey, Newbury, Taylor, Linke, "
    "Phys. Rev. Lett. 89, 116801 (2002)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
