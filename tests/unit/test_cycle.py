"""Limit cycles and cycles: what they refuse, and what an efficiency is."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX

import entropax as ex
from entropax.cycle import _efficiency, require_period

BATH = ex.ThermalBath(1.0, ex.FlatSpectrum(1.0))


def qubit(level: Any) -> ex.OpenSystem:
    return ex.OpenSystem((0.0, level), (ex.Coupling(SX, BATH),), ex.Gibbs(1.0))


def test_protocols_repeat_or_rest() -> None:
    jumps = ex.PiecewiseConstant((1.0,), (1.0, 2.0))
    require_period(qubit(jumps), jnp.array(1.5))  # rests from then on
    require_period(qubit(ex.Periodic(jumps, 1.5, 4)), jnp.array(1.5))
    require_period(qubit(ex.PiecewiseLinear((0.0, 2.0), (1.0, 2.0))), jnp.array(2.0))
    require_period(qubit(ex.Fourier(1.0, [0.2], [0.1], 3.0)), jnp.array(6.0))


BAD = {
    "another period": (
        lambda: ex.limit_cycle(qubit(ex.Fourier(1.0, [0.2], [0.1], 3.0)), 2.0, ex.Davies()),
        r"`energies\[1\]` must have the `period` 2, but is .* a period later",
    ),
    "no period": (
        lambda: ex.limit_cycle(qubit(1.0), 0.0, ex.Davies()),
        "`period` must be positive, but is 0.0",
    ),
    "an exact method": (
        lambda: ex.limit_cycle(qubit(1.0), 1.0, ex.Schrodinger()),  # pyright: ignore
        "`method` must be one for ideal baths.*`cycles` tells",
    ),
    "no cycles": (lambda: ex.cycles(qubit(1.0), 1.0, 0, ex.Davies()), "`count` must be a positive"),
    "a period that is too short": (
        lambda: ex.limit_cycle(qubit(ex.PiecewiseLinear((0.0, 1.0), (1.0, 2.0))), 2.0, ex.Davies()),
        r"`ts` must be where `energies\[1\]` is defined",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    build, text = BAD[name]
    with pytest.raises(ValueError, match=text):
        build()


def test_cycles_must_repeat_and_a_break_at_the_period_counts_once() -> None:
    jumps = ex.PiecewiseConstant((1.0,), (1.0, 2.0))
    with pytest.raises(ValueError, match="must have the `period` 2"):
        ex.cycles(qubit(jumps), 2.0, 3, ex.Davies())
    three = ex.PiecewiseConstant((0.15, 0.1 * 3), (2.5, 1.0, 2.5))  # rounding puts it beyond 0.3
    cycle = ex.limit_cycle(qubit(three), 0.3, ex.Davies(housekeeping=False), times=2)
    np.testing.assert_allclose(cycle.work + cycle.heat.sum(), 0.0, rtol=0, atol=1e-9)


def test_efficiency_goes_by_the_sign_of_the_flows() -> None:
    beta = jnp.array([0.5, 2.0])
    engine = _efficiency(jnp.array(-0.2), jnp.array([0.5, -0.3]), beta)
    refrigerator = _efficiency(jnp.array(0.2), jnp.array([-0.5, 0.3]), beta)
    heater = _efficiency(jnp.array(0.2), jnp.array([-0.1, -0.1]), beta)
    np.testing.assert_allclose([engine, refrigerator, heater], [0.4, 1.5, np.nan], rtol=1e-15)
