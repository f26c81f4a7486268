"""Studies of driving, small: picture, data, claims."""

from pathlib import Path

import pytest
from cases.figures import DRIVING, check_figures


@pytest.mark.parametrize("name", DRIVING)
def test_figure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (record,) = check_figures((name,), tmp_path, capsys)
    ours = (
        "optimum",
        "about as good",
        "of most power",
        "hardly any",
    )  # of a descent that is cut short here
    for claim in record["claims"]:
        if not any(words in claim["statement"] for words in ours):
            assert claim["holds"], claim
