"""The command line as users have it: a program of its own, in a pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import entropax
from entropax import figures

PROGRAM = Path(sys.executable).with_name("entropax")


def entropax_says(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), *arguments]
    quick = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    return subprocess.run(command, cwd=cwd, env=quick, capture_output=True, text=True, timeout=300)


def test_list_is_readable_in_a_pipe(tmp_path: Path) -> None:
    """Lines of 120 characters, without colours."""
    listed = entropax_says("list", cwd=tmp_path)
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in figures.ALL)
    assert "\x1b" not in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) <= 120
    assert not listed.stderr


def test_version(tmp_path: Path) -> None:
    assert entropax_says("--version", cwd=tmp_path).stdout.strip() == entropax.__version__


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("reproduce", "usui2024-fig55"), 2, "no study named `usui2024-fig55`"),
        (("run", "nothing.toml"), 2, "must be a TOML file that can be read"),
        (("validate", "nothing"), 2, "no rows named `nothing`"),
        (("reproduce", "--modes", "1"), 2, "Must be >= 4"),
    ],
)
def test_misuse_has_an_exit_status_and_no_traceback(
    arguments: tuple[str, ...], status: int, message: str, tmp_path: Path
) -> None:
    refused = entropax_says(*arguments, cwd=tmp_path)
    assert refused.returncode == status
    assert message in " ".join((refused.stdout + refused.stderr).split())
    assert "Traceback" not in refused.stdout + refused.stderr
    assert not list(tmp_path.iterdir())


def test_reproduce_writes_picture_data_and_table(tmp_path: Path) -> None:
    """Where it is asked to, and without a screen."""
    size = ("--modes", "20", "--times", "12")
    made = entropax_says(
        "reproduce", "machines-spin-chain", *size, "--out", "figures", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert "claims hold" in made.stdout
    folder = tmp_path / "figures"
    kinds = {path.suffix for path in folder.glob("machines-spin-chain.*")}
    assert kinds == {".json", ".npz", ".png"}
    record = json.loads((folder / "machines-spin-chain.json").read_text())
    assert record["versions"]["entropax"] == entropax.__version__
