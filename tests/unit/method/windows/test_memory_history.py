"""The memory of driven baths: nodes of the triangle against the closed integral."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.method.windows.memory_history import (
    begin_history,
    history_rate,
    memory_of,
    nodes_until,
    reach_of,
)
from entropax.method.windows.memory_kernels import finite_memory

OFFSETS = jnp.array([0.0, 0.4, -1.0, 6.0])[None, None, None, :]
WIDTH = jnp.array(0.5)


@pytest.mark.parametrize("time", [0.3, 40.0, 600.0])
def test_a_strength_of_one_remembers_the_memory_integral(time: float) -> None:
    """g = (e^{i omega t} - 1)/(i omega), weighted as the triangle is."""
    nodes = nodes_until(0.5 * time)
    begin = begin_history((1, 1, 1, 4), nodes)
    turning = np.asarray(history_rate(begin.at[0].set(1.0), OFFSETS, WIDTH, jnp.zeros(())))[1]
    phase = turning * time
    safe = np.where(phase == 0, 1.0, phase)
    g = time * np.where(phase == 0, 1.0, (np.exp(1j * safe) - 1.0) / (1j * safe))
    memory = memory_of(jnp.stack([jnp.asarray(g.real), jnp.asarray(g.imag)]), WIDTH)
    expected = finite_memory(OFFSETS, WIDTH * time)
    np.testing.assert_allclose(memory, expected, rtol=0, atol=1e-11)


def test_the_history_is_integrated_with_the_state() -> None:
    nodes = nodes_until(2.0)

    def field(t: jax.Array, g: jax.Array, args: None) -> jax.Array:
        del t, args
        return history_rate(g, OFFSETS, WIDTH, jnp.array(1.0))

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Dopri8(),
        0.0,
        4.0,
        None,
        begin_history((1, 1, 1, 4), nodes),
        stepsize_controller=diffrax.PIDController(1e-11, 1e-13),
    )
    assert solution.ys is not None
    expected = finite_memory(OFFSETS, jnp.array(2.0))
    np.testing.assert_allclose(memory_of(solution.ys[0], WIDTH), expected, rtol=0, atol=1e-10)


def test_nodes_and_their_reach_belong_together() -> None:
    for reach in (0.0, 3.0, 500.0):
        assert reach_of(nodes_until(reach)) >= reach
