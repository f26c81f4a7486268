"""Populations of Riera-Campeny, Sanpera, Strasberg (2021), small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures

PANELS = ("riera2021-fig2", "riera2021-fig7", "riera2021-fig8", "riera2021-fig9")


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    # at 4 levels the paper's two pairs of large volumes are one: a third fewer programs
    check_figures(PANELS, tmp_path, capsys, modes=4)
