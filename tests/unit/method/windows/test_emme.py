"""The extended microcanonical master equation: choices, its symmetric generator, closed forms."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import QUENCH, WINDOW, driven, four_couplings, large_spin, spin, written

import entropax as ex
from entropax.method.windows.emme import SMALL_OF_ONE


def test_few_constant_populations_go_by_the_exponential() -> None:
    few = {"coherences": False}
    assert ex.EMME(**few)._is_exponential(large_spin())
    assert ex.EMME(**few)._is_exponential(driven(QUENCH))
    assert not ex.EMME(coherences=True)._is_exponential(large_spin())
    assert not ex.EMME(memory="finite", **few)._is_exponential(large_spin())
    assert not ex.EMME(solver=diffrax.Dopri5(), **few)._is_exponential(large_spin())
    assert not ex.EMME(**few)._is_exponential(driven(lambda t: 1.0 + 1e-3 * t))
    assert ex.EMME(**few)._is_exponential(spin(WINDOW, [9] * (SMALL_OF_ONE // 2)))
    assert not ex.EMME(**few)._is_exponential(spin(WINDOW, [9] * (SMALL_OF_ONE // 2 + 1)))


def test_populations_that_are_followed() -> None:
    """From level 1 and window 0: to level 0 and window 1."""
    ts = jnp.zeros(1)
    assert ex.EMME().prepare(large_spin(), ts).reached == (1, 2)
    assert ex.EMME().prepare(driven(QUENCH), ts).reached is None
    assert ex.EMME(coherences=True).prepare(large_spin(), ts).reached is None


def test_driving_too_fast_for_a_master_equation_is_told() -> None:
    fast, slow = driven(lambda t: 1.0 + 3.0 * t), driven(lambda t: 1.0 + 0.001 * t)
    told = r"Energies move by 75\.4 windows within the baths' memory"
    with pytest.warns(UserWarning, match=told):
        ex.EMME().prepare(fast, jnp.array([0.1]))
    ex.EMME().prepare(slow, jnp.array([0.1]))  # no warning: an error here


@pytest.mark.parametrize("resonant", [True, False])
def test_the_generator_is_symmetric_in_roots_of_volume(resonant: bool) -> None:
    """V^{-1/2} G V^{1/2}, against the twin's G between populations."""
    model = four_couplings(6, resonant=resonant, matrix_start=False)
    method = ex.EMME(coherences=False)

    def generator(model: ex.OpenSystem, own: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        return method._symmetric_generator(model, np.array(own))

    program = jax.jit(generator, static_argnums=1)
    symmetric, root = program(model, tuple(range(36)))
    np.testing.assert_allclose(symmetric, np.asarray(symmetric).T, rtol=0, atol=1e-14)
    whole = written(model).reshape(3, 3, 12, 3, 3, 12)
    populations = np.einsum("kkaqqb->kaqb", whole).reshape(36, 36).real
    back = np.asarray(symmetric) * np.asarray(root)[:, None] / np.asarray(root)
    np.testing.assert_allclose(back, populations, rtol=0, atol=1e-13)
    part, _ = program(model, (3, 7, 20))
    np.testing.assert_allclose(
        part, np.asarray(symmetric)[np.ix_([3, 7, 20], [3, 7, 20])], rtol=0, atol=1e-15
    )


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


def test_nothing_is_projected() -> None:
    model, method = large_spin(), ex.EMME()
    gain = jnp.ones((2, 2, 2, 2))
    assert method.gain(model, 0, gain) is gain
    assert method.loss(model, 0, gain) is gain
    assert method.project(model, gain) is gain
    assert method.energy_gain(model, 0, gain) is None
    assert not method.frozen


def test_the_microcanonical_equation_is_one_of_populations_without_shifts() -> None:
    method = ex.microcanonical_master_equation(rtol=1e-5)
    expected = ex.EMME(coherences=False, lamb_shift=False, first_order=False, rtol=1e-5)
    assert eqx.tree_equal(method, expected)
