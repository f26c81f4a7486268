"""Slopes by every number of a protocol, by every method for window baths. Junctions: elsewhere."""

import jax
import pytest
from cases.gap import FLIP, check_slopes_by_a_protocol

import entropax as ex

WINDOWS = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(3, 4, 5), width=1.0)
LINK = ex.Coupling(FLIP, WINDOWS, strength=0.05, matrix=ex.RandomBands(variance=1.0))
COLD = ex.Product(system=1, beta=(1.0,))
METHODS = {
    "EMME": ex.EMME(),
    "EMME of finite memory": ex.EMME(coherences=False, memory="finite"),
    "BornMarkovSecular": ex.BornMarkovSecular(),
    "Schrodinger": ex.Schrodinger(key=jax.random.key(0), steps=16),
}
# The master equations are integrated by the same code: one of them goes backwards.
BACKWARDS = ("EMME", "Schrodinger")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_differentiates_by_every_number_of_a_protocol(name: str) -> None:
    check_slopes_by_a_protocol((LINK,), COLD, METHODS[name], backwards=name in BACKWARDS)
