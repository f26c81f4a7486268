"""What git is told of a commit, and that the hooks named in the configuration exist."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "commit_message.py"
spec = importlib.util.spec_from_file_location("commit_message", SCRIPT)
assert spec is not None
assert spec.loader is not None
commit_message = importlib.util.module_from_spec(spec)
spec.loader.exec_module(commit_message)


@pytest.mark.parametrize(
    "message",
    [
        "Compile tests quickly",
        "Pass the key on\n\nIt was lost in a batch.",
        "Address rounding of the last digit\n# what git adds is no part of it",
        "Merge branch 'of a very long name that nobody can be blamed for' into another long one",
        "Bring the level back",
        "Need less memory",
    ],
)
def test_good_messages(message: str) -> None:
    assert commit_message.complaints(message) == []


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("", "empty"),
        ("Add " + 69 * "x", "73 characters"),
        ("Added a test", "imperative"),
        ("Adds a test", "imperative"),
        ("Adding a test", "imperative"),
        ("Benchmarks of one idle run", "imperative"),
        ("`solve` is the door", "imperative"),
        ("Add a test.", "full stop"),
        ("Add a test\nbecause", "blank line"),
    ],
)
def test_bad_messages(message: str, complaint: str) -> None:
    assert any(complaint in line for line in commit_message.complaints(message))


def test_the_script_refuses(tmp_path: Path) -> None:
    file = tmp_path / "MESSAGE"
    for message, status in (("Add a test", 0), ("Added a test", 1)):
        file.write_text(message)
        run = subprocess.run([sys.executable, SCRIPT, file], capture_output=True, text=True)
        assert run.returncode == status
        assert ("imperative" in run.stderr) == bool(status)


def test_hooks_are_commands_that_exist() -> None:
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    commands = [hook["entry"].split() for repo in configuration["repos"] for hook in repo["hooks"]]
    assert {Path(command[0]).name for command in commands} >= {"ruff", "check-added-large-files"}
    for command in commands:
        assert (Path(sys.executable).parent / Path(command[0]).name).exists(), command
        assert all((ROOT / part).exists() for part in command[1:] if part.endswith(".py"))
