"""Optima between finite baths, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures


@pytest.mark.parametrize("name", ["finite-bath-dot", "coupling-design", "finite-engine"])
def test_figure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures((name,), tmp_path, capsys)
