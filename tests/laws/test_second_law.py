"""The second law of finite baths, exact and by master equations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.matrices import random_hermitian
from cases.windows import COHERENT, KEY, SX, WINDOW, dense, driven, spin, strong_spin, two_baths
from twins import second_law

import entropax as ex
from entropax.figures.esposito2010 import fig1

Array = np.ndarray

TIMES = np.array([0.0, 1.0, 4.0, 20.0])


def test_entropy_production_at_fixed_and_weak_coupling() -> None:
    """E10 as a relative entropy, E25 as a difference of two, for coherent starts too."""
    model = strong_spin(COHERENT)
    led = ex.solve(model, TIMES, ex.Schrodinger(KEY)).ledger
    draw = dense(model)
    levels, rhos = draw.levels, draw.at(model.energies, TIMES)
    fixed = [second_law.fixed(rho, 2, levels, [1.3]) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_fixed, fixed, rtol=0, atol=1e-9)
    sizes, energies = [14], np.array([0.0, 1.0])
    weak = [second_law.weak(rhos[0], rho, 2, sizes, energies, 1.3) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_weak, weak, rtol=0, atol=1e-9)
    assert fixed[-1] > 0.1
    two = two_baths(ex.Product(system=[0.3, 0.7], beta=(0.4, 2.0)))
    led = ex.solve(two, TIMES, ex.Schrodinger(KEY)).ledger
    draw = dense(two)
    levels, rhos = draw.levels, draw.at(two.energies, TIMES)
    fixed = [second_law.fixed(rho, 2, levels, [0.4, 2.0]) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_fixed, fixed, rtol=0, atol=1e-9)
    assert led.entropy_production_weak is None


GRID = 40.0 * np.linspace(0.0, 1.0, 801) ** 2


@pytest.mark.parametrize("name", ["EMME", "exact", "quenched"])
def test_clausius_integral_is_an_entropy_difference(name: str) -> None:
    """-int dQ/T* by quadrature along the solution (R65)."""
    model = strong_spin(ex.Product(system=[0.3, 0.7], beta=(1.3,)), strength=0.1)
    method: Any = ex.EMME() if name == "EMME" else ex.Schrodinger(KEY)
    if name == "quenched":
        energy = ex.PiecewiseConstant(times=(10.0, 20.0), values=(1.0, 2.0, 1.0))
        start = ex.Product(system=[0.3, 0.7], beta=(0.8,))
        model, method = driven(energy, start), ex.EMME(coherences=False)
    led = ex.solve(model, GRID, method).ledger
    energy, beta = np.asarray(led.window_energy[:, 0]), np.asarray(led.beta[:, 0])
    integral = np.append(0.0, np.cumsum(0.5 * (beta[1:] + beta[:-1]) * np.diff(energy)))
    assert led.clausius is not None
    gained = led.system_observational_entropy - led.system_observational_entropy[0]
    np.testing.assert_allclose(led.clausius - gained, integral, rtol=0, atol=3e-5)
    assert np.ptp(integral) > 0.02


def test_effective_temperature_starts_at_zero_without_nan() -> None:
    model = spin(WINDOW, (100, 200, 400), 3e-3)
    sol = ex.solve(model, [0.0, 1.0, 60.0], ex.EMME())
    led = sol.ledger
    assert led.beta[0, 0] == jnp.inf
    assert not led.determined[0, 0]
    assert np.all(led.determined[1:, 0])
    for field in ("clausius", "entropy_production_local", "entropy_production", "thermal_entropy"):
        assert np.all(np.isfinite(getattr(led, field)))
    expected = [True, False, False]
    np.testing.assert_array_equal(sol.result == ex.RESULTS.undetermined_temperature, expected)
    assert not np.any(sol.failed)


def test_start_at_zero_temperature_is_infinitely_far_from_it() -> None:
    """Sigma~ of a bath at T* = 0: nothing while nothing flows, then +inf, exact and EMME."""
    for method in (ex.EMME(), ex.Schrodinger(KEY)):
        led = ex.solve(strong_spin(WINDOW), TIMES, method).ledger
        np.testing.assert_allclose(led.entropy_production_fixed[0], 0.0, atol=1e-12)
        assert np.all(led.entropy_production_fixed[1:] == jnp.inf)


def test_heat_flows_from_hot_to_cold() -> None:
    """Exact and EMME, two baths at one mean energy of the system."""
    hot = ex.WindowBath((0.0, 1.0, 2.0), (2, 4, 8), width=0.5)
    cold = ex.WindowBath((0.0, 1.0, 2.0), (2, 4, 8), width=0.5)
    couplings = tuple(ex.Coupling(SX, b, 0.06, ex.RandomBands()) for b in (hot, cold))
    start = ex.Product(system=[0.6, 0.4], beta=(0.1, 3.0))
    model = ex.OpenSystem((0.0, 1.0), couplings, start)
    times = np.array([0.0, 100.0, 200.0])
    for method in (ex.EMME(), ex.Schrodinger(KEY)):
        led = ex.solve(model, times, method).ledger
        heat = np.asarray(led.heat)[-1]
        assert heat[0] > 0.1
        assert heat[1] < -0.1
        beta = np.asarray(led.beta)
        assert beta[0, 0] < beta[-1, 0] < beta[-1, 1] < beta[0, 1]


def explicit(rng: np.random.Generator) -> tuple[ex.OpenSystem, list[tuple]]:
    bath = ex.WindowBath((0.0, 1.0, 2.0), (3, 2, 4), width=0.5)
    terms = [(0.2, random_hermitian(rng, 3), random_hermitian(rng, 9)) for _ in range(2)]
    couplings = tuple(ex.Coupling(s, bath, g, b) for g, s, b in terms)
    start = ex.Product(system=[0.2, 0.3, 0.5], beta=(0.7,))
    return ex.OpenSystem((0.0, 1.0, 2.0), couplings, start), terms


def test_microcanonical_master_equation_and_its_pauli_limit(rng: np.random.Generator) -> None:
    model, terms = explicit(rng)
    bath = model.baths[0]
    energies = np.asarray(model.energies)
    rates = second_law.mme(terms, energies, bath, bath.window_of_level)
    p = np.asarray(model.start.on_windows(model))
    method = ex.microcanonical_master_equation()
    led = ex.solve(model, TIMES, method).ledger
    expected = np.array([scipy.linalg.expm(rates * t) @ p.ravel() for t in TIMES])
    np.testing.assert_allclose(led.joint, expected.reshape(4, 3, 3), rtol=0, atol=1e-10)
    # S44: the rates of a bath held canonical
    thermal = p.sum(0)
    tensor = rates.reshape(3, 3, 3, 3)
    pauli = np.einsum("sEqF,F->sq", tensor, thermal)
    frozen = ex.solve(model, TIMES, ex.BornMarkovSecular(lamb_shift=False)).ledger
    populations = np.array([scipy.linalg.expm(pauli * t) @ p.sum(1) for t in TIMES])
    found = np.diagonal(np.asarray(frozen.system_state), axis1=1, axis2=2).real
    np.testing.assert_allclose(found, populations, rtol=0, atol=1e-8)
    # S55: entropy production of Pauli's equation grows
    assert np.all(np.diff(frozen.entropy_production_fixed) > 0)


def test_spin_in_a_random_matrix_reservoir() -> None:
    """The study's model against dense matrices; its closed forms against the equations solved."""
    model, times = fig1.model(8), np.array([0.0, 3.0, 40.0, 700.0])
    method = ex.Schrodinger(KEY, mutual_information=True)
    led = ex.solve(model, times, method).ledger
    levels = np.linspace(-0.5, 0.5, 8)
    x = np.asarray(
        model.couplings[0].matrix.draw(jax.random.fold_in(KEY, 1), model.baths[0], levels)
    )
    assert np.isrealobj(x)
    h = 0.1 * np.kron(SX, x) + np.diag(np.add.outer([-0.05, 0.05], levels).ravel())
    start = np.diag(np.append(second_law.gibbs(levels, 10.0), np.zeros(8))).astype(complex)
    assert led.mutual_information is not None
    for i, t in enumerate(times):
        u = scipy.linalg.expm(-1j * h * t)
        rho = u @ start @ u.conj().T
        parts = [second_law.reduced(rho, 2, [8], keep) for keep in (0, 1)]
        information = sum(map(second_law.entropy, parts)) - second_law.entropy(rho)
        np.testing.assert_allclose(led.mutual_information[i], information, rtol=0, atol=1e-9)
        fixed = second_law.fixed(rho, 2, [levels], [10.0])
        np.testing.assert_allclose(led.entropy_production_fixed[i], fixed, rtol=0, atol=1e-8)
        weak = second_law.weak(start, rho, 2, [8], np.array([-0.05, 0.05]), 10.0)
        np.testing.assert_allclose(led.entropy_production_weak[i], weak, rtol=0, atol=1e-9)
    tiled = fig1.model(200, 50)
    frozen = ex.solve(tiled, times, ex.BornMarkovSecular()).ledger.system_state[:, 1, 1].real
    np.testing.assert_allclose(frozen, fig1.redfield_excited(times), rtol=0, atol=1e-4)
    late = ex.solve(tiled, [1e4], ex.EMME()).ledger.system_state[0, 1, 1].real
    np.testing.assert_allclose(late, fig1.emme_excited(), rtol=0, atol=1e-7)
