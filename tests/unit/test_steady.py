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


def test_noise_and_what_it_costs() -> None:
    """A dot between two baths, rates and closed forms written out."""
    lower = np.array([[0.0, 1.0], [0.0, 0.0]])
    rates, fillings = (0.1, 0.3), [1.0 / (1.0 + np.exp(0.5 - mu)) for mu in (0.5, -0.5)]
    links = [
        ex.Coupling(lower, ex.ThermalBath(1.0, ex.FlatSpectrum(g), mu=mu, statistics="fermi"))
        for g, mu in zip(rates, (0.5, -0.5), strict=True)
    ]
    dot = ex.OpenSystem((0.0, 0.5), links, ex.Gibbs(1.0))
    steady = ex.steady_state(dot, ex.Davies())
    (left, right), total = rates, sum(rates)
    bias = fillings[0] - fillings[1]
    current = left * right / total * bias
    noise = left * right / total * (sum(fillings) - 2 * fillings[0] * fillings[1])
    noise -= 2 * (left * right * bias) ** 2 / total**3
    np.testing.assert_allclose(steady.noise, noise * np.array([[1, -1], [-1, 1]]), rtol=1e-12)
    np.testing.assert_allclose(steady.cumulants("particles", 1), [current, noise], rtol=1e-12)
    np.testing.assert_allclose(steady.fano("particles", 1), noise / current, rtol=1e-12)
    both = steady.uncertainty("particles", 1)
    filled = (left * fillings[0] + right * fillings[1]) / total
    jumps = 2 * total * filled * (1 - filled)
    np.testing.assert_allclose(both.thermodynamic, noise / current, rtol=1e-12)  # sigma = J
    np.testing.assert_allclose(both.kinetic, noise * jumps / current**2, rtol=1e-12)
