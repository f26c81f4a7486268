"""Counting fields on jumps: what they weigh, and what they refuse."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.counting.jumps import countable, jump_counts, require_quanta

A = np.array([[0.0, 1.0], [0.0, 0.0]])
HOT = ex.ThermalBath(0.5, ex.FlatSpectrum(0.3))
COLD = ex.ThermalBath(2.0, ex.FlatSpectrum(0.7))
MODEL = ex.OpenSystem(
    (0.0, 1.3), (ex.Coupling(A + A.T, HOT), ex.Coupling(A + A.T, COLD)), ex.Gibbs(1.0)
)


METHODS = {"davies": ex.Davies(), "local": ex.Local(), "redfield": ex.Redfield()}


@pytest.mark.parametrize("name", METHODS)
def test_slopes_are_those_of_the_tilted_generator(name: str) -> None:
    method = METHODS[name]
    with warnings.catch_warnings():  # that Redfield's equation has no law
        warnings.simplefilter("ignore", UserWarning)
        counts = jump_counts(method, countable(MODEL, method, "energy"))
    weights = jnp.array([[0.0, 0.4], [0.0, -0.3]])
    h = 1e-4
    up, down = (counts.tilted(jnp.array(x + 0j), weights) for x in (h, -h))
    np.testing.assert_allclose((up - down) / (2 * h), counts.slopes([weights]), rtol=0, atol=1e-8)
    twice = (up + down - 2 * counts.generator) / h**2
    np.testing.assert_allclose(twice, counts.slopes([weights] * 2), rtol=0, atol=1e-6)
    untilted = counts.tilted(jnp.zeros((), complex), weights)
    np.testing.assert_allclose(untilted, counts.generator, rtol=0, atol=1e-14)


def test_what_is_lost_is_what_jumps() -> None:
    counts = jump_counts(ex.Davies(), countable(MODEL, ex.Davies(), "heat"))
    steady = counts.stationary()
    np.testing.assert_allclose(counts.generator @ steady, 0.0, rtol=0, atol=1e-15)
    # two levels: up as often as down
    up = 0.3 * (1 / np.expm1(0.5 * 1.3)) + 0.7 / np.expm1(2.0 * 1.3)
    down = 0.3 * (1 + 1 / np.expm1(0.5 * 1.3)) + 0.7 * (1 + 1 / np.expm1(2.0 * 1.3))
    rates = jumps_a_time(up, down)
    np.testing.assert_allclose(counts.activity(), rates, rtol=1e-12)


def jumps_a_time(up: float, down: float) -> float:
    """Jumps a time between two levels."""
    return 2.0 * up * down / (up + down)


def test_bad_input() -> None:
    ramp = ex.PiecewiseLinear((0.0, 1.0), (1.0, 2.0))
    driven = ex.OpenSystem((0.0, ramp), (ex.Coupling(A + A.T, HOT),), ex.Gibbs(1.0))
    with pytest.raises(ValueError, match=r"`model` must not be driven where jumps"):
        countable(driven, ex.Davies(), "heat")
    jump = ex.OpenSystem((0.0, 1.3), (ex.Jump(A + A.T, HOT),), ex.Gibbs(1.0))
    system = countable(jump, ex.Lindblad(), "particles")
    require_quanta(system, "particles", is_local=True)
    with pytest.raises(ValueError, match="`of` must be particles where a Jump moves no single"):
        require_quanta(system, "heat", is_local=True)
