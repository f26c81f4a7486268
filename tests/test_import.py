"""Importing the package touches no device, respects JAX_ENABLE_X64, and no import runs upwards."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import entropax

SOURCE = Path(entropax.__file__).parent
FLOORS = (
    ("_precision", "_checks", "progress"),
    ("linalg",),
    ("entropy",),
    ("equilibrium",),
    ("model",),
    ("method",),
    ("ledger",),
    ("solve",),
    ("plot",),
    ("studies", "validate"),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return done.stdout.strip()


def test_import_starts_no_backend() -> None:
    code = "import entropax, jax._src.xla_bridge as b; print(b.backends_are_initialized())"
    assert python(code) == "False"


def test_import_loads_no_plotting() -> None:
    assert python("import entropax, sys; print('matplotlib' in sys.modules)") == "False"


def test_float64_is_on_unless_the_environment_decides() -> None:
    code = "import entropax, jax; print(jax.config.read('jax_enable_x64'))"
    os.environ.pop("JAX_ENABLE_X64", None)
    assert python(code) == "True"
    assert python(code, JAX_ENABLE_X64="0") == "False"


def imported(path: Path) -> set[str]:
    """First-level names of entropax that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("entropax"):
            parts = node.module.split(".")[1:]
            names |= {parts[0]} if parts else {alias.name for alias in node.names}
    return names & LEVEL.keys()


def test_no_import_runs_up_the_floors() -> None:
    seen = 0
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for name in imported(path):
            seen += 1
            assert LEVEL[name] <= LEVEL[room], f"{path.relative_to(SOURCE)} imports {name}"
    assert seen > 30
