"""Thermal machines, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    records = check_figures(("machines",), tmp_path, capsys)
    # cited numbers among them: of machines only the number of points is smaller here
    for record in records:
        for claim in record["claims"]:
            assert claim["holds"], claim
