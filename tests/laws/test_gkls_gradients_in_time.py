"""Gradients through the integration of master equations, also from a pure start."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from cases import ideal
from derivatives import check_derivative
from twins import lindblad as twin

import entropax as ex


def test_gradients_through_time(rng) -> None:
    case = ideal.case("random")

    def produced(beta, scale):
        bath = ex.ThermalBath(beta, ideal.OHMIC)
        model = ex.OpenSystem(
            hamiltonian=scale * case.h,
            couplings=[ex.Coupling(case.operators[0], bath)],
            start=ex.Product(case.rho),
        )
        method = ex.Davies(housekeeping=False, adjoint=diffrax.DirectAdjoint(), max_steps=400)
        return ex.solve(model, [1.0], method).ledger.entropy_production[0]

    check_derivative(produced, (0.9, 1.1), tuple(rng.normal(size=2)), tolerance=1e-7)


def test_gradient_from_a_pure_start() -> None:
    def produced(rate):
        bath = ex.ThermalBath(0.8, ex.FlatSpectrum(rate))
        model = ex.OpenSystem(
            energies=(0.0, 1.0), couplings=[ex.Coupling(twin.SX, bath)], start=ex.Product(system=0)
        )
        # fewer steps than by default: there are fewer checkpoints to compile
        method = ex.Davies(coherences=False, housekeeping=False, max_steps=256)
        return ex.solve(model, [0.7], method).ledger.entropy_production[0]

    def closed(rate):
        n = 1.0 / np.expm1(0.8)
        p = n / (1 + 2 * n) * (1 - np.exp(-rate * (1 + 2 * n) * 0.7))
        return -p * np.log(p) - (1 - p) * np.log(1 - p) - 0.8 * p

    value, slope = jax.jit(jax.value_and_grad(produced))(jnp.array(0.3))
    np.testing.assert_allclose(value, closed(0.3), rtol=0, atol=1e-9)
    expected = (closed(0.3001) - closed(0.2999)) / 2e-4
    np.testing.assert_allclose(slope, expected, rtol=1e-6)
