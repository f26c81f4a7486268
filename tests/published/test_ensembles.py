"""Studies of many draws, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import ENSEMBLES, check_figures


@pytest.mark.parametrize("name", ENSEMBLES)
def test_figure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures((name,), tmp_path, capsys)
