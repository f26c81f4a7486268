"""Every notebook is a valid percent file and runs, small, without a warning."""

import runpy
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jupytext
import matplotlib as mpl
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_percent_format(path: Path) -> None:
    notebook = jupytext.read(path)
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "percent"
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("code") >= 2
    assert all(cell.source.strip() for cell in notebook.cells)
    # read and written again it stays the same file: nothing is lost between cells
    again = jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent")
    assert [(c.cell_type, c.source) for c in again.cells] == [
        (c.cell_type, c.source) for c in notebook.cells
    ]


@pytest.fixture
def empty_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Where a notebook runs: small, without a screen, its temporary files elsewhere."""
    import matplotlib.pyplot as plt

    monkeypatch.setenv("ENTROPAX_SMALL", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    with mpl.rc_context():
        yield tmp_path
    plt.close("all")


# as everywhere, a warning is an error; one about a picture without a screen is expected here
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive:UserWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, empty_folder: Path, capsys: pytest.CaptureFixture) -> None:
    runpy.run_path(str(path), run_name=path.stem)
    printed = capsys.readouterr()
    assert printed.out
    assert "Warning" not in printed.err
    assert not list(empty_folder.iterdir())
