"""Misuse in words: which argument, which rule, which value and where."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import _checks
from entropax._checks import check, check_against


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: _checks.real_array("x", [[1.0, 2.0], [3.0, np.nan]], ndim=2),
            r"`x` must be free of NaN, but has nan at index 1, 1\.",
        ),
        (lambda: _checks.real_array("x", 1j, ndim=0), "`x` must be real, but has dtype complex128"),
        (lambda: _checks.real_array("x", 3.0, ndim=1), r"`x` must have 1 dimension, .* shape \(\)"),
        (lambda: _checks.real_array("x", [1.0], ndim=2), r"2 dimensions, but has shape \(1,\)"),
        (lambda: _checks.real_array("x", "ten", ndim=0), "`x` must be numbers, but is 'ten'"),
        (lambda: _checks.real_array("x", [[1.0], [1.0, 2.0]], ndim=2), "`x` must be numbers"),
        (
            lambda: _checks.finite_array("x", [0.0, np.inf], ndim=1),
            "finite, but has inf at index 1",
        ),
        (lambda: _checks.finite_array("x", -np.inf, ndim=0), r"finite, but is -inf\."),
        (
            lambda: _checks.occupation_array("n", [0.0, 1.0, 1.5], ndim=1),
            r"`n` must be within \[0, 1\], but has 1.5 at index 2",
        ),
        (lambda: _checks.square_matrix("h", np.ones((2, 3))), r"square .* has shape \(2, 3\)"),
        (lambda: _checks.hermitian_matrix("h", [[0, 1j], [1j, 0]]), "`h` must be Hermitian"),
        (lambda: _checks.hermitian_matrix("h", np.full((2, 2), np.inf)), "`h` must be finite"),
        (lambda: _checks.require_count("steps", 0), "`steps` must be a positive integer, but is 0"),
        (lambda: _checks.require_count("steps", 2.0), r"positive integer, but is 2\.0"),
        (lambda: _checks.require_count("steps", True), "positive integer, but is True"),
        (lambda: _checks.require_count("steps", np.int64(0)), "positive integer, but is .*0"),
        (lambda: _checks.require_count("steps", np.float64(2.0)), "positive integer, but is .*2.0"),
        (lambda: _checks.require_count("steps", np.True_), "positive integer, but is .*True"),
        (lambda: _checks.require_key(0), r"`key` .* such as jax.random.key\(0\), but is 0"),
        (lambda: _checks.require_key(None), r"such as jax.random.key\(0\), but is None"),
        (lambda: _checks.require_key(np.arange(2)), r"such as jax.random.key\(0\), but is array"),
    ],
)
def test_bad_values_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_right_comes_back_in_double_precision() -> None:
    whole = _checks.real_array("x", [1, 2], ndim=1)
    assert whole.dtype == jnp.float64
    assert _checks.real_array("x", np.inf, ndim=0) == np.inf
    np.testing.assert_array_equal(_checks.occupation_array("n", (0, 1), ndim=1), [0.0, 1.0])
    rounded = np.array([[1.0, 2.0 + 1e-13j], [2.0, -1.0]])
    assert _checks.hermitian_matrix("h", rounded).dtype == jnp.complex128
    assert _checks.hermitian_matrix("h", np.zeros((0, 0))).shape == (0, 0)


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8])
def test_counts_come_back_as_pythons_own(kind: type) -> None:
    count = _checks.require_count("steps", kind(3))
    assert (type(count), count) == (int, 3)
    assert (type(_checks.whole(kind(3))), _checks.whole(kind(3))) == (int, 3)


def test_only_integers_are_made_whole() -> None:
    for value in (2.0, np.float64(2.0), "3", None, True):
        assert _checks.whole(value) is value


def test_keys_of_both_kinds_are_keys() -> None:
    _checks.require_key(jax.random.key(0))
    _checks.require_key(jax.random.split(jax.random.key(0), 3))
    _checks.require_key(jax.random.PRNGKey(0))
    jax.eval_shape(lambda key: _checks.require_key(key) or key, jax.random.key(0))


@pytest.mark.misuse
def test_what_is_qutips_is_told_how_to_come_in() -> None:
    class Qobj:
        """As QuTiP's: NumPy makes an array of it that holds no numbers."""

    Qobj.__module__ = "qutip.core"
    for make in (_checks.square_matrix, _checks.hermitian_matrix):
        with pytest.raises(ValueError, match=r"`h` must be numbers, .*`from_qutip` turns it into"):
            make("h", Qobj())
    with pytest.raises(ValueError, match=r"must be numbers, but is '\[\]'\.$"):
        _checks.square_matrix("h", "[]")


def positive(x: Any) -> jax.Array:
    return check("x", x, "positive", lambda xp, x: x > 0)


def test_what_a_derivative_traces_is_checked_at_once() -> None:
    """Outside of `jit` its value is known: no program, but a `ValueError` with the value."""
    assert float(jax.grad(lambda x: positive(x) ** 2)(3.0)) == 6.0
    with pytest.raises(ValueError, match=r"`x` must be positive, but is -3\.0"):
        jax.grad(lambda x: positive(x) ** 2)(-3.0)


def test_what_a_program_traces_is_nan_where_it_must_not_be() -> None:
    program = eqx.filter_jit(positive)
    assert float(program(jnp.array(2.0))) == 2.0
    assert np.isnan(program(jnp.array(-2.0)))
    np.testing.assert_array_equal(jax.vmap(positive)(jnp.array([1.0, -1.0])), [1.0, np.nan])
    # what is known is checked while the program is traced, and compiles nothing
    with pytest.raises(ValueError, match=r"`y` must be finite, but is inf"):
        jax.eval_shape(lambda x: x + _checks.finite_array("y", np.inf, ndim=0), 1.0)


class Pair(eqx.Module):
    a: Any
    b: Any


def test_what_a_program_made_nan_is_named() -> None:
    faults = _checks.faults_of(Pair((jnp.ones(2), jnp.array(3)), {"x": jnp.array([1.0, np.nan])}))
    told = [m for m, bad in zip(faults.messages, faults.present, strict=True) if bad]
    assert len(faults.messages) == 2
    assert told == ["`b['x']` must be what its model asks for, but a program made it otherwise."]


def test_what_is_refused_is_nan_and_told() -> None:
    one, first = _checks.refuse(jnp.array([1.0, 2.0]), jnp.array(True), "no")
    two, second = _checks.refuse(jnp.array(1j), jnp.array(False), "yes")
    assert np.all(np.isnan(one))
    assert two == 1j
    both = first + second + _checks.Faults.none()
    assert both.messages == ("no", "yes")
    np.testing.assert_array_equal(both.present, [True, False])


def test_one_value_against_another() -> None:
    def above(high: Any, low: Any) -> jax.Array:
        return check_against("high", high, "above `low`", lambda: high > low)

    one, two = jnp.array(1.0), jnp.array(2.0)
    assert float(above(two, one)) == 2.0
    with pytest.raises(ValueError, match=r"`high` must be above `low`, but is 1\.0"):
        above(one, one)
    # what is known is compared while a program is traced, too
    with pytest.raises(ValueError, match="`high` must be above `low`"):
        jax.eval_shape(lambda x: x * above(one, two), 1.0)
