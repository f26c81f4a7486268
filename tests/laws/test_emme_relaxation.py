"""What the extended microcanonical master equation relaxes to, and what it cannot be asked."""

import diffrax
import jax
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.windows import SX

import entropax as ex

Array = np.ndarray


@pytest.mark.parametrize("method", ["exponential", "solver", "states"])
def test_two_windows_relax_as_breuer_gemmer_and_michel_say(method: str) -> None:
    """PRE 73, 016139 (2006): p_e = g1/(g1+g2) + g2/(g1+g2) exp(-(g1+g2) t)."""
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(500, 500), width=0.5)
    link = ex.Coupling(SX, bath, 5e-4, ex.RandomBands())
    start = ex.Product(system=1, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    total = 2 * 2 * np.pi * 5e-4**2 * 500 / 0.5
    ts = np.array([0.25, 0.5, 1.0, 2.0, 4.0]) / total
    options = {
        "exponential": {},
        "solver": {"solver": diffrax.Dopri5()},
        "states": {"coherences": True},
    }[method]
    led = ex.solve(model, ts, ex.EMME(**options)).ledger
    cited = [0.889400, 0.803265, 0.683940, 0.567668, 0.509158]
    np.testing.assert_allclose(led.joint[:, 1, 0], cited, rtol=0, atol=5e-7)


def test_steady_state_and_detailed_balance() -> None:
    """p_eq = P(E_tot) V_(E_tot - eps) / sum V (Riera Eqs. 33, 36); S_obs never falls (Eq. 57)."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(3, 9, 7, 20, 11, 2), width=1.0)
    operator = random_hermitian(np.random.default_rng(0), 3)
    link = ex.Coupling(operator, bath, 0.05, ex.RandomBands())
    start = ex.Product(system=[0.1, 0.6, 0.3], windows=([0.3, 0.1, 0.2, 0.1, 0.1, 0.2],))
    model = ex.OpenSystem(energies=(0.0, 1.0, 2.0), couplings=(link,), start=start)
    led = ex.solve(model, np.array([*np.linspace(0.0, 30.0, 40), 1e6]), ex.EMME()).ledger
    total = np.arange(3)[:, None] + np.arange(6)
    first, last = np.asarray(led.joint)[[0, -1]]
    volume = np.broadcast_to(np.array([3.0, 9, 7, 20, 11, 2]), (3, 6))
    for value in range(8):
        shell = total == value
        expected = first[shell].sum() * volume[shell] / volume[shell].sum()
        np.testing.assert_allclose(last[shell], expected, rtol=0, atol=1e-10)
    assert np.all(np.diff(led.observational_entropy) > -1e-12)
    assert led.entropy_production[0] == pytest.approx(0.0, abs=1e-13)
    np.testing.assert_allclose(
        led.heat[:, 0], led.system_energy - led.system_energy[0], rtol=0, atol=1e-10
    )


def test_a_jump_no_window_can_take_has_no_rate() -> None:
    bath = ex.WindowBath(centers=(0.0, 2.0), volumes=(5, 7), width=0.5)
    link = ex.Coupling(SX, bath, 0.1, ex.RandomBands())
    start = ex.Product(system=1, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    with pytest.warns(UserWarning, match=r"transitions 1 -> 0, 0 -> 1 of `couplings\[0\]`"):
        led = ex.solve(model, [100.0], ex.EMME()).ledger
    assert led.joint[0, 1, 0] == pytest.approx(1.0, abs=1e-14)


def test_a_jump_is_shared_between_neighbouring_windows() -> None:
    """At omega = 0.7 between tiles of width 1: weights 0.3 and 0.7 (Riera Eq. B12)."""
    bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(10, 10, 10), width=1.0)
    link = ex.Coupling(SX, bath, 1e-4, ex.GOE(variance=1.0))
    start = ex.Product(system=1, windows=(1,))
    model = ex.OpenSystem(energies=(0.0, 0.7), couplings=(link,), start=start)
    led = ex.solve(model, [1.0], ex.EMME()).ledger
    gained = np.asarray(led.joint)[0, 0]
    np.testing.assert_allclose(gained / gained.sum(), [0.0, 0.3, 0.7], atol=1e-6)


def test_probabilities_that_are_none_are_told() -> None:
    """Redfield far beyond weak coupling goes negative; secular the same model does not."""
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)
    link = ex.Coupling(SX + np.diag([1.0, -1.0]), bath, 0.25, ex.GOE(variance=1.0))
    start = ex.Product(system=np.full((2, 2), 0.5), windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    ts = np.linspace(0.0, 20.0, 9)
    sol = ex.solve(model, ts, ex.EMME(secular=False), throw=False)
    lowest = np.asarray(sol.ledger.joint).min((1, 2))
    np.testing.assert_array_equal(sol.failed, lowest <= -1e-6)
    np.testing.assert_array_equal(sol.result == ex.RESULTS.unphysical, sol.failed)
    assert lowest.min() < -0.1
    with pytest.raises(RuntimeError, match="Probabilities are negative"):
        jax.block_until_ready(ex.solve(model, ts, ex.EMME(secular=False)).ledger.joint)
    assert not np.any(ex.solve(model, ts, ex.EMME()).failed)


def test_a_rotated_identity_is_degenerate_too() -> None:
    """Gaps that are rounding are none: the eigenbasis of such a matrix means nothing."""
    vectors = np.linalg.eigh(random_hermitian(np.random.default_rng(3), 3))[1]
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)
    link = ex.Coupling(np.ones((3, 3)), bath, 0.1, ex.GOE(variance=1.0))
    start = ex.Product(system=np.diag([1.0, 0.0, 0.0]), windows=(0,))
    spectra = []
    for h in (np.eye(3) + 0j, vectors @ vectors.conj().T + np.diag([4e-16, 0.0, -4e-16])):
        model = ex.OpenSystem(couplings=(link,), start=start, hamiltonian=h)
        state = ex.solve(model, [3.0], ex.EMME(coherences=None)).ledger.system_state[0]
        spectra.append(np.linalg.eigvalsh(state))
    np.testing.assert_allclose(spectra[1], spectra[0], rtol=0, atol=1e-8)
