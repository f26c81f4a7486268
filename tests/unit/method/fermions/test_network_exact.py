"""Networks by dense matrices: what a correlation matrix is to the ledger, and how it moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import network
from cases.matrices import seeded_correlation, seeded_hermitian
from twins import textbook

import entropax as ex
from entropax.method.fermions.network_exact import DenseEvolution, DenseView

H, C = seeded_hermitian(4, 1), seeded_correlation(4, 2)


@pytest.mark.kernels
def test_energies_and_occupations_of_a_correlation_matrix() -> None:
    """With a complex C the modes of a bath are told from their conjugates."""
    model = network(hamiltonian=H)
    state = jax.jit(lambda m, c, work: DenseView(m).state(m, c, jnp.eye(m.sites) + 0j, work))(
        model, C, 0.7
    )
    flow = (H * C).real
    parts = [np.ix_(p, p) for p in ((0,), (1, 2), (3,))]
    assert float(state.system_energy) == pytest.approx(flow[0, 0], rel=1e-14)
    between = flow.sum() - sum(flow[part].sum() for part in parts)
    assert float(state.interaction_energy) == pytest.approx(between, rel=1e-13)
    assert float(state.work) == 0.7
    energies, vectors = np.linalg.eigh(H[1:3, 1:3])
    expected = np.diag(vectors.T @ C[1:3, 1:3] @ vectors.conj()).real
    np.testing.assert_allclose(state.occupations[0], expected, rtol=1e-13)
    np.testing.assert_allclose(energies @ expected, flow[1:3, 1:3].sum(), rtol=1e-12)
    np.testing.assert_allclose(state.occupations[1], [C[3, 3].real], rtol=1e-15)
    np.testing.assert_allclose(state.traces, [flow[part].sum() for part in parts[1:]], rtol=1e-13)


@pytest.mark.kernels
def test_the_state_moves_by_the_exponential() -> None:
    """The other sign of i, or C^T for C, would differ."""
    model = network(hamiltonian=H, start=C)
    at = jax.jit(lambda time: DenseEvolution().states(model)(time).correlation)
    for t in (0.0, 1.7, -0.4):
        expected = textbook.correlation(H, C, t)
        np.testing.assert_allclose(at(t), expected, rtol=0, atol=1e-13)
    assert np.max(np.abs(textbook.correlation(H, C, -1.7) - at(1.7))) > 0.1


def test_the_start_has_thermal_baths() -> None:
    model = ex.FermionNetwork(H, (0,), ((1, 2), (3,)), beta=(1.0, 2.0), mu=(0.0, 0.1))
    start = jax.jit(DenseEvolution().initial)(model)
    energies = np.linalg.eigvalsh(H[1:3, 1:3])
    np.testing.assert_allclose(start.occupations[0], textbook.fermi(1.0, 0.0, energies), rtol=1e-13)
    assert float(start.interaction_energy) == float(start.system_energy) == 0.0
