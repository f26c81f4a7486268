"""Fig. 5: entropy production and its microscopic terms."""

from typing import TYPE_CHECKING, Any

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, Run, arrays, relative, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAMMA = 3.0
Data = dict[str, Run]


def _run(options: Options) -> Data:
    return {f"{case}-gamma{GAMMA:g}": run(case, GAMMA, options) for case in CASES}


def _plot(data: Data) -> "Figure":
    figure, axes = plot.subplots(2, 2, figsize=(9, 7), sharex=True, layout="constrained")
    for column, one in zip(axes.T, data.values(), strict=True):
        plot.entropy_production(column[0], one.x, one.ledger)
        plot.correlations(column[1], one.x, one.ledger)
        column[0].set_title(rf"({one.case})  $\Gamma = {one.gamma:g}$", pad=14)
        column[1].set_xlabel(r"$\Gamma t$")
        top = float(np.max(one.ledger.entropy_production_fixed))
        for ax in column:
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_ylim(1e-2, 3 * top)
            ax.set_xlim(one.x[0], one.x[-1])
            plot.mark_regimes(ax, one.regimes)
    for ax in axes[:, 1]:
        ax.legend(frameon=False, fontsize=8, loc="lower right", ncols=2)
    return figure


def _claims(data: Data) -> list[Claim]:
    return [claim for name, one in data.items() for claim in _claims_of(name, one)]


def _claims_of(name: str, one: Run) -> list[Claim]:
    terms = one.ledger.terms
    late = {key: one.late_mean(v) for key, v in plot.entropy_quantities(one.ledger).items()}
    intra = one.late_mean(terms.intra_bath)

    def wobble(values: Any) -> float:
        return float(np.std(values[one.late]) / np.mean(values[one.late]))

    settled = one.x > one.regimes[0] * 3
    system_bath = terms.system_bath[settled]
    drift = float(np.ptp(system_bath) / np.mean(system_bath))
    residual = float(np.max(np.abs(one.ledger.residual)))
    ratio = late["finite_bath"] / late["Sigma"]
    unsteady = max(wobble(terms.intra_bath[:, 0]), wobble(terms.intra_bath[:, 1]))
    steady = max(wobble(terms.inter_bath), wobble(one.ledger.entropy_production))
    return [
        Claim(
            f"{name}: Sigma is the sum of its terms at all times (Eq. 12)",
            f"largest residual {residual:.1e}",
            residual < 1e-10,
        ),
        Claim(
            f"{name}: sigma exceeds Sigma by the finite-bath effect, the largest term",
            f"{late['sigma']:.1f} against {late['Sigma']:.1f}; finite bath / Sigma {ratio:.2f}",
            bool(ratio > 1.0),
        ),
        Claim(
            f"{name}: I_LR and D* dominate Sigma, in comparable parts",
            f"I_LR {late['inter_bath']:.1f}, D* {late['athermality']:.1f}",
            bool(
                late["inter_bath"] + late["athermality"] > 0.5 * late["Sigma"]
                and relative(late["inter_bath"], late["athermality"]) < 0.6
            ),
        ),
        Claim(
            f"{name}: correlations between the baths exceed those inside them",
            f"I_LR {late['inter_bath']:.1f} against I_oL + I_oR {late['intra_bath']:.1f}",
            bool(late["inter_bath"] > late["intra_bath"]),
        ),
        Claim(
            f"{name}: I_oL and I_oR agree in regime III",
            f"{intra[0]:.2f}, {intra[1]:.2f}",
            relative(*intra) < 0.1,
        ),
        Claim(
            f"{name}: intra-bath correlations fluctuate strongly, I_LR and Sigma little",
            f"relative deviations {unsteady:.2f} against {steady:.2f}",
            unsteady > 2 * steady,
        ),
        Claim(
            f"{name}: I_SB is constant from early in regime II on",
            f"varies by {drift:.1%} about {np.mean(system_bath):.4f}",
            drift < 0.05,
        ),
    ]


FIGURE = Figure(
    name="usui2024-fig5",
    title="Entropy production and its microscopic terms at all times",
    citation=f"{CITATION}, Fig. 5",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=arrays,
)
