"""The identities of Strasberg (2020), small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import check_figures


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (record,) = check_figures(("strasberg2020",), tmp_path, capsys)
    assert all(claim["holds"] for claim in record["claims"])  # identities hold at any size
