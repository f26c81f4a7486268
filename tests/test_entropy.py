"""Entropies and divergences: closed forms, mpmath, edges, and numbers from outside."""

from collections.abc import Callable

import equinox as eqx
import fock
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import textbook
from helpers import check_derivative, random_hermitian, with_eigenvalues
from hypothesis import given
from hypothesis import strategies as st

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

LARGEST_SLOPE = 53 * np.log(2.0)  # ln(1 / 2^-53): slopes of entropies are clipped there
DTYPES = {"real": float, "complex": complex}
over_dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


def exact_binary_entropy(n: float) -> float:
    with mpmath.workdps(60):
        parts = (mpmath.mpf(n), 1 - mpmath.mpf(n))
        return float(-sum(p * mpmath.log(p) for p in parts if p > 0))


# binary entropy


def test_binary_entropy_against_mpmath() -> None:
    n = np.array([1e-300, 1e-20, 1e-9, 0.003, 0.25, 0.5, 0.75, 0.9997, 1.0 - 1e-9, 1.0 - 2.0**-53])
    expected = [exact_binary_entropy(x) for x in n]
    # 1 - n is rounded: 1e-16 n is lost of n ln n
    np.testing.assert_allclose(binary_entropy(jnp.asarray(n)), expected, rtol=2e-15, atol=4e-17)


def test_binary_entropy_at_the_edges_and_beyond() -> None:
    n = jnp.array([0.0, 1.0, 0.5, -1e-17, 1.0 + 3e-16])
    np.testing.assert_allclose(binary_entropy(n), [0, 0, np.log(2.0), 0, 0], rtol=0, atol=1e-16)
    slope = jax.vmap(jax.grad(binary_entropy))(n)
    expected = [LARGEST_SLOPE, -LARGEST_SLOPE, 0.0, LARGEST_SLOPE, -LARGEST_SLOPE]
    np.testing.assert_allclose(slope, expected, rtol=1e-15, atol=1e-16)
    assert np.all(np.isfinite(jax.vmap(jax.grad(jax.grad(binary_entropy)))(n)))


