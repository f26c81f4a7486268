"""Driven systems between ideal baths, against plain integration."""

import itertools

import numpy as np
import pytest
import scipy.integrate
from twins import lindblad as twin

import entropax as ex

BETA, GAPS, COUPLING = 0.8, (1.0, 1.3), 0.4
HAMILTONIAN = twin.qubits(GAPS)
XX = twin.on_site(twin.SX, 0, 2) @ twin.on_site(twin.SX, 1, 2)
FIELD = twin.on_site(twin.SX, 1, 2)
END = 3.0
TIMES = (0.7, 1.5, END)
START = np.diag([0.4, 0.3, 0.2, 0.1]).astype(complex)
RATE = 0.3


def rate(w: float) -> float:
    """Ohmic without cutoff."""
    return RATE * w / -np.expm1(-BETA * w) if abs(w) > 1e-9 else RATE / BETA


def integrate(hamiltonian, jumps, breaks: tuple[float, ...] = ()) -> list[dict]:
    """State, work without jumps of H, and heat at TIMES."""
    rho, work, heat = START, 0.0, 0.0
    found = []
    edges = sorted({0.0, *breaks, *TIMES})
    for begin, end in itertools.pairwise(edges):

        def field(t: float, y: np.ndarray, begin=begin, end=end) -> np.ndarray:
            rho = (y[:16] + 1j * y[16:32]).reshape(4, 4)
            inside = np.clip(t, begin + 1e-12, end - 1e-12)
            h, dh = hamiltonian(inside)
            given = twin.dissipate(jumps(inside), rho)
            change = -1j * (h @ rho - rho @ h) + given
            flows = [np.trace(dh @ rho).real, np.trace(h @ given).real]
            return np.concatenate([change.real.ravel(), change.imag.ravel(), flows])

        y = np.concatenate([rho.real.ravel(), rho.imag.ravel(), [work, heat]])
        sol = scipy.integrate.solve_ivp(field, (begin, end), y, "DOP853", rtol=1e-11, atol=1e-13)
        y = sol.y[:, -1]
        rho, work, heat = (y[:16] + 1j * y[16:32]).reshape(4, 4), y[32], y[33]
        before, after = hamiltonian(end - 1e-9)[0], hamiltonian(end + 1e-9)[0]
        if end in breaks:
            work = work + np.trace((after - before) @ rho).real
        if end in TIMES:
            found.append({"state": rho, "work": work, "heat": heat})
    return found


def compare(ledger: ex.GKLSLedger, expected: list[dict], atol: float = 2e-8) -> None:
    for name in ("state", "work"):
        numbers = [one[name] for one in expected]
        np.testing.assert_allclose(getattr(ledger, name), numbers, rtol=0, atol=atol, err_msg=name)
    heat = np.array([one["heat"] for one in expected])
    np.testing.assert_allclose(ledger.heat[:, 0], heat, rtol=0, atol=atol)
    produced = [twin.entropy(one["state"]) - twin.entropy(START) for one in expected]
    np.testing.assert_allclose(
        ledger.entropy_production, np.array(produced) - BETA * heat, rtol=0, atol=10 * atol
    )
    np.testing.assert_allclose(ledger.residual, 0.0, atol=atol)


def swept(t):
    return 0.5 * t


def driven(**changes) -> ex.OpenSystem:
    bath = ex.ThermalBath(BETA, ex.OhmicSpectrum(RATE))
    given = {
        "hamiltonian": HAMILTONIAN,
        "interaction": COUPLING * XX,
        "couplings": [ex.Coupling(twin.on_site(twin.SX, 0, 2), bath)],
        "drives": [ex.Drive(FIELD, swept)],
        "start": ex.Product(START),
    }
    return ex.OpenSystem(**(given | changes))


