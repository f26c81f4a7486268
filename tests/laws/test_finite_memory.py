"""Rates that grow with the memory integral, against closed forms and written out."""

import jax
import numpy as np
import pytest
from cases.windows import SX, TIGHT, assert_same, flow, large_spin, written
from scipy.special import sici
from twins import riera

import entropax as ex

Array = np.ndarray

TIMES = np.array([7.0, 0.0, 1.5, 40.0])


@pytest.mark.parametrize("secular", [True, False])
def test_finite_memory_is_the_written_generator_at_each_time(secular: bool) -> None:
    bath = ex.WindowBath(centers=(0.0, 0.9), volumes=(4, 6), width=0.5)
    link = ex.Coupling(SX + np.diag([0.3, -0.4]), bath, 0.1, ex.GOE(variance=0.4))
    start = ex.Product(system=[[0.4, 0.3j], [-0.3j, 0.6]], windows=([0.3, 0.7],))
    model = ex.OpenSystem(energies=(0.0, 1.1), couplings=(link,), start=start)
    ts = np.array([0.5, 1.5])
    led = ex.solve(model, ts, ex.EMME(memory="finite", secular=secular, **TIGHT)).ledger

    def field(t: float, y: Array) -> Array:
        known: dict[float, complex] = {}

        def shape(x: float) -> complex:
            if round(x, 12) not in known:
                known[round(x, 12)] = riera.memory_integral(x, 0.5 * t)
            return known[round(x, 12)]

        return written(model, shape=shape, secular=secular) @ y

    y = flow(model, np.zeros((8, 8)), np.zeros(1)).ravel()
    states = [y.reshape(2, 2, 2) for y in riera.runge_kutta(field, y, ts, 0.025)]
    assert_same(led, np.array(states), 1e-8)


def test_finite_memory_of_two_windows_in_closed_form() -> None:
    """Riera Eq. E7."""
    model, lam, delta, v = large_spin(), 3e-3, 0.5, np.array([400.0, 600.0])
    ts = np.linspace(0.0, 60.0, 13)
    rate = 2 * np.pi * lam**2 / delta * v[0] * v[1]
    slope = rate * (1 / v).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        si, ci = sici(delta * ts)
        # the integral of zeta
        xi = ts * si + (np.cos(delta * ts) - 1) / delta
        xi = 2 / np.pi * (xi - (np.euler_gamma + np.log(delta * ts) - ci) / delta)
    xi[0] = 0.0
    exact = 1.0 - rate / v[0] * (1 - np.exp(-slope * xi)) / slope
    for options in ({}, {"coherences": True}, {"secular": False}):
        led = ex.solve(model, ts, ex.EMME(memory="finite", **options)).ledger
        np.testing.assert_allclose(led.joint[:, 1, 0], exact, rtol=0, atol=1e-8)
    wrong = ex.solve(model, ts, ex.EMME()).ledger.joint[:, 1, 0]
    assert np.max(np.abs(wrong - exact)) > 0.1


def three_windows(strength: float) -> ex.OpenSystem:
    """Rates times the memory time are 1.6 at a strength of 0.01, and fall with its square."""
    bath = ex.WindowBath((0.0, 1.0, 2.0), (60, 100, 140), 0.5)
    link = ex.Coupling(SX, bath, strength, ex.RandomBands())
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Product(1, windows=(1,)))


def test_negative_populations_are_of_fourth_order_in_the_coupling() -> None:
    """It is the equation, not the code, that leaves the positive ones: windows off resonance are
    reached by an amount of second order, and what the equation leaves out is of fourth."""
    method = ex.EMME(memory="finite", rtol=1e-9, atol=1e-13)

    def lowest(strength: float) -> float:
        ts = np.linspace(0.0, 100.0, 40)
        return float(ex.solve(three_windows(strength), ts, method).ledger.joint.min())

    weak, twice = lowest(5e-4), lowest(1e-3)
    assert twice < weak < 0.0
    assert twice / weak == pytest.approx(16.0, rel=0.1)
    with pytest.raises(RuntimeError, match=r"fourth order in the coupling.*Weaken"):
        jax.block_until_ready(ex.solve(three_windows(0.01), [20.0], method))


def test_finite_memory_is_nearer_to_exact_dynamics() -> None:
    """Where rates times the memory time are 0.4: off by 0.01, the Markov equation by 0.1."""
    model, ts = three_windows(5e-3), np.linspace(0.0, 160.0, 33)
    keys = jax.random.split(jax.random.key(0), 4)
    exact = np.mean([ex.solve(model, ts, ex.Schrodinger(key=k)).ledger.joint for k in keys], axis=0)

    def away(method: ex.EMME) -> float:
        return float(np.max(np.abs(ex.solve(model, ts, method, throw=False).ledger.joint - exact)))

    assert away(ex.EMME(memory="finite")) < 0.02
    assert away(ex.EMME()) > 0.08


def test_a_solver_that_gives_up_is_told() -> None:
    sol = ex.solve(large_spin(), [60.0], ex.EMME(memory="finite", max_steps=2), throw=False)
    assert np.all(sol.result == ex.RESULTS.not_finite)
    with pytest.raises(RuntimeError, match="NaN or infinite"):
        jax.block_until_ready(ex.solve(large_spin(), [60.0], ex.EMME(memory="finite", max_steps=2)))
