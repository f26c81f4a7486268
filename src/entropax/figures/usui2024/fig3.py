"""Fig. 3: the Fermi distributions that the baths start in."""

from typing import Any

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, MODES, junction
from entropax.plot import BATH_COLORS, BATH_NAMES


def _run(options: Options) -> dict[str, Any]:
    modes = options.modes_or(MODES)
    data = {}
    for case in CASES:
        leads = junction(case, 3.0, (modes, modes)).leads
        data[f"{case}/energies"] = np.asarray(leads[0].energies)
        for name, lead in zip(BATH_NAMES, leads, strict=True):
            data[f"{case}/occupations_{name}"] = np.asarray(lead.initial_occupations)
    return data


def _plot(data: dict[str, Any]):
    figure, axes = plot.subplots(1, 2, figsize=(7, 2.6), sharey=True, layout="constrained")
    for ax, case in zip(axes, CASES, strict=True):
        for name, color in zip(BATH_NAMES, BATH_COLORS, strict=False):
            n = data[f"{case}/occupations_{name}"]
            ax.plot(data[f"{case}/energies"], n, color=color, label=name)
        ax.set(title=f"({case})", xlabel=r"$\epsilon_k$")
    axes[0].set_ylabel(r"$n_k(0)$")
    axes[0].legend(frameon=False)
    return figure


def _claims(data: dict[str, Any]) -> list[Claim]:
    def total(case: str, name: str, weight: Any = 1.0) -> float:
        return float(np.sum(weight * data[f"{case}/occupations_{name}"]))

    claims = []
    for case, differ in zip(CASES, (True, False), strict=True):
        left, right = total(case, "L"), total(case, "R")
        modes = len(data[f"{case}/energies"])
        unequal = abs(left - right) / modes
        words = "different" if differ else "equal"
        claims.append(
            Claim(
                f"({case}) baths hold {words} particle numbers",
                f"N_L = {left:.2f}, N_R = {right:.2f}",
                unequal > 0.1 if differ else unequal < 0.01,
            )
        )
        e = data[f"{case}/energies"]
        el, er = total(case, "L", e), total(case, "R", e)
        claims.append(
            Claim(
                f"({case}) baths hold different energies",
                f"E_L = {el:.2f}, E_R = {er:.2f}",
                abs(el - er) > 1e-3 * abs(el),
            )
        )
    filled = (data["a/occupations_L"] > 0.9) & (data["a/occupations_R"] < 0.5)
    claims.append(
        Claim(
            "(a) a wide range of levels is full in L but not in R",
            f"{np.mean(filled):.0%} of the band",
            bool(np.mean(filled) > 0.1),
        )
    )
    return claims


FIGURE = Figure(
    name="usui2024-fig3",
    title="Initial Fermi distributions, cases (a) and (b)",
    citation=f"{CITATION}, Fig. 3",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
