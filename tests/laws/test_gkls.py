"""Davies, local and Redfield equations against plain twins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method import AbstractIdealBathEquation


def solve(
    model: ex.OpenSystem,
    method: AbstractIdealBathEquation,
    ts: Any = ideal.TIMES,
    *,
    throw: bool = True,
) -> ex.Solution:
    """At as many times and saving the same, so that tests share programs."""
    return ex.solve(model, ts, method, save=ideal.energy_given, throw=throw)


@pytest.mark.parametrize("kind", ideal.KINDS)
@pytest.mark.parametrize("name", ["davies", "redfield"])
def test_generator_is_the_twins(kind: str, name: str) -> None:
    case = ideal.case(kind)
    method = ex.Davies(coherences=True) if name == "davies" else ex.Redfield()
    ours = twin.complex_map(np.asarray(ideal.liouvillian(method, case.model())))
    np.testing.assert_allclose(ours, getattr(case, name), rtol=0, atol=1e-11)
    # and the two differ
    other = case.redfield if name == "davies" else case.davies
    assert np.max(np.abs(ours - other)) > 0.05


@pytest.mark.parametrize("kind", ideal.KINDS)
def test_davies_is_completely_positive_and_redfield_is_not(kind: str) -> None:
    case = ideal.case(kind)
    davies = ideal.liouvillian(ex.Davies(coherences=True), case.model())
    ours = twin.complex_map(np.asarray(davies))
    for time in (1e-3, 0.3, 5.0):
        values = np.linalg.eigvalsh(twin.choi(ours, time))
        assert values[0] >= -1e-10
        np.testing.assert_allclose(values.sum(), 4.0, rtol=1e-11)
    redfield = ideal.liouvillian(ex.Redfield(), case.model())
    early = twin.choi(twin.complex_map(np.asarray(redfield)), 1e-3)
    assert np.linalg.eigvalsh(early)[0] < -1e-6


@pytest.mark.parametrize("kind", ideal.KINDS)
def test_dynamics_and_steady_state(kind: str) -> None:
    case = ideal.case(kind)
    for method, matrix in ((ex.Davies(), case.davies), (ex.Redfield(), case.redfield)):
        ledger = solve(case.model(), method).ledger
        states = [twin.propagate(matrix, case.rho, t) for t in ideal.TIMES]
        np.testing.assert_allclose(ledger.state, states, rtol=0, atol=5e-9)
        steady = ex.steady_state(case.model(), method)
        np.testing.assert_allclose(steady.state, twin.null_state(matrix), rtol=0, atol=1e-11)
        assert float(steady.lowest_population) > 0.0


def test_heat_is_the_integral_of_its_currents() -> None:
    case = ideal.case("level")
    found = solve(case.model(), ex.Davies()).ledger

    def currents(t: float) -> np.ndarray:
        rho = twin.propagate(case.davies, case.rho, t)
        return np.array([np.trace(case.h @ twin.dissipate(j, rho)).real for j in case.jumps])

    np.testing.assert_allclose(found.heat_currents, [currents(t) for t in ideal.TIMES], atol=1e-8)
    heat = scipy.integrate.quad_vec(currents, 0.0, ideal.TIMES[-1], epsabs=1e-10)[0]
    np.testing.assert_allclose(found.heat[-1], heat, rtol=0, atol=1e-8)
    produced = twin.entropy(np.asarray(found.state[-1])) - twin.entropy(case.rho)
    produced -= np.dot(ideal.BETAS, heat)
    np.testing.assert_allclose(found.entropy_production[-1], produced, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-8)


def test_populations_alone_are_the_same() -> None:
    case = ideal.case("level")
    start = ex.Gibbs(beta=0.3)
    model = case.model(start)
    sector = ex.Davies().plan(model, jnp.zeros(1)).decided
    assert sector.pairs is not None
    assert len(sector.pairs) == 6  # four populations, and a pair of levels both ways
    few = solve(model, ex.Davies()).ledger
    # some coherence between levels, far below the tolerance: then all are followed
    gibbs = scipy.linalg.expm(-0.3 * case.h)
    traceless = case.operators[0] - np.trace(case.operators[0]) / 4 * np.eye(4)
    tilted = case.model(ex.Product(gibbs / np.trace(gibbs).real + 1e-12 * traceless))
    assert ex.Davies().plan(tilted, jnp.zeros(1)).decided.pairs is None
    all_of_them = solve(tilted, ex.Davies()).ledger
    for name in ("state", "heat", "entropy_production", "coherence_rate", "nonadiabatic_rate"):
        np.testing.assert_allclose(
            getattr(few, name), getattr(all_of_them, name), rtol=0, atol=2e-9, err_msg=name
        )
    alone = ex.Davies(coherences=False)
    faults = alone.initial(alone.plan(model, jnp.zeros(1))).faults
    told = [m for m, bad in zip(faults.messages, faults.present, strict=True) if bad]
    assert len(told) == 1
    assert "`coherences` must be True or None" in told[0]


def test_redfield_tells_of_negative_populations() -> None:
    case = ideal.case("random")
    start = ex.Product(np.diag([1.0, 0.0, 0.0, 0.0]).astype(complex))
    ts = [0.0, 1e-2, 5.0, 7.0]
    sol = solve(case.model(start), ex.Redfield(), ts, throw=False)
    assert np.asarray(sol.ledger.lowest_population)[1] < -1e-6
    np.testing.assert_array_equal(sol.failed, [False, True, False, False])
    with pytest.raises(RuntimeError, match="Probabilities are negative"):
        solve(case.model(start), ex.Redfield(), ts)


def test_order_of_times_and_what_is_saved() -> None:
    case = ideal.case("random")
    forward = solve(case.model(), ex.Davies())
    backward = solve(case.model(), ex.Davies(), ideal.TIMES[::-1])
    np.testing.assert_array_equal(forward.ledger.heat, backward.ledger.heat[::-1])
    np.testing.assert_array_equal(forward.saved, backward.saved[::-1])
    # what is saved is the energy that the baths have given, here the heat
    np.testing.assert_array_equal(forward.saved, forward.ledger.heat)
    with pytest.raises(ValueError, match="`ts` must be non-negative for a master equation"):
        ex.solve(case.model(), [-1.0], ex.Davies())


def test_jumps_beside_a_coupling() -> None:
    """Dephasing by a bath of infinite temperature; parts of secular equations are not claimed."""
    hot = ex.ThermalBath(0.0)
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[
            ex.Coupling(twin.SX, ex.ThermalBath(1.0, ideal.OHMIC)),
            ex.Jump(twin.SZ, hot, rate=0.2),
        ],
        start=ex.Product(np.array([[0.5, 0.4], [0.4, 0.5]])),
    )
    found = ex.solve(model, ideal.TIMES, ex.Davies()).ledger
    rate = 0.3 * np.exp(-0.2)  # J(1), and coth for both directions
    decay = 0.5 * rate / np.tanh(0.5) + 2.0 * 0.2
    np.testing.assert_allclose(
        np.abs(found.state[:, 0, 1]), 0.4 * np.exp(-decay * np.array(ideal.TIMES)), rtol=1e-7
    )
    np.testing.assert_allclose(found.heat_currents[:, 1], 0.0, atol=1e-12)
    assert found.population_rate is None
    assert found.coherence_rate is None
    assert np.all(np.asarray(found.entropy_production_rates) > -1e-10)


def test_no_times_and_couplings_that_are_zero() -> None:
    bath = ex.ThermalBath(1.0, ideal.OHMIC)
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[ex.Coupling(np.zeros((2, 2)), bath), ex.Coupling(twin.SX, bath)],
        start=ex.Product(system=0),
    )
    assert ex.solve(model, [], ex.Davies()).ledger.heat.shape == (0, 1)
    states = [ex.steady_state(model, m).state for m in (ex.Davies(), ex.Local(), ex.Redfield())]
    np.testing.assert_allclose(states[0], states[1], rtol=0, atol=1e-13)
    np.testing.assert_allclose(states[0], states[2], rtol=0, atol=1e-13)


def test_coherences_are_not_lost_unsaid() -> None:
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[ex.Coupling(twin.SX, ex.ThermalBath(1.0, ideal.OHMIC))],
        start=ex.Product(np.array([[0.5, 0.3], [0.3, 0.5]])),
    )
    with pytest.raises(RuntimeError, match="`coherences` must be True or None for a start with"):
        ex.solve(model, [0.0], ex.Davies(coherences=False))
