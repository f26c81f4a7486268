"""The README's Python blocks run as they stand, and its commands exist."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_blocks_and_commands_to_try() -> None:
    assert len(BLOCKS) == 6
    assert re.findall(r"^make (\w+)", README, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs_and_says_what_it_says(
    block: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one of them keeps a store
    assert len([line for line in block.splitlines() if line.strip()]) <= 15
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out
    sigma = names["led"].entropy_production
    assert sigma.shape == (8,)
    assert jnp.all(sigma[1:] > 0)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
