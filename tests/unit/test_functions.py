"""Functions as parts of models: one that does the same is the same."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax._functions import as_pytree, names

GAIN = 2.0


def same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether a compiled program takes one for the other."""
    first, second = map(jax.tree.structure, map(as_pytree, (one, other)))
    return first == second and hash(first) == hash(second)


def test_a_module_is_a_pytree_and_a_function_has_no_leaves() -> None:
    module = eqx.nn.Lambda(jnp.sin)
    assert as_pytree(module) is module
    assert same(jnp.sin, jnp.sin)
    assert not same(jnp.sin, jnp.cos)
    assert jax.tree.leaves(as_pytree(jnp.sin)) == []
    assert float(as_pytree(jnp.sin)(0.5)) == pytest.approx(np.sin(0.5))
    assert float(as_pytree(lambda t: 2.0 * t)(0.5)) == 1.0


def test_a_function_made_anew_is_the_same_where_it_does_the_same() -> None:
    def scaled(by: Any, power: int = 1) -> Callable[[Any], Any]:
        def inner(t: Any) -> Any:
            return by * t**power

        return lambda t: inner(t) + 1.0

    array = np.ones(2)
    assert same(scaled(0.3), scaled(0.3))
    assert same(scaled(array), scaled(array))
    assert not same(scaled(0.3), scaled(0.4))
    assert not same(scaled(0.3), scaled(0.3, power=2))
    assert not same(scaled(array), scaled(array.copy()))
    assert not same(scaled(0.0), scaled(-0.0))
    assert not same(lambda t: t + 1, lambda t: t + 2)


def test_a_number_that_a_function_reads_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Callable[[Any], Any]:
        return lambda t: GAIN * t

    before = make()
    assert same(before, make())
    kept = jax.tree.structure(as_pytree(before))
    monkeypatch.setitem(globals(), "GAIN", 3.0)
    assert kept != jax.tree.structure(as_pytree(make()))
    assert names(before.__code__) == ["GAIN"]


def test_a_loop_that_makes_its_function_compiles_once() -> None:
    traced = []

    def apply(f: Any, x: Any) -> Any:
        traced.append(1)
        return f(x)

    run = eqx.filter_jit(apply)
    for x in (1.0, 2.0, 3.0):
        value = run(as_pytree(lambda t: 0.3 * jnp.cos(t)), jnp.asarray(x))
        assert float(value) == pytest.approx(0.3 * np.cos(x))
    assert len(traced) == 1
