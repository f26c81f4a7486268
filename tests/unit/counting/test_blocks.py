"""Blocks of sites, and functions of what they are filled with."""

import jax.numpy as jnp
import numpy as np

from entropax.counting.blocks import Block, Occupied, assembled


def block(energies: np.ndarray, sites: list[int]) -> Block:
    return Block(jnp.array(sites), jnp.asarray(energies), jnp.array(1.3), jnp.array(0.2), None)


def test_powers_of_occupations_of_modes_and_of_matrices() -> None:
    energies = np.array([-0.4, 0.1, 0.9])
    n = 1 / (1 + np.exp(1.3 * (energies - 0.2)))
    powers = block(energies, [0, 1, 2]).occupied(0.3, -0.7 + 0.2j)
    np.testing.assert_allclose(powers, n**0.3 * (1 - n) ** (-0.7 + 0.2j), rtol=1e-13)
    rng = np.random.default_rng(3)
    v = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    turned = block((v * energies) @ v.conj().T, [0, 1, 2]).occupied(0.3, -0.7 + 0.2j)
    np.testing.assert_allclose(turned, (v * np.asarray(powers)) @ v.conj().T, rtol=0, atol=1e-13)


def test_nothing_to_a_power() -> None:
    empty = Block(jnp.array([0]), jnp.zeros(1), None, None, jnp.zeros(1))
    assert float(empty.occupied(0.0, 1.0)[0]) == 1.0
    assert float(empty.occupied(1.0, 0.0)[0]) < 1e-299
    assert float(empty.occupied(0.5, 0.5)[0]) < 1e-149


def test_a_slope_is_that_of_the_function() -> None:
    function = Occupied(0.3, 0.5, jnp.array(1.3), jnp.array(0.2), 1e-300)
    x, h = jnp.array([0.4]), 1e-5
    central = (function(x + h) - function(x - h)) / (2 * h)
    np.testing.assert_allclose(function.derivative()(x), central, rtol=1e-8)


def test_parts_are_put_where_their_sites_are() -> None:
    blocks = [block(np.zeros(1), [2]), block(np.zeros(2), [0, 1])]
    vector = assembled(blocks, [jnp.array([3.0]), jnp.array([1.0, 2.0])])
    np.testing.assert_array_equal(vector, [1.0, 2.0, 3.0])
    matrix = assembled(blocks, [jnp.array([3.0]), jnp.array([[1.0, 5.0], [5.0, 2.0]])])
    np.testing.assert_array_equal(matrix, [[1, 5, 0], [5, 2, 0], [0, 0, 3]])
