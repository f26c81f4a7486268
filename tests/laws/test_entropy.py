"""Entropies against many-body states and mpmath, random states, and slopes of divergences."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases.matrices import random_hermitian, with_eigenvalues
from cases.spectra import over_dtypes
from derivatives import check_derivative
from hypothesis import given
from hypothesis import strategies as st
from twins import fock, textbook

from entropax.entropy import (
    binary_relative_entropy,
    gaussian_entropy,
    relative_entropy,
    von_neumann,
)

Array = np.ndarray

pytestmark = pytest.mark.kernels


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
    program = jax.jit(jax.value_and_grad(relative_entropy, argnums=(0, 1)))
    value, gradients = program(rho, sigma)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(g)) for g in gradients)
    # equal rank-one states: the same empty levels on both sides
    assert np.all(np.isfinite(program(rho, rho)[1][0]))


mode_divergence = jax.jit(binary_relative_entropy)


@given(n=st.floats(0.0, 1.0), x=st.floats(-700.0, 700.0))
def test_binary_relative_entropy_is_never_negative(n: float, x: float) -> None:
    found = mode_divergence(n, x)
    assert found >= -4e-16 * max(1.0, abs(x))
    assert np.isfinite(found)
