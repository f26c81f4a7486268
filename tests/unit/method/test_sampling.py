"""A driven model looked at now and then: every stretch, what is marked, levels that stay apart."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import QUENCH, QUENCH_TIMES, driven, known_samples, large_spin

import entropax as ex
from entropax.method.sampling import certainly_apart, samples
from entropax.sharpness import with_marks


def test_a_driven_model_is_looked_at_in_every_stretch() -> None:
    seen = known_samples(driven(QUENCH), [7.0, 0.0])
    energies = seen.each(lambda now: now.spectrum()[0])
    np.testing.assert_array_equal(energies[:, 1], [1.0, 2.0, 0.4])
    assert known_samples(large_spin(), [7.0]).times.shape == (1,)
    ramp = driven(ex.PiecewiseLinear((0.0, 2.0, 9.0), (1.0, 2.0, 0.0)))
    along = known_samples(ramp, [2.0])
    assert along.times.shape == (16,)
    slopes = along.at_each(ramp.slopes)
    np.testing.assert_allclose(slopes[:, 1], 0.5, rtol=1e-14)
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


def test_levels_that_meet_at_some_time_are_not_certainly_apart() -> None:
    ts = jnp.asarray(QUENCH_TIMES)
    assert certainly_apart(samples(large_spin(), ts))
    assert certainly_apart(samples(driven(QUENCH), ts))
    meeting = driven(ex.PiecewiseConstant((2.0,), (1.0, 0.0)))
    assert not certainly_apart(samples(meeting, ts))
    assert certainly_apart(samples(meeting, jnp.array([1.0])))
    assert not certainly_apart(None)
