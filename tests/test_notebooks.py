"""Every notebook is a valid percent file and runs, small, without a warning."""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


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


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    # warnings of the notebook's own making are errors; Agg's about plt.show() is expected there
    options = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive:UserWarning"]
    # most of the time is compiling, which at this size needs no optimising
    environment = os.environ | {
        "ENTROPAX_SMALL": "1",
        "MPLBACKEND": "Agg",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    run = subprocess.run(
        [sys.executable, *options, str(path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr, run.stderr
    assert run.stdout
    assert not list(tmp_path.iterdir())
