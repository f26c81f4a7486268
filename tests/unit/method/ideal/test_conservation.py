"""What commutes with a generator, and blocks that it keeps apart, of matrices known by hand."""

import numpy as np
import pytest
from cases.matrices import random_hermitian
from twins import lindblad as twin

from entropax.method.ideal.conservation import blocks_of, conserved

pytestmark = pytest.mark.kernels


def spanned(operators: list[np.ndarray]) -> np.ndarray:
    """The projector on what matrices, as vectors, span."""
    rows = np.array([operator.ravel() for operator in operators])
    return np.linalg.pinv(rows) @ rows


def test_nothing_commutes_with_a_coupled_qubit() -> None:
    assert conserved(np.diag([0.0, 1.0]), [twin.LOWER]) == []
    assert conserved(np.diag([0.0, 1.0]), [twin.SX]) == []


def test_dephasing_keeps_populations() -> None:
    """And a decoupled qubit keeps what commutes with H; a level without H, everything."""
    (kept,) = conserved(np.diag([0.0, 1.0]), [twin.SZ])
    np.testing.assert_allclose(np.abs(kept), np.eye(2) / np.sqrt(2), rtol=0, atol=1e-15)
    assert abs(np.trace(kept)) < 1e-15
    assert len(conserved(np.zeros((3, 3)), [np.zeros((3, 3))])) == 8


@pytest.mark.parametrize("seed", range(3))
def test_a_factor_that_nothing_reaches_is_conserved(seed: int) -> None:
    """Random H and jump on the first of two factors, in a random basis: 1 x sigma, three of it."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))[0]
    jump = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    h, jump = (
        turn @ np.kron(x, np.eye(2)) @ turn.conj().T for x in (random_hermitian(rng, 3), jump)
    )
    kept = conserved(h, [jump])
    expected = [
        turn @ np.kron(np.eye(3), x) @ turn.conj().T / np.sqrt(6)
        for x in (twin.SX, twin.SY, twin.SZ)
    ]
    assert len(kept) == 3
    for operator in kept:
        for other in (h, jump, jump.conj().T):
            assert np.max(np.abs(operator @ other - other @ operator)) < 1e-12
        np.testing.assert_allclose(operator, operator.conj().T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(spanned(kept), spanned(expected), rtol=0, atol=1e-11)


def test_exchanged_qubits_part_into_sectors_of_excitations() -> None:
    h = twin.qubits((1.0, 1.3)) + twin.exchange(0.3, 0, 2)
    lower = twin.on_site(twin.LOWER, 0, 2)
    parts = blocks_of(h, [lower, lower.T])
    assert parts is not None
    assert parts.members == ((0,), (1, 2), (3,))
    # lowering takes 00 nowhere, one excitation to 00, two to one
    assert parts.targets == ((-1, 0, 1), (1, 2, -1))


def test_there_are_no_blocks_where_a_jump_or_h_spreads_over_them() -> None:
    h = twin.qubits((1.0, 1.3)) + twin.exchange(0.3, 0, 2)
    assert blocks_of(h, [twin.on_site(twin.SX, 0, 2)]) is None
    assert blocks_of(twin.qubits((1.0, 1.3)) + 0.1 * np.ones((4, 4)), []) is None
