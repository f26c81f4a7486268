"""The ledger of a system between ideal baths, of states made by hand."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.matrices import random_hermitian
from twins import lindblad as twin

from entropax._checks import Faults
from entropax.ledger.ideal.account import (
    IdealAccount,
    Measured,
    _Beginning,
    is_state,
    moment_ledger,
)
from entropax.ledger.ideal.quantities import MomentLedger
from entropax.state import SystemState

pytestmark = pytest.mark.kernels

BETA, MU = np.array([0.7, 1.9]), np.array([0.0, -0.4])

flowing = eqx.filter_jit(moment_ledger)
settling = eqx.filter_jit(IdealAccount.settle)


class Moment:
    """Three levels, jumps of two baths, some currents of energy and particles."""

    def __init__(self, rng: np.random.Generator, **changes: Any):
        self.h, self.rho = random_hermitian(rng, 3), twin.random_state(rng, 3)
        jumps = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
        self.dissipated = np.array([twin.dissipate([jump], self.rho) for jump in jumps])
        self.pi = twin.random_state(rng, 3)
        self.energy = np.einsum("ij,aji->a", self.h, self.dissipated).real
        self.particles = np.array([0.3, -0.2])
        self.rate = -1j * (self.h @ self.rho - self.rho @ self.h) + self.dissipated.sum(axis=0)
        arrays = {
            "state": self.rho,
            "hamiltonian": self.h,
            "rate": self.rate,
            "dissipated": self.dissipated,
            "energy_current": self.energy,
            "particle_current": self.particles,
            "power": np.array(0.1),
            "energy": np.array([0.5, -0.3]),
            "particles": np.array([0.2, 0.4]),
            "work": np.array(0.7),
            "log_stationary": log(self.pi),
            "speed": np.array(1.0),
        }
        self.state = SystemState(
            **{name: jnp.asarray(x) for name, x in (arrays | changes).items()}, secular=True
        )
        self.flows = flowing(self.state, jnp.asarray(BETA), jnp.asarray(MU))


def log(rho: np.ndarray) -> np.ndarray:
    return scipy.linalg.logm(rho)


def mean(a: np.ndarray, b: np.ndarray) -> float:
    return np.trace(a @ b).real


def test_entropy_production_by_hand(rng: np.random.Generator) -> None:
    """-tr D ln rho - beta J of each bath, with the heat of particles taken from the energy."""
    moment = Moment(rng)
    ours, heat = moment.flows, moment.energy - MU * moment.particles
    np.testing.assert_allclose(ours.heat_currents, heat, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ours.chemical_power, MU @ moment.particles, rtol=1e-14)
    each = [-mean(d, log(moment.rho)) for d in moment.dissipated]
    np.testing.assert_allclose(
        ours.entropy_production_rates, each - BETA * heat, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(ours.entropy_rate, sum(each), rtol=0, atol=1e-12)
    total = sum(each) - BETA @ heat
    np.testing.assert_allclose(ours.entropy_production_rate, total, rtol=0, atol=1e-12)
    relaxing = mean(moment.rate, log(moment.pi) - log(moment.rho))
    np.testing.assert_allclose(ours.nonadiabatic_rate, relaxing, rtol=0, atol=1e-11)
    np.testing.assert_allclose(ours.housekeeping_rate, total - relaxing, rtol=0, atol=1e-11)
    np.testing.assert_allclose(ours.energy, mean(moment.h, moment.rho), rtol=0, atol=1e-14)
    np.testing.assert_allclose(ours.system_entropy, twin.entropy(moment.rho), rtol=0, atol=1e-14)
    lowest = np.linalg.eigvalsh(moment.rho)[0]
    np.testing.assert_allclose(ours.lowest_population, lowest, rtol=0, atol=1e-15)


def test_populations_and_coherences_part_it(rng: np.random.Generator) -> None:
    """dS/dt of what is left of the state between eigenstates, and the rest."""
    moment = Moment(rng)
    vectors = np.linalg.eigh(moment.h)[1]

    def diagonal(x: np.ndarray) -> np.ndarray:
        return np.diagonal(vectors.conj().T @ x @ vectors).real

    heat = moment.energy - MU * moment.particles
    change = moment.dissipated.sum(axis=0)
    populations = -diagonal(change) @ np.log(diagonal(moment.rho))
    np.testing.assert_allclose(
        moment.flows.population_rate, populations - BETA @ heat, rtol=0, atol=1e-12
    )
    coherences = -mean(change, log(moment.rho)) - populations
    np.testing.assert_allclose(moment.flows.coherence_rate, coherences, rtol=0, atol=1e-12)


def test_what_an_equation_does_not_part_is_none_and_no_steady_state_is_nan(
    rng: np.random.Generator,
) -> None:
    moment = Moment(rng, log_stationary=np.full((3, 3), np.nan))
    assert np.isnan(moment.flows.nonadiabatic_rate)
    assert np.isfinite(moment.flows.entropy_production_rate)
    bare = SystemState(**(vars(moment.state) | {"log_stationary": None, "secular": False}))
    other = flowing(bare, jnp.asarray(BETA), jnp.asarray(MU))
    for name in ("nonadiabatic_rate", "housekeeping_rate", "population_rate", "coherence_rate"):
        assert getattr(other, name) is None


def test_a_production_that_is_known_is_taken() -> None:
    """Of each bath on its own: NaN where it is not."""
    plain = Moment(np.random.default_rng(4)).flows
    known = Moment(np.random.default_rng(4), production=np.array([np.nan, 1e-30])).flows
    first = float(plain.entropy_production_rates[0])
    np.testing.assert_allclose(known.entropy_production_rates, [first, 1e-30], rtol=1e-14)
    np.testing.assert_allclose(known.entropy_production_rate, first + 1e-30, rtol=1e-14)
    # what baths do and what relaxes is the same, so housekeeping is what differs
    np.testing.assert_allclose(known.nonadiabatic_rate, plain.nonadiabatic_rate, rtol=1e-14)
    split = known.nonadiabatic_rate + known.housekeeping_rate
    np.testing.assert_allclose(split, known.entropy_production_rate, rtol=0, atol=1e-13)


def settled(rng: np.random.Generator, work: float) -> tuple[Any, ...]:
    """A ledger of one time from a start of energy 0.2 and entropy 0.1, and what judges it."""
    moment = Moment(rng)
    start = _Beginning(jnp.array(0.2), jnp.array(0.1), jnp.array(1.0))
    account = IdealAccount(jnp.asarray(BETA), jnp.asarray(MU), start, Faults.none())
    one = MomentLedger(**{k: None if x is None else x[None] for k, x in vars(moment.flows).items()})
    both = moment.state.energy[None], moment.state.particles[None]
    measured = Measured(one, *both, jnp.array([work]), Faults(jnp.zeros((1, 0), bool), ()))
    ledger = settling(account, measured)
    return moment, account, measured, ledger


def test_integrals_make_heat_and_entropy_production(rng: np.random.Generator) -> None:
    moment, _, _, ledger = settled(rng, 0.7)
    heat = np.array([0.5, -0.3]) - MU * np.array([0.2, 0.4])
    np.testing.assert_allclose(ledger.heat[0], heat, rtol=1e-14)
    np.testing.assert_allclose(ledger.chemical_work[0], -0.4 * 0.4, rtol=1e-14)
    change = twin.entropy(moment.rho) - 0.1
    np.testing.assert_allclose(ledger.entropy_production[0], change - BETA @ heat, rtol=1e-13)
    assert ledger.entropy_production_fixed is ledger.entropy_production
    np.testing.assert_allclose(ledger.landauer_bound[0], -change / BETA, rtol=1e-13)
    gained = mean(moment.h, moment.rho) - 0.2
    left = gained - 0.7 - heat.sum() + 0.4 * 0.4
    np.testing.assert_allclose(ledger.residual[0], left, rtol=0, atol=1e-14)


def test_a_broken_first_law_is_judged() -> None:
    """Work that closes it is well, work that is off by 1e-5 is not."""
    left = float(settled(np.random.default_rng(1), 0.0)[-1].residual[0])
    for extra, closed in ((0.0, True), (1e-5, False)):
        _, account, measured, ledger = settled(np.random.default_rng(1), left + extra)
        verdict = account.judge(measured, ledger)
        assert bool(verdict.closed[0]) is closed
        assert bool(verdict.sound[0])
        assert bool(verdict.physical[0])


def test_what_an_integrator_gives_up_is_not_reached() -> None:
    """It leaves infinities; NaN has another cause."""
    for value, reached in ((np.inf, False), (np.nan, True)):
        _, account, measured, ledger = settled(np.random.default_rng(1), value)
        verdict = account.judge(measured, ledger)
        assert bool(verdict.reached[0]) is reached
        assert not bool(verdict.sound[0])


def test_a_moment_and_a_time_say_by_how_much_they_fail() -> None:
    moment, _, _, ledger = settled(np.random.default_rng(1), 0.7)
    lowest = np.linalg.eigvalsh(moment.rho)[0]
    begin = f"There `lowest_population` is {lowest:.3g} and the trace 1"
    assert moment.flows.in_words(0).startswith(begin)
    words = ledger.in_words(0)
    assert words.startswith(begin)
    assert words.endswith(f"; the first law's `residual` is {float(ledger.residual[0]):.3g}.")


@pytest.mark.parametrize(
    ("populations", "state"),
    [((0.5, 0.5), True), ((1.0 + 1e-9, -1e-9), True), ((1.1, -0.1), False), ((0.5, 0.4), False)],
)
def test_what_counts_as_a_state(populations: tuple[float, float], state: bool) -> None:
    rho = np.diag(populations)
    moment = Moment(np.random.default_rng(0))
    both = (jnp.asarray(rho), jnp.array(min(populations)))
    changed = eqx.tree_at(lambda f: (f.state, f.lowest_population), moment.flows, both)
    assert bool(is_state(changed)) is state
