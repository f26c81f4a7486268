"""Which draw is which, and how many of them are made at a time."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.draws import KEY, PURE, TS, junction, spin

import entropax as ex
from entropax.ensemble import program


class Cheap(NamedTuple):
    """What a program asks of a task, and numbers that cost nothing."""

    key: jax.Array

    def draw(self, index: jax.Array) -> dict[str, jax.Array]:
        x = jax.random.normal(jax.random.fold_in(self.key, index), (300,))
        return {"ledger.x": x, "failed": x[0] > 1.0}


def cheap_program(chunk: int = 2, batch: int | None = None) -> program.Program:
    return program.Program(Cheap(KEY), chunk, jax.local_devices()[:1], batch)  # type: ignore[arg-type]


@pytest.mark.misuse
def test_a_batch_that_nearly_fits_shrinks(monkeypatch: Any) -> None:
    """Also where the next number of rounds would lead back to the same batch."""
    need = cheap_program()._footprint()
    assert need > 0
    monkeypatch.setattr(program.Program, "_footprint", lambda self: need * self.batch)
    monkeypatch.setattr(program.Program, "_compile", lambda self: None)
    monkeypatch.setattr(program, "memory", lambda device: 2.0 * need * 1.95)
    with pytest.warns(UserWarning, match="is worked off 1 at a time"):
        assert cheap_program(chunk=64).batch == 1


def test_draws_are_the_same_in_any_chunk_and_batch() -> None:
    """Also of a range shorter than the program is wide, and of one that begins in its middle."""
    one_by_one = [Cheap(KEY).draw(jnp.asarray(i)) for i in range(7)]
    for chunk, batch in ((7, None), (5, 2)):
        made = cheap_program(chunk, batch)
        for start, stop in ((0, 5), (3, 7), (6, 7)):
            drawn = made.run(start, stop)
            assert drawn.keys() == {"ledger.x", "failed"}
            for name, values in drawn.items():
                expected = [one[name] for one in one_by_one[start:stop]]
                np.testing.assert_allclose(values, np.array(expected), rtol=0, atol=1e-14)


def test_draw_i_has_the_key_folded_with_i() -> None:
    """By a method that draws, by a model that is drawn, and in halves where both are."""

    def data(key: Any) -> np.ndarray:
        return np.asarray(jax.random.key_data(key))

    folded, ts, index = jax.random.fold_in(KEY, 3), jnp.asarray(TS), jnp.asarray(3)
    only = ex.Schrodinger(KEY).plan(spin(), ts)
    method, plan = program.DrawsOfMethod(ex.Schrodinger(), only, KEY).at(index)
    np.testing.assert_array_equal(data(method.key), data(folded))
    assert plan is only
    _, plan = program.DrawsFromFunction(ex.Exact(), PURE, KEY, ts, 1.0).at(index)
    expected = ex.pure_start(junction(), folded)
    np.testing.assert_array_equal(plan.model.initial_occupations, expected.initial_occupations)
    seen: list[Any] = []

    def make(key: Any) -> ex.OpenSystem:
        seen.append(key)
        return spin()

    method, plan = program.DrawsFromFunction(ex.Schrodinger(), make, KEY, ts, 1.0).at(index)
    assert eqx.tree_equal(plan, only)
    halves = jax.random.split(folded)
    np.testing.assert_array_equal(data(seen[0]), data(halves[0]))
    np.testing.assert_array_equal(data(method.key), data(halves[1]))


def test_draw_i_is_of_plan_or_model_i() -> None:
    """With a key of its own where there is one."""
    ts, method, index = jnp.asarray(TS), ex.Schrodinger(KEY), jnp.asarray(1)
    models = eqx.filter_vmap(spin)(jnp.array([0.02, 0.05, 0.07]))
    each = [method.plan(program.take(models, i), ts) for i in range(3)]
    plans = jax.tree.map(lambda *x: jnp.stack(x) if eqx.is_array(x[0]) else x[0], *each)
    same, plan = program.DrawsFromPlans(method, plans, None).at(index)
    assert eqx.tree_equal(same, method)
    assert eqx.tree_equal(plan, each[1])
    same, plan = program.DrawsFromModels(method, models, None, ts).at(index)
    assert eqx.tree_equal(same, method)
    assert eqx.tree_equal(plan, each[1])
    folded = jax.random.fold_in(jax.random.key(9), 1)
    for draws in (
        program.DrawsFromPlans(method, plans, jax.random.key(9)),
        program.DrawsFromModels(method, models, jax.random.key(9), ts),
    ):
        key = draws.at(index)[0].key
        np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(folded))


def test_the_ledger_of_a_task_is_that_of_its_method() -> None:
    plan = ex.Exact().plan(junction(), jnp.asarray(TS))
    for method, ledger in ((ex.Exact(), ex.FermionLedger), (ex.Schrodinger(), ex.WindowLedger)):
        draws = program.DrawsOfMethod(method, plan, KEY)
        assert program.Task(draws, jnp.asarray(TS), None).ledger() is ledger


def test_methods_that_draw_take_a_key() -> None:
    assert program.draws_key(ex.Schrodinger())
    assert not program.draws_key(ex.Exact())
    exact = ex.Exact()
    assert program.with_key(exact, KEY) is exact
    assert program.with_key(ex.Schrodinger(), KEY).key is KEY
