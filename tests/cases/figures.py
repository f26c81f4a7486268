"""Published figures at a small size, by the command line and in this process."""

import json
from pathlib import Path

import numpy as np
import pytest

from entropax import cli, figures

PAPERS = ("usui2024", "riera2021", "esposito2010", "strasberg2020", "machines")
OPTIMAL = ("optimal-dot", "erasure", "trap", "finite-bath-dot", "coupling-design", "finite-engine")
DRIVING = ("driven-canonical", "limit-cycles", "coupling-pulse")
TWO_BATHS = ("two-baths", "finite-refrigerator")
FLUCTUATIONS = ("fluctuations", "uncertainty", "work-statistics")
ENSEMBLES = ("typicality", "gorm-ensemble", "emme-validity")
TIMES = 12


def check_figures(
    names: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture, modes: int = 20
) -> list[dict]:
    """Picture, data and record of each; the table says that the size is not the paper's.

    Returns the records.
    """
    size = ["--modes", str(modes), "--times", str(TIMES)]
    with pytest.raises(SystemExit) as stop:
        cli.main(["reproduce", *names, *size, "--out", str(folder)])
    assert not stop.value.code
    assert "Not the published size" in capsys.readouterr().out
    known = [figure.name for figure in figures.find(names)]
    assert {path.stem for path in folder.glob("*.json")} == set(known)
    records = []
    for name in known:
        assert (folder / f"{name}.png").stat().st_size > 10_000
        record = json.loads((folder / f"{name}.json").read_text())
        assert record["study"] == name
        assert record["modes"] == modes
        assert record["claims"]
        with np.load(folder / f"{name}.npz") as data:
            kinds = {data[key].dtype for key in data}
        assert all(kind.kind in "biufc" for kind in kinds)
        records.append(record)
    return records
