"""What a run returns, of chunks made by hand."""

import numpy as np
import pytest

import entropax as ex
from entropax.ensemble.accumulate import Collected
from entropax.ensemble.store import Manifest

HEAT = np.arange(24.0).reshape(4, 3, 2)
SIGMA = np.arange(12.0).reshape(4, 3)
FAILED = np.array([False, True, False, False])


def scan(*, kept: bool = True) -> ex.Scan:
    """Draws 2 to 6 of 8, at three times, the second of them failed."""
    manifest = Manifest(
        "scan",
        "FermionLedger",
        [0.0, 1.0, 3.0],
        4,
        8,
        {},
        {},
        {"coupling": [0.1 * i for i in range(8)]},
    )
    draws = {
        "ledger.heat": HEAT,
        "ledger.entropy_production": SIGMA,
        "ledger.terms.intra_bath": HEAT + 1.0,
        "ledger.determined": HEAT > 3.0,
        "saved.n": 1j * SIGMA,
        "failed": FAILED,
    }
    collected = Collected()
    collected.add(2, draws, draws.__getitem__ if kept else None)
    return ex.Scan(manifest, collected)


@pytest.mark.misuse
def test_a_ledger_of_all_draws() -> None:
    runs = scan()
    assert isinstance(runs.ledger, ex.FermionLedger)
    np.testing.assert_array_equal(runs.ledger.heat, HEAT)
    np.testing.assert_array_equal(runs.ledger.terms.intra_bath, HEAT + 1.0)
    assert runs.ledger.work is None
    assert repr(runs) == "Scan(FermionLedger, 3 times, 4 of 8 done, 1 failed)"
    np.testing.assert_array_equal(runs.indices, [2, 3, 4, 5])


def test_a_dataset_names_its_axes_and_empties_what_failed() -> None:
    data = scan().to_xarray()
    assert data.heat.dims == ("draws", "times", "baths")
    assert data["terms.intra_bath"].dims == ("draws", "times", "baths")
    assert data["saved.n"].dims == ("draws", "saved.n_0")
    np.testing.assert_allclose(data.coupling, [0.2, 0.3, 0.4, 0.5])
    np.testing.assert_array_equal(np.isnan(data.heat.values), FAILED[:, None, None] | (HEAT < 0.0))
    np.testing.assert_array_equal(np.isnan(data["saved.n"].values).all(axis=1), FAILED)
    assert data.determined.dtype == bool
    np.testing.assert_array_equal(data.entropy_production[2:], SIGMA[2:])


def test_draws_that_nobody_kept_are_not_there() -> None:
    with pytest.raises(ValueError, match="draws were not kept"):
        _ = scan(kept=False).ledger
