"""The exponential of populations: its symmetric generator, and where a stretch begins."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.windows import four_couplings, large_spin, written

import entropax as ex
from entropax.method.windows.bath_closures import EvolvingBaths
from entropax.method.windows.exponential import Relaxation, _symmetric_generator
from entropax.method.windows.vector_field import WindowEquation

POPULATIONS = WindowEquation(
    EvolvingBaths(),
    memory="infinite",
    secular=True,
    lamb_shift=True,
    first_order=True,
    coherences=False,
    dissipators="global",
    nodes=0,
)


def between_populations(model: ex.OpenSystem) -> np.ndarray:
    """The twin's G, of all 36 populations of `four_couplings`."""
    whole = written(model).reshape(3, 3, 12, 3, 3, 12)
    return np.einsum("kkaqqb->kaqb", whole).reshape(36, 36).real


@pytest.mark.parametrize("resonant", [True, False])
def test_the_generator_is_symmetric_in_roots_of_volume(resonant: bool) -> None:
    """V^{-1/2} G V^{1/2}, against the twin's G between populations."""
    model = four_couplings(6, resonant=resonant, matrix_start=False)
    generator = functools.partial(_symmetric_generator, POPULATIONS)
    program = jax.jit(generator, static_argnums=1)
    symmetric, root = program(model, tuple(range(36)))
    np.testing.assert_allclose(symmetric, np.asarray(symmetric).T, rtol=0, atol=1e-14)
    populations = between_populations(model)
    back = np.asarray(symmetric) * np.asarray(root)[:, None] / np.asarray(root)
    np.testing.assert_allclose(back, populations, rtol=0, atol=1e-13)
    part, _ = program(model, (3, 7, 20))
    np.testing.assert_allclose(
        part, np.asarray(symmetric)[np.ix_([3, 7, 20], [3, 7, 20])], rtol=0, atol=1e-15
    )


def test_a_stretch_begins_where_it_begins() -> None:
    """At its start what was there bit for bit; later the twin's exponential of the time since."""
    model = four_couplings(6, resonant=False, matrix_start=False)

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple[jax.Array, ...]:
        y, stretch = POPULATIONS.begin(model), (jnp.array(2.0), jnp.array(9.0))
        relaxation = Relaxation.of(POPULATIONS, model, y, stretch, tuple(range(36)))
        return y.state, *(relaxation.at(jnp.array(t)).state for t in (2.0, 5.0, 9.0))

    begun, *states = program(model)
    np.testing.assert_array_equal(states[0], begun)
    populations = between_populations(model)
    for since, state in ((3.0, states[1]), (7.0, states[2])):
        expected = scipy.linalg.expm(since * populations) @ np.asarray(begun).ravel()
        np.testing.assert_allclose(np.ravel(state), expected, rtol=0, atol=1e-12)


def test_a_strength_of_one_coupling_is_a_scale_of_time() -> None:
    """Batches over it share the eigenproblem; populations out of reach stay zero."""

    @jax.jit
    def program(model: ex.OpenSystem, time: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, stretch = POPULATIONS.begin(model), (jnp.zeros(()), time)
        relaxation = Relaxation.of(POPULATIONS, model, y, stretch, (1, 2))
        return relaxation.generator, relaxation.at(time).state

    weak, early = program(large_spin(strength=3e-3), jnp.array(4.0))
    strong, late = program(large_spin(strength=6e-3), jnp.array(1.0))
    np.testing.assert_array_equal(weak, strong)
    np.testing.assert_allclose(early, late, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(np.diagonal(early), 0.0)
    np.testing.assert_allclose(np.sum(early), 1.0, rtol=1e-14)
    assert 0.01 < early[0, 1] < 0.6
