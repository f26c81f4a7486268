"""The benchmarks and their README run, once and small, so that they cannot rot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_benchmarks_run_small(tmp_path: Path) -> None:
    output = tmp_path / "benchmarks.json"
    command = [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-only", "-q"]
    command += [f"--benchmark-json={output}", "-p", "no:cacheprovider"]
    # test_contract.py runs all of the contract's programs; one of them tells that they are timed
    for program in ("PROGRAM", "WINDOWS", "PROTOCOLS", "ENSEMBLES"):
        command += ["--deselect", f"benchmarks/test_first_call.py::test_first_call[{program}]"]
    # of what is asked for its memory one task tells that it is told; all run below
    command += ["-k", "not test_memory or equations or flat"]
    # a run of its own, also where this test runs in a worker of pytest-xdist
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = outside | {
        "ENTROPAX_SMALL": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " skipped" not in run.stdout
    found = {
        entry["name"]: entry["extra_info"] for entry in json.loads(output.read_text())["benchmarks"]
    }
    rivals = {
        "test_ledger[30]": "textbook NumPy",
        "test_gradient": "textbook value of Σ",
        "test_exact": "NumPy propagation",
        "test_random_matrix_reservoir": "NumPy propagation",
        "test_batch[default]": "loop over solve_ivp",
        "test_batch[Tsit5]": "loop over solve_ivp",
        "test_steady_states[None]": "QuTiP",
        "test_steady_states[False]": "QuTiP by SVD",
        "test_chain[global-XX]": "qthermo",
        "test_chain[local-XXX]": "qthermo",
        "test_driven[1e-06]": "QuTiP",
        "test_driven_batch[1e-09]": "dynamiqs",
        "test_driven_junction[4]": "central differences",
        "test_against_dense_steps": "NumPy, dense steps",
        "test_exact_draws": "NumPy loop",
        "test_pure_starts": "loop over `ex.solve`",
        "test_pure_start": "TensorCircuit-NG",
    }
    for name, rival in rivals.items():
        line = found[name]
        assert min(line["ours"], line["rivals"][rival], line["first_call"]) > 0.0
    assert found["test_driven[1e-06]"]["errors"].keys() == {"ours", "QuTiP", "dynamiqs"}
    assert found["test_window_gradient"]["beside"].keys() == {"its value"}
    assert found["test_engine_gradient"]["beside"].keys() == {"their values"}
    assert 0.0 < found["test_driven_junction[4]"]["memory"]["temporary"] < 0.1
    assert 0.0 < found["test_memory[4096 master equations]"]["memory"]["peak"] < 3.0
    assert len(found["test_memory_is_flat"]["memory"]) == 2
    line = found["test_first_call[IDEAL]"]
    assert line["beside"]["compiling and set-up"] > 0.0
    assert line["first_call"] > line["ours"] > 0.0
    for by_size in found["test_growth"]["growth"].values():
        assert len(by_size) >= 4

    for module in ("benchmarks.memory", "benchmarks.profiles"):
        command = [sys.executable, "-m", module]
        run = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
        )
        assert run.returncode == 0, run.stdout + run.stderr

    readme = tmp_path / "README.md"
    command = [sys.executable, "-m", "benchmarks.report", str(output), str(readme)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=100)
    page = readme.read_text()
    assert all(line["task"] in page for line in found.values())
    bars = [bar for line in found.values() for bar in line.get("bars", ())]
    assert len(bars) == 7
    assert all(f"| {task} | {kind} {asked:g} |" in page for task, kind, asked, _ in bars)
    assert "no times to go by" in page
