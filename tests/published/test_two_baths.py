"""Studies of two finite baths, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import TWO_BATHS, check_figures


@pytest.mark.parametrize("name", TWO_BATHS)
def test_figure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (record,) = check_figures((name,), tmp_path, capsys, modes=10)
    ours = ("add to what the EMME is off by", "optimised strokes", "exactly", "two spreads")
    for claim in record["claims"]:  # what is ours needs the published size, and several draws
        if not any(words in claim["statement"] for words in ours):
            assert claim["holds"], claim
