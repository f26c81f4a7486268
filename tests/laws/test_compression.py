"""Slopes of traces with one direction removed, any such trace, and large ones."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.compressions import AT_AN_EDGE, CASES, EDGES, FUNCTIONS, SIZE, dense, traces
from derivatives import difference, one_sided_difference
from hypothesis import given
from hypothesis import strategies as st
from twins import textbook

from entropax.linalg import BinaryEntropy, compressed_trace


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


@jax.jit
def turned(s: jax.Array, x: jax.Array, turn: jax.Array) -> jax.Array:
    moved = x + s * turn
    return moved / jnp.linalg.norm(moved)


@jax.jit
@jax.grad
def slope_of_turning(s: jax.Array, diagonal: jax.Array, x: jax.Array, turn: jax.Array) -> jax.Array:
    return compressed_trace(BinaryEntropy(), diagonal, turned(s, x, turn) ** 2)


@pytest.mark.parametrize("name", ["distinct", "zero weights", "coinciding"])
def test_derivative_along_a_rotation_of_the_vector(name: str) -> None:
    """x(s) on the unit sphere: weights that vanish do so like x^2, as those of a state."""
    diagonal, weights = CASES[name]
    x, turn = np.sqrt(weights), np.random.default_rng(10).normal(size=SIZE)

    def twin(s):
        return dense(textbook.binary_entropy, diagonal, np.asarray(turned(s, x, turn)) ** 2)

    expected = difference(twin, (0.0,), (1.0,), 1e-3)
    assert slope_of_turning(0.0, diagonal, x, turn) == pytest.approx(expected, abs=1e-9)


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
    for found, (_, f), rounding in zip(
        traces(*arguments), FUNCTIONS.values(), AT_AN_EDGE, strict=True
    ):
        assert found == pytest.approx(dense(f, *arguments), abs=rounding)
    for _, _, gradients in slopes(*arguments, (np.ones(SIZE), np.ones(SIZE))):
        assert all(np.all(np.isfinite(g)) for g in gradients)
