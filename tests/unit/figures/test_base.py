"""What a study is asked and what it says: sizes, rows, names."""

import math

import pytest
from cases.figures import DRIVING, ENSEMBLES, FLUCTUATIONS, OPTIMAL, PAPERS, TWO_BATHS

from entropax import figures
from entropax.figures.base import QUICK, Options, Row


def test_published_sizes_stand_until_others_are_given() -> None:
    assert (Options().modes_or(1000), Options().times_or(60)) == (1000, 60)
    assert (QUICK.modes_or(1000), QUICK.times_or(60)) == (60, 25)
    assert Options(modes=4).times_or(60) == 60


def test_what_a_row_allows() -> None:
    """Relative to a number above 1, absolute below; nothing is like NaN."""
    assert Row("n", "s", 1000.0, 1000.0005, 1e-6).agrees
    assert not Row("n", "s", 1000.0, 1000.002, 1e-6).agrees
    assert Row("n", "s", -1000.0, -1000.0005, 1e-6).agrees
    assert not Row("n", "s", 0.001, 0.002, 1e-6).agrees
    assert not Row("n", "s", 1.0, math.nan, 1e-6).agrees
    assert not Row("n", "s", 1.0, math.inf, 1e-6).agrees


def test_studies_are_found_by_name_and_by_paper() -> None:
    assert [study.name for study in figures.find(("trap", "usui2024-fig5"))] == [
        "trap",
        "usui2024-fig5",
    ]
    usui = [study.name for study in figures.find(("usui2024",))]
    assert usui == [f"usui2024-fig{i}" for i in range(3, 10)]
    # named twice, run once
    assert figures.find(("usui2024-fig4", "usui2024"))[0].name == "usui2024-fig4"
    assert len(figures.find(("usui2024-fig4", "usui2024"))) == 7
    with pytest.raises(ValueError, match="no study named `usui`; there are: usui2024-fig3"):
        figures.find(("usui",))


def test_all_are_asked_for_by_name_alone() -> None:
    every = list(figures.ALL.values())
    assert figures.find(("all",)) == every
    assert figures.find(("all", "usui2024")) == every
    assert figures.find(("trap", "all"))[0].name == "trap"
    with pytest.raises(ValueError, match="name one or more studies, or `all`; there are: usui2024"):
        figures.find(())


def test_every_study_belongs_to_a_paper_and_is_reproduced() -> None:
    alone = OPTIMAL + ENSEMBLES + DRIVING + TWO_BATHS + FLUCTUATIONS
    assert all(name.split("-")[0] in PAPERS or name in alone for name in figures.ALL)
    assert all(name == study.name for name, study in figures.ALL.items())
    assert all(study.title and study.citation for study in figures.ALL.values())
