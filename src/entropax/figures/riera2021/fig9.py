"""Fig. 9: strong coupling, lambda = 1e-2."""

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
    steady_state,
)

STRENGTH = 1e-2


def _run(options: Options) -> dict[str, Panel]:
    return run(options, (SMALL, LARGE, SWAPPED), STRENGTH)


def _claims(panels: Mapping[str, Panel]) -> list[Claim]:
    claims = []
    for panel in panels.values():
        finite = panel.distance("EMME, finite time")
        kind = "small volumes disagree" if panel.volumes == SMALL else "the transient is wrong"
        claims.append(
            Claim(
                f"{panel.name}: {kind}",
                f"largest distance {finite:.3f} (above 0.05)",
                finite > 0.05,
            )
        )
        if panel.volumes != SMALL:
            claims.append(steady_state(panel, 0.02))
    return claims


FIGURE = Figure(
    name="riera2021-fig9",
    title="The same at strong coupling",
    citation=f"{CITATION}, Fig. 9",
    run=_run,
    plot=draw,
    claims=_claims,
    arrays=arrays,
)
