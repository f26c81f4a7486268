"""Draws as they come in: what stays in memory, and quantiles of what is kept."""

import weakref

import numpy as np
import pytest

from entropax.ensemble.accumulate import Collected
from entropax.ensemble.store import StoreError


def test_memory_does_not_grow_with_samples() -> None:
    collected, gone = Collected(), []
    for i in range(3):
        draws = {"ledger.x": np.ones((4, 1000)), "failed": np.zeros(4, bool)}
        gone.append(weakref.ref(draws["ledger.x"]))
        collected.add(4 * i, draws, None)
        del draws
    assert [one() for one in gone] == [None] * 3
    with pytest.raises(ValueError, match=r"`store` must be given, or `keep` be True"):
        collected.fields("ledger")


def test_infinite_draws() -> None:
    """Quantiles beside infinite values are a draw's; of no draw at all they are NaN."""
    values = np.array([np.inf, 1.0, 2.0, np.inf])
    collected = Collected()
    draws = {"ledger.x": values, "failed": np.zeros(4, bool)}
    collected.add(0, draws, draws.__getitem__)
    found = [float(collected.quantiles("ledger", q)["x"]) for q in (0.0, 1 / 3, 1.0)]
    assert found == [1.0, 2.0, np.inf]
    failed = Collected()
    failed.add(0, draws | {"failed": np.ones(4, bool)}, draws.__getitem__)
    assert np.isnan(failed.quantiles("ledger", 0.5)["x"])


def test_failed_draws_stay_in_the_fields_and_out_of_the_statistics() -> None:
    collected = Collected()
    for start, x, failed in ((0, [1.0, 2.0], [False, False]), (6, [70.0, 6.0], [True, False])):
        draws = {"ledger.x": np.array(x), "ledger.z": 1j * np.array(x), "failed": np.array(failed)}
        collected.add(start, draws, draws.__getitem__)
    np.testing.assert_array_equal(collected.indices, [0, 1, 6, 7])
    np.testing.assert_array_equal(collected.failed, [False, False, True, False])
    np.testing.assert_array_equal(collected.fields("ledger")["x"], [1.0, 2.0, 70.0, 6.0])
    assert collected.moments.mean["ledger.x"] == 3.0
    quantiles = collected.quantiles("ledger", 0.5)
    assert quantiles.keys() == {"x"}  # complex numbers have no order
    assert quantiles["x"] == 2.0


def test_chunks_with_other_fields_are_refused() -> None:
    collected = Collected()
    failed = np.zeros(1, bool)
    draws = {"ledger.x": np.ones(1), "failed": failed}
    collected.add(0, draws, None)
    with pytest.raises(StoreError, match="Draws 1 on hold other fields"):
        collected.add(1, draws | {"ledger.y": np.ones(1)}, None)
