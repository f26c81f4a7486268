"""Counts of a period against plain products of exponentials."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import entropax as ex

HOT, COLD = (2.0, 2.5), (0.5, 1.0)
"""Temperature, and the level's energy while its bath is coupled."""


def plain_generating(u: float, weights: tuple[float, float]) -> float:
    """ln of the dominant eigenvalue of a period of the two-stroke dot, energy counted in baths."""
    total = np.eye(2)
    for (temperature, level), weight in zip((HOT, COLD), weights, strict=True):
        filled = 1.0 / (1.0 + np.exp(level / temperature))
        up, down = filled * np.exp(-u * weight * level), (1 - filled) * np.exp(u * weight * level)
        total = expm(np.array([[-filled, down], [up, -(1 - filled)]])) @ total
    return float(np.log(np.max(np.linalg.eigvals(total).real)))


@pytest.mark.parametrize(
    ("of", "bath", "weights"),
    [("heat", 0, (1.0, 0.0)), ("heat", 1, (0.0, 1.0)), ("work", None, (1.0, 1.0))],
)
def test_two_stroke_dot(of: str, bath: int | None, weights: tuple[float, float]) -> None:
    cycle = ex.limit_cycle(ex.machines.two_stroke_dot(), 2.0, ex.Davies())
    found = cycle.cumulants(of, bath, order=4)
    h = 2e-2
    values = [plain_generating(k * h, weights) for k in range(-3, 4)]
    rule = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60
    second = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / 180
    np.testing.assert_allclose(found[0], values @ rule / h, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found[1], values @ second / h**2, rtol=0, atol=1e-7)
    expected = -cycle.heat[bath] if of == "heat" else cycle.work
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-12)


def test_of_a_constant_model_a_period_adds_what_time_does() -> None:
    lower = np.array([[0.0, 1.0], [0.0, 0.0]])
    still = ex.PiecewiseConstant((1.0,), (0.7, 0.7))
    baths = [
        ex.ThermalBath(1.0, ex.FlatSpectrum(0.3), mu=mu, statistics="fermi") for mu in (0.5, -0.5)
    ]
    links = [ex.Coupling(lower, bath) for bath in baths]
    driven = ex.OpenSystem((0.0, still), links, ex.Gibbs(1.0))
    steady = ex.steady_state(ex.OpenSystem((0.0, 0.7), links, ex.Gibbs(1.0)), ex.Davies())
    cycle = ex.limit_cycle(driven, 3.0, ex.Davies())
    for of, bath in (("particles", 1), ("heat", 0), ("entropy_production", None)):
        found, rates = (x.cumulants(of, bath, order=3) for x in (cycle, steady))
        np.testing.assert_allclose(found, 3.0 * rates, rtol=1e-10, atol=1e-13)


def test_bad_input() -> None:
    lower = np.array([[0.0, 1.0], [0.0, 0.0]])
    bath = ex.ThermalBath(1.0, ex.FlatSpectrum(0.3))
    smooth = ex.OpenSystem(
        (0.0, lambda t: 1.0 + 0.2 * jnp.sin(np.pi * t)),
        (ex.Coupling(lower + lower.T, bath),),
        ex.Gibbs(1.0),
    )
    cycle = ex.limit_cycle(smooth, 2.0, ex.Davies())
    with pytest.raises(ValueError, match="`model` must be constant between jumps"):
        cycle.cumulants("heat", 0)
    with pytest.raises(ValueError, match="`bath` must be left out for 'work'"):
        cycle.cumulants("work", 0)
    with pytest.raises(ValueError, match="`of` must be particles, energy, heat, work"):
        cycle.cumulants("charge", 0)
