"""Thermal machines: their Hamiltonians by hand, their baths, what of them moves in time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from twins import lindblad as twin

import entropax as ex


def total(model: ex.OpenSystem) -> np.ndarray:
    return np.asarray(model.total_hamiltonian())


def commutator(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b - b @ a


def test_a_chain_is_the_twins() -> None:
    """sum_i w n_i and the exchange of neighbours, with its Ising part; a bath at each end."""
    gap, exchange, anisotropy = 1.3, 0.5, 0.7
    chain = ex.machines.spin_chain(3, gap, exchange, anisotropy, (5.0, 0.5), (0.2, 0.3))
    ising = sum(
        twin.on_site(twin.SZ, site, 3) @ twin.on_site(twin.SZ, site + 1, 3) for site in range(2)
    )
    interaction = twin.exchange(exchange, 0, 3) + twin.exchange(exchange, 1, 3)
    interaction = interaction + 0.5 * exchange * anisotropy * ising
    bare = twin.qubits((gap,) * 3) + 1.5 * gap * np.eye(8)
    np.testing.assert_allclose(total(chain), bare + interaction, rtol=0, atol=1e-15)
    np.testing.assert_allclose(chain.bare_hamiltonian(), bare, rtol=0, atol=1e-15)
    for coupling, site in zip(chain.couplings, (0, 2), strict=True):
        np.testing.assert_array_equal(coupling.operator, twin.on_site(twin.SX, site, 3))
    np.testing.assert_allclose([bath.beta for bath in chain.baths], [0.2, 2.0], rtol=1e-15)
    np.testing.assert_allclose([bath.spectrum.rate for bath in chain.baths], [0.2, 0.3])
    with pytest.raises(ValueError, match="`sites` must be at least 2, but is 1"):
        ex.machines.spin_chain(1)


def test_the_valve_is_two_qubits() -> None:
    valve = ex.machines.heat_valve((1.0, 0.6), 0.25)
    both = twin.on_site(twin.SX, 0, 2) @ twin.on_site(twin.SX, 1, 2)
    expected = twin.qubits((1.0, 0.6)) + 0.8 * np.eye(4) + 0.25 * both
    np.testing.assert_allclose(total(valve), expected, rtol=0, atol=1e-15)


def test_the_refrigerator_trades_quanta_of_one_energy() -> None:
    fridge = ex.machines.absorption_refrigerator((1.0, 3.0), coupling=0.05)
    energies = [(c + 3 * h + 4 * r) for c in (0, 1) for h in (0, 1) for r in (0, 1)]
    np.testing.assert_allclose(np.diagonal(fridge.bare_hamiltonian()), energies, rtol=1e-15)
    swap = np.asarray(fridge.interaction)
    assert float(np.sum(np.abs(swap))) == pytest.approx(0.1, rel=1e-15)
    assert swap[0b110, 0b001] == 0.05
    np.testing.assert_array_equal(commutator(np.asarray(fridge.bare_hamiltonian()), swap), 0.0)


def test_the_maser_is_driven_on_resonance() -> None:
    """Its frame turns with the field: in the laboratory V turns with the gap between 2 and 1."""
    wide, narrow, drive = 3.0, 1.0, 0.05
    maser = ex.machines.three_level_engine((wide, narrow), drive=drive)
    field = np.zeros((3, 3))
    field[1, 2] = field[2, 1] = drive
    np.testing.assert_allclose(maser.interaction, field, rtol=0, atol=1e-17)
    frame, bare = np.asarray(maser.frame), np.asarray(maser.bare_hamiltonian())
    np.testing.assert_array_equal(commutator(frame, bare), 0.0)
    left = bare - frame
    np.testing.assert_allclose(commutator(left, field), 0.0, atol=1e-17)
    given = [np.argwhere(np.asarray(c.operator)) for c in maser.couplings]
    assert [pairs.tolist() for pairs in given] == [[[0, 2], [2, 0]], [[0, 1], [1, 0]]]


def test_the_dot_is_between_fermions() -> None:
    dot = ex.machines.thermoelectric_dot(0.4, (1.0, 0.5), (-2.0, -1.4), (2.0, 1.0))
    np.testing.assert_array_equal(total(dot), np.diag([0.0, 0.4]))
    assert [bath.statistics for bath in dot.baths] == ["fermi", "fermi"]
    assert [float(bath.mu) for bath in dot.baths] == [-2.0, -1.4]
    f = 1.0 / (np.exp(2.0 * (0.4 + 1.4)) + 1.0)
    np.testing.assert_allclose(dot.baths[1].absorption(jnp.array(0.4)), f, rtol=1e-14)


def test_the_otto_cycle_switches_baths_in_turn() -> None:
    """Each stroke has one bath at one gap, and ramps have none."""
    engine = ex.machines.two_level_engine((2.0, 1.0), stroke=6.0, ramp=1.0, cycles=2)
    gap = engine.energies[1]
    hot, cold = (coupling.strength for coupling in engine.couplings)
    for cycle in (0.0, 14.0):
        for time, (energy, with_hot, with_cold) in {
            3.0: (2.0, 1.0, 0.0),
            6.5: (1.5, 0.0, 0.0),
            10.0: (1.0, 0.0, 1.0),
            13.5: (1.5, 0.0, 0.0),
        }.items():
            at = jnp.array(cycle + time)
            np.testing.assert_allclose(gap(at), energy, rtol=1e-14)
            assert (float(hot(at)), float(cold(at))) == (with_hot, with_cold)
    excited = 1.0 / (1.0 + np.exp(1.0 / 0.5))
    start = engine.start.system_state(engine.before())
    np.testing.assert_allclose(np.diagonal(start), [1.0 - excited, excited], rtol=1e-15)


def test_erasure_draws_a_mixed_bit_apart() -> None:
    erasure = ex.machines.erasure(duration=20.0, depth=5.0, temperature=2.0)
    gap = erasure.energies[1]
    np.testing.assert_allclose(
        jax.vmap(gap)(jnp.array([0.0, 10.0, 20.0])), [0.0, 5.0, 10.0], rtol=1e-15
    )
    assert isinstance(erasure.start, ex.Gibbs)
    assert float(erasure.start.beta) == 0.0
    bath = erasure.baths[0]
    np.testing.assert_allclose(bath.absorption(jnp.zeros(())), 0.5, rtol=1e-15)  # of rate 1
    given = ex.PiecewiseConstant(times=(1.0,), values=(0.0, 3.0))
    assert ex.machines.erasure(given).energies[1] is given
