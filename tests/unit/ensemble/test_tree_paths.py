"""Leaves by name, and ledgers made of them again."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from entropax.ensemble.tree_paths import axes, axis_names, below, by_name, rebuilt, record, whole


class Terms(NamedTuple):
    first: Float[np.ndarray, " times"]
    second: Float[np.ndarray, " times"] | None


class Ledger(NamedTuple):
    heat: Float[np.ndarray, "times baths"]
    state: Float[np.ndarray, "times d d"]
    terms: Terms
    parts: tuple[Terms, ...]

    @property
    def total(self) -> np.ndarray:
        return self.heat.sum()


LEDGER = Ledger(np.ones((3, 2)), np.zeros((3, 2, 2)), Terms(np.arange(3.0), None), ())


def test_a_ledger_comes_back_from_its_leaves() -> None:
    parts = (Terms(np.arange(2.0), None), Terms(np.arange(4.0), np.ones(2)))
    named = by_name("ledger", LEDGER._replace(parts=parts))
    assert sorted(named) == [
        "ledger.heat",
        "ledger.parts.0.first",
        "ledger.parts.1.first",
        "ledger.parts.1.second",
        "ledger.state",
        "ledger.terms.first",
    ]
    again = rebuilt(Ledger, below("ledger", named))
    assert isinstance(again, Ledger)
    assert again.terms.second is None
    assert again.total == 6.0
    for one, other in zip(again.parts, parts, strict=True):
        np.testing.assert_array_equal(one.first, other.first)
    assert rebuilt(Ledger, {}) is None


def test_a_record_has_the_fields_and_no_more() -> None:
    found = record(Ledger, below("ledger", by_name("ledger", LEDGER)))
    np.testing.assert_array_equal(found.terms.first, [0.0, 1.0, 2.0])
    assert found.parts is None
    assert not hasattr(found, "total")


def test_names_end_at_a_dot() -> None:
    named = {"saved": 1, "saved.n": 2, "saved_mean": 3}
    assert below("saved", named) == {"": 1, "n": 2}
    assert whole({"": 1}) == 1
    assert whole({"n": 2}) == {"n": 2}


def test_axes_have_the_names_of_the_annotation() -> None:
    assert axes(Ledger, "heat", 2) == ["times", "baths"]
    assert axes(Ledger, "state", 3) == ["times", "d", "d_2"]
    assert axes(Ledger, "terms.second", 1) == ["times"]
    assert axes(Ledger, "parts.1.first", 1) == ["times"]
    assert axes(Ledger, "heat", 3) == ["times", "baths", "heat_2"]
    assert set(axis_names(Ledger)) >= {"heat", "terms", "times", "baths", "d"}
