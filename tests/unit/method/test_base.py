"""What all methods share: times one by one, and the models that they know."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import junction

import entropax as ex
from entropax.method.base import AbstractMethod, in_turn, open_system, scan_times

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
IDEAL = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(0.3))
WINDOWS = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)


class Recorder(diffrax.AbstractProgressMeter):
    """Notes down what it is told."""

    told: list[float]

    def init(self) -> Any:
        return jnp.zeros(())

    def step(self, state: Any, progress: Any) -> Any:
        jax.debug.callback(lambda x: self.told.append(float(x)), progress, ordered=True)
        return state

    def close(self, state: Any) -> None:
        del state
        jax.debug.callback(lambda: self.told.append(-1.0), ordered=True)


def spin(bath: Any, start: Any, matrix: Any = None) -> ex.OpenSystem:
    return ex.OpenSystem((0.0, 1.0), (ex.Coupling(SX, bath, 0.1, matrix),), start)


def test_times_are_taken_as_they_come() -> None:
    ts, meter = jnp.array([2.0, 0.0, -1.5, 2.0]), Recorder([])
    squares = scan_times(lambda t: {"square": t**2, "pair": jnp.stack([t, -t])}, ts, meter)
    np.testing.assert_array_equal(squares["square"], np.square(ts))
    np.testing.assert_array_equal(squares["pair"], np.stack([ts, -ts], axis=1))
    jax.effects_barrier()
    assert meter.told == [0.25, 0.5, 0.75, 1.0, -1.0]


def test_no_times_are_no_results() -> None:
    results = scan_times(lambda t: t**2, jnp.zeros(0), diffrax.NoProgressMeter())
    assert results.shape == (0,)


@pytest.mark.parametrize("count", [1, 3])
def test_in_turn_is_a_loop_with_its_derivative(count: int) -> None:
    """One step is made without the loop of several."""
    xs = np.array([0.3, -1.2, 2.0])[:count]

    def total(scale: Any) -> Any:
        def step(carry: Any, x: Any) -> tuple[Any, Any]:
            carry = jnp.sin(scale * carry + x)
            return carry, carry**2

        last, squares = in_turn(step, scale, jnp.asarray(xs))
        return last + jnp.sum(squares)

    def plain(scale: float) -> tuple[float, float]:
        carry, slope, value, change = scale, 1.0, 0.0, 0.0
        for x in xs:
            angle = scale * carry + x
            carry, slope = np.sin(angle), np.cos(angle) * (carry + scale * slope)
            value, change = value + carry**2, change + 2 * carry * slope
        return value + carry, change + slope

    found = jax.value_and_grad(total)(0.7)
    np.testing.assert_allclose(found, plain(0.7), rtol=1e-14)


def test_a_method_refuses_models_it_does_not_know() -> None:
    ideal = spin(IDEAL, ex.Gibbs(beta=1.0))
    windows = spin(WINDOWS, ex.Product(1, windows=(0,)), ex.RandomBands())
    assert open_system(ex.Davies(), ideal, ideal=True) is ideal
    assert open_system(ex.EMME(), windows) is windows
    for method, model, rule, is_ideal in (
        (ex.EMME(), junction(), "an OpenSystem for the method EMME, but is Junction", False),
        (ex.EMME(), ideal, "window baths for the method EMME, but has ideal ones", False),
        (ex.Davies(), windows, "ideal baths for the method Davies, but has window ones", True),
    ):
        with pytest.raises(ValueError, match=f"`model` must (be|have) {rule}"):
            open_system(method, model, ideal=is_ideal)


def test_by_itself_a_method_takes_any_times_and_prepares_nothing() -> None:
    ts, method = jnp.array([-1.0]), ex.Exact()
    assert method.require_times(junction(), ts) is ts
    assert AbstractMethod.prepare(method, junction(), ts) is method
