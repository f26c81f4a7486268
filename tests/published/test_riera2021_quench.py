"""The quenched spin of Riera-Campeny, Sanpera, Strasberg (2021), small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures

QUENCH = ("riera2021-fig3", "riera2021-fig4", "riera2021-fig5", "riera2021-fig6")


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures(QUENCH, tmp_path, capsys)
