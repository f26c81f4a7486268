"""Protocols: values, jumps, slopes, what is held, bad input."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate
from helpers import check_derivative, difference, one_sided_difference

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


def test_spline_is_the_natural_one() -> None:
    ours = jax.vmap(SMOOTH["spline"])(jnp.linspace(0.0, 3.0, 41))
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
            return given.within(jnp.asarray(t), stretch)

        for share in (0.0, 0.3, 0.5, 0.8, 1.0):
            time = start + share * (stop - start)
            inwards = {0.0: step, 1.0: -step}.get(share)
            if inwards is None:
                expected = difference(value, (time,), (1.0,), step)
            else:
                expected = one_sided_difference(value, (time,), (1.0,), inwards)
            np.testing.assert_allclose(given.slope(jnp.array(time), stretch), expected, atol=1e-8)


def test_held_jumps_at_both_ends_and_is_right_continuous() -> None:
    ramp = ex.PiecewiseLinear.ramp(1.0, 2.0, duration=4.0, pieces=4)
    ramp = eqx.tree_at(lambda p: p.protocol.values, ramp, ramp.protocol.values + 10.0)
    found = [float(ramp(jnp.array(t))) for t in (-0.1, 0.0, 2.0, 3.999999999, 4.0, 9.0)]
    np.testing.assert_allclose(found, [1.0, 11.0, 11.5, 12.0, 2.0, 2.0], atol=1e-8)
    zero, last = jnp.zeros(()), jnp.array(4.0)
    assert float(ramp.within(zero, (jnp.array(-1.0), zero))) == 1.0
    assert float(ramp.within(last, (jnp.array(3.0), last))) == 12.0
    assert float(ramp.within(last, (last, last))) == 2.0
    np.testing.assert_array_equal(ramp.breaks, [1.0, 2.0, 3.0, 4.0])
    assert ramp.domain == (-jnp.inf, jnp.inf)
    stairs = ex.PiecewiseConstant.ramp(0.0, 4.0, duration=4.0, pieces=4)
    np.testing.assert_allclose(stairs.protocol.values, [0.5, 1.5, 2.5, 3.5])
    assert stairs.is_piecewise_constant
    assert not ramp.is_piecewise_constant
    bent = ex.CubicSpline.ramp(0.0, 4.0, duration=4.0, pieces=4)
    np.testing.assert_allclose(jax.vmap(bent)(jnp.arange(4.0) + 0.5), [0.5, 1.5, 2.5, 3.5])


def test_bounded_stays_between_its_bounds() -> None:
    wild = ex.Bounded(lambda t: 60.0 * jnp.sin(t), -1.0, 2.0)
    values = jax.vmap(wild)(jnp.linspace(0.0, 10.0, 99))
    assert np.min(values) >= -1.0
    assert np.max(values) <= 2.0
    assert np.ptp(values) > 2.99


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


FLIP = jnp.array([[0.0, 1.0], [1.0, 0.0]])
WINDOWS = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(3, 4, 5), width=1.0)
LINK = ex.Coupling(FLIP, WINDOWS, strength=0.05, matrix=ex.RandomBands(variance=1.0))
IDEAL = ex.Coupling(FLIP, ex.ThermalBath(1.0, ex.OhmicSpectrum(0.3, 5.0)))
GAP = jnp.diag(jnp.array([0.0, 1.0]))
UP = jnp.array([[0.0, 0.0], [1.0, 0.0]])
JUMPS = (ex.Jump(UP, IDEAL.bath, 0.1), ex.Jump(UP.T, IDEAL.bath, 0.3))
TILTED = ex.Product(system=[[0.7, 0.2], [0.2, 0.3]])
COLD = ex.Product(system=1, beta=(1.0,))
TIGHT = {"rtol": 1e-10, "atol": 1e-12, "housekeeping": False}
METHODS = {
    "EMME": ((LINK,), COLD, ex.EMME()),
    "EMME of finite memory": ((LINK,), COLD, ex.EMME(coherences=False, memory="finite")),
    "BornMarkovSecular": ((LINK,), COLD, ex.BornMarkovSecular()),
    "Schrodinger": ((LINK,), COLD, ex.Schrodinger(key=jax.random.key(0), steps=16)),
    "Davies": ((IDEAL,), TILTED, ex.Davies(**TIGHT)),
    "Redfield": ((IDEAL,), TILTED, ex.Redfield(**TIGHT)),
    "Local": ((IDEAL,), TILTED, ex.Local(**TIGHT)),
    "Local, bare heat": ((IDEAL,), TILTED, ex.Local(heat="bare", **TIGHT)),
    "Lindblad": (JUMPS, TILTED, ex.Lindblad(**TIGHT)),
}


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("name", METHODS)
def test_every_method_differentiates_by_every_number_of_a_protocol(name: str) -> None:
    """Work and entropy production by values, the time of a bend, both ends and the duration.

    Junctions have their own test.
    """
    couplings, start, method = METHODS[name]

    def f(values, held):
        bend, first, last, duration = held
        line = ex.PiecewiseLinear(jnp.stack([0.0, bend, 3.0]), values)
        gap = ex.Held(line, first, last, duration)
        system = {"energies": (0.0, gap)}
        if name in ("Local", "Local, bare heat", "Lindblad"):
            system = {"hamiltonian": GAP, "drives": (ex.Drive(GAP + 0.4 * FLIP, gap),)}
        model = ex.OpenSystem(couplings=couplings, start=start, **system)
        led = ex.solve(model, duration[None], method, throw=False).ledger
        sigma = led.entropy_production
        sigma = led.entropy_production_fixed if sigma is None else sigma
        return led.work[0] + 0.5 * sigma[0]

    args = (np.array([0.9, 1.3, 1.1]), np.array([0.7, 0.8, 1.3, 2.0]))
    along = (np.array([0.5, -1.0, 0.8]), np.array([0.3, 0.2, -0.7, 0.4]))
    # a solver's own derivative goes backwards
    both = jax.jit(jax.value_and_grad(f, argnums=(0, 1)))
    gradient = both(*args)[1]
    for i in range(2):
        moved = tuple(d * (j == i) for j, d in enumerate(along))
        central = difference(lambda *x: both(*x)[0], args, moved)
        np.testing.assert_allclose(gradient[i] @ along[i], central, rtol=0, atol=1e-6)
        assert abs(float(central)) > 1e-2
