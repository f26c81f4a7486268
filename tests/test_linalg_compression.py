"""Traces over a diagonal matrix with one direction removed, against dense matrices."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import textbook
from helpers import difference, one_sided_difference
from hypothesis import given
from hypothesis import strategies as st

from entropax.linalg import (
    BinaryEntropy,
    Exponential,
    SpectralFunction,
    compressed_trace,
)
from entropax.linalg.functions import Elementwise

Array = np.ndarray

SIZE = 6
WEIGHTS = np.array([0.3, 0.05, 0.2, 0.15, 0.1, 0.2])
DISTINCT = np.array([0.31, 0.9, 0.07, 0.55, 0.2, 0.74])

CASES: dict[str, tuple[Array, Array]] = {
    "distinct": (DISTINCT, WEIGHTS),
    "coinciding": (np.array([0.31, 0.9, 0.31, 0.31, 0.9, 0.74]), WEIGHTS),
    "all equal": (np.full(SIZE, 0.3), WEIGHTS),
    "close": (np.array([0.31, 0.31 + 1e-13, 0.9, 0.9 - 1e-9, 0.2, 0.74]), WEIGHTS),
    "zero weights": (DISTINCT, np.array([0.5, 0.0, 0.0, 0.3, 0.2, 0.0])),
    "tiny weights": (DISTINCT, np.array([0.5, 1e-30, 1e-16, 0.3, 0.2 - 1e-8, 1e-8])),
    "one weight": (DISTINCT, np.eye(SIZE)[2]),
    "coinciding, zero weights": (
        np.array([0.31, 0.9, 0.31, 0.31, 0.9, 0.74]),
        np.array([0.6, 0.0, 0.0, 0.3, 0.0, 0.1]),
    ),
}
EDGES: dict[str, tuple[Array, Array]] = {
    "empty and filled": (np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]), WEIGHTS),
    "empty": (np.zeros(SIZE), WEIGHTS),
    "filled": (np.ones(SIZE), WEIGHTS),
    "empty, filled, half": (np.array([0.0, 1.0, 0.5, 1.0, 0.5, 0.0]), WEIGHTS),
    "pure, zero weights": (
        np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
        np.array([0.6, 0.4, 0.0, 0.0, 0.0, 0.0]),
    ),
    "one weight": (np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]), np.eye(SIZE)[1]),
}
FUNCTIONS: dict[str, tuple[SpectralFunction, Callable]] = {
    "binary entropy": (BinaryEntropy(), textbook.binary_entropy),
    "exponential": (Exponential(np.array(1.7)), lambda x: np.exp(1.7 * x)),
    "cube": (Elementwise(lambda x: x**3), lambda x: x**3),
}


def dense(f: Callable, diagonal: Array, weights: Array) -> float:
    """tr f of diag(n) on the complement of x = sqrt(weights), which may have any norm."""
    complement = scipy.linalg.null_space(np.sqrt(weights)[None, :])
    block = complement.T @ (diagonal[:, None] * complement)
    return np.sum(f(np.linalg.eigvalsh(block)))


@jax.jit
def traces(diagonal, weights) -> tuple:
    return tuple(compressed_trace(fn, diagonal, weights) for fn, _ in FUNCTIONS.values())


@jax.jit
def slopes(diagonal, weights, direction: tuple) -> tuple:
    """Of all functions: along `direction` forward, the same reverse, and the gradients."""
    found = []
    for fn, _ in FUNCTIONS.values():

        def f(d, w, fn=fn):
            return compressed_trace(fn, d, w)

        forward = jax.jvp(f, (diagonal, weights), direction)[1]
        gradients = jax.grad(f, argnums=(0, 1))(diagonal, weights)
        reverse = sum(jnp.sum(g * d) for g, d in zip(gradients, direction, strict=True))
        found.append((forward, reverse, gradients))
    return tuple(found)


@pytest.mark.parametrize("name", CASES)
def test_trace_against_the_dense_compression(name: str) -> None:
    for found, (_, f) in zip(traces(*CASES[name]), FUNCTIONS.values(), strict=True):
        assert found == pytest.approx(dense(f, *CASES[name]), abs=2e-14)


@pytest.mark.parametrize("name", EDGES)
def test_entropy_at_empty_and_filled(name: str) -> None:
    found = traces(*EDGES[name])[0]
    # rounding of the dense eigenvalues costs 37 times as much in the entropy
    assert found == pytest.approx(dense(textbook.binary_entropy, *EDGES[name]), abs=2e-13)


def test_entries_filled_to_rounding_keep_their_own_entropy() -> None:
    """Hundreds that differ by less than what counts as one, in a chain."""
    holes = 6.0 * 2.0**-53 * np.arange(300)
    diagonal = np.append(0.5, 1.0 - holes)
    weights = np.eye(len(diagonal))[0]
    found = compressed_trace(BinaryEntropy(), jnp.asarray(diagonal), jnp.asarray(weights))
    expected = np.sum(
        np.where(holes > 0, -holes * np.log(np.where(holes > 0, holes, 1)) + holes, 0)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_pure_state_has_one_mixed_eigenvalue() -> None:
    """Entries 0 and 1 leave one root, the weight on the zeros: S_B = S_S of a pure state."""
    diagonal, weights = EDGES["empty and filled"]
    share = weights[diagonal == 0].sum()
    found = traces(diagonal, weights)[0]
    assert found == pytest.approx(textbook.binary_entropy(share), abs=1e-15)


def test_weights_count_up_to_a_factor() -> None:
    diagonal, weights = CASES["distinct"]
    for once, twice in zip(traces(diagonal, weights), traces(diagonal, 2.0 * weights), strict=True):
        assert twice == pytest.approx(float(once), abs=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_derivative_in_the_diagonal(name: str) -> None:
    diagonal, weights = CASES[name]
    rng = np.random.default_rng(8)
    direction = rng.normal(size=SIZE), np.zeros(SIZE)
    for (forward, reverse, _), (_, f) in zip(
        slopes(diagonal, weights, direction), FUNCTIONS.values(), strict=True
    ):
        expected = difference(lambda d, f=f: dense(f, d, weights), (diagonal,), direction[:1], 1e-4)
        size = max(1.0, abs(expected))
        assert forward == pytest.approx(expected, abs=2e-9 * size)
        assert reverse == pytest.approx(float(forward), abs=1e-13 * size)


@pytest.mark.parametrize("name", CASES)
def test_derivative_in_the_weights(name: str) -> None:
    """Weights can only grow from zero, so differences are one-sided."""
    diagonal, weights = CASES[name]
    change = np.random.default_rng(9).uniform(0.1, 1.0, SIZE)
    direction = np.zeros(SIZE), change
    for (forward, reverse, _), (_, f) in zip(
        slopes(diagonal, weights, direction), FUNCTIONS.values(), strict=True
    ):
        expected = one_sided_difference(
            lambda w, f=f: dense(f, diagonal, w), (weights,), (change,), 5e-4
        )
        size = max(1.0, abs(expected))
        # tiny weights bend the trace within a step of the difference
        tolerance = 3e-8 if "tiny" not in name else 1e-6
        assert forward == pytest.approx(expected, abs=tolerance * size)
        assert reverse == pytest.approx(float(forward), abs=1e-13 * size)


@pytest.mark.parametrize("name", ["distinct", "zero weights", "coinciding"])
def test_derivative_along_a_rotation_of_the_vector(name: str) -> None:
    """x(s) on the unit sphere: weights that vanish do so like x^2, as those of a state."""
    diagonal, weights = CASES[name]
    x, turn = jnp.sqrt(weights), np.random.default_rng(10).normal(size=SIZE)

    def vector(s):
        moved = x + s * turn
        return moved / jnp.linalg.norm(moved)

    def f(s):
        return compressed_trace(BinaryEntropy(), jnp.asarray(diagonal), vector(s) ** 2)

    def twin(s):
        return dense(textbook.binary_entropy, diagonal, np.asarray(vector(s)) ** 2)

    expected = difference(twin, (0.0,), (1.0,), 1e-3)
    assert jax.jit(jax.grad(f))(0.0) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", EDGES)
def test_derivatives_are_finite_at_empty_and_filled(name: str) -> None:
    rng = np.random.default_rng(11)
    direction = rng.normal(size=SIZE), rng.normal(size=SIZE)
    found = slopes(*EDGES[name], direction)
    for forward, reverse, gradients in found:
        assert all(np.all(np.isfinite(g)) for g in gradients)
        assert reverse == pytest.approx(float(forward), abs=1e-12)


def test_slope_of_the_entropy_at_empty_is_clipped_at_rounding() -> None:
    """The five zeros that stay each have the slope ln(1 / rounding), one of six being removed."""
    diagonal, weights = EDGES["empty"]
    direction = np.ones(SIZE), np.zeros(SIZE)
    forward, _, (by_diagonal, _) = slopes(diagonal, weights, direction)[0]
    assert forward == pytest.approx((SIZE - 1) * 53 * np.log(2.0), rel=1e-13)
    np.testing.assert_allclose(by_diagonal, 53 * np.log(2.0) * (1.0 - weights), rtol=1e-13)


def test_second_derivative_raises_or_is_right() -> None:
    diagonal, weights = map(jnp.asarray, CASES["coinciding"])
    turn = jnp.asarray(np.random.default_rng(12).normal(size=SIZE))

    def f(s):
        return compressed_trace(BinaryEntropy(), diagonal + s * turn, weights)

    slope = jax.jit(jax.grad(f))
    expected = difference(slope, (0.0,), (1.0,), 1e-4)
    assert abs(expected) > 1.0
    for derivative in (jax.grad, jax.jacfwd):
        try:
            found = jax.jit(derivative(derivative(f)))(0.0)
        except (NotImplementedError, ValueError, TypeError):
            continue
        assert found == pytest.approx(expected, rel=1e-7)


def test_derivative_in_the_function_raises() -> None:
    diagonal, weights = map(jnp.asarray, CASES["distinct"])
    with pytest.raises(NotImplementedError, match="no derivative in its function"):
        jax.grad(lambda s: compressed_trace(Exponential(s), diagonal, weights))(1.0)


def test_vmap_equals_loop() -> None:
    def slope(diagonal, weights):
        return jax.value_and_grad(partial(compressed_trace, BinaryEntropy()), (0, 1))(
            diagonal, weights
        )

    stacked = tuple(np.array(column) for column in zip(*CASES.values(), strict=True))
    together = jax.jit(jax.vmap(slope))(*stacked)
    once = jax.jit(slope)
    for i, arguments in enumerate(CASES.values()):
        for a, b in zip(jax.tree.leaves(once(*arguments)), jax.tree.leaves(together), strict=True):
            size = max(1.0, np.abs(a).max())
            np.testing.assert_allclose(b[i], a, rtol=0, atol=1e-12 * size)


def test_compiled_once_for_equal_shapes() -> None:
    def slope(diagonal, weights):
        return jax.grad(lambda d: compressed_trace(BinaryEntropy(), d, weights))(diagonal)

    counted = jax.jit(eqx.debug.assert_max_traces(slope, max_traces=1))
    results = [counted(*arguments) for arguments in (*CASES.values(), *EDGES.values())]
    assert np.all(np.isfinite(results))


def test_two_thousand_entries(rng: np.random.Generator) -> None:
    """Thermal occupations, half of them twice, with weights over twenty decades."""
    energies = np.linspace(-5.0, 5.0, 1500)
    energies = np.concatenate([energies, energies[::3]])
    diagonal = rng.permutation(textbook.fermi(2.0, 0.3, energies))
    weights = 10.0 ** rng.uniform(-20.0, 0.0, 2000)
    weights /= weights.sum()
    found = jax.jit(lambda d, w: compressed_trace(BinaryEntropy(), d, w))(diagonal, weights)
    # 1 - 2 x x^T / x^2-like reflections turn x into the first axis: its complement is the rest
    x = np.sqrt(weights)
    mirror = x.copy()
    mirror[0] += np.copysign(1.0, x[0])
    mirror /= np.linalg.norm(mirror)
    product = diagonal * mirror
    block = np.diag(diagonal) - 2.0 * (np.outer(mirror, product) + np.outer(product, mirror))
    block += 4.0 * (mirror @ product) * np.outer(mirror, mirror)
    values = np.linalg.eigvalsh(block[1:, 1:])
    expected = np.sum(textbook.binary_entropy(values))
    assert found == pytest.approx(expected, rel=1e-12)


occupations = st.sampled_from([0.0, 0.25, 1.0]) | st.floats(0.0, 1.0)
amplitudes = st.sampled_from([0.0, 1.0]) | st.floats(1e-8, 1.0)


@given(
    diagonal=st.lists(occupations, min_size=SIZE, max_size=SIZE),
    vector=st.lists(amplitudes, min_size=SIZE, max_size=SIZE).filter(any),
)
def test_any_occupations_and_any_vector(diagonal: list, vector: list) -> None:
    weights = np.array(vector) ** 2
    arguments = np.array(diagonal), weights / weights.sum()
    for found, (_, f) in zip(traces(*arguments), FUNCTIONS.values(), strict=True):
        assert found == pytest.approx(dense(f, *arguments), abs=1e-13)
    for _, _, gradients in slopes(*arguments, (np.ones(SIZE), np.ones(SIZE))):
        assert all(np.all(np.isfinite(g)) for g in gradients)


def test_wrong_multiplicity_would_be_noticed() -> None:
    """The negative control: dropping a coinciding entry's copies changes the trace."""
    diagonal, weights = CASES["coinciding"]
    merged, place = np.unique(diagonal, return_inverse=True)
    once = dense(textbook.binary_entropy, merged, np.bincount(place, weights))
    right = traces(diagonal, weights)[0]
    assert abs(right - once) > 0.1
