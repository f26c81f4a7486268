"""Frozen baths: what the method is made of, and how it goes."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import four_couplings, large_spin

import entropax as ex
from entropax.method.windows.bath_closures import FrozenBaths


def test_baths_are_frozen_and_a_solver_integrates() -> None:
    """Populations alone too, however few they are."""
    method = ex.BornMarkovSecular()
    assert method.closure is FrozenBaths
    plan = method.plan(large_spin(), jnp.zeros(1))
    assert (plan.decided.coherences, plan.decided.reachable) == (False, None)
    assert method.initial(plan).frozen


def test_the_start_is_a_product_with_the_distribution_of_each_bath() -> None:
    method = ex.BornMarkovSecular()
    state = method.initial(method.plan(four_couplings(matrix_start=False), jnp.zeros(1)))
    first, second = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0])
    expected = np.einsum("k,a,b->kab", [0.2, 0.3, 0.5], first, second)
    np.testing.assert_allclose(state.joint, expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(state.energy, [2.0, 2.0], rtol=1e-14)


@pytest.mark.misuse
def test_options_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        ex.BornMarkovSecular("finite")  # pyright: ignore[reportCallIssue]
