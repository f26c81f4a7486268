"""Names and first words of the package: a variable is called by the quantity that it holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "entropax"
FILES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
# what a value went through, not what it is
EMPTY = {"found", "own", "given", "told", "now", "known"}


def empty_names(tree: ast.Module) -> Iterator[str]:
    fields = {
        statement.target
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in fields:
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        else:
            continue
        if name in EMPTY:
            yield f"line {node.lineno}: {name}"


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string that stands alone: of modules, classes, functions, constants, fields."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


@pytest.mark.parametrize("file", FILES, ids=str)
def test_variables_are_called_by_what_they_hold(file: Path) -> None:
    assert list(empty_names(ast.parse((SOURCE / file).read_text()))) == []


@pytest.mark.parametrize("file", FILES, ids=str)
def test_docstrings_name_first_what_there_is(file: Path) -> None:
    tree = ast.parse((SOURCE / file).read_text())
    riddles = [line for line, text in docstrings(tree) if text.lstrip().startswith("Of ")]
    assert riddles == []


def test_both_are_seen() -> None:
    tree = ast.parse('def f(own):\n    """Of a bath."""\n    for found in own:\n        pass\n')
    assert list(empty_names(tree)) == ["line 1: own", "line 3: found"]
    assert [text for _, text in docstrings(tree)] == ["Of a bath."]
