"""Matrix products against NumPy's."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.linalg import complex_matmul

RNG = np.random.default_rng(0)


def matrix(*shape: int, real: bool) -> Any:
    return RNG.normal(size=shape) + (0.0 if real else 1j * RNG.normal(size=shape))


@pytest.mark.parametrize("kinds", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("shape", [(2, 3, 4), (120, 100, 110), (1, 0, 5)])
def test_of_any_kind_and_size(kinds: tuple[bool, bool], shape: tuple[int, int, int]) -> None:
    a, b = matrix(*shape[:2], real=kinds[0]), matrix(*shape[1:], real=kinds[1])
    found = jax.jit(complex_matmul)(a, b)
    np.testing.assert_allclose(found, a @ b, rtol=0, atol=2e-16 * 20 * max(shape))
    assert found.dtype == (a @ b).dtype


def test_of_a_batch() -> None:
    a, b = matrix(2, 110, 100, real=False), matrix(2, 100, 120, real=False)
    np.testing.assert_allclose(
        jax.vmap(complex_matmul)(jnp.array(a), jnp.array(b)), a @ b, atol=4e-13
    )
