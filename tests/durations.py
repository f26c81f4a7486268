"""Plugin: how long each test takes and of what, and the order of the files, longest first.

`--measure` writes into `durations.json` the seconds of each file that it runs, and of the largest
items with the share of tracing, lowering and compiling. The other runs only read it.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environment
import jax
import pytest

TABLE = Path(__file__).with_name("durations.json")
PHASES = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
LARGEST = 20


class Clock:
    """When JAX traced, lowered and compiled; traces of functions inside others overlap."""

    def __init__(self) -> None:
        self.spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
        jax.monitoring.register_event_duration_secs_listener(self.listen)

    def listen(self, event: str, seconds: float, **_: Any) -> None:
        if event in PHASES:
            now = time.perf_counter()
            self.spans[PHASES[event]].append((now - seconds, now))

    def read(self) -> dict[str, float]:
        return {phase: covered(self.spans[phase]) for phase in PHASES.values()}


def covered(spans: list[tuple[float, float]]) -> float:
    """The length of a union of intervals."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("durations")
    group.addoption("--measure", action="store_true", help="write tests/durations.json")
    group.addoption("--shortest-first", action="store_true", help="turn the order around")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        environment.forget_old_programs(Path(os.environ["JAX_COMPILATION_CACHE_DIR"]))
    if config.getoption("measure"):
        config.pluginmanager.register(Recorder(), "durations-recorder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole files, longest first: workers that take them in this order end together."""
    known = read()["files"]
    sign = 1 if config.getoption("shortest_first") else -1
    items.sort(key=lambda item: sign * known.get(file_of(item.nodeid), 0.0))


def read() -> dict[str, dict]:
    """The table, empty where there is none."""
    return json.loads(TABLE.read_text()) if TABLE.exists() else {"files": {}, "largest": {}}


def file_of(nodeid: str) -> str:
    return nodeid.split("::")[0]


class Recorder:
    """Each worker times its items; the process that began the run writes the table."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.items: dict[str, dict[str, float]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self.clock.spans.clear()
        self.began = time.perf_counter()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo) -> Any:
        report = yield
        if call.when == "teardown":
            total = time.perf_counter() - self.began
            report.user_properties.append(("seconds", {"total": total} | self.clock.read()))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.items[report.nodeid] = dict(report.user_properties)["seconds"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        found: dict[str, float] = defaultdict(float)
        for nodeid, seconds in self.items.items():
            found[file_of(nodeid)] += seconds["total"]
        before = read()
        files = {k: v for k, v in before["files"].items() if Path(k).exists()} | found
        items = {k: v for k, v in before["largest"].items() if file_of(k) not in found}
        items |= self.items
        largest = sorted(items, key=lambda name: -items[name]["total"])[:LARGEST]
        table = {
            "files": {k: round(v, 1) for k, v in sorted(files.items(), key=lambda kv: -kv[1])},
            "largest": {k: {p: round(s, 1) for p, s in items[k].items()} for k in largest},
        }
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
