"""Master equations inside programs: traced models, gradients in time, batches."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal

import entropax as ex
from entropax.equilibrium import gibbs_state
from entropax.method import AbstractIdealBathEquation
from entropax.method.ideal.equation import AbstractEquation


def heated(beta: Any) -> ex.OpenSystem:
    """Four known levels at a bath whose temperature may be traced."""
    case = ideal.case("random")
    couplings = [ex.Coupling(case.operators[0], ex.ThermalBath(beta, ideal.OHMIC))]
    return ex.OpenSystem(hamiltonian=case.h, couplings=couplings, start=ex.Gibbs(beta=1.0))


@pytest.mark.parametrize(
    "method", [ex.Davies(), ex.Davies(coherences=False), ex.Local(), ex.Redfield()]
)
def test_a_hamiltonian_known_inside_a_traced_program(method: AbstractIdealBathEquation) -> None:
    """Frequencies and blocks are found beforehand, also where only a temperature is traced."""

    def decided(beta: Any) -> tuple[AbstractEquation, AbstractEquation]:
        model = heated(beta)
        return method.plan(model, jnp.ones(1)).decided, method.plan_steady(model).decided

    inside = []
    jax.eval_shape(lambda beta: inside.extend(decided(beta)) or beta, jnp.array(0.8))
    for ours, known in zip(inside, decided(0.8), strict=True):
        assert bool(eqx.tree_equal(ours, known))


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local()])
def test_a_traced_temperature_changes_nothing(method: AbstractIdealBathEquation) -> None:
    """Of the methods that decide something beforehand."""

    def heat(beta: Any) -> jax.Array:
        model = heated(beta)
        moved = ex.solve(model, [1.0], method, throw=False).ledger.heat[0, 0]
        return moved + ex.steady_state(model, method, throw=False).energy

    assert float(jax.jit(heat)(0.8)) == pytest.approx(float(heat(0.8)), abs=1e-12)


def test_a_batch_is_a_loop_and_traced_once() -> None:
    traced = []

    @jax.jit
    def current(temperature):
        traced.append(1)
        model = ex.machines.heat_valve(temperatures=(temperature, 1.0))
        found = ex.steady_state(model, ex.Davies(), throw=False)
        return found.heat_currents, found.failed

    temperatures = jnp.array([1.5, 2.0, 3.0])
    batch = jax.vmap(current)(temperatures)
    loop = [current(t) for t in temperatures]
    np.testing.assert_allclose(batch[0], [j for j, _ in loop], rtol=0, atol=1e-15)
    assert not np.any(batch[1])
    assert len(traced) == 1


def test_one_failure_spoils_no_other() -> None:
    """A batch with a qubit that one bath leaves alone in the middle."""

    def one(strength):
        model = ex.machines.heat_valve(coupling=0.0)
        cold = eqx.tree_at(lambda m: m.couplings[1].strength, model, strength)
        found = ex.steady_state(cold, ex.Local(), throw=False)
        return found.heat_currents, found.failed, found.energy

    def all_of(strengths):
        currents, failed, energy = jax.vmap(one)(strengths)
        return jnp.sum(energy), (currents, failed, energy)

    strengths = jnp.array([1.0, 0.0, 0.5])
    (_, found), together = jax.jit(jax.value_and_grad(all_of, has_aux=True))(strengths)
    currents, failed, energy = found
    np.testing.assert_array_equal(failed, [False, True, False])
    assert np.all(np.isfinite(currents))
    alone = jax.jit(jax.grad(lambda s: one(s)[2]))(jnp.array(0.5))
    np.testing.assert_allclose(together[2], alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(energy[0], energy[2], rtol=1e-9)
    assert np.isfinite(together[0])


def test_given_rates_in_detailed_balance_are_taken() -> None:
    balanced = ex.PowerSpectrum(lambda w: 0.2 * jnp.exp(0.5 * w) / jnp.cosh(0.5 * w))
    bath = ex.ThermalBath(1.0, balanced)
    found = ex.steady_state(ideal.qubit_at(bath), ex.Davies()).state
    np.testing.assert_allclose(found, gibbs_state(jnp.diag(jnp.array([0.0, 1.0])), 1.0), atol=1e-14)
    tilted = ex.ThermalBath(1.1, balanced)
    with pytest.raises(ValueError, match="detailed balance"):
        ex.steady_state(ideal.qubit_at(tilted), ex.Davies())


def test_traced_rates_are_looked_at_when_the_program_runs() -> None:
    @eqx.filter_jit
    def current(scale):
        bath = ex.ThermalBath(1.0, ex.CustomSpectrum(lambda w: scale * w))
        return ex.steady_state(ideal.qubit_at(bath), ex.Davies(), throw=True).heat_currents

    current(1.0).block_until_ready()
    with pytest.raises(RuntimeError, match="must not be negative"):
        current(-1.0).block_until_ready()
