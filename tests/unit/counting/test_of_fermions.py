"""Which way a junction is counted, and what it is counted by."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.counting import FermionCounting

LEAD = ex.Lead.flat(modes=3, width=4.0, coupling=0.8, beta=1.0, mu=0.0)


def test_small_junctions_are_written_out() -> None:
    count = ex.counting(ex.Junction(0.3, 0.0, (LEAD,)), [1.0], "particles", bath=0)
    assert isinstance(count, FermionCounting)
    assert count.level is None
    assert count.is_whole
    assert repr(count) == "FermionCounting(particles of bath 0, 1 times)"


def test_a_bath_without_temperature_has_no_entropy_production() -> None:
    full = ex.Lead(LEAD.energies, LEAD.couplings, occupations=np.ones(3))
    junction = ex.Junction(0.3, 0.0, (LEAD, full))
    with pytest.raises(ValueError, match=r"no finite temperature to begin with: bath 1"):
        ex.counting(junction, [1.0], "entropy_production")
    count = ex.counting(junction, [1.0], "particles", bath=1)
    assert float(count.mean[0]) < 0.0


def test_one_program_for_every_call() -> None:
    def made(x: jax.Array) -> jax.Array:
        junction = ex.Junction(x, 0.0, (LEAD,))
        return ex.counting(junction, jnp.array([1.0]), "particles", bath=0).variance

    values = jax.jit(made)(jnp.array(0.3)), made(jnp.array(0.3))
    np.testing.assert_allclose(*values, rtol=1e-12)
