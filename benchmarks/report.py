"""The README of the benchmarks, from their JSON file.

`python -m benchmarks.report out/benchmarks.json benchmarks/README.md`. Each line is what
`benchmarks.harness.report` kept; what it means is the docstring of its benchmark.
"""

import ast
import itertools
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, exponent

ABOUT = """# Benchmarks

`make bench` runs them and writes this file from `out/benchmarks.json`, which keeps every timing;
one alone: `.venv/bin/python -m pytest benchmarks --benchmark-only -k test_engine_gradient`;
`--collect-only -q` lists them. Without `--benchmark-only` everything runs once and small, as in
`make test`, so that they cannot rot.

Each line is a task of a user beside what they would use otherwise, on the same machine in the same
run; results must agree as said, or the benchmark fails. Times are medians of later calls, with
`block_until_ready`; where a rival would take too long, a part is timed and scaled, as said. The
first call of a line compiles what no line before it did; first calls with nothing compiled have
a table of their own. Memory: the peak of a process of its own, or what XLA allots to one call.
Single timings scatter by 20 %."""

FAMILIES = {
    "Junctions": "Usui's case (a): two flat bands of K modes each, W = 10, Γ = 3.",
    "Growth": "",
    "Window baths": "",
    "Ideal baths": "Operators, Liouvillians and baths of rivals are made outside the timing.",
    "Driving": "Couplings that are switched, and engines in their limit cycles.",
    "Driven junctions": "A level ramp of 64 pieces, two leads of K modes.",
    "Ensembles": "Where a draw spends its time: [docs/performance.md](../docs/performance.md).",
    "First calls": "Ours is the second call.",
    "Memory": "Each in a process of its own, of which importing takes its part.",
}


def page(data: dict[str, Any]) -> str:
    order = list(FAMILIES)
    entries = sorted(data["benchmarks"], key=lambda e: order.index(e["extra_info"]["family"]))
    parts = [ABOUT, run(data), "## Bars", bars(entry["extra_info"] for entry in entries)]
    for family, group in itertools.groupby(entries, lambda e: e["extra_info"]["family"]):
        own = list(group)
        told = (growth if family == "Growth" else times)([entry["extra_info"] for entry in own])
        parts += [f"## {family}", FAMILIES[family], told, meanings(own)]
    return "\n\n".join(part for part in parts if part) + "\n"


def run(data: dict[str, Any]) -> str:
    """Machine, versions and date."""
    machine = data["machine_info"]
    cpu = machine["cpu"]
    model = f"{cpu['brand_raw']} (family {cpu.get('family')}, model {cpu.get('model')})"
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    settings = ", ".join(f"`{setting}`" for setting in machine["settings"]) or "none"
    facts = [
        f"{data['datetime'][:10]}, {cpu['count']} cores of {model}, "
        f"{machine['memory_gigabytes']:.0f} GB, {machine['system']} {machine['machine']}.",
        f"Python {machine['python_version']}, {versions}.",
        f"Threads of linear algebra: {', '.join(machine['threads'])}; settings: {settings}.",
    ]
    if machine["small"]:
        facts.insert(0, "**Small sizes, run once to see that all works: no times to go by.**")
    return "\n".join(["## This run", *map(bullet, facts)])


def bars(told: Iterable[dict[str, Any]]) -> str:
    rows = []
    for task, kind, asked, found in (bar for line in told for bar in line.get("bars", ())):
        met = found >= asked if kind == "at least" else found <= asked
        rows.append((task, f"{kind} {asked:g}", digits(found, 3), "met" if met else "**not met**"))
    return table(("task", "asked", "found", ""), rows)


def times(told: Iterable[dict[str, Any]]) -> str:
    columns = ("task", "ours", "rival", "rival / ours", "first call", "memory", "agreement")
    return table(columns, map(row, told))


def row(line: dict[str, Any]) -> tuple[str, ...]:
    ours, rivals = line.get("ours"), line.get("rivals", {})
    beside = [f"({name} {time(x)})" for name, x in line.get("beside", {}).items()]
    ratios = [digits(x / ours) + " (rival faster)" * (x < ours) for x in rivals.values()]
    return (
        line["task"],
        time(ours),
        "; ".join([f"{name} {time(x)}" for name, x in rivals.items()] + beside),
        "; ".join(ratios),
        time(line.get("first_call")),
        "; ".join(f"{name} {size(x)}" for name, x in line.get("memory", {}).items()),
        "; ".join(f"{name} {x:.1g}" for name, x in line.get("errors", {}).items()),
    )


def growth(told: Iterable[dict[str, Any]]) -> str:
    """Seconds by size, and the exponent that fits them."""
    rows = []
    for line in told:
        for name, by_size in line["growth"].items():
            seconds = {int(modes): x for modes, x in by_size.items()}
            each = "; ".join(f"{modes}: {time(x)}" for modes, x in seconds.items())
            rows.append((line["task"], name, each, f"K^{exponent(seconds):.2f}"))
    return table(("task", "", "by K", "grows as"), rows)


def meanings(entries: Iterable[dict[str, Any]]) -> str:
    """A docstring for each benchmark, however many lines it has."""
    names = dict.fromkeys(entry["fullname"].split("[")[0] for entry in entries)
    return "\n".join(bullet(f"`{name.split('::')[1]}`: {docstring(name)}") for name in names)


def bullet(text: str) -> str:
    lines = textwrap.wrap(text, 140, break_long_words=False, break_on_hyphens=False)
    return "- " + "\n  ".join(lines)


def docstring(fullname: str) -> str:
    path, name = fullname.split("::")
    tree = ast.parse((ROOT / path).read_text())
    found = next(x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name == name)
    return " ".join((ast.get_docstring(found) or "").split())


def time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{digits(1e3 * seconds)} ms" if seconds < 0.1 else f"{digits(seconds, 3)} s"


def size(gigabytes: float) -> str:
    if gigabytes < 0.1:
        return f"{digits(1e3 * gigabytes)} MB"
    return f"{digits(gigabytes)} GB"


def digits(x: float, count: int = 2) -> str:
    """So many significant digits, without an exponent for the usual sizes."""
    return f"{float(f'{x:.{count}g}'):g}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    whole = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in whole)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(page(json.loads(source.read_text())))
