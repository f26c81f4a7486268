"""What is conserved makes steady states ambiguous, and `audit` names this and other traps."""

import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex

BATH_OF_ONE = ex.ThermalBath(1.0)


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local(), ex.Redfield()])
def test_more_than_one_steady_state_is_told(method) -> None:
    with pytest.raises(RuntimeError, match="steady state is not unique"):
        ex.steady_state(ideal.dark(), method)
    assert "not unique" in [finding.name for finding in ex.audit(ideal.dark(), method)]
    found = ex.steady_state(ideal.forgotten(2), method, throw=False)
    assert bool(found.failed)
    assert found.result == ex.RESULTS.not_unique


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local()])
def test_it_is_told_of_large_systems_too(method) -> None:
    found = ex.steady_state(ideal.forgotten(5), method, throw=False)
    assert found.result == ex.RESULTS.not_unique


def test_dynamics_where_the_steady_state_is_not_unique() -> None:
    found = ex.solve(ideal.dark(), [200.0], ex.Davies())
    assert np.all(np.isnan(found.ledger.nonadiabatic_rate))
    singlet = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2)
    weight = singlet @ np.asarray(found.ledger.state[0]).real @ singlet
    np.testing.assert_allclose(weight, 0.5, rtol=0, atol=1e-9)  # what the start had of it


def test_couplings_that_do_nothing_conserve() -> None:
    """A bath of strength 0, a jump of rate 0: as if they were not there."""
    chain = ideal.forgotten(5)
    last = np.kron(np.eye(32), twin.SX)
    couplings = [
        ex.Coupling(c.operator, bath) for c, bath in zip(chain.couplings, chain.baths, strict=True)
    ]
    idle = ex.ThermalBath(1.0, ideal.OHMIC)
    for extra in (ex.Coupling(last, idle, strength=0.0), ex.Jump(last, idle, rate=0.0)):
        model = ex.OpenSystem(
            hamiltonian=chain.hamiltonian,
            interaction=chain.interaction,
            couplings=[*couplings, extra],
            start=ex.Product(system=0),
        )
        found = ex.steady_state(model, ex.Local(), throw=False)
        assert found.result == ex.RESULTS.not_unique


def test_audit_is_quiet_where_nothing_is_wrong() -> None:
    """Qubits of nearly one gap at baths of their own; one bath in equilibrium."""
    apart = ex.OpenSystem(
        energies=np.array([0.0, 1.001, 1.0, 2.001]),
        couplings=[
            ex.Coupling(twin.on_site(twin.SX, site, 2), ex.ThermalBath(1.0 + site, ideal.OHMIC))
            for site in range(2)
        ],
        start=ex.Product(system=0),
    )
    assert ex.audit(apart, ex.Davies()) == ()
    names = {f.name for f in ex.audit(ex.machines.heat_valve(coupling=0.01), ex.Davies())}
    assert "second law" not in names
    jumps = [ex.Jump(twin.LOWER, BATH_OF_ONE, 1.0), ex.Jump(twin.LOWER.T, BATH_OF_ONE, 0.5)]
    wrong = ex.OpenSystem(energies=(0.0, 1.0), couplings=jumps, start=ex.Product(system=0))
    assert [f.name for f in ex.audit(wrong, ex.Lindblad())] == ["detailed balance"]
    near = ex.machines.heat_valve((1.0, 1.0), coupling=0.01)
    assert "nearly degenerate frequencies" in {f.name for f in ex.audit(near, ex.Davies())}
    strong = {f.name for f in ex.audit(ex.machines.heat_valve(), ex.Local())}
    assert strong == {"local equation on coupled sites", "second law"}
    assert "not completely positive" in {f.name for f in ex.audit(near, ex.Redfield())}


def test_a_coupling_that_commutes_dephases() -> None:
    """It is idle, and populations are conserved: one independent operator."""
    findings = ex.audit(
        ideal.qubit(couplings=[ex.Coupling(twin.SZ, ideal.baths()[0])]), ex.Davies()
    )
    assert [finding.name for finding in findings] == ["not unique", "no energy exchanged"]
    assert "an operator commutes with the Hamiltonian and all" in findings[0].found
    assert "`couplings[0]` commutes" in findings[1].found
    assert str(findings[1]).startswith("no energy exchanged: the operator of `couplings[0]`")
