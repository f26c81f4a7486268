"""What a master equation looks at before it runs: levels apart, dead transitions, speed, reach."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import QUENCH, QUENCH_TIMES, SX, WINDOW, driven, large_spin, spin

import entropax as ex
from entropax.method.premises import (
    Sample,
    certainly_apart,
    name_dead_transitions,
    name_fast_driving,
    reached,
    samples,
)


def tiles(gap: float, operator: np.ndarray = SX) -> ex.OpenSystem:
    """Six windows that touch; the start is in the third one."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(10, 12, 14, 17, 20, 24), width=1.0)
    link = ex.Coupling(operator, bath, 3e-2, ex.RandomBands(1.0))
    return ex.OpenSystem((0.0, gap), (link,), ex.Product(system=1, windows=(2,)))


def test_a_driven_model_is_looked_at_in_every_stretch() -> None:
    energies = [s.model.spectrum()[0][1] for s in samples(driven(QUENCH), jnp.array([7.0, 0.0]))]
    np.testing.assert_array_equal(energies, [1.0, 2.0, 0.4])
    assert len(samples(large_spin(), jnp.array([7.0]))) == 1
    ramp = driven(ex.PiecewiseLinear((0.0, 2.0, 9.0), (1.0, 2.0, 0.0)))
    along = samples(ramp, jnp.array([2.0]))
    assert len(along) == 16
    np.testing.assert_allclose([s.slopes[1] for s in along], 0.5, rtol=1e-14)
    assert jax.eval_shape(lambda t: jnp.zeros(len(samples(ramp, t))), jnp.ones(2)).shape == (0,)


@pytest.mark.parametrize(
    ("gap", "flat"),
    # flat index: level * 6 + window. On resonance there and back; off it two windows share a jump
    [(1.0, (3, 8)), (1.5, tuple(range(1, 11))), (9.0, (8,))],
)
def test_populations_that_rates_lead_to(gap: float, flat: tuple[int, ...]) -> None:
    assert reached(tiles(gap)) == flat


def test_what_is_traced_is_not_reached_for() -> None:
    known = []
    jax.eval_shape(lambda gap: known.append(reached(tiles(gap))) or jnp.zeros(()), jnp.ones(()))
    assert known == [None]


def test_levels_that_meet_at_some_time_are_not_certainly_apart() -> None:
    ts = jnp.asarray(QUENCH_TIMES)
    assert certainly_apart(samples(large_spin(), ts))
    assert certainly_apart(samples(driven(QUENCH), ts))
    meeting = driven(ex.PiecewiseConstant((2.0,), (1.0, 0.0)))
    assert not certainly_apart(samples(meeting, ts))
    assert certainly_apart(samples(meeting, jnp.array([1.0])))
    assert not certainly_apart([])


def test_a_jump_no_window_can_take_is_named() -> None:
    away = spin(WINDOW, centers=(0.0, 2.0))
    with pytest.warns(UserWarning, match=r"transitions 1 -> 0, 0 -> 1 of `couplings\[0\]`"):
        name_dead_transitions(away, samples(away, jnp.ones(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dephasing = tiles(1.0, np.diag([1.0, -1.0]))  # no change of energy, no jump
        name_dead_transitions(dephasing, samples(dephasing, jnp.ones(1)))
        passing = driven(ex.PiecewiseConstant((1.0,), (9.0, 1.0)))  # alive in one stretch
        name_dead_transitions(passing, samples(passing, jnp.array([2.0])))


def test_windows_within_the_memory_are_counted() -> None:
    """3 per time, over 2 pi / 0.5, in windows of 0.5: 75.4."""
    rest = Sample(large_spin(), jnp.zeros(2))
    with pytest.warns(UserWarning, match=r"Energies move by 75\.4 windows"):
        name_fast_driving(rest.model, [rest, rest._replace(slopes=jnp.array([-1.0, 2.0]))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name_fast_driving(rest.model, [rest._replace(slopes=jnp.array([3.0, 3.0]))])
        name_fast_driving(rest.model, [])
