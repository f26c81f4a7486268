"""Studies of TOML files run: against a loop over models, and by the command."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from cases.draws import STUDY

import entropax as ex
from entropax import cli, runfile


def test_a_grid_runs() -> None:
    runs = runfile.parse(tomllib.loads(STUDY)).run(None, progress=False)
    assert runs.ledger.entropy_production.shape == (2, 2)
    np.testing.assert_array_equal(runs.to_xarray()["leads.0.coupling"], [0.5, 1.0])
    for coupling, sigma in zip((0.5, 1.0), runs.ledger.entropy_production, strict=True):
        lead = ex.Lead.flat(modes=3, width=4.0, coupling=coupling, beta=1.0, mu=0.5)
        one = ex.solve(ex.Junction(0.0, 0.0, (lead,)), [1.0, 2.0]).ledger
        np.testing.assert_allclose(sigma, one.entropy_production, atol=1e-12)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Its exit status, what it says, and that it goes on."""
    file, store = tmp_path / "grid.toml", tmp_path / "runs"
    file.write_text(f'store = "{store}"\nchunk = 1\n{STUDY}')

    assert run("run", file, "--index-range", "0:1") == 0
    assert "1 of 2 done, 0 failed." in capsys.readouterr().out
    assert run("run", file) == 0
    assert "2 of 2 done, 0 failed." in capsys.readouterr().out
    for arguments, message in (
        ((file, "--index-range", "first"), "`index_range` must be FIRST:LAST"),
        ((file, "--samples", 3), "`samples` must not be given for a scan"),
        ((tmp_path / "none.toml",), "must be a TOML file that can be read"),
    ):
        assert run("run", *arguments) == 2
        assert message in " ".join(capsys.readouterr().out.split())
    file.write_text(f"chunk = 1\n{STUDY}")
    assert run("run", file, "--index-range", "0:1") == 2
    assert "`store` must be given where several" in " ".join(capsys.readouterr().out.split())
    assert run("run", file) == 2
    assert "`store` must be given for a scan" in " ".join(capsys.readouterr().out.split())
    assert run("run", file, "--store", store, "--index-range", "0:5") == 2
    assert "`--index-range` must be a range within" in " ".join(capsys.readouterr().out.split())
