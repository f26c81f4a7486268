"""Operators and states to QuTiP and back."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from twins import lindblad as twin

import entropax as ex

qutip = pytest.importorskip("qutip")


def test_round_trip(rng) -> None:
    matrix = random_hermitian(rng, 6)
    there = ex.to_qutip(matrix, dims=(2, 3))
    assert there.dims == [[2, 3], [2, 3]]
    assert ex.to_qutip(matrix).dims == [[6], [6]]
    np.testing.assert_array_equal(there.full(), matrix)
    np.testing.assert_array_equal(ex.from_qutip(there), matrix)
    assert ex.from_qutip(qutip.sigmay()).dtype == complex
    assert ex.from_qutip(qutip.sigmax()).dtype == float

    stack = np.stack([twin.random_state(rng, 4) for _ in range(3)])
    back = [ex.from_qutip(state) for state in ex.to_qutip(jnp.asarray(stack), dims=(2, 2))]
    np.testing.assert_array_equal(back, stack)


def test_pure_states_become_density_matrices() -> None:
    """Kron order is QuTiP's, and a bra stands for the state of its ket."""
    ket = qutip.tensor(qutip.basis(2, 0), (3 * qutip.basis(2, 0) + 4j * qutip.basis(2, 1)) / 5)
    expected = np.zeros((4, 4), complex)
    expected[:2, :2] = [[0.36, -0.48j], [0.48j, 0.64]]
    np.testing.assert_allclose(ex.from_qutip(ket), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(ex.from_qutip(ket.dag()), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ex.from_qutip(qutip.to_super(qutip.sigmax())), "but is super"),
        (lambda: ex.from_qutip(np.eye(2)), "must be a qutip.Qobj, but is ndarray"),
        (lambda: ex.to_qutip(np.ones((2, 3))), "must be square"),
        (lambda: ex.to_qutip(np.ones(4)), "must be square"),
        (lambda: ex.to_qutip(np.eye(4), dims=(2, 3)), "must multiply to 4"),
    ],
)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
