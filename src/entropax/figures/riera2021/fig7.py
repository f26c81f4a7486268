"""Fig. 7: small volumes at lambda = 3e-3."""

from collections.abc import Mapping

from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import (
    CITATION,
    SMALL,
    Panel,
    arrays,
    draw,
    run,
)

STRENGTH = 3e-3


def _run(options: Options) -> dict[str, Panel]:
    return run(options, (SMALL,), STRENGTH)


def _claims(panels: Mapping[str, Panel]) -> list[Claim]:
    return [
        Claim(
            f"{panel.name}: the EMME fails for small volumes",
            f"largest distance {panel.distance('EMME, finite time'):.3f} (at least 0.05)",
            panel.distance("EMME, finite time") > 0.05,
        )
        for panel in panels.values()
    ]


FIGURE = Figure(
    name="riera2021-fig7",
    title="The same with small volumes",
    citation=f"{CITATION}, Fig. 7",
    run=_run,
    plot=draw,
    claims=_claims,
    arrays=arrays,
)
