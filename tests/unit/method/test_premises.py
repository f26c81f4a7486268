"""What a master equation looks at before it runs: levels apart, dead transitions, speed, reach."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import QUENCH, QUENCH_TIMES, SX, WINDOW, driven, large_spin, spin

import entropax as ex
from entropax.method.premises import (
    Samples,
    certainly_apart,
    name_dead_transitions,
    name_fast_driving,
    reached,
    samples,
)
from entropax.sharpness import with_marks


def known_samples(model: ex.OpenSystem, ts: list[float]) -> Samples:
    found = samples(model, jnp.array(ts))
    assert found is not None
    return found


def tiles(gap: float, operator: np.ndarray = SX) -> ex.OpenSystem:
    """Six windows that touch; the start is in the third one."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(10, 12, 14, 17, 20, 24), width=1.0)
    link = ex.Coupling(operator, bath, 3e-2, ex.RandomBands(1.0))
    return ex.OpenSystem((0.0, gap), (link,), ex.Product(system=1, windows=(2,)))


def test_a_driven_model_is_looked_at_in_every_stretch() -> None:
    seen = known_samples(driven(QUENCH), [7.0, 0.0])
    energies = seen.each(lambda now: now.spectrum()[0])
    np.testing.assert_array_equal(energies[:, 1], [1.0, 2.0, 0.4])
    assert known_samples(large_spin(), [7.0]).times.shape == (1,)
    ramp = driven(ex.PiecewiseLinear((0.0, 2.0, 9.0), (1.0, 2.0, 0.0)))
    along = known_samples(ramp, [2.0])
    assert along.times.shape == (16,)
    np.testing.assert_allclose(along.slopes()[:, 1], 0.5, rtol=1e-14)
    unknown = []
    jax.eval_shape(lambda t: unknown.append(samples(ramp, t)) or t, jnp.ones(2))
    assert unknown == [None]
    assert samples(ramp, jnp.zeros(1)) is None


def test_what_is_marked_as_fast_is_looked_at_too() -> None:
    bump = driven(ex.Smooth(lambda t: 1.0 - jnp.exp(-(((t - 3.07) / 1e-3) ** 2))))
    ts = jnp.array([9.0])
    assert certainly_apart(samples(bump, ts))  # levels meet between all samples
    marked = samples(with_marks(bump, ts), ts)
    assert marked is not None
    assert marked.times.size > 30
    energies = marked.each(lambda now: now.spectrum()[0])
    assert np.min(energies[:, 1]) < 0.1


def test_what_a_program_traces_hides_nothing_else() -> None:
    """A strength is no energy."""
    found, known, ts = [], driven(QUENCH), jnp.array([7.0])

    def program(strength: jax.Array) -> jax.Array:
        model = eqx.tree_at(lambda m: m.couplings[0].strength, known, strength)
        seen = samples(model, ts)
        found.append(certainly_apart(seen))
        name_dead_transitions(model, seen)
        name_fast_driving(model, seen)
        return strength

    jax.eval_shape(program, jnp.ones(()))
    assert found == [True]


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
    assert not certainly_apart(None)


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

    def name(*slopes: float) -> None:
        lines = [ex.PiecewiseLinear((0.0, 1.0), (0.0, slope)) for slope in slopes]
        model = ex.OpenSystem(lines, large_spin().couplings, WINDOW)
        name_fast_driving(model, known_samples(model, [1.0]))

    with pytest.warns(UserWarning, match=r"Energies move by 75\.4 windows"):
        name(-1.0, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name(3.0, 3.0)
        name_fast_driving(large_spin(), None)
