"""Window baths: the levels they hold, and misuse in words."""

import re
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, bath

import entropax as ex


def test_even_levels_are_rieras() -> None:
    levels = bath().draw_levels()
    expected = [*(-0.25 + 0.5 * np.arange(4) / 4), *(0.75 + 0.5 * np.arange(6) / 6)]
    np.testing.assert_allclose(levels, expected, rtol=0, atol=1e-15)


def test_random_levels_stay_in_their_windows_and_follow_the_key() -> None:
    many = bath(volumes=(4000, 6000), levels="random")
    drawn = np.asarray(many.draw_levels(KEY))
    first, second = drawn[:4000], drawn[4000:]
    for levels, center in ((first, 0.0), (second, 1.0)):
        assert np.all(np.abs(levels - center) <= 0.25)
        assert np.all(np.diff(levels) >= 0)
        assert abs(levels.mean() - center) < 5 * 0.5 / np.sqrt(12 * len(levels))
    assert np.any(many.draw_levels(jax.random.key(4)) != drawn)


def test_given_levels_and_touching_windows() -> None:
    levels = np.concatenate([np.linspace(-0.5, 0.49, 4), np.linspace(0.5, 1.49, 6)])
    np.testing.assert_array_equal(bath(width=1.0, levels=levels).draw_levels(), levels)


def test_volumes_of_any_integer_kind() -> None:
    for volumes in (np.array([4, 6]), jnp.array([4, 6]), [np.int32(4), 6]):
        assert bath(volumes=volumes).volumes == (4, 6)


def test_windows_and_sizes_are_counted() -> None:
    three = ex.WindowBath((2.0, 0.0, 1.0), (3, 1, 2), 0.5)
    assert (three.windows, three.size) == (3, 6)
    np.testing.assert_array_equal(three.window_of_level, [0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(three.volume, [3.0, 1.0, 2.0])
    assert not three.is_random


def test_a_traced_width_is_judged_when_the_program_runs() -> None:
    width = eqx.filter_jit(lambda w: bath(width=w).width)
    assert width(jnp.array(0.5)) == 0.5
    assert np.isnan(width(jnp.array(1.1)))


BAD: dict[str, tuple[Callable, str, str]] = {
    "no volume": (lambda: bath(volumes=(0, 3)), "volumes", "positive integers, but has 0"),
    "half a level": (lambda: bath(volumes=(2.5, 3)), "volumes", "integers, but has 2.5"),
    "one volume": (lambda: bath(volumes=(2,)), "volumes", "one entry per center (2"),
    "no window": (lambda: bath(centers=(), volumes=()), "volumes", "at least 1"),
    "overlap": (lambda: bath(width=1.1), "width", "do not overlap, but is 1.1"),
    "no width": (lambda: bath(width=0.0), "width", "positive, but is 0"),
    "levels by a word": (lambda: bath(levels="odd"), "levels", "'odd'"),
    "levels outside": (lambda: bath(levels=[0.0] * 10), "levels", "inside their windows"),
    "levels missing": (lambda: bath(levels=[0.0] * 3), "levels", "(10), but has 3"),
    "volumes a number": (lambda: bath(volumes=5), "volumes", "sequence"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{re.escape(rule)}"):
        build()