@pytest.mark.parametrize(
    "entropy",
    [
        lambda x: binary_entropy(x),
        lambda x: shannon(x * jnp.ones(2)),
        lambda x: gaussian_entropy(x * jnp.eye(1)),
        lambda x: gaussian_entropy(x * jnp.eye(2)),
        lambda x: von_neumann(x * jnp.eye(2)),
        lambda x: mutual_information(x * jnp.ones((2, 2))),
        lambda x: relative_entropy(x * jnp.eye(2), 0.5 * jnp.eye(2)),
        lambda x: relative_entropy(0.5 * jnp.eye(2), x * jnp.eye(2)),
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
    assert np.isnan(entropy(jnp.array(jnp.nan)))


@pytest.mark.parametrize("n", [1e-6, 0.1, 0.5, 0.8, 1.0 - 1e-6])
def test_binary_entropy_derivatives(n: float) -> None:
    first = jax.grad(binary_entropy)
    assert first(n) == pytest.approx(np.log((1.0 - n) / n), rel=1e-14, abs=1e-15)
    assert jax.grad(first)(n) == pytest.approx(-1.0 / (n * (1.0 - n)), rel=1e-14)
    assert jax.jacfwd(jax.jacfwd(binary_entropy))(n) == pytest.approx(float(jax.grad(first)(n)))
    check_derivative(binary_entropy, (n,), (1.0,), step=0.01 * min(n, 1.0 - n), tolerance=1e-6)


# Gaussian states


@over_dtypes
def test_gaussian_entropy_of_an_edge_state(dtype: type, rng: np.random.Generator) -> None:
    for vectors in (np.eye(4), np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]):
        c = jnp.asarray((vectors * np.array([0.0, 0.0, 1.0, 0.3])) @ vectors.conj().T)
        value, gradient = jax.value_and_grad(gaussian_entropy)(c)
        # eigenvalues are right to 1e-16, entropies to 37 times that
        assert value == pytest.approx(exact_binary_entropy(0.3), abs=3e-14)
        assert np.all(np.isfinite(gradient))
        towards = vectors[:, 3:] @ vectors[:, 3:].conj().T
        slope = jnp.sum(gradient * towards).real
        assert slope == pytest.approx(np.log(0.7 / 0.3), abs=1e-13)
        hessian = jax.jvp(jax.grad(gaussian_entropy), (c,), (jnp.asarray(towards, c.dtype),))[1]
        assert np.all(np.isfinite(hessian))
        assert jnp.sum(hessian * towards).real == pytest.approx(-1.0 / 0.21, rel=1e-12)


@over_dtypes
def test_gaussian_entropy_against_the_many_body_state(
    dtype: type, rng: np.random.Generator
) -> None:
    c = with_eigenvalues(rng, (0.05, 0.4, 0.4, 0.93), dtype)
    expected = fock.entropy(fock.gaussian_state(c))
    assert gaussian_entropy(jnp.asarray(c)) == pytest.approx(expected, abs=1e-12)
    direction = random_hermitian(rng, 4, dtype)
    twin = textbook.gaussian_entropy
    check_derivative(gaussian_entropy, (c,), (direction,), twin=twin, step=1e-4, tolerance=1e-9)


@over_dtypes
def test_gaussian_entropy_of_one_site(dtype: type) -> None:
    for n in (0.0, 0.2, 1.0):
        c = jnp.array([[n]], dtype)
        value, gradient = jax.value_and_grad(gaussian_entropy)(c)
        assert value == pytest.approx(exact_binary_entropy(n), abs=1e-16)
        assert gradient[0, 0] == pytest.approx(float(jax.grad(binary_entropy)(n)), rel=1e-15)


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
        assert values[i] == pytest.approx(float(value), abs=1e-13)
        # at an edge the clipped slope hangs on the last bit of an eigenvalue
        if i != 1:
            np.testing.assert_allclose(gradients[i], gradient, rtol=0, atol=1e-13)


# Density matrices and probabilities


def test_shannon() -> None:
    p = jnp.array([[0.5, 0.25], [0.25, 0.0]])
    assert shannon(p) == pytest.approx(1.5 * np.log(2.0), abs=1e-15)
    gradient = jax.grad(shannon)(p)
    np.testing.assert_allclose(
        gradient, [[np.log(2) - 1, np.log(4) - 1], [np.log(4) - 1, LARGEST_SLOPE - 1]], rtol=1e-15
    )
    assert shannon(jnp.array([1.0, 0.0, 0.0])) == 0.0


@over_dtypes
def test_von_neumann(dtype: type, rng: np.random.Generator) -> None:
    p = np.array([0.4, 0.3, 0.3, 0.0])
    rho = jnp.asarray(with_eigenvalues(rng, p, dtype))
    expected = -0.4 * np.log(0.4) - 0.6 * np.log(0.3)
    # -p ln p of an eigenvalue 1e-17 instead of 0
    assert von_neumann(rho) == pytest.approx(expected, abs=1e-14)
    assert np.all(np.isfinite(jax.grad(von_neumann)(rho)))
    mixed = with_eigenvalues(rng, (0.4, 0.25, 0.25, 0.1), dtype)
    direction = random_hermitian(rng, 4, dtype)
    check_derivative(von_neumann, (mixed,), (direction,), twin=fock.entropy, step=1e-4)


@over_dtypes
def test_von_neumann_of_a_pure_state(dtype: type, rng: np.random.Generator) -> None:
    psi = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1][:, 0]
    rho = jnp.asarray(np.outer(psi, psi.conj()))
    value, gradient = jax.value_and_grad(von_neumann)(rho)
    assert value == pytest.approx(0.0, abs=1e-13)
    assert np.all(np.isfinite(gradient))


def page(small: int, large: int) -> float:
    """Page's mean entropy, sum_{k=n+1}^{mn} 1/k - (m-1)/(2n), of m inside mn dimensions."""
    harmonic = sum(mpmath.mpf(1) / k for k in range(large + 1, small * large + 1))
    return float(harmonic - mpmath.mpf(small - 1) / (2 * large))


def test_page_entropy() -> None:
    """Page 1993: the value, and the mean over random pure states within four standard errors."""
    assert page(4, 8) == pytest.approx(1.15313805257937725, abs=1e-15)
    draws = 4000
    rng = np.random.default_rng(41)
    psi = rng.normal(size=(draws, 4, 8)) + 1j * rng.normal(size=(draws, 4, 8))
    psi /= np.linalg.norm(psi, axis=(1, 2), keepdims=True)
    states = np.einsum("sab,scb->sac", psi, psi.conj())
    entropies = np.asarray(jax.jit(jax.vmap(von_neumann))(states))
    error = entropies.std() / np.sqrt(draws)
    assert error < 1.5e-3
    assert abs(entropies.mean() - page(4, 8)) < 4.0 * error
    # the leading order ln m - m/2n, 0.017 away, would not pass
    assert abs(entropies.mean() - (np.log(4.0) - 0.25)) > 8.0 * error


