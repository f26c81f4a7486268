"""Objectives of solutions of driven dots and junctions, held against closed forms."""

import equinox as eqx
import numpy as np
import pytest

import entropax as ex
from entropax import objectives

LOWERING = ex.machines.LOWERING


def dot(protocol, *, second: bool = False, mu: float = 0.0) -> ex.OpenSystem:
    flat = ex.FlatSpectrum(1.0)
    baths = [ex.ThermalBath(1.0, flat, mu=mu, statistics="fermi") for _ in range(1 + second)]
    links = [ex.Coupling(LOWERING, bath) for bath in baths]
    return ex.OpenSystem(energies=(0.0, protocol), couplings=links, start=ex.Gibbs(1.0))


def test_objectives_of_solutions() -> None:
    """W - Delta F is the entropy production times T less what relaxes; period and efficiency."""
    ramp = ex.PiecewiseLinear.ramp(1.0, -1.0, duration=2.0, pieces=2)
    method = ex.Davies(coherences=False, housekeeping=False)
    sol = ex.solve(dot(ramp), [0.5, 2.0], method)
    change = -np.log1p(np.exp(1.0)) + np.log1p(np.exp(-1.0))
    dissipated = float(objectives.dissipated_work(sol, dot(ramp)))
    assert dissipated == pytest.approx(float(sol.ledger.work[1]) - change, abs=1e-12)
    # what has not relaxed, D[p || p_eq], is dissipated later
    p, f = float(sol.ledger.state[1, 1, 1].real), 1.0 / (1.0 + np.exp(-1.0))
    left = p * np.log(p / f) + (1 - p) * np.log((1 - p) / (1 - f))
    sigma = float(objectives.entropy_production(sol))
    assert dissipated == pytest.approx(sigma + left, abs=1e-8)
    assert float(objectives.work(sol)) == float(sol.ledger.work[-1])
    drawn = -(sol.ledger.work[1] - sol.ledger.work[0])
    assert float(objectives.power(sol)) == pytest.approx(float(drawn) / 1.5, rel=1e-14)
    with pytest.raises(RuntimeError, match="must end with a closed cycle"):  # the ramp is none
        objectives.efficiency(sol)
    with pytest.raises(ValueError, match="`model` must be a Junction with one thermal lead or"):
        objectives.dissipated_work(sol, dot(ramp, second=True))
    with pytest.raises(ValueError, match=r"`mu` must be 0 of the bath.*, but is 0\.2"):
        objectives.dissipated_work(sol, dot(ramp, mu=0.2))
    other = ex.solve(dot(ramp, mu=0.2), [0.5, 2.0], method)
    drawn = -(other.ledger.work + other.ledger.chemical_work)
    assert abs(float(other.ledger.chemical_work[1])) > 1e-3
    both = float(drawn[1] - drawn[0])
    assert float(objectives.power(other)) == pytest.approx(both / 1.5, rel=1e-12)
    with pytest.raises(ValueError, match="`solution` must have two times or more"):
        objectives.power(eqx.tree_at(lambda s: s.ts, sol, sol.ts[:1]))
    lead = ex.Lead.flat(modes=3, width=2.0, coupling=0.1, beta=2.0, mu=0.3)
    junction = ex.Junction(ramp, 0.2, (lead,))
    sol = ex.solve(junction, [2.0], ex.SplitStep(steps=20), throw=False)
    change = (-np.log1p(np.exp(2.6)) + np.log1p(np.exp(-1.4))) / 2.0
    assert float(objectives.dissipated_work(sol, junction)) == pytest.approx(
        float(sol.ledger.work[0]) - change, abs=1e-12
    )


@pytest.mark.parametrize(
    ("beta", "change"),
    [(np.inf, -0.7), (1e4, -0.7), (-np.inf, -1.3), (0.0, -1.0), (1e-9, -1.0)],
)
def test_dissipated_work_at_the_edges_of_temperature(beta: float, change: float) -> None:
    """Delta F of a level from 1.3 to -0.7: of the lowest state, of the highest, of the mean."""
    lead = ex.Lead.flat(modes=3, width=2.0, coupling=0.1, beta=beta, mu=0.3)
    ramp = ex.PiecewiseLinear.ramp(1.6, -0.4, duration=2.0, pieces=2)
    sol = ex.solve(ex.Junction(ramp, 0.2, (lead,)), [2.0], ex.SplitStep(steps=20), throw=False)
    dissipated = objectives.dissipated_work(sol, ex.Junction(ramp, 0.2, (lead,)))
    assert float(dissipated) == pytest.approx(float(sol.ledger.work[0]) - change, abs=1e-9)
