"""Fig. 2: exact dynamics, EMME and frozen bath at lambda = 3e-3 and large volumes."""

from collections.abc import Mapping

import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import (
    CITATION,
    LARGE,
    SWAPPED,
    Panel,
    arrays,
    draw,
    run,
    steady_state,
)

STRENGTH = 3e-3


def _run(options: Options) -> dict[str, Panel]:
    return run(options, (LARGE, SWAPPED), STRENGTH)


def _claims(panels: Mapping[str, Panel]) -> list[Claim]:
    claims = []
    for panel in panels.values():
        finite = panel.distance("EMME, finite time")
        early, late = panel.times <= 15.0, panel.times >= 45.0
        gap = np.abs(panel.curves["EMME, Markov"] - panel.curves["exact"])
        frozen = abs(panel.late("Born-Markov-secular") - panel.late("exact"))
        claims += [
            Claim(
                f"{panel.name}: finite-time EMME agrees with the exact dynamics",
                f"largest distance {finite:.4f} (allowed 0.03)",
                finite <= 0.03,
            ),
            Claim(
                f"{panel.name}: without finite time it fails at short times, not at late ones",
                f"off by up to {gap[early].max():.3f} for t <= 15, {gap[~early].max():.3f} after, "
                f"{gap[late].max():.3f} in the last quarter",
                gap[early].max() > 0.05 and gap[late].max() < 0.02,
            ),
            Claim(
                f"{panel.name}: the frozen bath fails",
                f"off by {frozen:.3f} at the end (at least 0.3)",
                frozen > 0.3,
            ),
            steady_state(panel, 0.02),
        ]
        if panel.volumes == SWAPPED:
            excited = panel.late("exact")
            beta = np.log((1 - excited) / excited)
            claims.append(
                Claim(
                    f"{panel.name}: population inversion, a stable negative temperature",
                    f"excited {excited:.3f}, so beta = {beta:.3f}",
                    excited > 0.5,
                )
            )
    return claims


FIGURE = Figure(
    name="riera2021-fig2",
    title="A spin and two energy windows: exact, EMME, frozen bath",
    citation=f"{CITATION}, Fig. 2",
    run=_run,
    plot=draw,
    claims=_claims,
    arrays=arrays,
)
