"""A program of the contract twice in this process: `python -m benchmarks.first_call IDEAL`.

Prints, as JSON, the seconds of the imports, of both calls and of what the second compiled anew,
and the peak memory in gigabytes.
"""

import ast
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import SMALL

CONTRACT = Path(__file__).parents[1] / "tests" / "test_contract.py"

SMALLER = {
    "PROGRAM": (("modes=1000", "modes=40"), ("6, 40)", "6, 7)")),
    "WINDOWS": (("(400, 600)", "(20, 30)"),),
    "PROTOCOLS": (("steps=1000", "steps=60"),),
    "ENSEMBLES": (("samples=16, chunk=16", "samples=6, chunk=4"),),
}
SHORTER = {
    "PROTOCOLS": (("steps=200", "steps=1"),),
    "ENSEMBLES": (("samples=256", "samples=16"),),
}
"""What repeats a compiled program; a first call is about its compilation."""
COMPILING = (
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)


def program(name: str) -> ast.Module:
    """The text that `tests/test_contract.py` holds."""
    contract = ast.parse(CONTRACT.read_text())
    texts = {
        statement.targets[0].id: statement.value.value
        for statement in contract.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
    }
    text = texts[name]
    for old, new in SHORTER.get(name, ()) + (SMALLER.get(name, ()) if SMALL else ()):
        assert old in text
        text = text.replace(old, new)
    return ast.parse(text)


def imported() -> dict[str, Any]:
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    import entropax as ex

    return {"eqx": eqx, "ex": ex, "jax": jax, "jnp": jnp, "optax": optax}


def given(modules: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each program takes from outside."""
    import numpy as np

    ex, jnp = modules["ex"], modules["jnp"]
    modes, lead_modes, leads = (40, 4, 1) if SMALL else (1000, 100, 2)
    volumes = (20, 30) if SMALL else (400, 600)
    rng = np.random.default_rng(0)
    h, matrix = rng.normal(size=(8, 8)), rng.normal(size=(sum(volumes), sum(volumes)))
    sx, start = jnp.array([[0.0, 1.0], [1.0, 0.0]]), ex.Product(system=1, windows=(0,))

    def make_junction(coupling: Any) -> Any:
        lead = ex.Lead.flat(modes=lead_modes, width=10.0, coupling=coupling, beta=1.0, mu=0.0)
        return ex.Junction(level=0.0, occupation=0.5, leads=(lead,) * leads)

    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=volumes, width=0.5)
    link = ex.Coupling(sx, bath, 3e-3, ex.RandomBands(variance=1.0))
    return {
        "PROGRAM": {
            "h": h + h.T,
            "n": np.linspace(0.0, 1.0, 2 * modes + 1),
            "eps": jnp.array([0.1, -0.2, 0.5]),
            "t": jnp.array([0.3, 0.3, 0.1]),
        },
        "WINDOWS": {
            "sx": sx,
            "B": matrix + matrix.T,
            "n": sum(volumes),
            "rho": jnp.eye(2) / 2,
            "start": start,
        },
        "IDEAL": {"sx": sx, "ts": jnp.linspace(0.0, 9.0, 7)},
        "PROTOCOLS": {
            "small_junction": make_junction(0.5),
            "make_junction": make_junction,
            "ts": jnp.linspace(0.0, 9.0, 7),
        },
        "ENSEMBLES": {
            "model": ex.OpenSystem((0.0, 1.0), (link,), start),
            "ts": jnp.linspace(0.0, 60.0, 61),
        },
    }


def seconds(call: ast.Module, names: dict[str, Any]) -> float:
    """Of one run, to its last number."""
    began = time.perf_counter()
    exec(compile(call, "contract", "exec"), names)
    jax = names["jax"]
    leaves = jax.tree.leaves(list(names.values()))
    jax.block_until_ready([x for x in leaves if isinstance(x, jax.Array)])
    return time.perf_counter() - began


def main(name: str) -> None:
    began = time.perf_counter()
    modules = imported()
    found = {"imports": time.perf_counter() - began}
    first = program(name)
    # a function is defined once: another one of the same text would be compiled anew
    again = ast.Module([s for s in first.body if not isinstance(s, ast.FunctionDef)], [])
    names = modules | given(modules)[name]
    compiled: list[float] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event in COMPILING:
            compiled.append(duration)

    modules["jax"].monitoring.register_event_duration_secs_listener(listen)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found["first"] = seconds(first, names)
        shutil.rmtree("runs", ignore_errors=True)
        compiled.clear()
        found["second"] = seconds(again, names)
        found["recompiled"] = sum(compiled)
        os.chdir(CONTRACT.parent)
    unit = 1 if sys.platform == "darwin" else 1024
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
