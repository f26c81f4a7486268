"""The extended microcanonical master equation: what it is made of, closed forms."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import large_spin

import entropax as ex
from entropax.method.windows.bath_closures import EvolvingBaths


def test_baths_evolve() -> None:
    method = ex.EMME()
    assert method.closure is EvolvingBaths
    assert not method.initial(method.plan(large_spin(), jnp.zeros(1))).frozen


def test_two_windows_relax_by_one_exponential() -> None:
    """p_1(t) = 1 - (V_1 / V) (1 - e^{-(g_0 + g_1) t}), g = 2 pi lambda^2 V / delta."""
    ts = np.array([0.0, 3.0, 20.0])
    led = ex.solve(large_spin(), ts, ex.EMME()).ledger
    decay = 2 * np.pi * 9e-6 / 0.5 * 1000.0
    fallen = 0.6 * (1.0 - np.exp(-decay * ts))
    np.testing.assert_allclose(led.joint[:, 1, 0], 1.0 - fallen, rtol=0, atol=1e-13)
    np.testing.assert_allclose(led.joint[:, 0, 1], fallen, rtol=0, atol=1e-13)
    np.testing.assert_allclose(led.heat[:, 0], -fallen, rtol=0, atol=1e-13)
    assert led.joint[:, [0, 1], [0, 1]].max() == 0.0


def test_the_microcanonical_equation_is_one_of_populations_without_shifts() -> None:
    method = ex.microcanonical_master_equation(rtol=1e-5)
    expected = ex.EMME(coherences=False, lamb_shift=False, first_order=False, rtol=1e-5)
    assert eqx.tree_equal(method, expected)


@pytest.mark.misuse
def test_options_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        ex.EMME("finite")  # pyright: ignore[reportCallIssue]
