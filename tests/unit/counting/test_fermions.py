"""Mean and variance of free fermions are slopes of the generating function."""

import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

LEADS = tuple(
    ex.Lead.flat(modes=2, width=4.0, coupling=0.8, beta=beta, mu=mu)
    for beta, mu in ((1.0, 0.3), (0.5, -0.2))
)
JUNCTION = ex.Junction(0.3, 0.4, LEADS)


@pytest.mark.parametrize(
    ("of", "bath"), [("particles", 0), ("heat", 1), ("entropy_production", None)]
)
def test_moments_are_slopes(of: str, bath: int | None) -> None:
    count = ex.counting(JUNCTION, [0.7, 3.0], of, bath=bath)
    h = 1e-3
    up, middle, down = (jnp.log(count.generating(x)) for x in (h, 0.0, -h))
    np.testing.assert_allclose((up - down) / (2 * h), count.mean, rtol=0, atol=1e-5)
    np.testing.assert_allclose((up - 2 * middle + down) / h**2, count.variance, rtol=1e-4)
    np.testing.assert_allclose(count.covariance[:, 0, 0], count.variance, rtol=1e-14)


def test_no_digits_are_no_number() -> None:
    count = ex.counting(JUNCTION, [0.7], "energy", bath=0)
    with pytest.raises(ValueError, match="`u` must be smaller in size: weights of modes are e"):
        count.generating(9.0)
