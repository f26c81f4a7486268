"""What may be counted, and of what."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
IDEAL = ex.OpenSystem(
    (0.0, 1.0), (ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(0.3))),), ex.Gibbs(1.0)
)
WINDOWS = ex.OpenSystem(
    (0.0, 1.0),
    (ex.Coupling(SX, ex.WindowBath((0.0, 1.0), (4, 6), 0.5), 0.1, ex.RandomBands(1.0)),),
    ex.Product(system=1, beta=(1.0,)),
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ex.counting(IDEAL, [1.0], "heat", bath=0), "`method` must be given for an Open"),
        (lambda: ex.counting(IDEAL, [1.0], "work", method=ex.Davies()), "entropy production, but"),
        (
            lambda: ex.counting(IDEAL, [1.0], jnp.ones(2), method=ex.Davies()),
            "`of` must be one count, by its name",
        ),
        (
            lambda: ex.counting(IDEAL, [1.0], "heat", bath=1, method=ex.Davies()),
            "`bath` must be a number from 0 to 0",
        ),
        (
            lambda: ex.counting(WINDOWS, [1.0], "particles", bath=0, method=ex.EMME()),
            "`of` must be energy, heat, entropy_production of window baths",
        ),
        (
            lambda: ex.counting(WINDOWS, [1.0], "energy", bath=0, method=ex.EMME()),
            "`start` must be even in each window",
        ),
        (
            lambda: ex.counting(WINDOWS, [1.0], "energy", bath=0, method=3),
            "`method` must be a method",
        ),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
