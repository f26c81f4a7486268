"""Objectives of a made-up account: which entries count, and whose free energy is meant."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax import objectives


class Account(NamedTuple):
    work: jax.Array
    chemical_work: jax.Array
    heat: jax.Array
    entropy_production: jax.Array
    system_energy: jax.Array
    interaction_energy: jax.Array | None = None


TS = jnp.array([0.0, 1.5, 2.0])
ACCOUNT = Account(
    work=jnp.array([0.0, -0.2, -0.5]),
    chemical_work=jnp.array([0.0, 0.3, 0.4]),
    heat=jnp.array([[0.0, 0.0], [1.0, -0.4], [1.8, -0.1]]),
    entropy_production=jnp.array([0.0, 0.7, 0.9]),
    system_energy=jnp.array([0.0, 0.4, 0.405]),
)


def solution(account: NamedTuple = ACCOUNT, ts: jax.Array = TS) -> ex.Solution:
    return ex.Solution(ts, account, None, ex.RESULTS.successful, {})


def test_totals_are_those_of_the_last_time() -> None:
    assert float(objectives.entropy_production(solution())) == 0.9
    assert float(objectives.work(solution())) == -0.5


def test_power_and_efficiency_are_of_the_last_period() -> None:
    """0.3 drawn as work and 0.1 put in by particles, in half a unit of time."""
    assert float(objectives.power(solution())) == pytest.approx(0.2 / 0.5, rel=1e-14)
    efficiency = objectives.efficiency
    assert float(efficiency(solution())) == pytest.approx(0.2 / 0.8, rel=1e-14)
    assert float(efficiency(solution(), hot=(0, 1))) == pytest.approx(0.2 / 1.1, rel=1e-14)


def test_a_cycle_that_is_not_closed_has_no_efficiency() -> None:
    """Energy left in the system, or in what couples it, is neither work nor heat."""
    moved = jnp.array([0.0, 0.0, 0.1])
    for field in ("system_energy", "interaction_energy"):
        with pytest.raises(RuntimeError, match="closed cycle"):
            objectives.efficiency(solution(ACCOUNT._replace(**{field: moved})))


@pytest.mark.misuse
def test_a_period_needs_two_times() -> None:
    for objective in (objectives.power, objectives.efficiency):
        with pytest.raises(ValueError, match=r"`solution` must have two times or more.* has 1\."):
            objective(solution(ts=TS[:1]))


RAMP = ex.PiecewiseLinear.ramp(1.0, -1.0, duration=2.0, pieces=2)


def dot(*mus: float) -> ex.OpenSystem:
    flat = ex.FlatSpectrum(1.0)
    baths = [ex.ThermalBath(0.7, flat, mu=mu, statistics="fermi") for mu in mus]
    links = [ex.Coupling(ex.machines.LOWERING, bath) for bath in baths]
    return ex.OpenSystem(energies=(0.0, RAMP), couplings=links, start=ex.Gibbs(1.0))


def test_dissipated_work_is_what_exceeds_the_free_energy() -> None:
    """-T ln(1 + e^{-beta (e - mu)}) before the ramp and after it, of a dot and of a junction."""

    def change(beta: float, mu: float) -> float:
        before, after = (-np.log1p(np.exp(-beta * (level - mu))) / beta for level in (1.0, -1.0))
        return after - before

    lead = ex.Lead.flat(modes=3, width=2.0, coupling=0.1, beta=2.0, mu=0.3)
    junction = ex.Junction(RAMP, 0.2, (lead,))
    for model, beta, mu in ((dot(0.0), 0.7, 0.0), (junction, 2.0, 0.3)):
        dissipated = float(objectives.dissipated_work(solution(), model))
        assert dissipated == pytest.approx(-0.5 - change(beta, mu), abs=1e-14)


def test_a_free_energy_needs_one_bath_without_particles_of_its_own() -> None:
    with pytest.raises(ValueError, match="`model` must be a Junction with one thermal lead or"):
        objectives.dissipated_work(solution(), dot(0.0, 0.0))
    with pytest.raises(ValueError, match=r"`mu` must be 0 of the bath.*, but is 0\.2"):
        objectives.dissipated_work(solution(), dot(0.2))
