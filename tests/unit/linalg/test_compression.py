"""Traces over a diagonal matrix with one direction removed, against dense matrices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.compressions import AT_AN_EDGE, CASES, EDGES, FUNCTIONS, INSIDE, dense, traces
from twins import textbook

from entropax.linalg import BinaryEntropy, Exponential, compressed_trace

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("name", CASES)
def test_trace_against_the_dense_compression(name: str) -> None:
    for found, (_, f), rounding in zip(
        traces(*CASES[name]), FUNCTIONS.values(), INSIDE, strict=True
    ):
        assert found == pytest.approx(dense(f, *CASES[name]), abs=rounding)


@pytest.mark.parametrize("name", EDGES)
def test_entropy_at_empty_and_filled(name: str) -> None:
    found = traces(*EDGES[name])[0]
    expected = dense(textbook.binary_entropy, *EDGES[name])
    assert found == pytest.approx(expected, abs=AT_AN_EDGE[0])


def test_entries_filled_to_rounding_keep_their_own_entropy() -> None:
    """Hundreds that differ by less than what counts as one, in a chain."""
    holes = 6.0 * 2.0**-53 * np.arange(300)
    diagonal = np.append(0.5, 1.0 - holes)
    weights = np.eye(len(diagonal))[0]
    found = jax.jit(partial(compressed_trace, BinaryEntropy()))(diagonal, weights)
    expected = np.sum(
        np.where(holes > 0, -holes * np.log(np.where(holes > 0, holes, 1)) + holes, 0)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_pure_state_has_one_mixed_eigenvalue() -> None:
    """Entries 0 and 1 leave one root, the weight on the zeros: S_B = S_S of a pure state."""
    diagonal, weights = EDGES["empty and filled"]
    share = weights[diagonal == 0].sum()
    found = traces(diagonal, weights)[0]
    assert found == pytest.approx(textbook.binary_entropy(share), abs=1e-15)


def test_weights_count_up_to_a_factor() -> None:
    diagonal, weights = CASES["distinct"]
    for once, twice in zip(traces(diagonal, weights), traces(diagonal, 2.0 * weights), strict=True):
        assert twice == pytest.approx(float(once), abs=1e-14)


def test_derivative_in_the_function_raises() -> None:
    diagonal, weights = map(jnp.asarray, CASES["distinct"])
    with pytest.raises(NotImplementedError, match="no derivative in its function"):
        jax.grad(lambda s: compressed_trace(Exponential(s), diagonal, weights))(1.0)


def test_wrong_multiplicity_would_be_noticed() -> None:
    """The negative control: dropping a coinciding entry's copies changes the trace."""
    diagonal, weights = CASES["coinciding"]
    merged, place = np.unique(diagonal, return_inverse=True)
    once = dense(textbook.binary_entropy, merged, np.bincount(place, weights))
    right = traces(diagonal, weights)[0]
    assert abs(right - once) > 0.1
