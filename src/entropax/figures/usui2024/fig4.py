"""Fig. 4: effective temperatures, chemical potentials and distance from thermality."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CASES, CITATION, Run, arrays, relative, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAMMAS = (3.0, 30.0)
Data = dict[str, Run]


def _run(options: Options) -> Data:
    return {f"{c}-gamma{g:g}": run(c, g, options) for c in CASES for g in GAMMAS}


def _plot(data: Data) -> "Figure":
    figure, axes = plot.subplots(3, 4, figsize=(13, 7.5), sharex=True, layout="constrained")
    for column, one in zip(axes.T, data.values(), strict=True):
        plot.inverse_temperatures(column[0], one.x, one.ledger, one.reference)
        plot.chemical_potentials(column[1], one.x, one.ledger, one.reference)
        plot.distance_from_thermality(column[2], one.x, one.ledger)
        column[0].set_title(rf"({one.case})  $\Gamma = {one.gamma:g}$", pad=14)
        column[2].set_xlabel(r"$\Gamma t$")
        for ax in column:
            ax.set_xscale("log")
            ax.set_xlim(one.x[0], one.x[-1])
            plot.mark_regimes(ax, one.regimes)
    for ax in axes[:, 1]:
        ax.legend(frameon=False, fontsize=8, loc="upper right")
    inset = axes[0, 0].inset_axes((0.52, 0.55, 0.44, 0.34))
    first = next(iter(data.values()))
    for index, color in enumerate(plot.BATH_COLORS[:2]):
        inset.semilogx(first.x, first.ledger.energy[:, index], color=color)
    inset.set_title(r"$E_\nu$", fontsize=8, pad=2)
    inset.tick_params(labelsize=6)
    return figure


def _claims(data: Data) -> list[Claim]:
    claims = []
    for name, one in data.items():
        ledger, reference = one.ledger, one.reference
        start, end = one.regimes
        decades = np.log10(end / start)
        claims.append(
            Claim(
                f"{name}: regimes I, II, III with II over decades of time",
                f"II from {start:.1e} to {end:.1e}",
                bool(decades >= 1.0 and end < one.x[-1]),
            )
        )
        beta, mu = one.late_mean(ledger.beta), one.late_mean(ledger.mu)
        claims.append(
            Claim(
                f"{name}: both baths reach one temperature and one mu, up to fluctuations",
                f"beta {beta[0]:.4f}, {beta[1]:.4f}; mu {mu[0]:.4f}, {mu[1]:.4f}",
                _agree(one, ledger.beta) and _agree(one, ledger.mu),
            )
        )
        far = relative(np.mean(beta), reference.beta)
        claims.append(
            Claim(
                f"{name}: these are those of the global grand canonical state",
                f"beta {np.mean(beta):.4f} against {float(reference.beta):.4f}",
                far < 0.02,
            )
        )
        distance = ledger.distance_from_thermality
        peak, final = np.max(distance, axis=0), one.late_mean(distance)
        early = np.max(distance[one.x < start], axis=0)
        claims.append(
            Claim(
                f"{name}: baths near thermal in I, far in II, less far in III",
                f"D/S up to {early[0]:.3f} in I, {peak[0]:.3f} in II, late {final[0]:.3f} (L)",
                bool(np.all(early < 0.2 * peak) and np.all(final < 0.9 * peak)),
            )
        )
        claims.append(
            Claim(
                f"{name}: both baths end equally far from thermal",
                f"L {final[0]:.4f}, R {final[1]:.4f}",
                relative(*final) < 0.05,
            )
        )
    return claims + _claims_across(data)


def _agree(one: Run, values: ArrayLike) -> bool:
    """Whether the late means of both baths differ by less than the late values fluctuate."""
    late = np.asarray(values)[one.late]
    return bool(np.abs(np.diff(late.mean(axis=0)))[0] <= 2.0 * np.max(late.std(axis=0)))


def _claims_across(data: Data) -> list[Claim]:
    heated = data["a-gamma3"]
    beta = heated.late_mean(heated.ledger.beta)
    initial = heated.ledger.beta[0]
    energy = heated.ledger.energy
    last = heated.late_mean(energy)
    within = min(energy[0]) < min(last) and max(last) < max(energy[0])
    gap = data["b-gamma3"].ledger.mu
    bias = np.max(np.abs(gap[:, 0] - gap[:, 1]))
    left = np.abs(np.diff(data["b-gamma3"].late_mean(gap)))[0]
    slow, fast = (data[f"a-gamma{g:g}"] for g in GAMMAS)
    change = relative(slow.late_mean(slow.ledger.beta), fast.late_mean(fast.ledger.beta))
    return [
        Claim(
            "case (a): both baths heat up",
            f"beta {initial[0]:.2f}, {initial[1]:.2f} -> {np.mean(beta):.4f}",
            bool(np.all(beta < np.min(initial))),
        ),
        Claim(
            "case (a): final energies lie between the initial ones",
            f"{energy[0][0]:.1f}, {energy[0][1]:.1f} -> {last[0]:.1f}, {last[1]:.1f}",
            bool(within),
        ),
        Claim(
            "case (b): a temperature difference drives a transient bias of mu",
            f"|mu_L - mu_R| up to {bias:.3f}, late {left:.4f}",
            bool(bias > 10 * left and bias > 0.01),
        ),
        Claim(
            "final temperatures hardly depend on Gamma (3, 30)",
            f"relative change {change:.1e}",
            change < 0.05,
        ),
    ]


FIGURE = Figure(
    name="usui2024-fig4",
    title="Effective temperatures and chemical potentials at all times",
    citation=f"{CITATION}, Fig. 4",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=arrays,
)
