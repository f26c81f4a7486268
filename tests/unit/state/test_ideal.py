"""States between ideal baths: sound and without a production of their own, unless told."""

import jax
import jax.numpy as jnp

from entropax.state import SystemState


def test_what_is_told_only_where_it_is_known() -> None:
    rho, rates, zero = jnp.eye(2) / 2, jnp.zeros(1), jnp.zeros(())
    moment = rho, rho, rho, rho[None], rates, rates, zero, rates, rates, zero
    state = SystemState(*moment, log_stationary=None, speed=zero)
    assert state.production is None
    assert not state.faults.messages
    batch = jax.vmap(lambda x: SystemState(*(x, *moment[1:]), None, zero))(jnp.stack([rho] * 3))
    assert batch.state.shape == (3, 2, 2)
