"""What is driven: protocols by name, breaks, one-sided values, and times where it is defined."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import flat, junction, lead

import entropax as ex
from entropax.model.driven import before_start, slope_within, value_within

JUMP = ex.PiecewiseConstant((0.5,), (1.0, -1.0))
LINE = ex.PiecewiseLinear((0.0, 0.5, 2.0), (0.0, 1.0, 4.0))


def stretch(start: float, stop: float) -> Any:
    return jnp.array(start), jnp.array(stop)


def driven(level: Any = JUMP, gate: Any = LINE) -> ex.Junction:
    return junction(level=level, leads=(flat(gate=gate), lead()))


def test_at_rest() -> None:
    model = junction()
    assert not model.is_driven
    assert model.protocols == {}
    assert model.breaks.shape == (0,)
    assert model.is_piecewise_constant
    # where nothing is driven any time will do
    np.testing.assert_array_equal(model.require_defined(jnp.array([-3.0])), [-3.0])


def test_breaks_are_those_of_all_protocols_ascending() -> None:
    np.testing.assert_array_equal(driven().breaks, [0.5, 0.5])
    gate = ex.PiecewiseLinear((0.0, 0.25, 1.5, 2.0), (0.0, 1.0, 4.0, 0.0))
    np.testing.assert_array_equal(driven(gate=gate).breaks, [0.25, 0.5, 1.5])
    assert not driven().is_piecewise_constant
    assert driven(gate=None).is_piecewise_constant
    assert driven(JUMP, JUMP).is_piecewise_constant


def test_controls_are_seen_from_inside_a_stretch() -> None:
    """At the break itself both values and slopes are those of the side that is asked for."""
    model, time = driven(), jnp.array(0.5)
    left, right = stretch(0.0, 0.5), stretch(0.5, 2.0)
    np.testing.assert_allclose(model.controls(time, left), [1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(model.controls(time, right), [-1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(model.control_slopes(time, left), [0.0, 2.0], rtol=1e-15)
    np.testing.assert_allclose(model.control_slopes(time, right), [0.0, 2.0], rtol=1e-15)
    bent = driven(gate=ex.PiecewiseLinear((0.0, 0.5, 2.0), (0.0, 1.0, 1.0)))
    np.testing.assert_allclose(bent.control_slopes(time, left), [0.0, 2.0], rtol=1e-15)
    np.testing.assert_allclose(bent.control_slopes(time, right), [0.0, 0.0], atol=1e-15)
    assert float(bent.within(time, right).fixed_level) == -1.0


def test_before_the_start() -> None:
    """A protocol that jumps at 0 has its earlier value, and the gate is shut."""
    model = driven(ex.PiecewiseConstant((0.0,), (3.0, 7.0))).before()
    assert not model.is_driven
    assert float(model.fixed_level) == 3.0
    np.testing.assert_array_equal(model.leads[0].couplings, 0.0)
    np.testing.assert_array_equal(model.leads[1].couplings, lead().couplings)


def test_a_number_has_its_value_and_no_slope() -> None:
    at = jnp.array(0.3), before_start()
    assert float(value_within(jnp.array(2.5), *at)) == 2.5
    assert float(slope_within(jnp.array(2.5), *at)) == 0.0


def test_apart_separates_breaks_by_a_hair() -> None:
    model = driven(JUMP, JUMP)
    first, second = model.with_separated_breaks().breaks
    assert 0.0 < float(second - first) < 1e-12
    assert float(second) < 0.5
    assert 0.5 - float(first) < 1e-12
    # a time that rounding has put before the break lies after it
    early = jnp.array(np.nextafter(0.5, 0.0))
    values = model.with_separated_breaks().controls(early, (early, early))
    np.testing.assert_array_equal(values, [-1.0, -1.0])
    assert junction().with_separated_breaks().breaks.shape == (0,)


@pytest.mark.parametrize(
    ("level", "ts", "message"),
    [
        (JUMP, [0.1, -0.1], "`ts` must be non-negative where a model is driven.*-0.1 at index 1"),
        (LINE, [2.5], r"`ts` must be where `level` is defined.*\(0 to 2\)"),
        (lambda t: jnp.log(t - 1.0), [2.0], "`level` must be finite at 0 and at all of `ts`"),
    ],
)
def test_times_at_which_it_is_not_defined(level: Any, ts: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        driven(level, None).require_defined(jnp.array(ts))
