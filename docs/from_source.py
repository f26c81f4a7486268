"""Write what the pages take from the source: tables of ledgers, the diagram of the floors."""

import ast
import re
from pathlib import Path

from entropax.ledger import FAMILIES, as_table

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "src" / "entropax"


def between(page: str, name: str, text: str) -> str:
    """The page with `text` between the marks of `name`."""
    begin, end = f"<!-- {name}: `make docs` writes this -->\n", f"<!-- end of {name} -->"
    parts = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", page, flags=re.DOTALL)
    if len(parts) != 2:
        raise ValueError(f"a page must have marks for {name} once, but has {len(parts) - 1}.")
    return f"{parts[0]}{begin}{text}{end}{parts[1]}"


def imports() -> dict[str, set[str]]:
    """Which floors each floor imports, by the names of folders and files; helpers left out."""
    edges: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        floor = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                below = module.split(".")[1] if module.startswith("entropax.") else ""
                if below and floor and not (floor.startswith("_") or below.startswith("_")):
                    edges.setdefault(floor, set()).add(below)
    return {floor: below - {floor} for floor, below in edges.items()}


def below(floor: str, edges: dict[str, set[str]]) -> set[str]:
    """All that a floor stands on."""
    every = set(edges.get(floor, ()))
    for one in edges.get(floor, ()):
        every |= below(one, edges)
    return every


def diagram() -> str:
    """The floors as a Mermaid picture: an arrow from each to those that it rests on at once."""
    edges = imports()
    lines = ["```mermaid", "flowchart BT"]
    for floor in sorted(edges):
        lower = edges[floor]
        implied = set().union(*(below(one, edges) for one in lower)) if lower else set()
        lines += [f"  {one} --> {floor}" for one in sorted(lower - implied)]
    return "\n".join([*lines, "```"]) + "\n"


def written(name: str, page: str) -> str:
    """A page of the documentation as it should be."""
    if name == "conventions.md":
        for family in FAMILIES:
            page = between(page, family.ledger.__name__, as_table(family.ledger))
    if name == "architecture.md":
        page = between(page, "floors", diagram())
    return page


if __name__ == "__main__":
    for name in ("conventions.md", "architecture.md"):
        path = DOCS / name
        path.write_text(written(name, path.read_text()))
