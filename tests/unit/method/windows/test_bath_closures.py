"""What becomes of windows: all followed, or averaged over the start's, and what jumps hand over."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import SX, four_couplings, large_spin

import entropax as ex
from entropax.method.windows.bath_closures import EvolvingBaths, FrozenBaths
from entropax.method.windows.memory_kernels import (
    Memories,
    long_memory,
    offsets,
    population_kernel,
    state_kernel,
    transfers,
)
from entropax.model.transition_frequencies import same_frequency


def test_nothing_is_projected() -> None:
    baths = EvolvingBaths.of(large_spin())
    gain = jnp.ones((2, 2, 2, 2))
    assert baths.gain(0, gain) is gain
    assert baths.loss(0, gain) is gain
    assert baths.project(gain) is gain
    assert baths.conditional(gain) is gain
    assert baths.energy_gain(0, gain) is None
    assert not baths.is_frozen


def test_baths_keep_the_windows_of_the_start(rng: np.random.Generator) -> None:
    """Summed over windows, and blown up again by each bath's own distribution."""
    baths = FrozenBaths.of(four_couplings())
    full = jnp.asarray(rng.normal(size=(3, 3, 4, 3)))
    small = baths.project(full)
    assert small.shape == (3, 3, 1, 1)
    np.testing.assert_allclose(small[..., 0, 0], np.asarray(full).sum((2, 3)), rtol=0, atol=1e-14)
    first, second = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0])
    expected = np.asarray(small) * first[:, None] * second
    np.testing.assert_allclose(baths.conditional(small), expected, rtol=0, atol=1e-14)
    assert baths.is_frozen


def test_a_correlated_start_is_taken_apart() -> None:
    bath = ex.WindowBath((0.0, 1.0), (4, 6), 0.5)
    link = ex.Coupling(SX, bath, 0.1, ex.RandomBands())
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Joint([[0.1, 0.2], [0.3, 0.4]]))
    baths = FrozenBaths.of(model)
    start = baths.conditional(baths.project(model.start.on_windows(model)))
    np.testing.assert_allclose(start, np.outer([0.3, 0.7], [0.4, 0.6]), rtol=0, atol=1e-15)


def test_rates_are_those_of_the_start_and_jumps_hand_over_their_energy() -> None:
    """Riera Eq. 3: from the lower window a spin falls at 2 pi lambda^2 V_1 / delta."""
    model = large_spin()

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple[jax.Array, jax.Array, jax.Array]:
        (transfer,), baths = transfers(model), FrozenBaths.of(model)
        memory = long_memory(offsets(model.baths[0], model.spectrum()[0]))
        gain, loss = population_kernel(transfer, Memories(memory, memory))
        return baths.gain(0, gain), baths.loss(0, loss), baths.energy_gain(0, gain)

    gain, loss, heat_given = program(model)
    down = 2 * np.pi / 0.5 * 600.0
    np.testing.assert_allclose(loss, [[0.0], [down]], rtol=1e-14)
    np.testing.assert_allclose(gain[..., 0, 0], [[0.0, down], [0.0, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(heat_given, [0.0, down], rtol=1e-14)


def test_jumps_between_density_matrices_hand_over_what_ends_on_the_diagonal() -> None:
    """Of populations as much as where populations are all there is."""

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple[jax.Array, jax.Array]:
        baths, transfer = FrozenBaths.of(model), transfers(model)[0]
        memory = long_memory(offsets(model.baths[0], model.spectrum()[0]))
        memory = Memories(memory, memory)
        kept = same_frequency(model.spectrum()[0]).astype(float)
        by_states = state_kernel(transfer, memory, kept)[0]
        populations = population_kernel(transfer, memory)[0]
        return baths.energy_gain(0, by_states), baths.energy_gain(0, populations)

    by_states, populations = program(four_couplings())
    assert by_states.shape == (3, 3)
    np.testing.assert_allclose(np.diagonal(by_states), populations, rtol=0, atol=1e-12)
    assert np.abs(populations).max() > 1e-2
