"""Where functions of time change fast."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.sharpness import landmarks, with_marks

LOOKS = 2**20


def many(f: Callable[[Any], Any]) -> Any:
    return jax.jit(jax.vmap(f))


@pytest.mark.parametrize("width", [0.1, 1e-3])
@pytest.mark.parametrize("place", [1.0, 37.3])
def test_a_pulse_is_met_by_many_marks(width: float, place: float) -> None:
    """Half of them within its width, and none bare of its tails to 1e-6 of its height."""
    marks = landmarks(many(lambda t: jnp.exp(-(((t - place) / width) ** 2))), 50.0, looks=LOOKS)
    away = np.abs(marks - place) / width
    assert 200 < marks.size < 256
    assert np.sum(away < 1) > 80
    assert np.exp(-(np.sort(away)[-2] ** 2)) < 1e-6
    assert np.max(np.diff(marks[away < 2])) < 0.1 * width


def test_jumps_are_found_to_rounding() -> None:
    def box(t: Any) -> Any:
        return jnp.where((t >= 2.3) & (t < 2.3001), 1.0, 0.0)

    marks = landmarks(many(box), 10.0, looks=LOOKS)
    np.testing.assert_allclose(marks, [2.3, 2.3001], rtol=4e-16)


@pytest.mark.parametrize(
    "f",
    [
        lambda t: jnp.cos(3.0 * t),
        lambda t: 0.3 * t,
        lambda t: jnp.sin(200.0 * t) + 0.1 * t,
        lambda t: jnp.zeros_like(t),
    ],
)
def test_what_changes_evenly_has_no_marks(f: Callable[[Any], Any]) -> None:
    assert landmarks(many(f), 10.0, looks=LOOKS).size == 0


def test_two_pulses_have_marks_each_and_slow_change_between_them_none() -> None:
    def f(t: Any) -> Any:
        return 0.1 * jnp.sin(t) + sum(jnp.exp(-(((t - c) / 1e-2) ** 2)) for c in (3.0, 7.0))

    marks = landmarks(many(f), 10.0, looks=LOOKS)
    near = [np.abs(marks - c) < 0.1 for c in (3.0, 7.0)]
    assert all(np.sum(own) > 100 for own in near)
    assert np.all(near[0] | near[1])


PULSE = ex.Smooth(lambda t: jnp.exp(-(((t - 3.0) / 1e-2) ** 2)))


def test_a_model_takes_them_as_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropax.sharpness._FINEST", LOOKS)
    junction = ex.Junction(PULSE, 0.0, (ex.Lead([0.0], [0.1], 1.0, 0.0),))
    marked = with_marks(junction, 10.0)
    assert marked.breaks.shape == (256,)  # some of them after the end
    assert with_marks(junction, 10.0).breaks.tolist() == marked.breaks.tolist()
    assert with_marks(junction, 1.0).breaks.shape == (0,)
    assert with_marks(junction, 0.0) is junction
    own = ex.Smooth(PULSE.function, breaks=[3.0])
    assert with_marks(own, 10.0) is own
    traced = jax.jit(lambda last: with_marks(junction, last).breaks)(10.0)
    assert traced.shape == (0,)


def test_a_width_that_is_named_is_looked_at_closely_enough() -> None:
    narrow = ex.Smooth(lambda t: jnp.exp(-(((t - 3.0) / 1e-5) ** 2)), width=1e-5)
    marks = np.asarray(with_marks(narrow, 10.0).breaks)
    assert np.sum(np.abs(marks - 3.0) < 1e-5) > 40
