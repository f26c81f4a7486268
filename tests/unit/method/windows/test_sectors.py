"""Sectors: blocks that the Hamiltonian connects, and what the start fills of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import EXACT, JOINT, KEY, WINDOW, four_couplings, spin

import entropax as ex
from entropax.method.windows.sectors import Sector, find_sectors


def test_a_spin_flip_and_a_band_leave_two_sectors() -> None:
    """(k, E) with k + E even and odd; the start in (1, 0) needs one of them."""
    (odd,) = find_sectors(spin(WINDOW))
    assert odd.blocks == ((0, 1), (1, 0))
    assert odd.filled == ((1, 0),)
    assert odd.size == 7 + 5
    both = find_sectors(spin(JOINT))
    assert [s.blocks for s in both] == [((0, 0), (1, 1)), ((0, 1), (1, 0))]


@pytest.mark.parametrize("name", EXACT)
def test_sectors_are_found(name: str) -> None:
    model, sizes, is_real = EXACT[name]
    method = ex.Schrodinger(key=KEY)
    plan = method.plan(model, jnp.zeros(1))
    setting = jax.eval_shape(lambda: method._hamiltonian(plan))
    assert [h.shape[0] for h in setting.resting] == sizes
    assert all(np.issubdtype(h.dtype, np.complexfloating) != is_real for h in setting.resting)


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (EXACT["canonical"].model, [5, 7]),
        (EXACT["coherent"].model, [5, 5]),
        (EXACT["orthogonal"].model, [5]),
        (EXACT["all kinds"].model, [75]),
        (four_couplings(), [3 * 18 * 4]),
    ],
    ids=["canonical", "coherent", "orthogonal", "all kinds", "four couplings"],
)
def test_states_that_the_start_may_fill(model: ex.OpenSystem, columns: list[int]) -> None:
    assert [len(s.columns) for s in find_sectors(model)] == columns


def test_states_of_a_sector_are_numbered_block_by_block() -> None:
    sector = Sector(((1, 0, 1), (0, 1, 0)), ((0, 1, 0),), (2, 2, 2), ((1, 2), (3, 2)))
    assert sector.spans == {(1, 0, 1): slice(0, 2), (0, 1, 0): slice(2, 8)}
    np.testing.assert_array_equal(sector.level, [1, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(sector.place[0], [0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(sector.place[1], [3, 4, 0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(sector.bath_state, [3, 4, 5, 6, 7, 10, 11, 12])
    np.testing.assert_array_equal(sector.columns, np.arange(2, 8))


def test_what_is_traced_is_one_sector_and_filled() -> None:
    found: list[tuple[Sector, ...]] = []

    def look(operator: jax.Array, p: jax.Array) -> jax.Array:
        bath = ex.WindowBath((0.0, 1.0), (5, 7), 0.5)
        link = ex.Coupling(operator, bath, 0.1, ex.RandomBands())
        model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=p, windows=(0,)))
        found.append(find_sectors(model))
        return jnp.zeros(())

    jax.eval_shape(look, jnp.eye(2), jnp.ones(2))
    (whole,) = found[0]
    assert whole.size == len(whole.columns) == 24
