"""Questions as plain data: what tells two of them apart."""

import json
from typing import Any

import equinox as eqx
import jax
import numpy as np

import entropax as ex
from entropax.fingerprint import describe, differences

TS = np.array([0.0, 1.0, 3.0])


def test_questions_are_told_apart() -> None:
    def scaled(by: float) -> Any:
        return lambda state: by * state

    one, other = describe(scaled(1.0), "save"), describe(scaled(2.0), "save")
    assert differences(one, other) == ["save.closes_over[0]: 1.0 in the store, 2.0 asked"]
    assert not differences(one, describe(scaled(1.0), "save"))
    assert differences(describe(lambda s: s + 1, "save"), describe(lambda s: s + 2, "save"))
    large = np.arange(1000.0)
    changed = large.copy()
    changed[500] += 1e-6  # less is what another XLA may make of it
    assert differences(describe(large, "x"), describe(changed, "x"))
    assert not differences(describe(np.nan, "x"), json.loads(json.dumps(describe(np.nan, "x"))))


def test_questions_tell_functions_by_what_they_use() -> None:
    def scaled(state: Any, by: float = 1.0) -> Any:
        return by * state

    def rescaled(state: Any, by: float = 2.0) -> Any:
        return by * state

    one = describe(scaled, "f") | {"f": ""}
    assert any("defaults" in line for line in differences(one, describe(rescaled, "f") | {"f": ""}))

    class Maker:
        def __init__(self, gamma: float) -> None:
            self.gamma = gamma

        def make(self, key: Any) -> Any:
            return self.gamma, key

    assert differences(describe(Maker(1.0).make, "f"), describe(Maker(2.0).make, "f"))
    assert not differences(describe(Maker(1.0).make, "f"), describe(Maker(1.0).make, "f"))

    class One(eqx.Module):
        def __call__(self, state: Any) -> Any:
            return state + 1

    class Two(eqx.Module):
        def __call__(self, state: Any) -> Any:
            return state + 2

    assert differences(describe(One(), "f") | {"f": ""}, describe(Two(), "f") | {"f": ""})
    before = describe(_reads_a_global, "f")
    try:
        TS[0] = 0.5
        assert differences(before, describe(_reads_a_global, "f"))
    finally:
        TS[0] = 0.0
    assert not differences(before, describe(jax.jit(_reads_a_global), "f"))


def _reads_a_global(state: Any) -> Any:
    return state * TS[0]


def test_what_moves_within_the_package_stays_one() -> None:
    """Older stores name the module, too."""
    asked = describe(ex.pure_start, "model")
    assert asked == {"model": "entropax.pure_start"}
    older = {"model": "entropax.model.junction.pure_start"}
    assert not differences(older, asked)
    assert differences({"model": "entropax.model.junction.no_start"}, asked)
    assert differences({"model": "other.model.pure_start"}, asked)


def test_stores_that_name_what_plans_decide_are_read_as_before() -> None:
    """Methods once had such fields, empty until a run was prepared; no field of today is passed
    over.
    """
    asked = describe(ex.Schrodinger(jax.random.key(0)), "method")
    older = asked | {"method.sectors": None, "method.plan": None, "method.counts.length": 0}
    assert not differences(older, asked)
    assert differences(older | {"method.steps": 17}, asked)
    assert differences(older | {"method.unheard_of": None, "method.x": 1}, asked)
    assert differences(older | {"model.sectors": 3}, asked)
