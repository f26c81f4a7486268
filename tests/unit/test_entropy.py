"""Entropies and divergences: closed forms, mpmath, edges, and numbers from outside."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases.matrices import random_hermitian, with_eigenvalues
from cases.spectra import over_dtypes
from derivatives import check_derivative
from rounding import LARGEST_SLOPE, entropy_rounding
from twins import fock, textbook

from entropax.entropy import (
    binary_entropy,
    binary_relative_entropy,
    gaussian_entropy,
    mutual_information,
    relative_entropy,
    shannon,
    von_neumann,
)

Array = np.ndarray

pytestmark = pytest.mark.kernels


# One operation after the other each would be compiled alone: these are programs.
mode_entropy = jax.jit(binary_entropy)
mode_slope = jax.jit(jax.grad(binary_entropy))
one_term = jax.jit(lambda p: shannon(jnp.array([p])))
gaussian = jax.jit(jax.value_and_grad(gaussian_entropy))
divergence = jax.jit(relative_entropy)
mode_divergence = jax.jit(binary_relative_entropy)
shared = jax.jit(jax.value_and_grad(mutual_information))


def exact_binary_entropy(n: float) -> float:
    with mpmath.workdps(60):
        parts = (mpmath.mpf(n), 1 - mpmath.mpf(n))
        return float(-sum(p * mpmath.log(p) for p in parts if p > 0))


def test_binary_entropy_against_mpmath() -> None:
    n = np.array([1e-300, 1e-20, 1e-9, 0.003, 0.25, 0.5, 0.75, 0.9997, 1.0 - 1e-9, 1.0 - 2.0**-53])
    expected = [exact_binary_entropy(x) for x in n]
    # 1 - n is rounded: 1e-16 n is lost of n ln n
    np.testing.assert_allclose(mode_entropy(n), expected, rtol=2e-15, atol=4e-17)


@pytest.mark.parametrize("n", [1e-20, 1e-300])
def test_binary_entropy_of_nearly_nothing_keeps_its_digits(n: float) -> None:
    """n (1 - ln n) to first order in n; of 1 - n nothing is left."""
    assert float(mode_entropy(n)) == pytest.approx(n * (1.0 - np.log(n)), rel=1e-14)
    assert float(one_term(n)) == pytest.approx(-n * np.log(n), rel=1e-14)


def test_binary_entropy_at_the_edges_and_beyond() -> None:
    n = jnp.array([0.0, 1.0, 0.5, -1e-17, 1.0 + 3e-16])
    np.testing.assert_allclose(mode_entropy(n), [0, 0, np.log(2.0), 0, 0], rtol=0, atol=1e-16)
    slope = jax.vmap(mode_slope)(n)
    expected = [LARGEST_SLOPE, -LARGEST_SLOPE, 0.0, LARGEST_SLOPE, -LARGEST_SLOPE]
    np.testing.assert_allclose(slope, expected, rtol=1e-15, atol=1e-16)
    assert np.all(np.isfinite(jax.jit(jax.vmap(jax.grad(jax.grad(binary_entropy))))(n)))


@pytest.mark.parametrize(
    "entropy",
    [
        lambda x: binary_entropy(x),
        lambda x: shannon(x * jnp.ones(2)),
        lambda x: gaussian_entropy(jnp.full((1, 1), x)),
        lambda x: gaussian_entropy(jnp.full((2, 2), x)),
        lambda x: von_neumann(jnp.full((2, 2), x)),
        lambda x: mutual_information(x * jnp.ones((2, 2))),
        lambda x: relative_entropy(jnp.full((2, 2), x), 0.5 * jnp.eye(2)),
        lambda x: relative_entropy(0.5 * jnp.eye(2), jnp.full((2, 2), x)),
        lambda x: binary_relative_entropy(x, jnp.array(0.3)),
        lambda x: binary_relative_entropy(jnp.array(0.3), x),
    ],
    ids=[
        "mode",
        "probabilities",
        "one site",
        "two sites",
        "density matrix",
        "joint table",
        "state",
        "reference",
        "occupation",
        "log odds",
    ],
)
def test_entropies_of_nan_are_nan(entropy: Callable) -> None:
    """No entropy of a failed computation: 0 would be a plausible number."""
    assert np.isnan(jax.jit(entropy)(jnp.nan))


@jax.jit
def mode_curvature(n: jax.Array) -> tuple[jax.Array, jax.Array]:
    forwards = jax.jacfwd(jax.jacfwd(binary_entropy))
    return jax.grad(jax.grad(binary_entropy))(n), forwards(n)


@pytest.mark.parametrize("n", [1e-6, 0.1, 0.5, 0.8, 1.0 - 1e-6])
def test_binary_entropy_derivatives(n: float) -> None:
    backwards, forwards = mode_curvature(n)
    assert mode_slope(n) == pytest.approx(np.log((1.0 - n) / n), rel=1e-14, abs=1e-15)
    assert backwards == pytest.approx(-1.0 / (n * (1.0 - n)), rel=1e-14)
    assert forwards == pytest.approx(float(backwards))
    check_derivative(binary_entropy, (n,), (1.0,), step=0.01 * min(n, 1.0 - n), tolerance=1e-6)


@jax.jit
def gaussian_hessian(c: jax.Array, direction: jax.Array) -> jax.Array:
    return jax.jvp(jax.grad(gaussian_entropy), (c,), (direction,))[1]


@over_dtypes
def test_gaussian_entropy_of_an_edge_state(dtype: type, rng: np.random.Generator) -> None:
    for vectors in (np.eye(4), np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]):
        c = jnp.asarray((vectors * np.array([0.0, 0.0, 1.0, 0.3])) @ vectors.conj().T)
        value, gradient = gaussian(c)
        assert value == pytest.approx(exact_binary_entropy(0.3), abs=entropy_rounding(4))
        assert np.all(np.isfinite(gradient))
        towards = vectors[:, 3:] @ vectors[:, 3:].conj().T
        slope = np.sum(gradient * towards).real
        # products of four entries, the largest of the gradient's 37
        assert slope == pytest.approx(np.log(0.7 / 0.3), abs=entropy_rounding(4))
        hessian = gaussian_hessian(c, jnp.asarray(towards, c.dtype))
        assert np.all(np.isfinite(hessian))
        assert np.sum(hessian * towards).real == pytest.approx(-1.0 / 0.21, rel=1e-12)


@over_dtypes
def test_gaussian_entropy_of_one_site(dtype: type) -> None:
    for n in (0.0, 0.2, 1.0):
        c = jnp.array([[n]], dtype)
        value, gradient = gaussian(c)
        assert value == pytest.approx(exact_binary_entropy(n), abs=1e-16)
        assert gradient[0, 0] == pytest.approx(float(mode_slope(n)), rel=1e-15)


# entropy of a block of the infinite half filled chain
@pytest.mark.parametrize(("sites", "expected"), [(10, 1.493424238191), (100, 2.261122029898)])
def test_block_entropy_of_the_infinite_chain(sites: int, expected: float) -> None:
    distance = np.subtract.outer(np.arange(sites), np.arange(sites))
    c = 0.5 * np.sinc(distance / 2.0)  # sin(pi d / 2) / (pi d)
    assert gaussian_entropy(jnp.asarray(c)) == pytest.approx(expected, abs=2e-12)
    # as complex, in a gauge of its own, it is the same
    phase = np.exp(1j * np.arange(sites))
    turned = phase[:, None] * c * phase.conj()[None, :]
    assert gaussian_entropy(jnp.asarray(turned)) == pytest.approx(expected, abs=2e-12)


def test_gaussian_entropy_vmap_jit_and_traces(rng: np.random.Generator) -> None:
    spectra = ((0.1, 0.2, 0.9), (0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
    states = jnp.asarray([with_eigenvalues(rng, s) for s in spectra])
    once = jax.jit(eqx.debug.assert_max_traces(jax.value_and_grad(gaussian_entropy), max_traces=1))
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(gaussian_entropy)))(states)
    for i, state in enumerate(states):
        value, gradient = once(state)
        assert values[i] == pytest.approx(float(value), abs=entropy_rounding(3))
        # at an edge the clipped slope hangs on the last bit of an eigenvalue
        if i != 1:
            np.testing.assert_allclose(gradients[i], gradient, rtol=0, atol=1e-13)


def test_shannon() -> None:
    p = jnp.array([[0.5, 0.25], [0.25, 0.0]])
    value, gradient = jax.jit(jax.value_and_grad(shannon))(p)
    assert value == pytest.approx(1.5 * np.log(2.0), abs=1e-15)
    np.testing.assert_allclose(
        gradient, [[np.log(2) - 1, np.log(4) - 1], [np.log(4) - 1, LARGEST_SLOPE - 1]], rtol=1e-15
    )
    assert shannon(jnp.array([1.0, 0.0, 0.0])) == 0.0


@over_dtypes
def test_von_neumann(dtype: type, rng: np.random.Generator) -> None:
    p = np.array([0.4, 0.3, 0.3, 0.0])
    rho = jnp.asarray(with_eigenvalues(rng, p, dtype))
    expected = -0.4 * np.log(0.4) - 0.6 * np.log(0.3)
    value, gradient = jax.jit(jax.value_and_grad(von_neumann))(rho)
    # -p ln p of an eigenvalue that is 0 but for rounding
    assert value == pytest.approx(expected, abs=entropy_rounding(4, edges=1))
    assert np.all(np.isfinite(gradient))
    mixed = with_eigenvalues(rng, (0.4, 0.25, 0.25, 0.1), dtype)
    direction = random_hermitian(rng, 4, dtype)
    check_derivative(von_neumann, (mixed,), (direction,), twin=fock.entropy, step=1e-4)


@over_dtypes
def test_von_neumann_of_a_pure_state(dtype: type, rng: np.random.Generator) -> None:
    psi = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1][:, 0]
    rho = jnp.asarray(np.outer(psi, psi.conj()))
    value, gradient = jax.jit(jax.value_and_grad(von_neumann))(rho)
    assert value == pytest.approx(0.0, abs=entropy_rounding(4, edges=3))
    assert np.all(np.isfinite(gradient))


def test_relative_entropy_of_commuting_states() -> None:
    p, q = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    expected = np.sum(p[:3] * np.log(p[:3] / q[:3]))
    found = divergence(np.diag(p), np.diag(q))
    assert found == pytest.approx(expected, abs=1e-15)


@over_dtypes
def test_relative_entropy_and_support(dtype: type, rng: np.random.Generator) -> None:
    vectors = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]

    def state(p: tuple) -> jax.Array:
        return jnp.asarray((vectors * np.array(p)) @ vectors.conj().T)

    narrow, wide = state((0.5, 0.5, 0.0, 0.0)), state((0.25, 0.25, 0.3, 0.2))
    assert divergence(wide, narrow) == np.inf
    assert divergence(narrow, wide) == pytest.approx(np.log(2.0), abs=entropy_rounding(4))
    assert divergence(state((0.5, 0.499, 0.001, 0.0)), narrow) == np.inf
    for same in (narrow, wide, state((1.0, 0.0, 0.0, 0.0))):
        assert divergence(same, same) == pytest.approx(0.0, abs=1e-12)
    pure = state((1.0, 0.0, 0.0, 0.0))
    assert divergence(pure, narrow) == pytest.approx(np.log(2.0), abs=1e-12)
    assert divergence(pure, state((0.0, 1.0, 0.0, 0.0))) == np.inf


def test_relative_entropy_to_a_cold_state() -> None:
    """A level with weight 1e-15 belongs to the support; slopes at an empty one are clipped."""
    cold = np.diag([1.0 - 1e-15, 1e-15])
    expected = -np.log(2.0) - 0.5 * np.log(1e-15)
    assert divergence(np.eye(2) / 2, cold) == pytest.approx(expected, rel=1e-12)

    def own(a: jax.Array) -> jax.Array:
        rho = jnp.array([[1.0 - a, 0.0], [0.0, a]])
        return relative_entropy(rho, rho)

    program = jax.jit(jax.value_and_grad(own))
    value, slope = program(0.3)
    assert value == pytest.approx(0.0, abs=1e-14)
    assert slope == pytest.approx(0.0, abs=1e-13)
    assert abs(program(0.0)[1]) < 37


@pytest.mark.parametrize("beta", [20.0, 50.0, 300.0])
def test_relative_entropy_to_a_cold_gibbs_state(beta: float) -> None:
    """Of what is wholly mixed, in the basis of energies: no small population is lost."""
    gibbs = np.diag([1.0, np.exp(-beta)]) / (1.0 + np.exp(-beta))
    expected = -np.log(2.0) + beta / 2.0 + np.log1p(np.exp(-beta))
    assert float(divergence(np.eye(2) / 2, gibbs)) == pytest.approx(expected, rel=1e-14)
    # with coherences of its own: their entropy is missing
    tilted = np.array([[0.5, 0.3], [0.3, 0.5]])
    entropy = -0.8 * np.log(0.8) - 0.2 * np.log(0.2)
    assert float(divergence(tilted, gibbs)) == pytest.approx(
        expected + np.log(2.0) - entropy, rel=1e-14
    )
    assert float(divergence(np.eye(2) / 2, np.diag([1.0, 0.0]))) == np.inf


@pytest.mark.parametrize("turned", [0.0, 0.4])
def test_relative_entropy_moves_with_its_reference(turned: float) -> None:
    """Also where that is diagonal, and what it is moved by is not."""
    vectors = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    reference = vectors @ np.diag([0.8, 0.2]) @ vectors.T
    state = np.array([[0.5, 0.3], [0.3, 0.5]])
    along = np.array([[0.1, 0.4], [0.4, -0.1]])
    check_derivative(relative_entropy, (state, reference), (along, along), step=1e-4)


def exact_divergence(n: float, x: float) -> float:
    """D[n || f(x)] at 400 digits, where f(800) and its distance from 0 still mean something."""
    with mpmath.workdps(400):
        first = mpmath.mpf(n), 1 - mpmath.mpf(n)
        f = 1 / (mpmath.exp(mpmath.mpf(x)) + 1)
        second = f, 1 - f
        terms = (p * mpmath.log(p / q) for p, q in zip(first, second, strict=True) if p > 0)
        return float(sum(terms))


@pytest.mark.parametrize("x", [0.0, 0.3, -2.0, 40.0, -40.0, 800.0, -800.0])
@pytest.mark.parametrize("n", [0.0, 1e-12, 0.2, 0.5, 1.0 - 1e-12, 1.0])
def test_binary_relative_entropy_against_mpmath(n: float, x: float) -> None:
    found = mode_divergence(n, x)
    # one of the two terms is of order |x|
    assert found == pytest.approx(exact_divergence(n, x), rel=1e-14, abs=4e-16)


def test_binary_relative_entropy_of_empty_and_filled_references() -> None:
    n = jnp.array([0.0, 1.0, 0.3, 0.0, 1.0, 0.3, 1e-15, 1.0 - 1e-15])
    x = jnp.array([np.inf, np.inf, np.inf, -np.inf, -np.inf, -np.inf, np.inf, -np.inf])
    found = mode_divergence(n, x)
    expected = [0.0, np.inf, np.inf, np.inf, 0.0, np.inf, 0.0, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-13)
    gradient = jax.jit(jax.grad(binary_relative_entropy))(0.0, np.inf)
    assert np.isfinite(gradient)


def total(n: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.sum(binary_relative_entropy(n, x))


slopes_of_total = jax.jit(jax.grad(total, argnums=(0, 1)))


def test_binary_relative_entropy_vanishes_at_its_own_mode_to_second_order() -> None:
    x = jnp.array([-30.0, -3.0, 0.0, 0.7, 12.0])
    n = jax.nn.sigmoid(-x)
    np.testing.assert_allclose(mode_divergence(n, x), 0.0, atol=2e-15)
    by_n, by_x = slopes_of_total(n[1:], x[1:])
    np.testing.assert_allclose(by_n, 0.0, atol=1e-11)
    np.testing.assert_allclose(by_x, 0.0, atol=1e-15)


def test_binary_relative_entropy_derivatives() -> None:
    n, x = np.array([0.2, 0.9, 0.5]), np.array([1.3, -2.0, 30.0])
    check_derivative(total, (n, x), (np.array([1.0, -0.3, 0.4]), np.array([0.7, 1.1, -2.0])))
    by_n, by_x = slopes_of_total(n, x)
    np.testing.assert_allclose(by_n, np.log(n / (1 - n)) + x, rtol=1e-14)
    np.testing.assert_allclose(by_x, n - textbook.occupations_of(x), rtol=1e-14)


def test_mutual_information() -> None:
    a, b = np.array([0.2, 0.8]), np.array([0.5, 0.25, 0.25])
    assert shared(np.outer(a, b))[0] == pytest.approx(0.0, abs=1e-15)
    perfect = np.diag([0.5, 0.25, 0.25])
    assert shared(perfect)[0] == pytest.approx(1.5 * np.log(2.0), abs=1e-15)
    joint = np.array([[0.3, 0.1, 0.0], [0.1, 0.2, 0.3]])
    product = np.outer(joint.sum(1), joint.sum(0))
    kept = joint > 0
    expected = np.sum(joint[kept] * np.log(joint[kept] / product[kept]))
    value, gradient = shared(joint)
    assert value == pytest.approx(expected, abs=1e-15)
    assert shared(joint.T)[0] == pytest.approx(expected, abs=1e-15)
    assert np.all(np.isfinite(gradient))
    positive = (joint + 0.1) / (joint + 0.1).sum()
    check_derivative(mutual_information, (positive,), (np.arange(6.0).reshape(2, 3),), step=1e-4)
