"""Protocols: values, jumps, slopes, what is held, bad input."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate
from derivatives import check_derivative, difference, one_sided_difference

import entropax as ex
from entropax.control import trainable

TIMES, VALUES = (0.0, 1.0, 1.7, 3.0), (0.3, -1.0, 2.0, 0.5)
MLP = eqx.nn.MLP("scalar", "scalar", 5, 1, jax.nn.tanh, key=jax.random.key(1))
SMOOTH = {
    "spline": ex.CubicSpline(TIMES, VALUES),
    "fourier": ex.Fourier(0.4, (0.2, -0.1), (0.3, 0.7), period=2.5),
    "linear": ex.PiecewiseLinear(TIMES, VALUES),
    "bounded": ex.Bounded(ex.CubicSpline(TIMES, VALUES), -0.5, 1.0),
    "bounded line": ex.Bounded(ex.PiecewiseLinear(TIMES, VALUES), -0.5, 1.0),
    "bounded ends": ex.Bounded(ex.Held(ex.CubicSpline(TIMES, VALUES), 5.0, 6.0, 3.0), -0.5, 1.0),
    "held": ex.Held(ex.CubicSpline(TIMES, VALUES), 5.0, 6.0, 3.0),
    "function": ex.Held(lambda t: jnp.sin(3 * t), 0.0, 0.0, 3.0),
    "network": ex.Held(MLP, 0.0, 0.0, 3.0),
}


@eqx.filter_jit
def values(protocol, times: jax.Array) -> jax.Array:
    return jax.vmap(protocol)(times)


@eqx.filter_jit
def inside(protocol, time: jax.Array, stretch: tuple) -> tuple[jax.Array, jax.Array]:
    """Value and slope."""
    return protocol.within(time, stretch), protocol.slope(time, stretch)


def test_spline_is_the_natural_one() -> None:
    ours = values(SMOOTH["spline"], jnp.linspace(0.0, 3.0, 41))
    scipys = scipy.interpolate.CubicSpline(TIMES, VALUES, bc_type="natural")
    np.testing.assert_allclose(ours, scipys(np.linspace(0.0, 3.0, 41)), rtol=0, atol=1e-14)
    two = ex.CubicSpline((0.0, 2.0), (1.0, 3.0))
    np.testing.assert_allclose(two(jnp.array(0.5)), 1.5, rtol=1e-15)


def test_fourier_is_its_sum() -> None:
    t = 0.7
    phase = 2 * np.pi * t / 2.5
    wanted = 0.4 + 0.2 * np.cos(phase) - 0.1 * np.cos(2 * phase)
    wanted += 0.3 * np.sin(phase) + 0.7 * np.sin(2 * phase)
    np.testing.assert_allclose(SMOOTH["fourier"](jnp.array(t)), wanted, rtol=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_slope_is_the_derivative_inside_a_stretch(name: str) -> None:
    given = SMOOTH[name]
    edges = np.concatenate([[0.0], np.asarray(given.breaks), [3.0]])
    for start, stop in itertools.pairwise(edges):
        if stop == start:
            continue
        stretch = (jnp.array(start), jnp.array(stop))
        step = 1e-3 * (stop - start)

        def value(t, stretch=stretch):
            return inside(given, jnp.asarray(t), stretch)[0]

        for share in (0.0, 0.3, 0.5, 0.8, 1.0):
            time = start + share * (stop - start)
            inwards = {0.0: step, 1.0: -step}.get(share)
            if inwards is None:
                expected = difference(value, (time,), (1.0,), step)
            else:
                expected = one_sided_difference(value, (time,), (1.0,), inwards)
            slope = inside(given, jnp.asarray(time), stretch)[1]
            np.testing.assert_allclose(slope, expected, atol=1e-8)


def test_held_jumps_at_both_ends_and_is_right_continuous() -> None:
    ramp = ex.PiecewiseLinear.ramp(1.0, 2.0, duration=4.0, pieces=4)
    ramp = eqx.tree_at(lambda p: p.protocol.values, ramp, ramp.protocol.values + 10.0)
    found = values(ramp, jnp.array([-0.1, 0.0, 2.0, 3.999999999, 4.0, 9.0]))
    np.testing.assert_allclose(found, [1.0, 11.0, 11.5, 12.0, 2.0, 2.0], atol=1e-8)
    zero, last = jnp.zeros(()), jnp.array(4.0)
    assert float(inside(ramp, zero, (jnp.array(-1.0), zero))[0]) == 1.0
    assert float(inside(ramp, last, (jnp.array(3.0), last))[0]) == 12.0
    assert float(inside(ramp, last, (last, last))[0]) == 2.0
    np.testing.assert_array_equal(ramp.breaks, [1.0, 2.0, 3.0, 4.0])
    assert ramp.domain == (-jnp.inf, jnp.inf)
    stairs = ex.PiecewiseConstant.ramp(0.0, 4.0, duration=4.0, pieces=4)
    np.testing.assert_allclose(stairs.protocol.values, [0.5, 1.5, 2.5, 3.5])
    assert stairs.is_piecewise_constant
    assert not ramp.is_piecewise_constant
    bent = ex.CubicSpline.ramp(0.0, 4.0, duration=4.0, pieces=4)
    np.testing.assert_allclose(values(bent, jnp.arange(4.0) + 0.5), [0.5, 1.5, 2.5, 3.5])


def test_bounded_stays_between_its_bounds() -> None:
    wild = ex.Bounded(lambda t: 60.0 * jnp.sin(t), -1.0, 2.0)
    bounded = values(wild, jnp.linspace(0.0, 10.0, 99))
    assert np.min(bounded) >= -1.0
    assert np.max(bounded) <= 2.0
    assert np.ptp(bounded) > 2.99


def test_what_is_optimised_is_not_what_is_held() -> None:
    def free(protocol) -> list[str]:
        paths = jax.tree_util.tree_flatten_with_path(trainable(protocol))[0]
        return [jax.tree_util.keystr(path) for path, is_free in paths if is_free]

    assert free(ex.PiecewiseLinear.ramp(0.0, 1.0, duration=1.0, pieces=2)) == [".protocol.values"]
    assert free(SMOOTH["bounded"]) == [".protocol.values"]
    assert free(SMOOTH["fourier"]) == [".constant", ".cosines", ".sines"]
    assert free(ex.Constant(2.0)) == [".value"]
    assert len(free(SMOOTH["network"])) == 4
    assert free({"a": ex.PiecewiseConstant((1.0,), (1.0, 2.0)), "b": 3, "c": jnp.ones(2)}) == [
        "['a'].values",
        "['c']",
    ]


@pytest.mark.parametrize("kind", [ex.PiecewiseLinear, ex.CubicSpline])
def test_values_have_right_derivatives(kind) -> None:
    def f(values, time):
        return kind(TIMES, values)(time)

    args = (np.array(VALUES), np.array(1.3))
    check_derivative(f, args, (np.array([0.3, 1.0, -0.4, 0.2]), np.array(0.7)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ex.CubicSpline((0.0, 1.0), (1.0,)), "`values` must have as many entries"),
        (lambda: ex.PiecewiseLinear((0.0, 0.0), (1.0, 1.0)), "`times` must be strictly ascending"),
        (lambda: ex.Fourier(0.0, (1.0,), (), 1.0), "`sines` must have as many entries"),
        (lambda: ex.Fourier(0.0, (1.0,), (1.0,), 0.0), "`period` must be positive"),
        (lambda: ex.Held(lambda t: t, 0.0, 1.0, -1.0), "`duration` must be positive"),
        (lambda: ex.Held(3.0, 0.0, 1.0, 1.0), "`protocol` must be a function of time"),
        (lambda: ex.Held(SMOOTH["spline"], 0.0, 1.0, 5.0), "`duration` must be within the times"),
        (lambda: ex.Bounded(lambda t: t, 1.0, 1.0), "`high` must be above `low`"),
        (lambda: ex.Held(lambda t: jnp.ones(2), 0.0, 1.0, 1.0), "return a number at each time"),
        (lambda: ex.Held(np.sin, 0.0, 1.0, 1.0), "`protocol` must be written in jax.numpy"),
        (lambda: ex.Held(lambda t: 1.0 if t < 2 else 0.0, 0.0, 1.0, 1.0), "instead of `if`"),
        (lambda: ex.PiecewiseLinear.ramp(0.0, 1.0, duration=1.0, pieces=0), "`pieces` must be"),
        (lambda: ex.Constant(jnp.nan), "`value` must be free of NaN"),
    ],
)
def test_bad_input(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
