"""Right-hand sides: products over windows, what they keep, what a state tells, what decays."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import CANONICAL, COHERENT, driven, large_spin

import entropax as ex
from entropax.method.windows.bath_closures import EvolvingBaths, FrozenBaths
from entropax.method.windows.vector_field import Integrated, WindowEquation, _act, _product, along
from entropax.model.driven import before_start
from entropax.state import WindowState


def equation(baths: Any = None, **changes: Any) -> WindowEquation:
    options = {
        "memory": "infinite",
        "secular": True,
        "lamb_shift": True,
        "first_order": True,
        "coherences": True,
        "dissipators": "global",
        "nodes": 0,
    }
    return WindowEquation(EvolvingBaths() if baths is None else baths, **(options | changes))


def test_kernels_take_their_place_among_the_baths() -> None:
    kernel = jnp.arange(6.0).reshape(2, 3)
    assert along(kernel, 1, 1, 3).shape == (2, 1, 3, 1)
    np.testing.assert_array_equal(along(kernel, 1, 0, 2)[:, :, 0], kernel)


@pytest.mark.parametrize("number", [0, 1])
def test_a_gain_acts_on_the_windows_of_its_bath(number: int, rng: np.random.Generator) -> None:
    windows = (3, 4)
    gain = rng.normal(size=(2, 2, windows[number], windows[number]))
    populations = rng.normal(size=(2, *windows))
    letters = ("kqEF,qFb->kEb", "kqEF,qaF->kaE")[number]
    np.testing.assert_allclose(
        _act(jnp.asarray(gain), jnp.asarray(populations), 1, number),
        np.einsum(letters, gain, populations),
        rtol=0,
        atol=1e-13,
    )
    by_states = rng.normal(size=(2, 2, 2, 2, windows[number], windows[number]))
    states = rng.normal(size=(2, 2, *windows))
    letters = ("abcdEF,cdFx->abEx", "abcdEF,cdxF->abxE")[number]
    np.testing.assert_allclose(
        _act(jnp.asarray(by_states), jnp.asarray(states), 2, number),
        np.einsum(letters, by_states, states),
        rtol=0,
        atol=1e-13,
    )


def test_a_product_is_one_of_matrices_at_each_window(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 2, 5)), rng.normal(size=(2, 2, 5))
    product = _product(jnp.asarray(a), jnp.asarray(b))
    for window in range(5):
        expected = a[:, :, window] @ b[:, :, window]
        np.testing.assert_allclose(product[:, :, window], expected, rtol=0, atol=1e-14)


@eqx.filter_jit
def rate_at_the_start(equation: WindowEquation, model: ex.OpenSystem) -> Integrated:
    begin = equation.begin(model)
    return equation.field(model, before_start())(jnp.zeros(()), begin, None)


@pytest.mark.parametrize("secular", [True, False])
def test_the_right_hand_side_keeps_the_trace_and_hermitian_states(secular: bool) -> None:
    rate = rate_at_the_start(equation(secular=secular), driven(1.3, COHERENT))
    packed = np.asarray(rate.state)
    change = packed[0] + 1j * packed[1]
    assert abs(np.einsum("kka->", change)) < 1e-14
    np.testing.assert_allclose(change, np.conj(np.swapaxes(change, 0, 1)), rtol=0, atol=1e-14)
    assert np.abs(change).max() > 1e-3


def test_populations_change_as_the_diagonal_of_states_does() -> None:
    model = driven(1.3, CANONICAL)
    rates = []
    for coherences in (False, True):
        of_these = equation(coherences=coherences)
        rates.append(of_these._joint(rate_at_the_start(of_these, model).state))
    np.testing.assert_allclose(rates[0], rates[1], rtol=0, atol=1e-14)


def test_a_state_tells_energies_populations_and_work() -> None:
    model, of_states = driven(1.4, COHERENT), equation()

    @jax.jit
    def program(model: ex.OpenSystem) -> WindowState:
        packed = of_states.begin(model).state
        return of_states.state(model, Integrated(packed, jnp.array([0.25]), jnp.array(0.5)))

    state = program(model)
    weights = np.array([2.0, 3.0, 4.0]) * np.exp(-1.3 * np.arange(3.0))
    weights /= weights.sum()
    np.testing.assert_allclose(state.joint, 0.5 * np.stack([weights] * 2), rtol=1e-14)
    np.testing.assert_allclose(state.system, [[0.5, 0.3j], [-0.3j, 0.5]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(state.energy, [weights @ np.arange(3.0) + 0.25], rtol=1e-14)
    assert float(state.work) == 0.5
    assert state.flow is None


def test_work_is_counted_of_what_is_driven() -> None:
    """From the start on at the slope of the energies times the populations."""
    model = driven(ex.PiecewiseLinear((0.0, 4.0), (1.0, 3.0)), CANONICAL)
    of_populations = equation(coherences=False)
    begin = of_populations.begin(model)
    assert float(begin.work) == 0.0
    field = of_populations.field(model, (jnp.zeros(()), jnp.array(4.0)))
    assert float(field(jnp.array(1.0), begin, None).work) == pytest.approx(0.7 * 0.5, rel=1e-14)
    assert of_populations.begin(large_spin()).work is None


def test_decay_is_bounded_by_twice_the_fastest_loss() -> None:
    """A spin falls at 2 pi lambda^2 V_1 / delta, and rises at V_0; frozen baths know the start."""
    model, rate = large_spin(), 2 * np.pi * 9e-6 / 0.5
    for baths in (EvolvingBaths(), FrozenBaths.of(model)):
        fastest = equation(baths, coherences=False).fastest(model, before_start())
        assert float(fastest) == pytest.approx(2.0 * rate * 600.0, rel=1e-14)
    upper = large_spin(ex.Product(system=1, windows=(1,)))
    fastest = equation(FrozenBaths.of(upper), coherences=False).fastest(upper, before_start())
    assert float(fastest) == pytest.approx(2.0 * rate * 400.0, rel=1e-14)
