"""Counts in finite time: their moments, and where entropy is not counted."""

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

A = np.array([[0.0, 1.0], [0.0, 0.0]])
BATH = ex.ThermalBath(1.0, ex.FlatSpectrum(0.3), mu=0.2, statistics="fermi")
DOT = ex.OpenSystem((0.0, 0.5), (ex.Coupling(A, BATH),), ex.Product(system=[0.7, 0.3]))


@pytest.mark.parametrize(("of", "bath"), [("particles", 0), ("entropy_production", None)])
def test_moments_are_slopes_of_the_generating_function(of: str, bath: int | None) -> None:
    count = ex.counting(DOT, [0.0, 2.0], of, bath=bath, method=ex.Davies())
    h = 1e-4
    up, middle, down = (jnp.log(count.generating(x)) for x in (h, 0.0, -h))
    np.testing.assert_allclose((up - down) / (2 * h), count.mean, rtol=0, atol=1e-7)
    np.testing.assert_allclose((up - 2 * middle + down) / h**2, count.variance, rtol=0, atol=1e-6)


def test_bad_input() -> None:
    coherent = ex.OpenSystem(
        (0.0, 0.5), (ex.Coupling(A, BATH), ex.Jump(A, BATH)), ex.Product(system=0)
    )
    with pytest.raises(ValueError, match="`of` must be a count where coherences are followed"):
        ex.counting(coherent, [1.0], "entropy_production", method=ex.Davies())
    turned = ex.OpenSystem(
        (0.0, 0.5), (ex.Coupling(A, BATH),), ex.Product(system=[[0.6, 0.3], [0.3, 0.4]])
    )
    with pytest.raises(ValueError, match="`start` must be diagonal in the energies where entropy"):
        ex.counting(turned, [1.0], "entropy_production", method=ex.Davies())
    with pytest.raises(ValueError, match="`ts` must be non-negative"):
        ex.counting(DOT, [-1.0], "particles", bath=0, method=ex.Davies())
    with pytest.warns(UserWarning, match="Redfield's equation is not a sum of jumps"):
        ex.counting(DOT, [1.0], "particles", bath=0, method=ex.Redfield())
