"""Blocks between two measurements, against the joint distribution of a solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
TS = np.array([0.0, 20.0, 70.0])


def model(start: ex.Product | ex.Joint) -> ex.OpenSystem:
    bath = ex.WindowBath((0.0, 1.0), (8, 12), 0.5)
    link = ex.Coupling(SX, bath, strength=0.03, matrix=ex.RandomBands(1.0))
    return ex.OpenSystem((0.0, 1.0), (link,), start)


@pytest.mark.parametrize(
    "method", [ex.EMME(), ex.Schrodinger(jax.random.key(1))], ids=["emme", "exact"]
)
def test_laws_and_the_theorem(method: ex.EMME) -> None:
    start = ex.Joint(np.array([[0.1, 0.2], [0.7, 0.0]]))
    led = ex.solve(model(start), TS, method).ledger
    produced = ex.counting(model(start), TS, "entropy_production", method=method)
    np.testing.assert_allclose(produced.generating(-1.0), 1.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(produced.mean, led.entropy_production, rtol=0, atol=1e-9)
    energy = ex.counting(model(start), TS, "energy", bath=0, method=method)
    before, after = (np.asarray(p).sum(axis=0) for p in (led.joint[0], led.joint[2]))
    np.testing.assert_allclose(energy.mean[2], after[1] - before[1], rtol=0, atol=1e-9)
    law = energy.distribution(width=0.05)
    np.testing.assert_allclose(law.probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-10)


def test_from_one_window_the_joint_distribution_is_the_law() -> None:
    """P(E - E_0) of a start in one window (Riera-Campeny 2021, section VI)."""
    start = ex.Product(system=1, windows=(0,))
    led = ex.solve(model(start), TS, ex.EMME()).ledger
    energy = ex.counting(model(start), TS, "energy", bath=0, method=ex.EMME())
    for u in (0.4, -0.3 + 0.8j):
        p = np.asarray(led.joint).sum(axis=1)
        np.testing.assert_allclose(energy.generating(u), p @ np.exp([0.0, u]), rtol=1e-9)


def test_a_run_that_fails_is_told() -> None:
    """Three steps do not resolve a fast drive; the block that the drive leaves alone is fine."""
    flip = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    bath = ex.WindowBath((0.0, 1.0), (3, 4), 0.5)
    link = ex.Coupling(flip, bath, strength=0.03, matrix=ex.RandomBands(1.0))
    drive = ex.Drive(flip, ex.Smooth(lambda t: 3.0 * jnp.sin(9.0 * t), width=0.5))
    start = ex.Product(system=1, windows=(0,))
    driven = ex.OpenSystem((0.0, 1.0, 2.0), (link,), start, drives=(drive,))
    method = ex.Schrodinger(jax.random.key(1), steps=3, order=2)
    with pytest.raises(RuntimeError, match="The first law is off"):
        ex.solve(driven, [3.0], method)
    with pytest.raises(RuntimeError, match="The first law is off"):
        ex.counting(driven, [3.0], "energy", bath=0, method=method)
