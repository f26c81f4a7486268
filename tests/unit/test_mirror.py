"""The tiers of the suite: `unit` mirrors the package, and no test imports a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src" / "entropax"
TIERS = ("unit", "laws", "published", "processes")
# what looks at the tree itself
WITHOUT_MODULE = {"test_floors.py", "test_mirror.py", "test_names.py"}


def mirror_of(module: Path) -> Path:
    """Where the unit tests of a module of the package are."""
    return Path("unit", *module.parent.parts, f"test_{module.stem.lstrip('_')}.py")


def modules() -> list[Path]:
    """The package's modules; those of the figures are tested in `published`."""
    every = (path.relative_to(SOURCE) for path in sorted(SOURCE.rglob("*.py")))
    return [
        path
        for path in every
        if path.name not in ("__init__.py", "__main__.py")
        and (path.parts[0] != "figures" or path == Path("figures", "base.py"))
    ]


def files_of(tier: str = ".") -> list[Path]:
    return sorted((TESTS / tier).rglob("test_*.py"))


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_has_its_unit_tests(module: Path) -> None:
    assert (TESTS / mirror_of(module)).exists()


def test_unit_tests_have_their_module() -> None:
    mirrored = {TESTS / mirror_of(module) for module in modules()}
    strangers = [path for path in files_of("unit") if path not in mirrored]
    assert {path.name for path in strangers} == WITHOUT_MODULE


def test_every_test_is_in_a_tier() -> None:
    assert {path.relative_to(TESTS).parts[0] for path in files_of()} == set(TIERS)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_test_imports_a_test() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        for name in imported(path):
            assert not any(part.startswith("test_") for part in name.split(".")), (path, name)
            assert name.split(".")[0] not in (*TIERS, "conftest"), (path, name)
