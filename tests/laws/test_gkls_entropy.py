"""Entropy production between ideal baths: Spohn's inequality, its parts, one bath, no heat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from cases.matrices import random_hermitian

import entropax as ex
from entropax.ledger import moment_ledger
from entropax.ledger.ideal import MomentLedger
from entropax.method.ideal.evolution import begin, system_state
from entropax.method.ideal.steady import reference_of
from entropax.model.views import temperatures


@pytest.fixture(scope="module")
def random_machines() -> MomentLedger:
    """200 random four-level systems between two random baths, in random states."""

    def one(key):
        keys = jax.random.split(key, 6)
        parts = jax.random.normal(keys[0], (8, 4, 4))
        h = parts[0] + 1j * parts[1]
        couplings = []
        for i, spectrum in enumerate((ideal.OHMIC, ideal.DRUDE)):
            s = parts[2 + 2 * i] + 1j * parts[3 + 2 * i]
            beta = jax.random.uniform(keys[1 + i], minval=0.1, maxval=4.0)
            couplings.append(ex.Coupling(s + s.conj().T, ex.ThermalBath(beta, spectrum)))
        x = parts[6] + 1j * parts[7]
        rho = x @ x.conj().T
        model = ex.OpenSystem(
            hamiltonian=h + h.conj().T,
            couplings=couplings,
            start=ex.Product(rho / jnp.trace(rho).real),
        )
        # what `solve` has at time 0, without the program that integrates
        equation = ex.Davies().plan(model, jnp.zeros(1)).decided
        generator = equation.generator_with_populations(model)
        start, _ = begin(equation, model)
        state = system_state(equation, model, generator, start, reference_of(generator))
        return moment_ledger(state, *temperatures(model))

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(5), 200))


def test_spohn(random_machines: MomentLedger) -> None:
    found = random_machines
    assert float(jnp.min(found.entropy_production_rate)) >= -1e-10
    assert float(jnp.min(found.entropy_production_rates)) >= -1e-10
    each = jnp.sum(found.entropy_production_rates, axis=1)
    np.testing.assert_allclose(each, found.entropy_production_rate, rtol=1e-12)
    balance = found.entropy_rate - found.entropy_production_rate
    assert float(jnp.min(jnp.abs(balance))) > 1e-6  # neither part alone
    # heat of the wrong sign would break it
    assert float(jnp.min(found.entropy_rate + balance)) < -0.1


def test_parts_add_up_and_are_not_negative(random_machines: MomentLedger) -> None:
    found = random_machines
    total = found.entropy_production_rate
    both = found.population_rate + found.coherence_rate
    np.testing.assert_allclose(both, total, rtol=0, atol=1e-10 * np.max(total))
    assert float(jnp.min(found.population_rate)) >= -1e-10
    assert float(jnp.min(found.coherence_rate)) >= -1e-10
    assert float(jnp.min(found.nonadiabatic_rate)) >= -1e-10
    np.testing.assert_allclose(found.nonadiabatic_rate + found.housekeeping_rate, total, rtol=1e-12)
    assert float(jnp.median(found.coherence_rate / total)) > 0.01


@pytest.mark.parametrize("kind", ideal.KINDS)
def test_one_bath_produces_what_it_relaxes(kind: str) -> None:
    case = ideal.case(kind)
    bath = ex.ThermalBath(ideal.BETAS[0], ideal.OHMIC)
    model = ex.OpenSystem(
        hamiltonian=case.h,
        couplings=[ex.Coupling(case.operators[0], bath)],
        start=ex.Product(case.rho),
    )
    found = ex.solve(model, ideal.TIMES, ex.Davies()).ledger
    # dS/dt - beta J = -d/dt S(rho||pi)
    np.testing.assert_allclose(
        found.entropy_production_rate, found.nonadiabatic_rate, rtol=0, atol=1e-9
    )
    gibbs = ex.equilibrium.gibbs_state(jnp.asarray(case.h), bath.beta)
    apart = jax.vmap(lambda rho: ex.entropy.relative_entropy(rho, gibbs))(found.state)
    np.testing.assert_allclose(found.entropy_production, apart[0] - apart, rtol=0, atol=1e-8)
    steady = ex.steady_state(model, ex.Davies())
    np.testing.assert_allclose(steady.state, gibbs, rtol=0, atol=1e-12)
    assert abs(float(steady.entropy_production_rate)) < 1e-12


def test_zero_temperature_is_no_source_of_infinities() -> None:
    rng = np.random.default_rng(0)
    h, a = random_hermitian(rng, 3, float), random_hermitian(rng, 3, float)
    cold = ex.ThermalBath(jnp.inf, ex.OhmicSpectrum(0.1, 5.0))

    def model(*populations: float) -> ex.OpenSystem:
        start = ex.Product(system=populations)
        return ex.OpenSystem(hamiltonian=h, couplings=[ex.Coupling(a, cold)], start=start)

    ground, excited = model(1.0, 0.0, 0.0), model(0.0, 1.0, 0.0)
    assert abs(float(ex.steady_state(ground, ex.Redfield()).entropy_production_rate)) < 1e-12
    found = ex.solve(ground, [0.0, 1.0, 500.0], ex.Davies()).ledger
    np.testing.assert_allclose(found.entropy_production, 0.0, atol=1e-10)
    warm = ex.solve(excited, [0.0, 1.0, 500.0], ex.Davies()).ledger
    assert warm.entropy_production[0] == 0.0
    assert np.all(np.isposinf(warm.entropy_production[1:]))  # what flows into absolute zero
