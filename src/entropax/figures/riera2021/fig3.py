"""Fig. 3: exact dynamics and EMME of a spin whose splitting is quenched."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import CITATION
from entropax.figures.riera2021.quench import Run, arrays, draw_of, run, shade

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0f62a8", "#e08214", "#2e8b57")


def _run(options: Options) -> Run:
    return run(options, exact=draw_of())


def _plot(data: Run) -> "Figure":
    figure, axes = plot.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for level, ax in enumerate(axes):
        for window, color in enumerate(COLORS):
            for name, line in (("exact", "-"), ("EMME", "--")):
                joint = np.asarray(data.ledgers[name].joint)
                label = rf"$E = {window}$" if name == "exact" else None
                ax.plot(data.times, joint[:, level, window], line, color=color, lw=1.4, label=label)
        shade(ax)
        ax.set_title(rf"$p(\varepsilon_{level}, E)$: exact (solid), EMME (dashed)", fontsize=10)
    axes[0].legend(frameon=False)
    return figure


def _claims(data: Run) -> list[Claim]:
    exact, emme = data.ledgers["exact"], data.ledgers["EMME"]
    gap = np.abs(np.asarray(exact.joint) - np.asarray(emme.joint)).max(axis=(1, 2))
    late = data.late()
    claims = [
        Claim(
            "the EMME reproduces the quenched dynamics",
            f"largest distance {gap[late].max():.4f} in the second half of each stretch "
            f"(allowed 0.05), {gap.max():.4f} anywhere",
            gap[late].max() <= 0.05,
        )
    ]
    for name, ledger in (("exact", exact), ("EMME", emme)):
        gained = np.asarray(ledger.total_energy - ledger.total_energy[0])
        off = np.abs(gained - np.asarray(ledger.work)).max()
        claims.append(
            Claim(
                f"{name}: first law, the energy of everything changes by the work",
                f"work {float(ledger.work[-1]):.4f}, off by {off:.1e} (allowed 1e-9)",
                off <= 1e-9,
            )
        )
    return claims


def _arrays(data: Run) -> Mapping[str, np.ndarray]:
    return arrays(data, {"joint": lambda led: led.joint, "work": lambda led: led.work})


FIGURE = Figure(
    name="riera2021-fig3",
    title="A quenched spin and three energy windows: exact and EMME",
    citation=f"{CITATION}, Fig. 3",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
