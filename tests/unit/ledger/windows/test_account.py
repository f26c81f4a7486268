"""The ledger of window baths, on states made by hand."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import CANONICAL, QUENCH, WINDOW, driven, model

import entropax as ex
from entropax.ledger import Verdict
from entropax.ledger.windows import WindowAccount
from entropax.state import WindowState

Array = np.ndarray

VOLUMES = np.array([4.0, 6.0])
START = np.outer([0.3, 0.7], VOLUMES * np.exp(-1.3 * np.arange(2.0)))
START /= START.sum()
LATER = np.array([[[0.2, 0.25], [0.3, 0.25]], [[0.1, 0.4], [0.2, 0.3]]])
FLOW = np.array([[[0.1, -0.1], [0.05, -0.05]], [[0.0, 0.0], [0.1, -0.1]]])


def state(of: Array, **changes: Any) -> WindowState:
    """A spin of energies 0 and 1 beside windows at 0 and 1: what `of`, its `joint`, says."""
    populations, times = of.sum(-1), of.shape[:-2]
    fields = {
        "joint": of,
        "flow": FLOW if times else None,
        "system": populations[..., None] * np.eye(2) + 0j,
        "hamiltonian": np.broadcast_to(np.diag([0.0, 1.0]), (*times, 2, 2)),
        "energy": of.sum(-2)[..., 1:],
        "work": np.zeros(times),
    }
    return WindowState(**{name: as_known(value) for name, value in (fields | changes).items()})


def as_known(value: Any) -> Any:
    return jnp.asarray(value) if isinstance(value, np.ndarray) else value


@jax.jit
def settled(start: WindowState, states: WindowState) -> tuple[ex.WindowLedger, Verdict]:
    account = WindowAccount.open(start, model(start=CANONICAL))
    measured = account.measure(states)
    ledger = account.settle(measured)
    return ledger, account.judge(measured, ledger)


def ledger_of(states: WindowState, **changes: Any) -> ex.WindowLedger:
    return settled(state(START, **changes), states)[0]


def shannon(p: Array) -> Array:
    p = np.asarray(p)
    return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0), axis=-1)


def test_entropies_and_temperatures_by_their_definitions() -> None:
    led = ledger_of(state(LATER))
    systems, baths = LATER.sum(2), LATER.sum(1)
    beta = -np.log(baths[:, 1] * 4.0 / (baths[:, 0] * 6.0))
    seen = shannon(LATER.reshape(2, 4)) + baths @ np.log(VOLUMES)
    start = shannon(START.ravel()) + START.sum(0) @ np.log(VOLUMES)
    np.testing.assert_allclose(led.beta[:, 0], beta, rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.observational_entropy, seen, rtol=0, atol=1e-13)
    np.testing.assert_allclose(led.entropy_production, seen - start, rtol=0, atol=1e-13)
    np.testing.assert_allclose(led.system_entropy, shannon(systems), rtol=0, atol=1e-13)
    own = shannon(baths) + baths @ np.log(VOLUMES)
    np.testing.assert_allclose(led.bath_observational_entropy[:, 0], own, rtol=0, atol=1e-13)
    # two windows hold the canonical distribution of any energy
    np.testing.assert_allclose(led.thermal_entropy[:, 0], own, rtol=0, atol=1e-10)
    mutual = shannon(systems) + shannon(baths) - shannon(LATER.reshape(2, 4))
    np.testing.assert_allclose(led.coarse_mutual_information, mutual, rtol=0, atol=1e-13)
    np.testing.assert_allclose(led.coarse_correlation, mutual, rtol=0, atol=1e-13)


def test_energies_heat_and_what_a_fixed_temperature_makes_of_it() -> None:
    led = ledger_of(state(LATER, work=np.array([0.0, 0.25])))
    heat = START.sum(0)[1] - LATER.sum(1)[:, 1]
    np.testing.assert_allclose(led.heat[:, 0], heat, rtol=0, atol=1e-15)
    np.testing.assert_allclose(led.system_energy, LATER.sum(2)[:, 1], rtol=0, atol=1e-15)
    gained = shannon(LATER.sum(2)) - shannon(START.sum(1))
    np.testing.assert_allclose(
        led.entropy_production_fixed, gained - 1.3 * heat, rtol=0, atol=1e-13
    )
    drawn = LATER.sum(2)[:, 1] - 0.7 - np.array([0.0, 0.25])
    np.testing.assert_allclose(
        led.entropy_production_weak, gained - 1.3 * drawn, rtol=0, atol=1e-13
    )
    np.testing.assert_allclose(led.total_energy, led.system_energy + led.energy[:, 0], rtol=1e-15)
    coupled = ledger_of(
        state(LATER, interaction_energy=np.array([0.5, -0.5])), interaction_energy=np.zeros(())
    )
    np.testing.assert_allclose(coupled.total_energy - led.total_energy, [0.5, -0.5], rtol=1e-14)


def test_the_rate_is_the_derivative_along_the_flow() -> None:
    led, step = ledger_of(state(LATER)), 1e-5
    moved = [ledger_of(state(LATER + sign * step * FLOW)) for sign in (1.0, -1.0)]
    slope = (moved[0].observational_entropy - moved[1].observational_entropy) / (2.0 * step)
    np.testing.assert_allclose(led.entropy_production_rate, slope, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(led.joint_rate, FLOW)


def test_baths_that_do_not_evolve_have_no_observational_entropy() -> None:
    led = ledger_of(state(LATER, frozen=True), frozen=True)
    for field in ("observational_entropy", "bath_observational_entropy", "clausius"):
        assert getattr(led, field) is None
    for kind in ("", "_rate", "_local"):
        assert getattr(led, f"entropy_production{kind}") is None
    assert led.entropy_production_fixed.shape == (2,)


NEGATIVE, EMPTY = LATER.copy(), LATER.copy()
NEGATIVE[1, 0, 0] = -1e-5
EMPTY[1] = [[0.6, 0.0], [0.4, 0.0]]
VERDICTS: dict[str, tuple[dict[str, Array], set[str]]] = {
    "good": ({}, set()),
    "negative": ({"joint": NEGATIVE}, {"physical"}),
    "not normalised": ({"system": 1.1 * state(LATER).system}, {"physical"}),
    "not a number": ({"energy": np.array([[0.5], [np.nan]])}, {"sound"}),
    "given up": ({"energy": np.array([[0.5], [np.inf]])}, {"reached", "sound"}),
    "no temperature": ({"joint": EMPTY}, {"determined"}),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_what_a_verdict_sees(name: str) -> None:
    """At the second time; the first one is good where only the second is changed."""
    changes, failing = VERDICTS[name]
    verdict = settled(state(START), state(LATER, **changes))[1]._asdict()
    assert verdict.pop("faults").messages == ()
    assert {kind for kind, good in verdict.items() if not bool(good[1])} == failing
    if name != "not normalised":
        assert all(bool(good[0]) for good in verdict.values())


def test_a_negative_probability_is_told_with_its_size() -> None:
    words = ledger_of(state(NEGATIVE)).in_words(1)
    assert words == "There the lowest entry of `joint` is -1e-05 and their sum 1-1.0e-01."


def test_a_first_law_that_is_open_is_seen_where_energies_move() -> None:
    joint = np.zeros((2, 3))
    joint[1, 0] = 1.0
    rest = {"energy": np.zeros(1), "interaction_energy": np.zeros(())}
    start = state(joint, **rest)
    later = jax.tree.map(lambda x: jnp.stack([x, x]), start)

    @jax.jit
    def closed(work: Array) -> jax.Array:
        account = WindowAccount(driven(QUENCH, WINDOW), start)
        states = dataclasses.replace(later, flow=jnp.zeros((2, 2, 3)), work=work)
        return account.judge(states, account.settle(states)).closed

    np.testing.assert_array_equal(closed(jnp.zeros(2)), [True, True])
    np.testing.assert_array_equal(closed(jnp.array([0.0, 1e-3])), [True, False])
