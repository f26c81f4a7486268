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
import numpy as np

import entropax as ex
from benchmarks import rivals, test_ensembles, test_junction, test_windows
from benchmarks.harness import SMALL, peak_memory

LARGEST = test_junction.LARGEST
ENORMOUS = 40 if SMALL else 10_000


def ledger(modes: int, times: int) -> object:
    ts = jnp.logspace(-1, 6, times) / test_junction.GAMMA
    return ex.solve(test_junction.make_junction(modes), ts)


def textbook() -> object:
    given = rivals.problem(*test_junction.in_numpy(test_junction.make_junction(LARGEST)))
    return rivals.ledger(given, 10.0)


def gradient() -> object:
    junction = test_junction.make_junction(LARGEST)
    couplings = jnp.stack([lead.couplings for lead in junction.leads])
    return jax.grad(test_junction.sigma(junction))(couplings)


def exact() -> object:
    model = test_windows.riera((20, 30) if SMALL else (400, 600))
    return ex.solve(model, np.linspace(0.0, 60.0, 300), ex.Schrodinger(key=jax.random.key(0)))


def master_equations() -> object:
    strengths = jnp.linspace(1e-3, 1e-2, 4 if SMALL else 4096)
    return jax.jit(test_windows.batch(ex.EMME()))(strengths)


def draws(samples: int) -> object:
    model, ts = test_ensembles.model(), test_ensembles.TIMES
    key = jax.random.key(0)
    return ex.ensemble(model, ts, ex.Schrodinger(), key=key, samples=samples, chunk=32)


TASKS: dict[str, Callable[[], object]] = {
    "imports alone": lambda: None,
    f"ledger at 60 times, K = {LARGEST}": lambda: ledger(LARGEST, 60),
    f"textbook ledger at one time, K = {LARGEST}": textbook,
    f"ledger at one time, K = {ENORMOUS}": lambda: ledger(ENORMOUS, 1),
    f"gradient by {2 * LARGEST} couplings, K = {LARGEST}": gradient,
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
