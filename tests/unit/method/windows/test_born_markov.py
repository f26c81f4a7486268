"""Frozen baths: what is averaged over the start's windows, and what jumps hand over."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import SX, four_couplings, large_spin

import entropax as ex
from entropax.method.windows.memory_kernels import (
    long_memory,
    offsets,
    population_kernel,
    transfers,
)

METHOD = ex.BornMarkovSecular()


def test_baths_keep_the_windows_of_the_start(rng: np.random.Generator) -> None:
    """Summed over windows, and blown up again by each bath's own distribution."""
    model = four_couplings()
    full = jnp.asarray(rng.normal(size=(3, 3, 4, 3)))
    small = METHOD.project(model, full)
    assert small.shape == (3, 3, 1, 1)
    np.testing.assert_allclose(small[..., 0, 0], np.asarray(full).sum((2, 3)), rtol=0, atol=1e-14)
    first, second = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0])
    expected = np.asarray(small) * first[:, None] * second
    np.testing.assert_allclose(METHOD.conditional(model, small), expected, rtol=0, atol=1e-14)


def test_a_correlated_start_is_taken_apart() -> None:
    bath = ex.WindowBath((0.0, 1.0), (4, 6), 0.5)
    link = ex.Coupling(SX, bath, 0.1, ex.RandomBands())
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Joint([[0.1, 0.2], [0.3, 0.4]]))
    start = METHOD.conditional(model, METHOD._start(model))
    np.testing.assert_allclose(start, np.outer([0.3, 0.7], [0.4, 0.6]), rtol=0, atol=1e-15)


def test_rates_are_those_of_the_start_and_jumps_hand_over_their_energy() -> None:
    """Riera Eq. 3: from the lower window a spin falls at 2 pi lambda^2 V_1 / delta."""
    model = large_spin()

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple[jax.Array, jax.Array, jax.Array]:
        (transfer,) = transfers(model)
        gain, loss = population_kernel(transfer, long_memory(offsets(model, 0)))
        heat_given = METHOD.energy_gain(model, 0, gain)
        return METHOD.gain(model, 0, gain), METHOD.loss(model, 0, loss), heat_given

    gain, loss, heat_given = program(model)
    down = 2 * np.pi / 0.5 * 600.0
    np.testing.assert_allclose(loss, [[0.0], [down]], rtol=1e-14)
    np.testing.assert_allclose(gain[..., 0, 0], [[0.0, down], [0.0, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(heat_given, [0.0, down], rtol=1e-14)
