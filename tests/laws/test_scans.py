"""Scans against loops over models, and as they are stored."""

from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from cases.draws import FLIP, KEY, TS, junction, spin

import entropax as ex


def test_a_scan_is_a_loop_over_models() -> None:
    couplings = np.array([0.5, 1.0, 1.5])
    batched = ex.scan(eqx.filter_vmap(junction)(couplings), TS)
    listed = ex.scan([junction(g) for g in couplings], TS, chunk=2)
    for i, g in enumerate(couplings):
        sigma = ex.solve(junction(g), TS).ledger.entropy_production
        np.testing.assert_allclose(batched.ledger.entropy_production[i], sigma, atol=1e-12)
        np.testing.assert_allclose(listed.ledger.entropy_production[i], sigma, atol=1e-12)
    assert np.ptp(batched.ledger.entropy_production[:, -1]) > 1e-3


def test_a_scan_keeps_what_plans_decide() -> None:
    """Of models with the same sectors, and of a model among them that has others."""
    method = ex.Schrodinger(key=KEY)
    strengths = (0.02, 0.05)
    for models in (
        [spin(s) for s in strengths],
        [spin(), spin(operator=FLIP + np.diag([1.0, -1.0]))],
    ):
        runs = ex.scan(models, TS, method)
        for i, model in enumerate(models):
            one = ex.solve(model, TS, method).ledger
            np.testing.assert_allclose(runs.ledger.joint[i], one.joint, atol=1e-12)
    keyed = ex.scan([spin(0.05), spin(0.05)], TS, ex.Schrodinger(), key=KEY)
    assert np.abs(keyed.ledger.joint[0] - keyed.ledger.joint[1]).max() > 1e-4


def test_a_scan_is_stored_with_its_coordinates(tmp_path: Path) -> None:
    models, named = [junction(g) for g in (0.5, 1.0)], {"coupling": [0.5, 1.0]}
    ex.scan(models, TS, store=tmp_path, coordinates=named)
    found = ex.open_ensemble(tmp_path)
    assert type(found) is ex.Scan
    np.testing.assert_array_equal(found.to_xarray().coupling, [0.5, 1.0])
    assert found.ledger.entropy_production.shape == (2, 3)
    with pytest.raises(ValueError, match="must have one value a model"):
        ex.scan(models, TS, coordinates={"coupling": [0.5]})
