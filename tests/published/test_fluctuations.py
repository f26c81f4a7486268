"""Studies of fluctuations, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import FLUCTUATIONS, check_figures


@pytest.mark.parametrize("name", FLUCTUATIONS)
def test_figure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (record,) = check_figures((name,), tmp_path, capsys)
    size = ("tends to a Gaussian", "rare in the end", "as uncertain", "all along", "infinite ones")
    for claim in record["claims"]:  # what is left out needs the published size
        if not any(words in claim["statement"] for words in size):
            assert claim["holds"], claim
