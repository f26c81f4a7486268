"""Ensembles against loops over `solve`: draws, models that are drawn, draws that fail."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.draws import KEY, TS, junction, occupation, pure, spin

import entropax as ex


def test_draws_are_those_of_a_loop() -> None:
    """Key of draw i: fold_in(key, i); mean and standard error by NumPy over the loop's ledgers."""
    runs = ex.ensemble(
        spin(levels="random"), TS, ex.Schrodinger(), key=KEY, samples=5, chunk=2, keep=True
    )
    found = [
        ex.solve(spin(levels="random"), TS, ex.Schrodinger(key=jax.random.fold_in(KEY, i))).ledger
        for i in range(5)
    ]
    values = np.array([led.entropy_production for led in found])
    assert np.ptp(values[:, -1]) > 1e-3  # they differ
    np.testing.assert_allclose(runs.ledger.entropy_production, values, atol=1e-12)
    np.testing.assert_allclose(runs.mean.entropy_production, values.mean(0), atol=1e-12)
    error = values.std(0, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(runs.error.entropy_production, error, atol=1e-12)
    states = np.array([led.system_state for led in found])
    np.testing.assert_allclose(runs.mean.system_state, states.mean(0), atol=1e-12)
    assert runs.mean.mutual_information is None
    assert runs.samples == 5
    np.testing.assert_array_equal(runs.indices, np.arange(5))
    assert not runs.failed.any()


def test_models_that_a_function_makes() -> None:
    runs = pure(keep=True, quantiles=(0.0, 0.5), save=occupation)
    keys = [jax.random.fold_in(KEY, i) for i in range(10)]
    found = [ex.solve(ex.pure_start(junction(), key=k), TS, save=occupation) for k in keys]
    sigma = np.array([f.ledger.terms.athermality for f in found])
    np.testing.assert_allclose(runs.ledger.terms.athermality, sigma, atol=1e-12)
    np.testing.assert_allclose(runs.mean.terms.athermality, sigma.mean(0), atol=1e-12)
    half = runs.quantiles[0.5].terms.athermality
    np.testing.assert_allclose(half, np.median(sigma, axis=0), atol=1e-12)
    np.testing.assert_allclose(runs.quantiles[0.0].terms.athermality, sigma.min(0), atol=1e-12)
    n = np.array([f.saved["n"] for f in found])
    np.testing.assert_allclose(runs.saved["n"], n, atol=1e-12)
    np.testing.assert_allclose(runs.saved_mean["n"], n.mean(0), atol=1e-12)
    assert runs.saved_error["n"].shape == TS.shape


def test_failed_draws_are_left_out_and_counted() -> None:
    """A bath at NaN fails; the mean is that of the others."""

    def sometimes(key: Any) -> ex.Junction:
        bad = jax.random.uniform(key) < 0.4
        start = junction()
        wrong = jnp.where(bad, jnp.nan, 0.1)
        return eqx.tree_at(lambda j: j.level, start, wrong)

    runs = ex.ensemble(sometimes, TS, key=KEY, samples=12, chunk=5, keep=True)
    bad = [float(jax.random.uniform(jax.random.fold_in(KEY, i))) < 0.4 for i in range(12)]
    assert 0 < sum(bad) < 12
    np.testing.assert_array_equal(runs.failed, bad)
    expected = ex.solve(junction(), TS).ledger.entropy_production
    np.testing.assert_allclose(runs.mean.entropy_production, expected, atol=1e-12)
    np.testing.assert_allclose(runs.error.entropy_production, 0.0, atol=1e-12)
    with pytest.raises(RuntimeError, match=rf"Draw {bad.index(True)} failed"):
        ex.ensemble(sometimes, TS, key=KEY, samples=12, chunk=5, throw=True)
