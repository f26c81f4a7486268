"""What a ledger of window baths holds: symbols, units, sources beside it; what follows from it."""

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.ledger import about


def test_quantities_say_what_they_are() -> None:
    beside = about(ex.WindowLedger)
    assert beside["clausius"]["source"] == "Riera Eqs. 67, 74"
    assert beside["observed.entropy"]["symbol"] == r"S_{\mathrm{obs}}"
    assert all(entry["meaning"] for entry in beside.values())


@pytest.mark.misuse  # fields that are not asked for are not filled in
@pytest.mark.parametrize(("interaction", "total"), [(None, 3.5), (jnp.array([0.25]), 3.75)])
def test_the_energy_of_all_that_is_known(interaction: jnp.ndarray | None, total: float) -> None:
    fields = dict.fromkeys(ex.WindowLedger.__annotations__, None)
    fields |= {
        "system_energy": jnp.array([0.5]),
        "energy": jnp.array([[1.0, 2.0]]),
        "interaction_energy": interaction,
    }
    np.testing.assert_array_equal(ex.WindowLedger(**fields).total_energy, [total])
