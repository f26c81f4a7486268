"""Fig. 9: baths of unequal size."""

from typing import TYPE_CHECKING

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, MODES, Run, arrays, relative, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ASYMMETRIES = (1, 10)
GAMMAS = (1.0, 3.0)
Data = dict[str, Run]


def _run(options: Options) -> Data:
    return {
        f"K{MODES + d}/{MODES - d}-{case}-gamma{gamma:g}": run(case, gamma, options, asymmetry=d)
        for d in ASYMMETRIES
        for case in CASES
        for gamma in GAMMAS
    }


def _plot(data: Data) -> "Figure":
    figure, axes = plot.subplots(2, 4, figsize=(13, 5), sharex=True, layout="constrained")
    for ax, (name, one) in zip(axes.flat, data.items(), strict=True):
        plot.inverse_temperatures(ax, one.x, one.ledger, one.reference)
        ax.set_xscale("log")
        ax.set_xlim(one.x[0], one.x[-1])
        ax.set_ylim(0.5, 10.5)
        sizes = name.split("-")[0].removeprefix("K")
        ax.set_title(rf"$K$ = {sizes}, ({one.case})  $\Gamma = {one.gamma:g}$", fontsize=9)
    for ax in axes[-1]:
        ax.set_xlabel(r"$\Gamma t$")
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def _claims(data: Data) -> list[Claim]:
    claims = []
    apart = {name: relative(*one.late_mean(one.ledger.beta)) for name, one in data.items()}
    for name, one in data.items():
        beta = one.late_mean(one.ledger.beta)
        betas = f"beta {beta[0]:.4f}, {beta[1]:.4f}; reference {float(one.reference.beta):.4f}"
        if one.gamma == max(GAMMAS):
            far = relative(np.mean(beta), one.reference.beta)
            holds = apart[name] < 0.02 and far < 0.02
            claims.append(Claim(f"{name}: thermalises as symmetric baths do", betas, holds))
        elif name.startswith(f"K{MODES + ASYMMETRIES[0]}"):
            strong = name.replace(f"gamma{GAMMAS[0]:g}", f"gamma{GAMMAS[1]:g}")
            holds = apart[name] > 2 * apart[strong]
            claims.append(Claim(f"{name}: discrepancies in III at weak coupling", betas, holds))
    return claims


FIGURE = Figure(
    name="usui2024-fig9",
    title="Effective temperatures of baths of unequal size",
    citation=f"{CITATION}, Fig. 9",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=arrays,
)
