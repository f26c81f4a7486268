"""What a ledger of fermions holds: symbols, units and sources beside it; what follows from it."""

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.ledger import about


def test_quantities_say_what_they_are() -> None:
    beside = about(ex.FermionLedger)
    assert beside["entropy_production"]["symbol"] == r"\Sigma"
    assert beside["entropy_production"]["source"] == "Usui Eq. 7"
    assert beside["terms.finite_bath"]["unit"] == "nat"
    assert all(entry["meaning"] for entry in beside.values())


@pytest.mark.misuse  # fields that are not asked for are not filled in
def test_sums_and_distances_follow_from_the_fields() -> None:
    fields = dict.fromkeys(ex.FermionLedger.__annotations__, jnp.zeros(1))
    fields |= {
        "energy": jnp.array([[1.0, 2.0]]),
        "particles": jnp.array([[3.0, 4.0]]),
        "system_energy": jnp.array([0.5]),
        "interaction_energy": jnp.array([0.25]),
        "system_occupation": jnp.array([0.75]),
        "thermal_entropy": jnp.array([[2.0, 0.0]]),
        "bath_entropy": jnp.array([[1.5, 0.0]]),
    }
    led = ex.FermionLedger(**fields)
    np.testing.assert_array_equal(led.total_energy, [3.75])
    np.testing.assert_array_equal(led.total_particles, [7.75])
    np.testing.assert_array_equal(led.distance_from_thermality, [[0.25, 0.0]])
