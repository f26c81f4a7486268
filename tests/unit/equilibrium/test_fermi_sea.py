"""Modes seen from the filled Fermi sea, from both ends of the band."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.equilibrium.fermi_sea import Sea, from_nearer_end, ranks, sides

ENERGIES = np.array([3.0, 1.0, 2.0, 1.0 + 2.0**-52])


@jax.jit
def seen(energies: jax.Array, sign: jax.Array, filled: jax.Array, offset: jax.Array) -> Sea:
    return Sea.seen(energies, sign, sides(ranks(energies), sign, filled), offset)


def test_equal_modes_fill_in_their_order_from_either_end() -> None:
    rank = ranks(jnp.array([0.5, -1.0, 0.5, 0.5]))
    np.testing.assert_array_equal(rank, [1, 0, 2, 3])
    np.testing.assert_array_equal(sides(rank, jnp.array(1.0), jnp.array(2)), [-1, -1, 1, 1])
    np.testing.assert_array_equal(sides(rank, jnp.array(-1.0), jnp.array(2)), [1, 1, -1, -1])


@pytest.mark.parametrize(
    ("sign", "filled", "offset", "level", "middle", "e"),
    [
        (1.0, 2, 0.25, 2.0, 1.5, (0.5, -0.5, 0.0, -0.5)),  # the next particle comes to 2
        (1.0, 2, -0.25, 1.0, 1.5, (1.0, 0.0, 0.5, 0.0)),  # the next hole to 1, to rounding
        (-1.0, 1, 0.0, 2.0, 2.5, (-0.5, 0.5, 0.0, 0.5)),  # from above: 3 is in the sea
        (1.0, 0, 0.0, 1.0, -np.inf, (1.0, 0.0, 0.5, 0.0)),
        (1.0, 4, 0.0, 3.0, np.inf, (0.0, -1.0, -0.5, -1.0)),
    ],
)
def test_sea(
    sign: float, filled: int, offset: float, level: float, middle: float, e: tuple
) -> None:
    sea = seen(ENERGIES, sign, filled, offset)
    assert float(sea.level) == pytest.approx(level, abs=1e-15)
    assert float(sea.middle) == pytest.approx(middle, abs=1e-15)
    assert float(sea.scale) == 2.0
    np.testing.assert_allclose(sea.e, e, rtol=0, atol=1e-15)
    # what is in the sea lies below its level, and what is at the level is there exactly
    assert np.all(np.asarray(sea.side * sea.e) >= 0)
    assert np.count_nonzero(sea.e) == np.count_nonzero(e)


def test_modes_at_one_energy_are_all_at_the_level() -> None:
    sea = seen(np.full(4, 0.7), 1.0, 2, 0.4)
    np.testing.assert_array_equal(sea.e, 0.0)
    assert float(sea.scale) == 1.0


def test_nearer_end_has_the_smaller_excess() -> None:
    """Both are looked at; a tie goes to the lower end."""

    def look(excess: dict[float, float], sign: jax.Array) -> tuple[jax.Array, jax.Array]:
        return sign, jnp.where(sign > 0, excess[1.0], excess[-1.0])

    for low, high, nearer in ((0.2, 0.3, 1.0), (0.3, 0.2, -1.0), (0.3, 0.3, 1.0)):
        sign, excess = from_nearer_end(functools.partial(look, {1.0: low, -1.0: high}))
        assert (float(sign), float(excess)) == (nearer, min(low, high))