# Relative entropy


def mp_relative_entropy(rho: Array, sigma: Array) -> float:
    """tr rho (ln rho - ln sigma) at 40 digits, for states without empty levels."""
    with mpmath.workdps(40):
        r, s = mpmath.matrix(rho.tolist()), mpmath.matrix(sigma.tolist())

        def log(m: mpmath.matrix) -> mpmath.matrix:
            values, vectors = mpmath.eighe(m)
            return vectors * mpmath.diag([mpmath.log(v) for v in values]) * vectors.H

        product = r * (log(r) - log(s))
        return float(mpmath.re(sum(product[i, i] for i in range(len(rho)))))


@over_dtypes
def test_relative_entropy_against_mpmath(dtype: type, rng: np.random.Generator) -> None:
    spectra = ((0.5, 0.3, 0.2), (1.0 - 2e-6, 1e-6, 1e-6), (1 / 3, 1 / 3, 1 / 3))
    states = [with_eigenvalues(rng, s, dtype) for s in spectra]
    function = jax.jit(relative_entropy)
    for rho in states:
        for sigma in states:
            expected = mp_relative_entropy(rho, sigma)
            # eigenvalues 1e-6 are right to a relative 1e-10
            assert function(rho, sigma) == pytest.approx(expected, abs=1e-9)


def test_relative_entropy_of_commuting_states() -> None:
    p, q = np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    expected = np.sum(p[:3] * np.log(p[:3] / q[:3]))
    found = relative_entropy(jnp.diag(jnp.asarray(p)), jnp.diag(jnp.asarray(q)))
    assert found == pytest.approx(expected, abs=1e-15)


@over_dtypes
def test_relative_entropy_and_support(dtype: type, rng: np.random.Generator) -> None:
    vectors = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]

    def state(p: tuple) -> jax.Array:
        return jnp.asarray((vectors * np.array(p)) @ vectors.conj().T)

    narrow, wide = state((0.5, 0.5, 0.0, 0.0)), state((0.25, 0.25, 0.3, 0.2))
    assert relative_entropy(wide, narrow) == np.inf
    assert relative_entropy(narrow, wide) == pytest.approx(np.log(2.0), abs=1e-13)
    assert relative_entropy(state((0.5, 0.499, 0.001, 0.0)), narrow) == np.inf
    for same in (narrow, wide, state((1.0, 0.0, 0.0, 0.0))):
        assert relative_entropy(same, same) == pytest.approx(0.0, abs=1e-12)
    pure = state((1.0, 0.0, 0.0, 0.0))
    assert relative_entropy(pure, narrow) == pytest.approx(np.log(2.0), abs=1e-12)
    assert relative_entropy(pure, state((0.0, 1.0, 0.0, 0.0))) == np.inf


def test_relative_entropy_to_a_cold_state() -> None:
    """A level with weight 1e-15 belongs to the support; slopes at an empty one are clipped."""
    cold = jnp.diag(jnp.array([1.0 - 1e-15, 1e-15]))
    expected = -np.log(2.0) - 0.5 * np.log(1e-15)
    assert relative_entropy(jnp.eye(2) / 2, cold) == pytest.approx(expected, rel=1e-12)

    def own(a: jax.Array) -> jax.Array:
        rho = jnp.array([[1.0 - a, 0.0], [0.0, a]])
        return relative_entropy(rho, rho)

    assert own(0.3) == pytest.approx(0.0, abs=1e-14)
    assert jax.grad(own)(0.3) == pytest.approx(0.0, abs=1e-13)
    assert abs(jax.grad(own)(0.0)) < 37


@over_dtypes
def test_relative_entropy_derivatives(dtype: type, rng: np.random.Generator) -> None:
    rho = with_eigenvalues(rng, (0.4, 0.3, 0.3), dtype)
    sigma = with_eigenvalues(rng, (0.5, 0.25, 0.25), dtype)
    directions = random_hermitian(rng, 3, dtype), random_hermitian(rng, 3, dtype)
    twin = fock.relative_entropy
    check_derivative(
        relative_entropy, (rho, sigma), directions, twin=twin, step=1e-4, tolerance=1e-9
    )
    # at rho = sigma it is at its minimum among states, to which traceless changes lead
    traceless = directions[0] - np.trace(directions[0]) / 3 * np.eye(3)
    check_derivative(
        relative_entropy, (rho, rho), (traceless, 0 * traceless), reference=0.0, tolerance=1e-13
    )