def total(t: float) -> tuple[np.ndarray, np.ndarray]:
    return HAMILTONIAN + COUPLING * XX + 0.5 * t * FIELD, 0.5 * FIELD


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local()])
def test_a_swept_field(method) -> None:
    """Davies follows the eigenstates of the moment, Local those of the bare sites."""
    operator = twin.on_site(twin.SX, 0, 2)
    bare = twin.davies_jumps(HAMILTONIAN, operator, rate)

    def jumps(t: float) -> list[np.ndarray]:
        follows = isinstance(method, ex.Davies)
        return twin.davies_jumps(total(t)[0], operator, rate) if follows else bare

    found = ex.solve(driven(), TIMES, method)
    compare(found.ledger, integrate(total, jumps))
    assert abs(float(found.ledger.work[-1])) > 0.1
    power = np.trace(0.5 * FIELD @ np.asarray(found.ledger.state[-1])).real
    np.testing.assert_allclose(found.ledger.power[-1], power, rtol=0, atol=1e-8)


def test_bare_heat_and_the_work_of_coupling() -> None:
    operator = twin.on_site(twin.SX, 0, 2)
    jumps = twin.davies_jumps(HAMILTONIAN, operator, rate)
    full = ex.solve(driven(), TIMES, ex.Local()).ledger
    bare = ex.solve(driven(), TIMES, ex.Local(heat="bare")).ledger
    np.testing.assert_allclose(bare.state, full.state, rtol=0, atol=1e-8)
    for k in range(len(TIMES)):
        given = twin.dissipate(jumps, np.asarray(full.state[k]))
        current = np.trace(HAMILTONIAN @ given).real
        np.testing.assert_allclose(bare.heat_currents[k, 0], current, rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        bare.heat[:, 0] + bare.work, full.heat[:, 0] + full.work, rtol=0, atol=1e-8
    )
    assert np.min(np.abs(bare.work - full.work)) > 1e-4
    np.testing.assert_allclose(bare.residual, 0.0, atol=1e-8)


def test_jumps_of_energies_and_switched_couplings() -> None:
    """A gap that jumps and bends, a bath that is switched: populations alone."""
    gap = ex.PiecewiseLinear(times=(0.0, 1.0, END), values=(1.0, 2.0, 1.5))
    shift = ex.PiecewiseConstant(times=(0.9,), values=(2.2, 2.9))
    switch = ex.PiecewiseConstant(times=(0.4, 2.0), values=(1.0, 0.3, 1.4))
    operator = np.array([[0, 1, 0.5, 0], [1, 0, 0, 0.7], [0.5, 0, 0, 1], [0, 0.7, 1, 0.0]])
    bath = ex.ThermalBath(BETA, ex.OhmicSpectrum(RATE))
    model = ex.OpenSystem(
        energies=(0.0, gap, shift, 4.0),
        couplings=[ex.Coupling(operator, bath, strength=switch)],
        start=ex.Product(np.diagonal(START).real),
    )

    def hamiltonian(t: float) -> tuple[np.ndarray, np.ndarray]:
        slope = 1.0 if t < 1.0 else -0.25
        energies = (0.0, np.interp(t, (0, 1, END), (1, 2, 1.5)), 2.2 if t < 0.9 else 2.9, 4.0)
        return np.diag(energies), np.diag([0.0, slope, 0.0, 0.0])

    def jumps(t: float) -> list[np.ndarray]:
        strength = 1.0 if t < 0.4 else 0.3 if t < 2.0 else 1.4
        return [strength * j for j in twin.davies_jumps(hamiltonian(t)[0], operator, rate)]

    found = ex.solve(model, TIMES, ex.Davies())
    compare(found.ledger, integrate(hamiltonian, jumps, (0.4, 0.9, 1.0, 2.0)))
    # work at the jump of a level: its population times the step
    early = ex.solve(model, [0.9 - 1e-9, 0.9, END], ex.Davies()).ledger
    step = 0.7 * float(early.state[0, 2, 2].real)
    np.testing.assert_allclose(early.work[1] - early.work[0], step, rtol=0, atol=1e-7)


def test_erasure_is_above_landauers_bound() -> None:
    """And slow ramps come close, with an excess that falls as 1/t."""
    method = ex.Davies(housekeeping=False)
    excess = []
    for duration in (100.0, 200.0):
        found = ex.solve(ex.machines.erasure(duration=duration), [duration], method).ledger
        excess.append(float(-found.heat[0, 0] - found.landauer_bound[0, 0]))
        np.testing.assert_allclose(excess[-1], found.entropy_production[0], rtol=1e-9)
    assert excess[0] > excess[1] > 0.0
    np.testing.assert_allclose(excess[0] / excess[1], 2.0, rtol=0.01)
