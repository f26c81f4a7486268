"""Fig. 8: weak coupling, lambda = 5e-4, where the spin resolves the levels of the bath."""

from collections.abc import Mapping

from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import (
    CITATION,
    LARGE,
    SMALL,
    SWAPPED,
    Panel,
    arrays,
    draw,
    run,
)

STRENGTH = 5e-4


def _run(options: Options) -> dict[str, Panel]:
    return run(options, (SMALL, LARGE, SWAPPED), STRENGTH)


def _claims(panels: Mapping[str, Panel]) -> list[Claim]:
    claims = []
    for panel in panels.values():
        finite = panel.distance("EMME, finite time")
        if panel.volumes == SMALL:
            late = panel.late("exact")
            claims.append(
                Claim(
                    f"{panel.name}: small volumes may avoid thermalisation altogether",
                    f"late {late:.3f}, steady state {panel.steady:.3f} (at least 0.1 apart)",
                    abs(late - panel.steady) >= 0.1,
                )
            )
            continue
        half = [
            panel.times[(curve < (1.0 + panel.steady) / 2).argmax()]
            for curve in (panel.curves["exact"], panel.curves["EMME, finite time"])
        ]
        claims += [
            Claim(
                f"{panel.name}: less precise than at lambda = 3e-3",
                f"largest distance {finite:.3f} (above 0.03)",
                finite > 0.03,
            ),
            Claim(
                f"{panel.name}: the timescale of the decay is right",
                f"half way at t = {half[0]:.0f}, EMME {half[1]:.0f} (allowed 30%)",
                abs(half[0] - half[1]) <= 0.3 * half[0],
            ),
        ]
    return claims


FIGURE = Figure(
    name="riera2021-fig8",
    title="The same at weak coupling",
    citation=f"{CITATION}, Fig. 8",
    run=_run,
    plot=draw,
    claims=_claims,
    arrays=arrays,
)
