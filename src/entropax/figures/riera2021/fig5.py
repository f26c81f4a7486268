"""Fig. 5: mutual information of spin and bath, exact, coarse-grained, and of the EMME."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import CITATION
from entropax.figures.riera2021.quench import EARLY, Run, arrays, draw_of, run, shade

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _run(options: Options) -> Run:
    return run(options, exact=draw_of(mutual_information=True))


def _curves(data: Run) -> dict[str, np.ndarray]:
    exact, emme = data.ledgers["exact"], data.ledgers["EMME"]
    return {
        "exact": np.asarray(exact.mutual_information),
        "exact, coarse-grained": np.asarray(exact.coarse_mutual_information),
        "EMME, coarse-grained": np.asarray(emme.coarse_mutual_information),
    }


def _plot(data: Run) -> "Figure":
    figure, ax = plot.subplots(figsize=(6.4, 3.8), layout="constrained")
    styles = (("#0f62a8", "-"), ("#e08214", "--"), ("#2e8b57", "-."))
    for (name, curve), (color, line) in zip(_curves(data).items(), styles, strict=True):
        ax.plot(data.times, curve, color=color, ls=line, label=name)
    ax.axhline(np.log(2.0), color="0.5", lw=0.8)
    ax.text(2.0, np.log(2.0), r"$\ln 2$", va="bottom", fontsize=8)
    shade(ax)
    ax.set_ylabel(r"$\mathcal{I}^{S:B}$ (nats)")
    ax.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    ax.set_ylim(-0.06, 1.8)
    inset = ax.inset_axes((0.3, 0.73, 0.24, 0.25))
    early = data.times <= EARLY[-1]
    for curve, (color, line) in zip(_curves(data).values(), styles, strict=True):
        inset.plot(data.times[early], curve[early], color=color, ls=line, lw=1.2)
    inset.tick_params(labelsize=7)
    return figure


def _claims(data: Run) -> list[Claim]:
    exact, coarse, emme = _curves(data).values()
    late = data.late()
    above = emme - exact
    return [
        Claim(
            "the exact mutual information bounds the coarse-grained one",
            f"smallest difference {(exact - coarse).min():.2e} (allowed -1e-9)",
            (exact - coarse).min() >= -1e-9,
        ),
        Claim(
            "the EMME's coarse-grained one exceeds the exact one somewhere",
            f"by up to {above.max():.4f}, at t = {data.times[np.argmax(above)]:g}",
            above.max() > 1e-3,
        ),
        Claim(
            "coarse-grained mutual information comes close to ln 2 = 0.693",
            f"up to {coarse.max():.3f} exact, {emme.max():.3f} EMME (at least 0.55)",
            coarse.max() > 0.55,
        ),
        Claim(
            "the EMME approximates the coarse-grained one",
            f"off by up to {np.abs(emme - coarse)[late].max():.3f} in the second half of each "
            f"stretch (allowed 0.1), {np.abs(emme - coarse).max():.3f} anywhere",
            np.abs(emme - coarse)[late].max() <= 0.1,
        ),
    ]


def _arrays(data: Run) -> Mapping[str, np.ndarray]:
    return arrays(
        data,
        {
            "mutual_information": lambda led: led.mutual_information,
            "coarse_mutual_information": lambda led: led.coarse_mutual_information,
        },
    )


FIGURE = Figure(
    name="riera2021-fig5",
    title="Mutual information of a quenched spin and its bath",
    citation=f"{CITATION}, Fig. 5",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
