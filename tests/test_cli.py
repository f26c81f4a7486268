"""The command line, each command run small."""

import json
from pathlib import Path

import numpy as np
import pytest

import entropax as ex
from entropax import cli, studies, validate

pytestmark = pytest.mark.usefixtures("quick_compilation")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return int(stop.value.code or 0)


def test_list_names_every_study(capsys: pytest.CaptureFixture) -> None:
    assert run("list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in studies.ALL)
    assert len(studies.ALL) == 33


def test_about_names_versions(capsys: pytest.CaptureFixture) -> None:
    assert run("about") == 0
    out = capsys.readouterr().out
    assert ex.__version__ in out
    assert "jaxlib" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce", "usui2024-fig55"), "no study named `usui2024-fig55`"),
        (("reproduce", "--modes", "1"), "Must be >= 4"),
        (("reproduce", "--times", "0"), "Must be >= 8"),
    ],
)
def test_misuse_is_told(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(*arguments) != 0
    captured = capsys.readouterr()
    assert message in captured.out + captured.err


PAPERS = ("usui2024", "riera2021", "esposito2010", "strasberg2020", "machines")
ALONE = (
    "optimal-dot",
    "erasure",
    "trap",
    "finite-bath-dot",
    "coupling-design",
    "finite-engine",
    "typicality",
    "gorm-ensemble",
    "emme-validity",
)


@pytest.mark.parametrize("paper", PAPERS + ALONE)
def test_reproduce_every_figure(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Picture, data and record of all figures; the table says that the size is not the paper's."""
    assert run("reproduce", paper, "--modes", "20", "--times", "12", "--out", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "Not the published size" in out
    names = [name for name in studies.ALL if name.startswith(paper)]
    assert {path.stem for path in tmp_path.glob("*.json")} == set(names)
    for name in names:
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        record = json.loads((tmp_path / f"{name}.json").read_text())
        assert record["study"] == name
        assert record["modes"] == 20
        assert record["claims"]
        with np.load(tmp_path / f"{name}.npz") as data:
            kinds = {data[key].dtype for key in data}
        assert all(kind.kind in "biufc" for kind in kinds)
    if paper == "usui2024":
        with np.load(tmp_path / "usui2024-fig5.npz") as fig5:
            assert fig5["a-gamma3/entropy_production"].shape == (12,)
            assert np.max(np.abs(fig5["a-gamma3/residual"])) < 1e-11
    if paper == "strasberg2020":  # identities hold at any size
        assert all(claim["holds"] for claim in record["claims"])


def test_every_study_belongs_to_a_paper() -> None:
    assert all(name.split("-")[0] in PAPERS or name in ALONE for name in studies.ALL)


def test_claims_can_fail() -> None:
    """The same figure of a junction that cannot thermalise: claims come out false."""
    study = studies.ALL["usui2024-fig4"]
    data = study.run(studies.Options(modes=4, times=12))
    assert not all(claim.holds for claim in study.claims(data))


def test_validate_rows_agree(capsys: pytest.CaptureFixture) -> None:
    assert run("validate") == 0
    out = capsys.readouterr().out
    assert "steady particle current" in out
    assert "rows agree" in out


def test_validate_notices_a_wrong_number(monkeypatch: pytest.MonkeyPatch) -> None:
    good = validate.Row("n", "somewhere", 1.0, 1.0 + 1e-10, 1e-9)
    monkeypatch.setattr(validate, "rows", lambda: iter([good, good._replace(found=1.1)]))
    assert run("validate") == 1
    assert good.agrees
    assert not good._replace(found=float("nan")).agrees
    # allowed is relative above 1, absolute below
    assert validate.Row("n", "s", 1000.0, 1000.0005, 1e-6).agrees
    assert not validate.Row("n", "s", 0.001, 0.002, 1e-6).agrees
