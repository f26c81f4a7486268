"""What importing does, in a process that does nothing else."""

import os
import subprocess
import sys

import pytest


def run(code: str, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOOK = """
import entropax
import jax
from jax._src import xla_bridge
print(jax.config.jax_enable_x64, xla_bridge.backends_are_initialized(), len(xla_bridge._backends))
"""


def test_import_turns_on_float64_and_touches_no_device() -> None:
    assert run(LOOK) == "True False 0"
    # the look can fail: one array starts a backend
    started = LOOK.replace("import jax\n", "import jax\njax.numpy.zeros(1)\n")
    assert run(started).startswith("True True")


@pytest.mark.parametrize(("value", "expected"), [("0", "False"), ("1", "True"), ("false", "False")])
def test_the_environment_decides_where_it_speaks(value: str, expected: str) -> None:
    assert run(LOOK, JAX_ENABLE_X64=value) == f"{expected} False 0"


def test_import_brings_no_pictures_and_no_rivals() -> None:
    heavy = ("matplotlib", "scipy.integrate", "qutip", "xarray", "pytest", "cyclopts")
    code = "import entropax, sys; print([name for name in {} if name in sys.modules])"
    assert run(code.format(heavy)) == "[]"
