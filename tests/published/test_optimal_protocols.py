"""Optimal protocols, small: picture, data, claims; and closed forms that no size changes."""

from pathlib import Path

import numpy as np
import pytest
from cases.figures import check_figures

from entropax.figures.optimal.cited import WORK
from entropax.figures.optimal.erasure import CITED


def test_optimal_drive(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The closed form is Esposito's; and the ramp that is optimised costs what it should."""
    check_figures(("optimal-dot",), tmp_path, capsys)
    with np.load(tmp_path / "optimal-dot.npz") as data:
        closed = np.column_stack([data["known"], data["energies"][:, [0, -1]]])
        np.testing.assert_allclose(closed, list(WORK.values()), rtol=0, atol=1e-8)
        # an independent program
        ramps = [-0.9476753621, -2.4860393287, -0.2203430061]
        np.testing.assert_allclose(data["ramp"], ramps, rtol=0, atol=1e-9)
        assert np.all(data["found"] < data["ramp"])
        assert np.all(data["found"] > data["known"])


def test_erasure(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures(("erasure",), tmp_path, capsys)
    with np.load(tmp_path / "erasure.npz") as data:
        cited = [heat for *_, heat in CITED]
        np.testing.assert_allclose(data["known"][: len(cited)], cited, rtol=0, atol=1e-9)


def test_trap(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures(("trap",), tmp_path, capsys)
