"""A program of the contract twice in this process: `python -m benchmarks.first_call IDEAL`.

Prints, as JSON, the seconds of the imports, of both calls and of what the second compiled anew,
and the peak memory in gigabytes.
"""

import ast
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).parents[1] / "tests" / "laws" / "test_contract.py"

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


def program(name: str, small: bool) -> ast.Module:
    """The text that `tests/laws/test_contract.py` holds."""
    contract = ast.parse(CONTRACT.read_text())
    texts = {
        statement.targets[0].id: statement.value.value
        for statement in contract.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
    }
    text = texts[name]
    for old, new in SHORTER.get(name, ()) + (SMALLER.get(name, ()) if small else ()):
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


def given(name: str, modules: dict[str, Any], small: bool) -> dict[str, Any]:
    """What a program takes from outside, and nothing more: making it compiles pieces too."""
    import numpy as np

    from benchmarks import models  # after the imports that are timed

    ex, jnp, rng = modules["ex"], modules["jnp"], np.random.default_rng(0)
    volumes = models.RIERA_VOLUMES
    flip = [[0.0, 1.0], [1.0, 0.0]]
    match name:
        case "PROGRAM":
            h = rng.normal(size=(8, 8))
            return {
                "h": h + h.T,
                "n": np.linspace(0.0, 1.0, 81 if small else 2001),
                "eps": jnp.array([0.1, -0.2, 0.5]),
                "t": jnp.array([0.3, 0.3, 0.1]),
            }
        case "WINDOWS":
            matrix = rng.normal(size=(sum(volumes), sum(volumes)))
            return {
                "sx": jnp.array(flip),
                "B": matrix + matrix.T,
                "n": sum(volumes),
                "rho": jnp.eye(2) / 2,
                "start": ex.Product(system=1, windows=(0,)),
            }
        case "IDEAL":
            return {"sx": jnp.array(flip), "ts": jnp.linspace(0.0, 9.0, 7)}
        case "PROTOCOLS":
            modes, leads = (4, 1) if small else (100, 2)

            def make_junction(coupling: Any) -> Any:
                lead = ex.Lead.flat(modes=modes, width=10.0, coupling=coupling, beta=1.0, mu=0.0)
                return ex.Junction(level=0.0, occupation=0.5, leads=(lead,) * leads)

            return {
                "small_junction": make_junction(0.5),
                "make_junction": make_junction,
                "ts": jnp.linspace(0.0, 9.0, 7),
            }
        case "ENSEMBLES":
            return {"model": models.riera(), "ts": jnp.linspace(0.0, 60.0, 61)}
    raise ValueError(f"There is no program {name!r}.")


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
    from benchmarks.harness import SMALL, peak_memory  # after the imports that are timed

    first = program(name, SMALL)
    # a function is defined once: another one of the same text would be compiled anew
    again = ast.Module([s for s in first.body if not isinstance(s, ast.FunctionDef)], [])
    names = modules | given(name, modules, SMALL)
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
    found["peak"] = peak_memory()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
