"""The benchmarks run, once and small, so that they cannot rot; times are not looked at."""

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
    # a run of its own, also where this test runs in a worker of pytest-xdist
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = outside | {
        "ENTROPAX_SMALL": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " skipped" not in run.stdout
    found = {
        entry["name"]: entry["extra_info"] for entry in json.loads(output.read_text())["benchmarks"]
    }
    assert found["test_ledger[30]"].keys() >= {"first_call", "ours", "textbook", "ratio"}
    assert found["test_exact"]["ratio"] > 0.0
    assert found["test_batch[default]"]["ratio"] > 0.0
    assert found["test_gradient"].keys() >= {"first_call", "over_own_value", "over_textbook_sigma"}
    assert found["test_steady_states[None]"].keys() >= {"first_call", "ours", "ratio"}
    assert found["test_steady_states[False]"]["ratio"] > 0.0
    assert found["test_chain[global-XX]"]["ratio"] > 0.0
    assert found["test_chain[local-XXX]"]["ratio"] > 0.0
    assert found["test_driven[1e-06]"].keys() >= {"ratio", "over_dynamiqs", "error", "qutip_error"}
    assert found["test_driven_batch[1e-09]"].keys() >= {"ratio", "over_dynamiqs"}
    gradient = found["test_driven_junction[4]"]
    assert gradient.keys() >= {"first_call", "gradient", "value", "gradient_over_values"}
    assert 0.0 < gradient["gigabytes"] < 0.1
    assert found["test_against_dense_steps"]["ratio"] > 0.0
    assert found["test_engine_gradient"]["over_own_value"] > 0.0
    assert found["test_exact_draws"].keys() >= {"first_call", "ours", "numpy", "ratio"}
    assert found["test_pure_starts"]["ratio"] > 0.0
    assert found["test_memory_is_flat"].keys() >= {"few_gigabytes", "many_gigabytes"}
    assert 0.0 < found["test_memory"]["peak_gigabytes"] < 3.0
