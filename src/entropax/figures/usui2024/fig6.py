"""Fig. 6: what the final entropy production is made of, against the coupling strength."""

from typing import TYPE_CHECKING, Any

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, MODES, run
from entropax.plot import TERM_STYLES, entropy_quantities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAMMAS = tuple(np.logspace(np.log10(3.0), np.log10(3000.0), 10))
TERMS = ("finite_bath", "inter_bath", "athermality", "intra_bath", "system_bath")
CORRELATIONS = ("system_bath", "inter_bath", "intra_bath")
Data = dict[str, np.ndarray]


def _run(options: Options) -> Data:
    modes = options.modes_or(MODES)
    # classical bounds: one level against the rest, K levels against K, K levels among themselves
    bounds = np.log(2) * np.array([1.0, modes, 2 * (modes - 1)])
    data: Data = {"gamma": np.array(GAMMAS), "classical_bounds": bounds}
    for case in CASES:
        runs = [run(case, gamma, options, late_only=True) for gamma in GAMMAS]
        means = [{k: r.late_mean(v) for k, v in entropy_quantities(r.ledger).items()} for r in runs]
        for term in TERMS:
            data[f"{case}/{term}"] = np.array([m[term] for m in means])
    return data


def _normalised(data: Data, case: str) -> dict[str, np.ndarray]:
    bounds = dict(zip(CORRELATIONS, data["classical_bounds"], strict=True))
    return {name: data[f"{case}/{name}"] / bounds[name] for name in CORRELATIONS}


def _plot(data: Data) -> "Figure":
    figure, axes = plot.subplots(2, 2, figsize=(8, 6.5), sharex=True, layout="constrained")
    for column, case in zip(axes.T, CASES, strict=True):
        for name in TERMS:
            label, color, _ = TERM_STYLES[name]
            column[0].loglog(data["gamma"], data[f"{case}/{name}"], "o-", color=color, label=label)
        for name, values in _normalised(data, case).items():
            label, color, _ = TERM_STYLES[name]
            column[1].loglog(data["gamma"], values, "o-", color=color, label=label)
        column[1].axhline(1.0, color="0.5", ls="--", lw=1)
        column[0].set_title(f"({case})")
        column[1].set_xlabel(r"$\Gamma$")
    axes[0, 0].set_ylabel("late mean (nats)")
    axes[1, 0].set_ylabel(r"$I / I^{\max}_{\mathrm{cl}}$")
    axes[0, 0].legend(frameon=False, fontsize=8, loc=(0.3, 0.2), ncols=2)
    axes[1, 0].legend(frameon=False, fontsize=8, loc=(0.05, 0.5))
    return figure


def _claims(data: Data) -> list[Claim]:
    return [claim for case in CASES for claim in _claims_of(data, case)]


def _claims_of(data: Data, case: str) -> list[Claim]:
    terms: dict[str, Any] = {name: data[f"{case}/{name}"] for name in TERMS}
    spread = {name: float(v.max() / v.min()) for name, v in terms.items()}
    worst = max(spread, key=lambda name: spread[name])
    scaled = _normalised(data, case)
    share = terms["inter_bath"] / terms["athermality"]
    inside = 0.5 * terms["intra_bath"]
    leading = np.minimum(terms["inter_bath"], terms["athermality"])
    others = np.maximum(scaled["inter_bath"], scaled["intra_bath"])
    rest = np.maximum.reduce([terms[name] for name in TERMS[1:]])
    return [
        Claim(
            f"({case}) all terms are fairly constant over three decades of Gamma",
            f"largest / smallest at most {spread[worst]:.2f} ({worst})",
            spread[worst] < 3.0,
        ),
        Claim(
            f"({case}) the finite-bath effect is by far the largest",
            f"at least {float(np.min(terms['finite_bath'] / rest)):.1f} times the next",
            bool(np.all(terms["finite_bath"] > 2 * rest)),
        ),
        Claim(
            f"({case}) inter-bath correlation and athermality share Sigma about equally",
            f"I_LR / D* from {share.min():.2f} to {share.max():.2f}",
            bool(np.all((share > 0.5) & (share < 2.0))),
        ),
        Claim(
            f"({case}) each intra-bath correlation lags behind both",
            f"I_o of one bath at most {float(np.max(inside / leading)):.2f} of the smaller",
            bool(np.all(inside < leading)),
        ),
        Claim(
            f"({case}) I_SB exceeds the classical bound at every Gamma",
            f"I_SB / ln 2 from {scaled['system_bath'].min():.2f}"
            f" to {scaled['system_bath'].max():.2f}",
            bool(np.all(scaled["system_bath"] > 1.0)),
        ),
        Claim(
            f"({case}) relative to its bound, I_SB is the strongest correlation",
            f"at least {float(np.min(scaled['system_bath'] / others)):.1f} times the others",
            bool(np.all(scaled["system_bath"] > others)),
        ),
    ]


FIGURE = Figure(
    name="usui2024-fig6",
    title="Terms of the final entropy production against coupling strength",
    citation=f"{CITATION}, Fig. 6",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