@over_dtypes
def test_relative_entropy_gradient_is_finite_where_levels_are_empty(
    dtype: type, rng: np.random.Generator
) -> None:
    """Within the support, in the state and in a reference of full rank."""
    vectors = np.linalg.eigh(random_hermitian(rng, 3, dtype))[1]
    rho = jnp.asarray((vectors * np.array([1.0, 0.0, 0.0])) @ vectors.conj().T)
    sigma = jnp.asarray(with_eigenvalues(rng, (0.5, 0.25, 0.25), dtype))
    value, gradients = jax.value_and_grad(relative_entropy, argnums=(0, 1))(rho, sigma)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(g)) for g in gradients)
    # equal rank-one states: the same empty levels on both sides
    assert np.all(np.isfinite(jax.grad(relative_entropy)(rho, rho)))


# Two fermionic modes


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
    found = binary_relative_entropy(jnp.array(n), jnp.array(x))
    # one of the two terms is of order |x|
    assert found == pytest.approx(exact_divergence(n, x), rel=1e-14, abs=4e-16)


def test_binary_relative_entropy_of_empty_and_filled_references() -> None:
    n = jnp.array([0.0, 1.0, 0.3, 0.0, 1.0, 0.3, 1e-15, 1.0 - 1e-15])
    x = jnp.array([np.inf, np.inf, np.inf, -np.inf, -np.inf, -np.inf, np.inf, -np.inf])
    found = binary_relative_entropy(n, x)
    expected = [0.0, np.inf, np.inf, np.inf, 0.0, np.inf, 0.0, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-13)
    gradient = jax.grad(lambda n: binary_relative_entropy(n, jnp.inf))(0.0)
    assert np.isfinite(gradient)


def test_binary_relative_entropy_vanishes_at_its_own_mode_to_second_order() -> None:
    x = jnp.array([-30.0, -3.0, 0.0, 0.7, 12.0])
    n = jax.nn.sigmoid(-x)
    np.testing.assert_allclose(binary_relative_entropy(n, x), 0.0, atol=2e-15)

    def total(n, x):
        return jnp.sum(binary_relative_entropy(n, x))

    by_n, by_x = jax.grad(total, argnums=(0, 1))(n[1:], x[1:])
    np.testing.assert_allclose(by_n, 0.0, atol=1e-11)
    np.testing.assert_allclose(by_x, 0.0, atol=1e-15)


def test_binary_relative_entropy_derivatives() -> None:
    n, x = np.array([0.2, 0.9, 0.5]), np.array([1.3, -2.0, 30.0])

    def total(n, x):
        return jnp.sum(binary_relative_entropy(n, x))

    check_derivative(total, (n, x), (np.array([1.0, -0.3, 0.4]), np.array([0.7, 1.1, -2.0])))
    by_n, by_x = jax.grad(total, argnums=(0, 1))(n, x)
    np.testing.assert_allclose(by_n, np.log(n / (1 - n)) + x, rtol=1e-14)
    np.testing.assert_allclose(by_x, n - textbook.occupations_of(x), rtol=1e-14)


@given(n=st.floats(0.0, 1.0), x=st.floats(-700.0, 700.0))
def test_binary_relative_entropy_is_never_negative(n: float, x: float) -> None:
    found = binary_relative_entropy(jnp.array(n), jnp.array(x))
    assert found >= -4e-16 * max(1.0, abs(x))
    assert np.isfinite(found)


# Mutual information


def test_mutual_information() -> None:
    a, b = np.array([0.2, 0.8]), np.array([0.5, 0.25, 0.25])
    assert mutual_information(jnp.outer(a, b)) == pytest.approx(0.0, abs=1e-15)
    perfect = jnp.diag(jnp.array([0.5, 0.25, 0.25]))
    assert mutual_information(perfect) == pytest.approx(1.5 * np.log(2.0), abs=1e-15)
    joint = np.array([[0.3, 0.1, 0.0], [0.1, 0.2, 0.3]])
    product = np.outer(joint.sum(1), joint.sum(0))
    kept = joint > 0
    expected = np.sum(joint[kept] * np.log(joint[kept] / product[kept]))
    assert mutual_information(jnp.asarray(joint)) == pytest.approx(expected, abs=1e-15)
    assert mutual_information(jnp.asarray(joint.T)) == pytest.approx(expected, abs=1e-15)
    assert np.all(np.isfinite(jax.grad(mutual_information)(jnp.asarray(joint))))
    positive = (joint + 0.1) / (joint + 0.1).sum()
    check_derivative(mutual_information, (positive,), (np.arange(6.0).reshape(2, 3),), step=1e-4)
