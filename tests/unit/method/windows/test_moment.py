"""The system at one time: its energies and states, and the way into them."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import SX, spin

import entropax as ex
from entropax.method.windows.moment import Moment

MIXED = ex.OpenSystem(
    (0.0, 1.0), spin().couplings, spin().start, interaction=np.array([[0.0, 0.3j], [-0.3j, 0.2]])
)


def test_the_moment_is_that_of_all_of_h_or_of_h_0() -> None:
    whole = np.array([[0.0, 0.3j], [-0.3j, 1.2]])
    moment = jax.jit(lambda m: Moment.of(m, "global"))(MIXED)
    np.testing.assert_allclose(moment.energies, np.linalg.eigvalsh(whole), rtol=0, atol=1e-15)
    np.testing.assert_allclose(moment.hamiltonian, np.diag(moment.energies), rtol=0, atol=1e-15)
    entered = moment.enter(jnp.asarray(whole))
    np.testing.assert_allclose(entered, moment.hamiltonian, rtol=0, atol=1e-15)
    local = Moment.of(MIXED, "local")
    assert local.vectors is None
    np.testing.assert_array_equal(local.energies, [0.0, 1.0])
    np.testing.assert_allclose(local.hamiltonian, whole, rtol=0, atol=1e-15)
    assert Moment.of(spin(), "global").vectors is None


def test_the_way_back_leads_back(rng: np.random.Generator) -> None:
    moment = Moment.of(MIXED, "global")
    states = jnp.asarray(rng.normal(size=(2, 2, 3, 4)) + 1j * rng.normal(size=(2, 2, 3, 4)))
    np.testing.assert_allclose(moment.leave(moment.enter(states)), states, rtol=0, atol=1e-14)
    vectors = np.asarray(moment.vectors)
    expected = vectors.conj().T @ SX @ vectors
    np.testing.assert_allclose(moment.enter(jnp.asarray(SX)), expected, rtol=0, atol=1e-15)
