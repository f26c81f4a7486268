"""What the package holds, and which floor may stand on which."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import entropax

SOURCE = Path(entropax.__file__).parent


def test_everything_named_in_the_table_of_contents_is_there() -> None:
    for name in ("Lead", "Junction", "FermionNetwork", "solve", "Solution", "RESULTS", "Exact"):
        assert hasattr(entropax, name)
    assert entropax.__version__


ARCHITECTURE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()


def floors() -> list[tuple[str, ...]]:
    """From the ground up, as `docs/architecture.md` has them."""
    table = ARCHITECTURE.split("## Floors")[1].split("## Families")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [tuple(re.findall(r"`(\w+)`", row)) for row in rows]


FLOORS = floors()
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
PUBLIC = len(FLOORS)


def floor_of(module: str) -> int:
    """The height of `entropax.x.y`; of the package itself, whose contents are all floors."""
    parts = module.split(".")
    if len(parts) == 1:
        return PUBLIC
    assert parts[1] in FLOOR, f"say in FLOORS where `{parts[1]}` stands"
    return FLOOR[parts[1]]


def imports(path: Path) -> Iterator[str]:
    """Every module of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            base = node.module or ""
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if _is_module(inner) else base


def _is_module(name: str) -> bool:
    path = SOURCE.joinpath(*name.split(".")[1:])
    return name.startswith("entropax.") and (path.is_dir() or path.with_suffix(".py").is_file())


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "entropax"])
def test_no_import_runs_up_the_floors(module: str) -> None:
    roof = FLOOR["figures"]
    for name in imports(MODULES[module]):
        if name.split(".")[0] != "entropax":
            continue
        # the roof is a user: it may import the package by its public names
        if name == "entropax" and floor_of(module) >= roof:
            continue
        assert floor_of(name) <= floor_of(module), f"{module} imports {name}"


FAMILIES = {"fermions", "windows", "ideal"}


def family_of(module: str) -> str | None:
    """The room of `entropax.method.windows.emme`; None of what families share."""
    return next((part for part in module.split(".")[1:] if part in FAMILIES), None)


@pytest.mark.parametrize("module", [name for name in MODULES if family_of(name)])
def test_no_family_imports_another(module: str) -> None:
    for name in imports(MODULES[module]):
        assert family_of(name) in (None, family_of(module)), f"{module} imports {name}"


def test_the_floors_are_seen(tmp_path: Path) -> None:
    assert len(MODULES) > 20
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "def f():\n    from entropax import solve\n    import entropax.ledger.fermions\n"
    )
    assert list(imports(wrong)) == ["entropax.solve", "entropax.ledger.fermions"]
    assert floor_of("entropax.ledger.fermions") > floor_of("entropax.model.fermions.lead")
    assert floor_of("entropax.linalg.secular") < floor_of("entropax.entropy")
