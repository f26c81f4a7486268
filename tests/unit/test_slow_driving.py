"""The thermodynamic metric against closed forms, and geodesics in it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX
from derivatives import check_derivative

import entropax as ex

LOWERING = np.array([[0.0, 1.0], [0.0, 0.0]])


def dot(level: Any) -> ex.OpenSystem:
    bath = ex.ThermalBath(1.0, ex.FlatSpectrum(0.5), statistics="fermi")
    return ex.OpenSystem(
        jnp.stack([0.0 * level, level]), (ex.Coupling(LOWERING, bath),), ex.Gibbs(1.0)
    )


def test_a_level_of_a_rate_equation() -> None:
    """beta f (1 - f) / Gamma."""
    metric = ex.thermodynamic_metric(dot, 0.3, ex.Davies())
    assert float(metric) == pytest.approx(0.25 / np.cosh(0.15) ** 2 / 0.5, abs=1e-12)


def test_a_resonant_level_at_any_coupling() -> None:
    """Numbers from outside at Gamma = 0.5; f (1 - f)/Gamma where it is weak, 4 ... where strong."""
    for level, expected in ((0.0, 0.493612440252), (1.0, 0.391100034695)):
        assert float(ex.resonant_level_metric(level, 0.5, 1.0)) == pytest.approx(
            expected, abs=1e-11
        )
    weak = float(ex.resonant_level_metric(0.3, 1e-6, 1.0))
    assert weak == pytest.approx(0.25 / np.cosh(0.15) ** 2 / 1e-6, rel=1e-9)
    strong = float(ex.resonant_level_metric(0.0, 1e4, 1.0))
    assert strong == pytest.approx(4.0 / np.pi / 1e8, rel=1e-6)

    def shifted(level: Any, coupling: Any, beta: Any) -> jax.Array:
        return ex.resonant_level_metric(level, coupling, beta, 0.2)

    args = tuple(map(np.array, (0.4, 0.7, 1.3)))
    check_derivative(shifted, args, tuple(map(np.array, (1.0, -0.5, 0.3))), tolerance=1e-8)


def test_a_geodesic_between_numbers_goes_at_constant_speed() -> None:
    """Number from outside: the squared length from -1 to 1."""

    def metric(level: jax.Array) -> jax.Array:
        return ex.resonant_level_metric(level, 0.5, 1.0)

    way = ex.geodesic(metric, -1.0, 1.0, duration=10.0, pieces=32)
    assert float(way.length**2) == pytest.approx(1.82716025742, abs=1e-10)
    (protocol,) = way.protocols
    assert float(protocol.times[-1]) == 10.0
    step = np.diff(way.values[:, 0])
    middle = 0.5 * (way.values[1:, 0] + way.values[:-1, 0])
    speeds = np.sqrt(jax.vmap(metric)(middle)) * step
    np.testing.assert_allclose(speeds, float(way.length) / 32, rtol=1e-3)


def test_a_geodesic_between_vectors_bends() -> None:
    """On a sphere: arcs of great circles, of length arccos."""

    def sphere(x: jax.Array) -> jax.Array:
        return jnp.diag(jnp.stack([jnp.ones(()), jnp.sin(x[0]) ** 2]))

    start, end = np.array([1.0, 0.0]), np.array([1.0, 1.5])
    way = ex.geodesic(sphere, start, end, duration=1.0, pieces=24)
    angle = np.arccos(np.cos(1.0) ** 2 + np.sin(1.0) ** 2 * np.cos(1.5))
    assert float(way.length) == pytest.approx(angle, rel=1e-3)
    assert float(way.values[12, 0]) < 0.86  # towards the pole
    assert len(way.protocols) == 2


def test_slow_drives_of_a_qubit_that_turns_dissipate_what_the_metric_says() -> None:
    """W - Delta F at two durations; what falls faster than 1/duration is taken away."""
    bath = ex.ThermalBath(1.0, ex.FlatSpectrum(0.5), zero_frequency_rate=0.3)
    first, last = np.diag([0.4, -0.4]), np.diag([0.3, -0.3]) + 0.5 * SX

    def along(share: Any) -> ex.OpenSystem:
        h = first + share * (last - first)
        return ex.OpenSystem(hamiltonian=h, couplings=(ex.Coupling(SX, bath),), start=ex.Gibbs(1.0))

    nodes, weights = np.polynomial.legendre.leggauss(6)
    metric = [
        float(ex.thermodynamic_metric(along, 0.5 * (x + 1.0), ex.Davies(coherences=True)))
        for x in nodes
    ]
    expected = 0.5 * np.dot(weights, metric)
    wasted = []
    for duration in (100.0, 200.0):
        ramp = ex.PiecewiseLinear((0.0, duration), (0.0, 1.0))
        model = ex.OpenSystem(
            hamiltonian=first,
            couplings=(ex.Coupling(SX, bath),),
            start=ex.Gibbs(1.0),
            drives=(ex.Drive(last - first, ramp),),
        )
        solution = ex.solve(model, [duration], ex.Davies(housekeeping=False))
        wasted.append(duration * float(ex.objectives.dissipated_work(solution, model)))
    assert 2.0 * wasted[1] - wasted[0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.misuse
def test_bad_input() -> None:
    with pytest.raises(ValueError, match="`method` must be one for ideal baths"):
        ex.thermodynamic_metric(dot, 0.3, ex.EMME())  # pyright: ignore[reportArgumentType]

    def two_temperatures(x: Any) -> ex.OpenSystem:
        other = ex.ThermalBath(2.0, ex.FlatSpectrum(0.5), statistics="fermi")
        couplings = (*dot(x).couplings, ex.Coupling(LOWERING, other))
        return ex.OpenSystem(dot(x).energies, couplings, ex.Gibbs(1.0))

    with pytest.raises(ValueError, match="`build` must make a model with baths of one beta"):
        ex.thermodynamic_metric(two_temperatures, 0.3, ex.Davies())
    with pytest.raises(ValueError, match="`end` must differ from `start`, but both are"):
        ex.geodesic(lambda x: 1.0 + x**2, 1.0, 1.0, duration=2.0)
    with pytest.raises(ValueError, match="`metric` must be positive between"):
        ex.geodesic(lambda x: -1.0 + 0.0 * x, 0.0, 1.0, duration=1.0)
    with pytest.raises(ValueError, match="`coupling` must be positive"):
        ex.resonant_level_metric(0.0, 0.0, 1.0)
