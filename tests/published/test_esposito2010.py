"""The figure of Esposito, Lindenberg, Van den Broeck (2010), small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures(("esposito2010",), tmp_path, capsys)
