"""Which draw is which, and how many of them are made at a time."""

from typing import Any, NamedTuple

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

    folded = jax.random.fold_in(KEY, 3)
    method = program.DrawsOfMethod(spin(), ex.Schrodinger(), KEY).at(jnp.asarray(3))[1]
    np.testing.assert_array_equal(data(method.key), data(folded))
    model, _ = program.DrawsFromFunction(PURE, ex.Exact(), KEY, jnp.asarray(TS), 1.0).at(
        jnp.asarray(3)
    )
    expected = ex.pure_start(junction(), folded)
    np.testing.assert_array_equal(model.initial_occupations, expected.initial_occupations)
    seen: list[Any] = []

    def make(key: Any) -> ex.OpenSystem:
        seen.append(key)
        return spin()

    _, method = program.DrawsFromFunction(make, ex.Schrodinger(), KEY, jnp.asarray(TS), 1.0).at(
        jnp.asarray(3)
    )
    halves = jax.random.split(folded)
    np.testing.assert_array_equal(data(seen[0]), data(halves[0]))
    np.testing.assert_array_equal(data(method.key), data(halves[1]))


def test_methods_that_draw_take_a_key() -> None:
    assert program.draws_key(ex.Schrodinger())
    assert not program.draws_key(ex.Exact())
    exact = ex.Exact()
    assert program.with_key(exact, KEY) is exact
    assert program.with_key(ex.Schrodinger(), KEY).key is KEY
