"""Single precision, asked in a process of its own."""

import os
import subprocess
import sys

SINGLE = """
import entropax as ex, jax, numpy as np
assert not jax.config.jax_enable_x64
calls = [
    lambda: ex.Lead.flat(modes=3, width=1.0, coupling=1.0, beta=1.0, mu=0.0),
    lambda: ex.Lead([0.0, 1.0], [1.0, 1.0], 1.0, 0.0),
    lambda: ex.FermionNetwork(np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,)),
]
for call in calls:
    try:
        call()
    except ValueError as error:
        assert "float64" in str(error) and "JAX_ENABLE_X64" in str(error), error
    else:
        raise SystemExit("no error")
jax.config.update("jax_enable_x64", True)
model = ex.FermionNetwork(np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,))
jax.config.update("jax_enable_x64", False)
try:
    ex.solve(model, [1.0])
except ValueError as error:
    assert "float64" in str(error), error
else:
    raise SystemExit("no error from solve")
print("refused")
"""


def test_single_precision_is_refused_in_words() -> None:
    environment = os.environ | {"JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SINGLE], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "refused"
