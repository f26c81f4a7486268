"""What master equations share: products over windows, right-hand sides, what they refuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import CANONICAL, COHERENT, driven, large_spin

import entropax as ex
from entropax.method.windows.master_equation import (
    AbstractMasterEquation,
    Integrated,
    _act,
    _product,
    along,
)
from entropax.model.driven import before_start
from entropax.state import WindowState


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
def rate_at_the_start(method: AbstractMasterEquation, model: ex.OpenSystem) -> Integrated:
    begin = method._begin(model, method._start(model))
    return method.field(model, before_start())(jnp.zeros(()), begin, None)


@pytest.mark.parametrize("secular", [True, False])
def test_the_right_hand_side_keeps_the_trace_and_hermitian_states(secular: bool) -> None:
    method = ex.EMME(coherences=True, secular=secular)
    rate = np.asarray(rate_at_the_start(method, driven(1.3, COHERENT)).state)
    change = rate[0] + 1j * rate[1]
    assert abs(np.einsum("kka->", change)) < 1e-14
    np.testing.assert_allclose(change, np.conj(np.swapaxes(change, 0, 1)), rtol=0, atol=1e-14)
    assert np.abs(change).max() > 1e-3


def test_populations_change_as_the_diagonal_of_states_does() -> None:
    model = driven(1.3, CANONICAL)
    rates = []
    for coherences in (False, True):
        method = ex.EMME(coherences=coherences)
        rates.append(method._joint(model, rate_at_the_start(method, model).state))
    np.testing.assert_allclose(rates[0], rates[1], rtol=0, atol=1e-14)


def test_a_state_tells_energies_populations_and_work() -> None:
    model = driven(1.4, COHERENT)
    method = ex.EMME(coherences=True)

    @jax.jit
    def program(model: ex.OpenSystem) -> WindowState:
        packed = method._begin(model, method._start(model)).state
        return method._state(model, Integrated(packed, jnp.array([0.25]), jnp.array(0.5)))

    state = program(model)
    weights = np.array([2.0, 3.0, 4.0]) * np.exp(-1.3 * np.arange(3.0))
    weights /= weights.sum()
    np.testing.assert_allclose(state.joint, 0.5 * np.stack([weights] * 2), rtol=1e-14)
    np.testing.assert_allclose(state.system, [[0.5, 0.3j], [-0.3j, 0.5]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(state.energy, [weights @ np.arange(3.0) + 0.25], rtol=1e-14)
    assert float(state.work) == 0.5
    assert state.flow is None


def prepared(method: AbstractMasterEquation, model: ex.OpenSystem) -> bool | None:
    return method.prepare(model, jnp.zeros(1)).coherences


def test_coherences_are_followed_where_they_can_appear() -> None:
    assert prepared(ex.EMME(), large_spin()) is False
    assert prepared(ex.EMME(secular=False), large_spin()) is True
    assert prepared(ex.BornMarkovSecular(), driven(1.0, COHERENT)) is True
    assert prepared(ex.EMME(), driven(ex.PiecewiseConstant((0.0,), (1.0, 0.0)))) is True
    assert prepared(ex.EMME(coherences=True), large_spin()) is True


@pytest.mark.parametrize(
    ("method", "model"),
    [
        (ex.EMME(coherences=False), driven(1.0, COHERENT)),
        (ex.EMME(coherences=False, secular=False), large_spin()),
    ],
    ids=["a coherent start", "not secular"],
)
def test_populations_alone_are_refused(method: ex.EMME, model: ex.OpenSystem) -> None:
    with pytest.raises(ValueError, match="`coherences` must be True or None where the equation"):
        method.initial(model)


@pytest.mark.misuse
@pytest.mark.misuse
def test_memory_is_one_of_two_words() -> None:
    with pytest.raises(ValueError, match=r"`memory` must be .*, but is 'long'"):
        ex.EMME(memory="long")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("method", [ex.EMME(), ex.BornMarkovSecular()])
def test_models_and_times_that_are_none(method: AbstractMasterEquation) -> None:
    with pytest.raises(ValueError, match="`ts` must be non-negative for a master equation"):
        ex.solve(large_spin(), [-1.0], method)
    junction = ex.Junction(0.0, 0.0, (ex.Lead(np.ones(2), np.ones(2), 1.0, 0.0),))
    with pytest.raises(ValueError, match="`model` must be an OpenSystem for the method"):
        ex.solve(junction, [1.0], method)
