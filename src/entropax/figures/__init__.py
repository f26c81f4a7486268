"""Published figures: small files of parameters, run, picture and what must hold."""

from entropax.figures import (
    driving,
    ensembles,
    esposito2010,
    fluctuations,
    machines,
    optimal,
    riera2021,
    strasberg2020,
    two_baths,
    usui2024,
)
from entropax.figures.base import (
    QUICK as QUICK,
    Claim as Claim,
    Options as Options,
    Figure as Figure,
)

_PAPERS = (
    *(usui2024, riera2021, esposito2010, strasberg2020),
    *(machines, optimal, ensembles, driving, two_baths),
    fluctuations,
)

ALL: dict[str, Figure] = {study.name: study for paper in _PAPERS for study in paper.FIGURES}


def find(names: tuple[str, ...]) -> list[Figure]:
    """The studies named, in order; a name such as `usui2024` stands for all that begin with it, and
    `all` for every one.
    """
    if not names:
        raise ValueError(f"name one or more studies, or `all`; there are: {', '.join(ALL)}.")
    studies: dict[str, Figure] = {}
    for name in names:
        matching = [key for key in ALL if name in ("all", key) or key.startswith(f"{name}-")]
        if not matching:
            raise ValueError(f"no study named `{name}`; there are: {', '.join(ALL)}.")
        studies |= {key: ALL[key] for key in matching}
    return list(studies.values())
