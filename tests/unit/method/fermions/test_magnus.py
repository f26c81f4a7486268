"""Exponentials of a driven network's mean Hamiltonian: single steps, forces, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.fermions import driven_junction
from cases.matrices import seeded_hermitian

import entropax as ex
from entropax.method.fermions.magnus import Exponentials
from entropax.method.stepping import Steps

H, V = seeded_hermitian(3, 5), np.zeros((3, 3), complex)
V[0, 1:], V[1:, 0] = [0.3j, 0.4], [-0.3j, 0.4]
NETWORK = ex.FermionNetwork(
    H, (0,), ((1, 2),), (1.0,), (0.2,), drives=(ex.Drive(V, lambda t: jnp.sin(2.0 * t)),)
)
BEGIN, LENGTH = 0.3, 0.8


def hamiltonian(time: float) -> np.ndarray:
    return H + np.sin(2.0 * time) * V


@pytest.mark.kernels
@pytest.mark.parametrize("order", [2, 4])
def test_a_step_is_the_exponential_of_the_mean(order: int) -> None:
    own = Exponentials(NETWORK, order)
    inside = jnp.zeros(1), jnp.full(1, 2.0)
    step = Steps(jnp.array([BEGIN]), jnp.array([LENGTH]), inside)
    advance = jax.jit(lambda own, step: own.advance(own.begin(), own.coefficients(step)))
    u, forces = advance(own, step)
    if order == 2:
        k = LENGTH * hamiltonian(BEGIN + LENGTH / 2)
    else:
        away = LENGTH * np.sqrt(3.0) / 6.0
        first, second = (hamiltonian(BEGIN + LENGTH / 2 + x) for x in (-away, away))
        commutator = first @ second - second @ first
        k = LENGTH / 2 * (first + second) + 1j * np.sqrt(3.0) / 12.0 * LENGTH**2 * commutator
    # eigenvalues are off by n eps |K|, and so are phases; exponentials of two programs
    np.testing.assert_allclose(u, scipy.linalg.expm(-1j * k), rtol=0, atol=3e-14)
    c = np.conj(u) @ np.asarray(NETWORK.initial_correlation) @ np.transpose(u)
    np.testing.assert_allclose(own.correlation(u), c, rtol=0, atol=3e-14)
    np.testing.assert_allclose(forces, [[np.sum(V * c).real]], rtol=1e-13)


def test_what_is_not_driven_has_no_forces() -> None:
    still = ex.FermionNetwork(H, (0,), ((1, 2),), (1.0,), (0.2,))
    own = Exponentials(still, 4)
    assert own.forces(own.begin()).shape == (0,)
    np.testing.assert_array_equal(own.correlation(own.begin()), still.initial_correlation)


def test_a_junction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a FermionNetwork for .* Magnus"):
        ex.solve(driven_junction(modes=2), [1.0], ex.Magnus())
