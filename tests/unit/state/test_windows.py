"""States of window baths: what a method does not know is None, and `frozen` is no number."""

import jax
import jax.numpy as jnp
import pytest

from entropax.state import WindowState


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_not_known_is_none(frozen: bool) -> None:
    joint = jnp.array([[0.2, 0.3], [0.1, 0.4]])
    zeros = jnp.zeros(2)
    state = WindowState(joint, None, jnp.eye(2), zeros, zeros[:1], zeros[0], frozen=frozen)
    unknown = (state.interaction_energy, state.mutual_information, state.observed, state.faults)
    assert unknown == (None,) * 4
    assert len(jax.tree.leaves(state)) == 5
    other = WindowState(joint, None, jnp.eye(2), zeros, zeros[:1], zeros[0], frozen=not frozen)
    assert jax.tree.structure(state) != jax.tree.structure(other)
