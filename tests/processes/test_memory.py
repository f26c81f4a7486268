"""How much memory a program takes, asked in a process of its own."""

import os
import subprocess
import sys

MEMORY = """
import resource
import entropax as ex, jax, numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def junction(beta):
    lead = ex.Lead.flat(modes=300, width=10.0, coupling=3.0, beta=beta, mu=1.0)
    return ex.Junction(0.0, 0.0, (lead, lead))

run = jax.jit(lambda beta, ts: ex.solve(junction(beta), ts).ledger.entropy_production)
ts = np.logspace(-1, 6, 60)
compiled = run.lower(2.0, ts).compile()
before = peak()
jax.block_until_ready(compiled(2.0, ts))
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_times() -> None:
    """Sixty states at K = 300 would be 170 MB in their two blocks alone."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 80.0
