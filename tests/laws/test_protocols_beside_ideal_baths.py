"""Slopes by every number of a protocol, by every method for ideal baths."""

import jax.numpy as jnp
import pytest
from cases.gap import FLIP, check_slopes_by_a_protocol

import entropax as ex

LINK = ex.Coupling(FLIP, ex.ThermalBath(1.0, ex.OhmicSpectrum(0.3, 5.0)))
UP = jnp.array([[0.0, 0.0], [1.0, 0.0]])
JUMPS = (ex.Jump(UP, LINK.bath, 0.1), ex.Jump(UP.T, LINK.bath, 0.3))
START = ex.Product(system=[[0.7, 0.2], [0.2, 0.3]])
TIGHT = {"rtol": 1e-10, "atol": 1e-12, "housekeeping": False}
METHODS = {
    "Davies": ((LINK,), ex.Davies(**TIGHT)),
    "Redfield": ((LINK,), ex.Redfield(**TIGHT)),
    "Local": ((LINK,), ex.Local(**TIGHT)),
    "Local, bare heat": ((LINK,), ex.Local(heat="bare", **TIGHT)),
    "Lindblad": (JUMPS, ex.Lindblad(**TIGHT)),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_differentiates_by_every_number_of_a_protocol(name: str) -> None:
    """They are integrated by the same code: one of them goes backwards."""
    couplings, method = METHODS[name]
    tilted = name in ("Local", "Local, bare heat", "Lindblad")
    check_slopes_by_a_protocol(couplings, START, method, tilted=tilted, backwards=name == "Local")
