"""The figures of Usui et al. (2024), small: picture, data, claims."""

from pathlib import Path

import numpy as np
import pytest
from cases.figures import TIMES, check_figures

from entropax import figures


def test_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    check_figures(("usui2024",), tmp_path, capsys)
    with np.load(tmp_path / "usui2024-fig5.npz") as fig5:
        assert fig5["a-gamma3/entropy_production"].shape == (TIMES,)
        assert np.max(np.abs(fig5["a-gamma3/residual"])) < 1e-11


def test_claims_can_fail() -> None:
    """The same figure of a junction that cannot thermalise: claims come out false."""
    study = figures.ALL["usui2024-fig4"]
    data = study.run(figures.Options(modes=4, times=12))
    assert not all(claim.holds for claim in study.claims(data))
