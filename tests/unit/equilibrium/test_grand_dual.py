"""The dual's minimum, its Newton step and moments, in the units of a sea."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.equilibrium.grand_dual import minimise, moments, newton_step

E = np.array([-0.7, -0.1, 0.0, 0.4, 1.0])
SIDE = np.where(E < 0, -1.0, 1.0)


def matched(b: float, a: float) -> tuple[float, float]:
    """Excess energy and number over the sea of the state with these b and a."""
    share = 1.0 / (1.0 + np.exp(SIDE * (b * E - a)))
    return float(np.sum(share * np.abs(E))), float(np.sum(SIDE * share))


minimum = jax.jit(minimise)


@pytest.mark.parametrize(("b", "a"), [(1.3, 0.4), (40.0, 3.0), (-2.0, -1.0), (1e-3, 0.0)])
def test_minimum_is_at_the_state_that_matches(b: float, a: float) -> None:
    found = minimum(E, SIDE, *matched(b, a), False)
    np.testing.assert_allclose(found, [b, a], rtol=1e-11, atol=1e-13)


def test_what_is_skipped_stays_at_infinite_temperature() -> None:
    """(0, logit of the filling): 2 in the sea and a half."""
    found = minimum(E, SIDE, 0.3, 0.5, True)
    np.testing.assert_allclose(found, [0.0, np.log(2.5 / 2.5)], atol=1e-15)
    assert float(minimum(E, SIDE, 0.3, -1.0, True)[1]) == pytest.approx(np.log(1 / 4))


def test_moments_and_newton_step_of_a_known_hessian() -> None:
    n = np.array([0.9, 0.6, 0.5, 0.3, 0.05])
    w = n * (1 - n)
    mean, variance, total = moments(jnp.asarray(E), jnp.asarray(n))
    assert mean == pytest.approx(w @ E / w.sum(), abs=1e-15)
    assert variance == pytest.approx(w @ (E - w @ E / w.sum()) ** 2, rel=1e-14)
    assert total == pytest.approx(w.sum(), rel=1e-15)
    hessian = np.array([[w @ E**2, -(w @ E)], [-(w @ E), w.sum()]])
    slope = np.array([0.3, -0.2])
    step = newton_step(jnp.asarray(E), jnp.asarray(n), *map(jnp.asarray, slope))
    np.testing.assert_allclose(step, -np.linalg.solve(hessian, slope), rtol=1e-13)
    # at one energy beta has no meaning, and stays
    flat = newton_step(jnp.zeros(5), jnp.asarray(n), jnp.array(0.3), jnp.array(-0.2))
    np.testing.assert_allclose(flat, [0.0, 0.2 / w.sum()], rtol=1e-14)
