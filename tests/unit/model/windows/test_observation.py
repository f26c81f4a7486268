"""Observations: which level is in which window, and misuse in words."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, WINDOW, bath, strong_spin

import entropax as ex

THREE = strong_spin(WINDOW).baths[0]
LEVELS = THREE.draw_levels()


def window_of(observation: ex.Observation) -> np.ndarray:
    members = np.asarray(observation.fitted(2, [THREE]).members(0, THREE, LEVELS)[0])
    np.testing.assert_array_equal(members.sum(axis=1), 1.0)
    return np.argmax(members, axis=1)


def test_windows_of_the_model_and_of_each_level() -> None:
    expected = [0] * 3 + [1] * 5 + [2] * 6
    np.testing.assert_array_equal(window_of(ex.Observation()), expected)
    np.testing.assert_array_equal(window_of(ex.Observation(windows=[None])), expected)
    np.testing.assert_array_equal(window_of(ex.Observation(windows=["levels"])), np.arange(14))


def test_windows_of_a_width_begin_at_the_lowest_edge() -> None:
    """From -0.25 to 2.25, in pieces of 1: a level on an edge is in the window above."""
    levels = np.array([-0.25, 0.0, 0.2, 0.75, 0.8, 1.0, 1.1, 1.2, 1.75, 1.8, 1.9, 2.0, 2.1, 2.2])
    given = ex.WindowBath((0.0, 1.0, 2.0), (3, 5, 6), 0.5, levels=levels)
    fitted = ex.Observation(windows=[1.0]).fitted(2, [given])
    members = np.asarray(fitted.members(0, given, jnp.asarray(levels))[0])
    assert members.shape == (14, 3)
    np.testing.assert_array_equal(members.sum(axis=0), [3, 5, 6])


def test_windows_by_edges_are_closed_below_and_the_last_one_above() -> None:
    edges = (-0.25, 0.75, 1.0, 2.25)
    where = np.searchsorted(edges, np.asarray(LEVELS), side="right") - 1
    np.testing.assert_array_equal(window_of(ex.Observation(windows=[edges])), where)
    top = float(LEVELS[-1])
    assert window_of(ex.Observation(windows=[(-0.25, 0.75, top)]))[-1] == 1


def test_random_levels_are_judged_when_they_are_drawn() -> None:
    drawn = bath(levels="random")
    fitted = ex.Observation(windows=[(0.0, 1.0)]).fitted(2, [drawn])
    program = eqx.filter_jit(lambda levels: fitted.members(0, drawn, levels))
    members, faults = program(drawn.draw_levels(KEY))
    assert np.all(np.isnan(members))
    assert bool(faults.present[0])
    assert "within `windows[0]`, which must cover" in faults.messages[0]


def solve_observed(observation: ex.Observation) -> object:
    method = ex.Schrodinger(KEY, observation=observation)
    return ex.solve(strong_spin(WINDOW), [0.0, 1.0], method)


BAD: dict[str, tuple[Callable, str]] = {
    "not orthonormal": (
        lambda: ex.Observation(basis=[[1.0, 1.0], [0.0, 1.0]]),
        "`basis` must be orthonormal vectors as columns, but their overlaps are off by up to 1",
    ),
    "not square": (lambda: ex.Observation(basis=[[1.0, 0.0]]), "`basis` must be a square matrix"),
    "no basis": (lambda: ex.Observation(basis="x"), '`basis` must be "energy"'),  # pyright: ignore[reportArgumentType]
    "other system": (
        lambda: solve_observed(ex.Observation(basis=np.eye(3))),
        r"`basis` must have the system's dimension \(2\)",
    ),
    "uncovered": (
        lambda: solve_observed(ex.Observation(windows=[(0.0, 1.0, 2.3)])),
        r"`levels` must be within `windows\[0\]`, which must cover the spectrum, but has -0.25",
    ),
    "unordered": (
        lambda: ex.Observation(windows=[(0.0, 2.0, 1.0)]),
        r"`windows\[0\]` must be ascending, but has 1.0 at index 2",
    ),
    "one edge": (lambda: ex.Observation(windows=[(0.0,)]), "must hold two edges at least"),
    "no width": (lambda: ex.Observation(windows=[0.0]), r"`windows\[0\]` must be positive"),
    "word": (lambda: ex.Observation(windows=["window"]), r'`windows\[0\]` must be None, "levels"'),
    "no sequence": (lambda: ex.Observation(windows="levels"), "`windows` must be a sequence"),
    "baths": (
        lambda: solve_observed(ex.Observation(windows=[None, None])),
        r"`windows` must have one entry per bath \(1\), but has 2",
    ),
    "type": (lambda: ex.Schrodinger(KEY, observation="energy"), "must be an Observation"),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
