"""Fig. 8: one random pure start against the ensemble, at all times."""

from typing import TYPE_CHECKING

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, Run, arrays, relative, run
from entropax.plot import BATH_COLORS, TERM_STYLES, entropy_quantities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAMMA, SEED = 3.0, 0
ROWS = (("sigma", "Sigma"), ("inter_bath", "intra_bath", "system_bath"), ("athermality",))
Data = dict[str, Run]


def _run(options: Options) -> Data:
    data = {}
    for case in CASES:
        data[f"{case}-mixed"] = run(case, GAMMA, options)
        data[f"{case}-pure"] = run(case, GAMMA, options, pure_seed=SEED)
    return data


def _overlay(ax: "Axes", mixed: Run, pure: Run, quantity: str) -> None:
    for index, color in enumerate(BATH_COLORS[:2]):
        ax.plot(mixed.x, getattr(mixed.ledger, quantity)[:, index], color="0.75", lw=4)
        ax.plot(pure.x, getattr(pure.ledger, quantity)[:, index], color=color, lw=1)


def _plot(data: Data) -> "Figure":
    figure, axes = plot.subplots(5, 2, figsize=(8.5, 12), sharex=True, layout="constrained")
    for column, case in zip(axes.T, CASES, strict=True):
        mixed, pure = data[f"{case}-mixed"], data[f"{case}-pure"]
        _overlay(column[0], mixed, pure, "beta")
        _overlay(column[1], mixed, pure, "mu")
        for ax, names in zip(column[2:], ROWS, strict=True):
            for name in names:
                label, color, line = TERM_STYLES[name]
                thick = entropy_quantities(mixed.ledger)[name]
                thin = entropy_quantities(pure.ledger)[name]
                ax.plot(mixed.x, thick, color="0.75", lw=4, ls=line)
                ax.plot(pure.x, thin, color=color, lw=1, ls=line, label=label)
            ax.set_yscale("log")
            ax.set_ylim(bottom=1e-2)
            ax.legend(frameon=False, fontsize=8)
        column[0].set_title(rf"({case})  $\Gamma = {GAMMA:g}$", pad=14)
        column[-1].set_xlabel(r"$\Gamma t$")
        for ax in column:
            ax.set_xscale("log")
            ax.set_xlim(mixed.x[0], mixed.x[-1])
            plot.mark_regimes(ax, mixed.regimes)
    for ax, label in zip(
        axes[:, 0], (r"$\beta^*$", r"$\mu^*$", "entropy", "correlation", r"$D^*$"), strict=True
    ):
        ax.set_ylabel(label)
    return figure


def _claims(data: Data) -> list[Claim]:
    return [
        claim
        for case in CASES
        for claim in _claims_of(case, data[f"{case}-mixed"], data[f"{case}-pure"])
    ]


def _claims_of(case: str, mixed: Run, pure: Run) -> list[Claim]:
    a, b = (
        {k: one.late_mean(v) for k, v in entropy_quantities(one.ledger).items()}
        for one in (mixed, pure)
    )
    beta = [one.late_mean(one.ledger.beta) for one in (mixed, pure)]
    later = mixed.x > 10.0
    sigmas = [one.ledger.entropy_production[later] for one in (mixed, pure)]
    away = float(np.max(np.abs(sigmas[0] - sigmas[1])) / np.max(sigmas[0]))
    lowest = float(np.min(pure.ledger.entropy_production))
    net = float(b["athermality"] - pure.ledger.terms.athermality_initial)
    larger = [name for name in ROWS[1] if b[name] > a[name]]
    return [
        Claim(
            f"({case}) late temperatures agree with the ensemble's",
            f"beta {beta[1].mean():.3f} against {beta[0].mean():.3f}",
            relative(beta[0], beta[1]) < 0.1,
        ),
        Claim(
            f"({case}) entropy production agrees at all times",
            f"largest deviation {away:.1%} of its final value",
            away < 0.15,
        ),
        Claim(
            f"({case}) entropy production stays positive from a pure start",
            f"lowest {lowest:.3f}",
            lowest > -1e-2,
        ),
        Claim(
            f"({case}) correlations end larger than from the ensemble",
            f"I_LR {b['inter_bath']:.0f} / {a['inter_bath']:.0f}, intra "
            f"{b['intra_bath']:.0f} / {a['intra_bath']:.0f}, I_SB "
            f"{b['system_bath']:.2f} / {a['system_bath']:.2f}",
            len(larger) == len(ROWS[1]),
        ),
        Claim(
            f"({case}) D*(t) - D*(0) ends negative, unlike the ensemble's",
            f"{net:.1f} against {a['athermality']:+.1f}",
            net < 0 < a["athermality"],
        ),
    ]


FIGURE = Figure(
    name="usui2024-fig8",
    title="A pure start against the ensemble",
    citation=f"{CITATION}, Fig. 8",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=arrays,
)
