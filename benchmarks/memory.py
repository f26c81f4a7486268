"""Tasks in a process of their own: `python -m benchmarks.memory "4096 master equations"`.

Prints, as JSON, the peak memory in gigabytes and the seconds, compilation included. Without a name
all but the draws run.
"""

import json
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

import entropax as ex
from benchmarks import models, rivals
from benchmarks.harness import SMALL, peak_memory

ENORMOUS = 40 if SMALL else 10_000


def ledger(modes: int, times: int) -> object:
    ts = jnp.logspace(-1, 6, times) / models.GAMMA
    return ex.solve(models.usui(modes), ts)


def textbook() -> object:
    given = rivals.problem(*models.in_numpy(models.usui(models.LARGEST)))
    return rivals.ledger(given, models.SIGMA_TIME)


def gradient() -> object:
    junction = models.usui(models.LARGEST)
    couplings = jnp.stack([lead.couplings for lead in junction.leads])
    return jax.grad(models.sigma(junction))(couplings)


def exact() -> object:
    method = ex.Schrodinger(key=jax.random.key(0))
    return ex.solve(models.riera(), models.RIERA_TIMES, method)


def master_equations() -> object:
    strengths = jnp.linspace(1e-3, 1e-2, 4 if SMALL else 4096)
    return jax.jit(models.chains(ex.EMME()))(strengths)


def draws(samples: int) -> object:
    model, ts = models.drawn(), models.DRAW_TIMES
    key = jax.random.key(0)
    return ex.ensemble(model, ts, ex.Schrodinger(), key=key, samples=samples, chunk=32)


TASKS: dict[str, Callable[[], object]] = {
    "imports alone": lambda: None,
    f"ledger at 60 times, K = {models.LARGEST}": lambda: ledger(models.LARGEST, 60),
    f"textbook ledger at one time, K = {models.LARGEST}": textbook,
    f"ledger at one time, K = {ENORMOUS}": lambda: ledger(ENORMOUS, 1),
    f"gradient by {2 * models.LARGEST} couplings, K = {models.LARGEST}": gradient,
    "exact populations, D = 2000, 300 times": exact,
    "4096 master equations": master_equations,
}
DRAWS: dict[str, Callable[[], object]] = {
    f"{count} draws": lambda count=count: draws(count)
    for count in ((32, 64) if SMALL else (100, 1000))
}


if __name__ == "__main__":
    began = time.perf_counter()
    for task in sys.argv[1:] or TASKS:
        jax.block_until_ready((TASKS | DRAWS)[task]())
    print(json.dumps({"peak": peak_memory(), "seconds": time.perf_counter() - began}))
