"""What every model must do: be a pytree of arrays, and refuse misuse in words."""

import re

import equinox as eqx
import jax


def says(argument: str, rule: str) -> str:
    """A pattern of a message that names the argument and the rule; words but for `.*` in it."""
    words = ".*".join(map(re.escape, rule.split(".*")))
    return rf"`{re.escape(argument)}`.*{words}"


def assert_pytree_of_arrays(model: eqx.Module) -> None:
    leaves = jax.tree.leaves(model)
    assert leaves
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    same = jax.tree.map(lambda x: x, model)
    assert bool(eqx.tree_equal(same, model))
    assert type(same) is type(model)
    other = jax.tree.map(lambda x: x + 1, model)
    assert not bool(eqx.tree_equal(other, model))
    through = eqx.filter_jit(lambda m: m)(model)
    assert bool(eqx.tree_equal(through, model))
