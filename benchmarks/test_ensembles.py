"""Exact draws against a NumPy loop of the same algorithm, and junctions of pure starts.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

import time
from typing import Any

import equinox as eqx
import jax
import numpy as np

import entropax as ex
from benchmarks import models
from benchmarks.harness import SMALL, agreement, measured, report

FAMILY = "Ensembles"
SAMPLES = 8 if SMALL else 1000


def numpy_draw(rng: np.random.Generator) -> np.ndarray:
    """p(level, window; t) of one draw by the same algorithm; no ledger.

    H is diagonalised once; of R = V^T rho V and X = V^T P V, one for each projector P on a level
    and a window, p(t) = sum_ab cos((l_a - l_b) t) R_ab X_ab, for all times by matrix products.
    """
    levels, volumes = models.DRAW_LEVELS, models.DRAW_VOLUMES
    windows = zip((0.0, 1.0), volumes, strict=True)
    bath = np.concatenate([c + 0.5 * (np.arange(v) / v - 0.5) for c, v in windows])
    matrix = rng.normal(size=(levels, levels))
    matrix = models.DRAW_STRENGTH / np.sqrt(2.0) * (matrix + matrix.T)
    h = np.block([[np.diag(bath), matrix], [matrix, np.diag(1.0 + bath)]])
    values, vectors = np.linalg.eigh(h)
    rows = np.split(np.arange(2 * levels), np.cumsum([*volumes, volumes[0]]))
    start = vectors[rows[2]].T @ vectors[rows[2]] / volumes[0]
    phases = np.exp(1j * np.outer(values, models.DRAW_TIMES))
    found = [
        np.sum(phases.conj() * ((start * (vectors[r].T @ vectors[r])) @ phases), axis=0).real
        for r in rows
    ]
    return np.array(found).T.reshape(-1, 2, 2)


def test_exact_draws(benchmark: Any, capsys: Any) -> None:
    """A spin and 100 levels coupled by a GOE matrix (200 states in one sector), whole ledgers.

    The rival is a NumPy loop that diagonalises each draw and finds its populations alone by the
    same formula; 100 draws are timed and scaled. Means must agree within 6 standard errors.
    """

    def ours(samples: int = SAMPLES) -> ex.Ensemble:
        return ex.ensemble(
            models.drawn(),
            models.DRAW_TIMES,
            ex.Schrodinger(),
            key=jax.random.key(0),
            samples=samples,
            chunk=8 if SMALL else 64,
        )

    began = time.perf_counter()
    ours(8)
    first = time.perf_counter() - began
    seconds, runs = measured(benchmark, ours, rounds=1 if SMALL else 3)
    rng, few = np.random.default_rng(0), max(SAMPLES // 10, 4)
    began = time.perf_counter()
    loop = np.array([numpy_draw(rng) for _ in range(few)])
    rival = (time.perf_counter() - began) / few * SAMPLES
    # two samples of one distribution: means agree to their errors
    error = np.hypot(runs.error.joint, loop.std(axis=0) / np.sqrt(few))
    apart = np.abs(runs.mean.joint - loop.mean(axis=0)) / np.maximum(error, 1e-9)
    assert np.max(apart) < (20.0 if SMALL else 6.0)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"{SAMPLES} exact draws, D = {2 * models.DRAW_LEVELS}, {len(models.DRAW_TIMES)} times",
        ours=seconds,
        rivals={"NumPy loop": rival},
        first_call=first,
        errors={"in standard errors": float(np.max(apart))},
    )


def test_pure_starts(benchmark: Any, capsys: Any) -> None:
    """Random pure starts of a junction in one ensemble, and by our own loop over `solve`.

    4 of the loop are timed and scaled; their entropy production must agree to 1e-8.
    """
    modes, samples = (6, 4) if SMALL else (100, 64)
    junction = models.usui(modes)
    ts = np.logspace(-1, 8, 40) / 3.0
    pure = eqx.Partial(ex.pure_start, junction)

    def ours(keep: bool = False) -> ex.Ensemble:
        return ex.ensemble(pure, ts, key=jax.random.key(0), samples=samples, keep=keep)

    began = time.perf_counter()
    kept = ours(keep=True)
    first = time.perf_counter() - began
    seconds, _ = measured(benchmark, ours, rounds=1 if SMALL else 3)
    keys = [jax.random.fold_in(jax.random.key(0), i) for i in range(4)]
    jax.block_until_ready(ex.solve(ex.pure_start(junction, keys[0]), ts).ledger)
    began = time.perf_counter()
    one_by_one = [
        jax.block_until_ready(ex.solve(ex.pure_start(junction, key), ts).ledger) for key in keys
    ]
    loop = (time.perf_counter() - began) / len(keys) * samples
    error = agreement(
        np.stack([x.entropy_production for x in one_by_one]),
        kept.ledger.entropy_production[: len(keys)],
        atol=1e-8,
    )
    report(
        benchmark,
        capsys,
        FAMILY,
        f"{samples} pure starts, K = {modes}, {len(ts)} times",
        ours=seconds,
        rivals={"loop over `ex.solve`": loop},
        first_call=first,
        errors={"difference": error},
    )
