"""`steady_state` of a qubit between two baths, by its closed form, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex


def between(strength: float) -> ex.OpenSystem:
    """A qubit of gap 1 at both baths, at the second by a strength."""
    first, second = ideal.baths()
    couplings = [ex.Coupling(twin.SX, first), ex.Coupling(twin.SX, second, strength)]
    return ideal.qubit(couplings=couplings)


@pytest.mark.kernels
@pytest.mark.parametrize("strength", [1.0, 0.0])
def test_a_qubit_between_two_baths(strength: float) -> None:
    """Rates add up to the population; heat flows from one bath to the other, and with one, none."""
    found = ex.steady_state(between(strength), ex.Davies())
    assert not bool(found.failed)
    assert found.result == ex.RESULTS.successful
    weights = 1.0, strength**2
    up, down = (
        np.array([g * rate(w) for g, rate in zip(weights, ideal.RATES, strict=True)])
        for w in (-1.0, 1.0)
    )
    excited = up.sum() / (up.sum() + down.sum())
    np.testing.assert_allclose(found.state, np.diag([1 - excited, excited]), rtol=0, atol=1e-14)
    heat = up * (1.0 - excited) - down * excited
    np.testing.assert_allclose(found.heat_currents, heat, rtol=0, atol=1e-14)
    sigma = -np.dot(ideal.BETAS, heat)
    np.testing.assert_allclose(found.entropy_production_rate, sigma, rtol=0, atol=1e-14)
    assert bool(sigma > 1e-3) is bool(strength)


def test_more_than_one_raises_or_is_told() -> None:
    """A coupling that commutes with H leaves populations as they start."""
    first, second = ideal.baths()
    idle = ideal.qubit(couplings=[ex.Coupling(twin.SZ, first), ex.Coupling(twin.SZ, second)])
    found = ex.steady_state(idle, ex.Davies(), throw=False)
    assert bool(found.failed)
    assert found.result == ex.RESULTS.not_unique
    with pytest.raises(RuntimeError, match="steady state is not unique"):
        ex.steady_state(idle, ex.Davies())


BAD = {
    "driven steady state": (
        lambda: ex.steady_state(ideal.qubit(drives=[ex.Drive(twin.SX, jnp.sin)]), ex.Davies()),
        r"`model` must not be driven for a steady state, but is by drives\[0\].protocol",
    ),
    "steady state's method": (
        lambda: ex.steady_state(ideal.qubit(), ex.EMME()),
        "`method` must be one for ideal baths, such as Davies",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
