"""Where functions of time change fast."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.sharpness import landmarks, with_marks

LOOKS = 2**20


@pytest.mark.parametrize("width", [0.1, 1e-3])
@pytest.mark.parametrize("place", [1.0, 37.3])
def test_a_pulse_is_met_by_many_marks(width: float, place: float) -> None:
    """Half of them within its width, and none bare of its tails to 1e-6 of its height."""
    found = landmarks(lambda t: jnp.exp(-(((t - place) / width) ** 2)), 50.0, looks=LOOKS)
    marks = found.pulses
    assert not found.jumps.size
    away = np.abs(marks - place) / width
    assert 200 < marks.size < 256
    assert np.sum(away < 1) > 80
    assert np.exp(-(np.sort(away)[-2] ** 2)) < 1e-6
    assert np.max(np.diff(marks[away < 2])) < 0.1 * width


def test_jumps_are_found_to_rounding() -> None:
    def box(t: Any) -> Any:
        return jnp.where((t >= 2.3) & (t < 2.3001), 1.0, 0.0)

    found = landmarks(box, 10.0, looks=LOOKS)
    np.testing.assert_allclose(found.jumps, [2.3, 2.3001], rtol=4e-16)
    assert not found.pulses.size


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
    found = landmarks(f, 10.0, looks=LOOKS)
    assert found.jumps.size == found.pulses.size == 0


def test_two_pulses_have_marks_each_and_slow_change_between_them_none() -> None:
    def f(t: Any) -> Any:
        return 0.1 * jnp.sin(t) + sum(jnp.exp(-(((t - c) / 1e-2) ** 2)) for c in (3.0, 7.0))

    marks = landmarks(f, 10.0, looks=LOOKS).pulses
    near = [np.abs(marks - c) < 0.1 for c in (3.0, 7.0)]
    assert all(np.sum(own) > 100 for own in near)
    assert np.all(near[0] | near[1])


PULSE = ex.Smooth(lambda t: jnp.exp(-(((t - 3.0) / 1e-2) ** 2)))


JUNCTION = ex.Junction(PULSE, 0.0, (ex.Lead([0.0], [0.1], 1.0, 0.0),))


def test_a_model_takes_them_as_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropax.sharpness._FINEST", LOOKS)
    marked = with_marks(JUNCTION, 10.0)
    assert marked.marks.shape == (256,)  # some of them after the end
    assert with_marks(JUNCTION, 10.0).marks.tolist() == marked.marks.tolist()
    assert with_marks(JUNCTION, 1.0).marks.shape == marked.breaks.shape == (0,)
    assert with_marks(JUNCTION, 0.0) is JUNCTION
    own = ex.Smooth(PULSE.function, breaks=[3.0])
    assert with_marks(own, 10.0) is own


def test_jumps_become_breaks() -> None:
    found = with_marks(ex.Smooth(lambda t: jnp.where(t < 2.3, 0.0, 1.0)), 10.0)
    assert np.sum(np.asarray(found.breaks) < 10.0) == 1
    assert float(found.breaks[0]) == 2.3


def test_what_a_program_does_not_trace_is_looked_at_as_elsewhere() -> None:
    marks = jax.jit(lambda: with_marks(JUNCTION, 10.0).marks)()
    np.testing.assert_array_equal(marks, with_marks(JUNCTION, 10.0).marks)


@pytest.mark.parametrize(("width", "named"), [(1e-2, None), (1e-4, 1e-4)])
def test_a_traced_function_is_looked_at_by_the_program(width: float, named: Any) -> None:
    @jax.jit
    def marks(place: jax.Array) -> jax.Array:
        pulse = ex.Smooth(lambda t: jnp.exp(-(((t - place) / width) ** 2)), width=named)
        return with_marks(pulse, [0.0, 10.0]).marks

    found = np.asarray(marks(3.0))
    assert np.sum(np.abs(found - 3.0) < width) > 8
    assert np.max(np.abs(found - 3.0)) < 5 * width
    slow = jax.jit(lambda w: with_marks(ex.Smooth(lambda t: jnp.sin(w * t)), 10.0).marks)(1.0)
    assert np.all(np.asarray(slow) > 10.0)
    along = jax.grad(lambda x: x + jnp.sum(marks(x)))(3.0)
    assert float(along) == 1.0
    late = jax.jit(lambda end: with_marks(JUNCTION, end).marks)(10.0)
    assert np.sum(np.abs(np.asarray(late) - 3.0) < 1e-2) > 8


NARROW = ex.Smooth(lambda t: 1e3 * (t - 3.0))


class Users(ex.AbstractProtocol):
    """A pulse whose `width` is a parameter of its own."""

    width: jax.Array

    def __call__(self, time: Any) -> Any:
        return jnp.exp(-(((time - 3.0) / self.width) ** 2))


@pytest.mark.parametrize(
    "protocol",
    [
        ex.Bounded(NARROW, 0.0, 1.0),  # a line, that turns into a step of width 1e-3
        ex.Bounded(ex.PiecewiseLinear([0.0, 10.0], [-3e3, 7e3]), 0.0, 1.0),
        Users(jnp.array(1e-2)),
        ex.Fourier(0.0, np.exp(-((np.arange(300) / 100) ** 2)), np.zeros(300), 7.0),
        ex.Held(PULSE, 0.0, 0.0, 5.0),
    ],
)
@pytest.mark.parametrize("is_traced", [False, True])
def test_protocols_are_looked_at_as_a_whole(
    protocol: ex.AbstractProtocol, is_traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entropax.sharpness._FINEST", LOOKS)
    if is_traced:
        marks = eqx.filter_jit(lambda p: with_marks(p, 10.0).marks)(protocol)
    else:
        marks = with_marks(protocol, 10.0).marks
    place = 7.0 if isinstance(protocol, ex.Fourier) else 3.0
    assert np.sum(np.abs(np.asarray(marks) - place) < 2e-2) > 8


@pytest.mark.parametrize(
    "end", [lambda t: jnp.exp(t), lambda t: jnp.where(t > 5.0, jnp.nan, jnp.cos(t))]
)
def test_what_lies_beyond_a_held_protocol_is_not_looked_at(end: Callable[[Any], Any]) -> None:
    """Growth or NaN after `duration` would hide the pulse before it."""

    def both(t: Any) -> Any:
        return jnp.exp(-(((t - 3.0) / 1e-2) ** 2)) + 1e-3 * end(t)

    marks = np.asarray(with_marks(ex.Held(both, 0.0, 0.0, 4.0), 700.0).marks)
    assert np.sum(np.abs(marks - 3.0) < 1e-2) > 8


class Known(Users):
    """One that names marks of its own."""

    @property
    def marks(self) -> jax.Array:
        return jnp.array([1.25])


def test_marks_of_its_own_are_kept() -> None:
    for protocol in (Known(jnp.array(1e-2)), ex.Held(Known(jnp.array(1e-2)), 0.0, 0.0, 5.0)):
        found = np.asarray(with_marks(protocol, 10.0).marks)
        assert 1.25 in found
        assert np.sum(np.abs(found - 3.0) < 1e-2) > 8


def test_a_jump_that_a_protocol_names_is_no_second_one() -> None:
    held = ex.Held(lambda t: jnp.sin(t), 0.0, 2.0, 5.0)
    found = with_marks(held, 10.0)
    np.testing.assert_array_equal(found.breaks, held.breaks)
    traced = jax.jit(lambda end: with_marks(eqx.tree_at(lambda h: h.end, held, end), 10.0).marks)
    assert np.sum(np.abs(np.asarray(traced(2.0)) - 5.0) < 1e-2) < 4


class Through(eqx.Module):
    """A function with a leaf that is no number."""

    height: Any
    function: Callable[[Any], Any]

    def __call__(self, time: Any) -> Any:
        return self.height * self.function(time)


def test_functions_may_hold_functions() -> None:
    def marks(height: jax.Array) -> jax.Array:
        return with_marks(ex.Smooth(Through(height, jax.jit(PULSE.function))), 10.0).marks

    assert np.sum(np.abs(np.asarray(jax.jit(marks)(1.0)) - 3.0) < 1e-2) > 8


def test_a_width_that_is_named_is_looked_at_closely_enough() -> None:
    narrow = ex.Smooth(lambda t: jnp.exp(-(((t - 3.0) / 1e-5) ** 2)), width=1e-5)
    marks = np.asarray(with_marks(narrow, 10.0).marks)
    assert np.sum(np.abs(marks - 3.0) < 1e-5) > 40
