"""Chebyshev's expansion of the exponential, against Bessel functions and matrix exponentials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special
from cases.matrices import random_hermitian

from entropax.linalg.chebyshev import (
    chebyshev_coefficients,
    chebyshev_sum,
    largest_angle,
    terms_for,
    terms_needed,
    times_i,
)


@pytest.mark.parametrize("angle", [0.0, 0.3, 4.0, 60.0])
def test_coefficients_are_bessel_functions(angle: float) -> None:
    terms = terms_for(angle)
    k = np.arange(terms)
    expected = (2.0 - (k == 0)) * scipy.special.jv(k, angle) * (1j) ** (-k)
    found = np.asarray(chebyshev_coefficients(jnp.array(angle), terms))
    np.testing.assert_allclose(found, np.where(k % 2, 1j * expected, expected), rtol=0, atol=1e-14)
    assert abs(scipy.special.jv(terms, angle)) < 1e-16


def test_terms_and_angles_belong_together() -> None:
    for terms in (4, 24, 100):
        assert terms_for(0.999 * largest_angle(terms)) == terms
    angles = jnp.array([0.0, 0.3, 3.0])
    np.testing.assert_array_equal(
        terms_needed(angles, 24) + terms_needed(angles, 24) % 2, [terms_for(a) for a in angles]
    )


@pytest.mark.parametrize("needed", [None, 15])
def test_the_sum_is_the_exponential(needed: int | None, rng: np.random.Generator) -> None:
    matrix = random_hermitian(rng, 5).real
    reach, time = np.linalg.norm(matrix, 2), 0.4
    z = rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3))
    coefficients = chebyshev_coefficients(jnp.array(reach * time), terms_for(reach * time) + 10)
    x = jnp.stack([jnp.asarray(z.real), jnp.asarray(z.imag)], axis=1)

    @jax.jit
    def program(x: jax.Array) -> jax.Array:
        return chebyshev_sum(
            lambda y: jnp.einsum("ij,jpn->ipn", matrix, y) / reach,
            x,
            coefficients,
            None if needed is None else jnp.array(needed),
        )

    found = np.asarray(program(x))
    expected = scipy.linalg.expm(-1j * matrix * time) @ z
    np.testing.assert_allclose(found[:, 0] + 1j * found[:, 1], expected, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(times_i(times_i(x)), -x)
