"""Five tasks on a GPU beside the CPU of the same machine: what was predicted, and what was found.

    python -m benchmarks.gpu benchmarks/GPU.md

Operations, bytes, and what is launched one after the other are counted from the program that XLA
compiled for the device at hand; `docs/gpu.md` says how a prediction follows from them. Without a
GPU it runs on the CPU alone, small with `ENTROPAX_SMALL=1`, so that it cannot rot.
"""

import datetime
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex
from benchmarks import models
from benchmarks.harness import SMALL, median_seconds, timed

FLOPS, BYTES, LAUNCH = 34e12, 4.8e12, 5e-6
"""An H200: operations in double precision and bytes a second, and seconds a launch."""
UNKNOWN_STEPS = 10
"""Rounds assumed of a loop that ends by itself: searches for roots take about so many."""
REPEAT = 1 if SMALL else 5

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$", re.M)
_KERNELS = ("fusion(", "custom-call(", " dot(", " sort(", " scatter(", " reduce(", " gather(")
_BODY = re.compile(r"body=%?([\w.\-]+)")
_CALLED = re.compile(r"(?:to_apply|calls|branch_computations)=\{?%?([\w.\-, %]+)")
_TRIPS = re.compile(r'known_trip_count"?:?\s*\{"?n"?:\s*"?(\d+)')


class Task(NamedTuple):
    """A function, its arguments, and what of its answer is compared between devices."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Cost(NamedTuple):
    """What a program does, as compiled."""

    operations: float
    traffic: float
    launches: int

    @property
    def predicted(self) -> float:
        """Seconds on an H200: the slower of arithmetic and memory, and all launches."""
        return max(self.operations / FLOPS, self.traffic / BYTES) + self.launches * LAUNCH


def tasks() -> list[Task]:
    """The five of `docs/performance.md`, at sizes that are worth a GPU."""
    junction = models.usui(models.LARGEST)
    ts = jnp.logspace(-1, 6, 6) / models.GAMMA
    couplings = jnp.stack([lead.couplings for lead in junction.leads])
    drawn, riera = models.drawn(), models.riera()
    keys = jax.random.split(jax.random.key(0), 4 if SMALL else 512)
    strengths = jnp.linspace(1e-3, 5e-3, 8 if SMALL else 4096)
    temperatures = jnp.linspace(1.5, 3.0, 4 if SMALL else 1000)

    def ledger(ts: jax.Array) -> jax.Array:
        led = ex.solve(junction, ts).ledger
        return jnp.stack([led.entropy_production, led.terms.inter_bath])

    def draw(key: jax.Array) -> jax.Array:
        led = ex.solve(drawn, models.DRAW_TIMES, ex.Schrodinger(key)).ledger
        return led.entropy_production

    def populations(strength: jax.Array) -> jax.Array:
        model = eqx.tree_at(lambda m: m.couplings[0].strength, riera, strength)
        return ex.solve(model, models.RIERA_TIMES, ex.EMME(coherences=False)).ledger.joint

    def currents(temperature: jax.Array) -> jax.Array:
        valve = ex.machines.heat_valve(temperatures=(temperature, 1.0))
        return ex.steady_state(valve, ex.Davies(), throw=False).heat_currents

    return [
        Task(f"junction ledger, K = {models.LARGEST}, 6 times", ledger, (ts,)),
        Task("its Sigma by all couplings", jax.grad(models.sigma(junction)), (couplings,)),
        Task(f"{len(keys)} exact draws", jax.vmap(draw), (keys,)),
        Task(f"{len(strengths)} master equations", jax.vmap(populations), (strengths,)),
        Task(f"{len(temperatures)} steady states", jax.vmap(currents), (temperatures,)),
    ]


def counted(text: str) -> int:
    """Kernels that a compiled program launches one after the other, loops included."""
    marks = list(_COMPUTATION.finditer(text))
    bodies, entry = {}, ""
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        bodies[mark[2]] = text[mark.end() : following.start() if following else len(text)]
        entry = mark[2] if mark[1] else entry
    known: dict[str, int] = {}

    def launches(name: str) -> int:
        if name not in known:
            known[name] = 0  # no computation calls itself
            known[name] = sum(map(of_line, bodies.get(name, "").splitlines()))
        return known[name]

    def of_line(line: str) -> int:
        if (body := _BODY.search(line)) is not None:
            trips = _TRIPS.search(line)
            return (int(trips[1]) if trips else UNKNOWN_STEPS) * launches(body[1])
        if " call(" in line or " conditional(" in line:
            called = _CALLED.search(line)
            names = re.findall(r"[\w.\-]+", called[1]) if called else []
            return max(map(launches, names), default=0)
        return int(any(kernel in line for kernel in _KERNELS))

    return launches(entry)


def cost(compiled: Any) -> Cost:
    """What XLA says of a compiled program; LAPACK's share, which it does not see, is left out."""
    analysis = compiled.cost_analysis() or {}
    operations, traffic = analysis.get("flops", 0.0), analysis.get("bytes accessed", 0.0)
    return Cost(float(operations), float(traffic), counted(compiled.as_text()))


def lines() -> list[str]:
    """The report: a row a task."""
    devices = {device.platform: device for device in (jax.devices()[0], jax.devices("cpu")[0])}
    kinds = ", ".join(f"{device.platform}: {device.device_kind}" for device in devices.values())
    rows = [
        "# Five tasks on a GPU",
        "",
        f"{datetime.date.today()}, {kinds}, jax {jax.__version__}"
        + (", small: these times say nothing" if SMALL else "")
        + ". Written by `python -m benchmarks.gpu`; predictions are those of `docs/gpu.md` for an "
        "H200.",
        "",
        "| task | operations | bytes | launches | predicted | "
        + " | ".join(f"{platform}, first / again" for platform in devices)
        + " | largest difference |",
        "|---|---|---|---|---|" + "---|" * (len(devices) + 1),
    ]
    for task in tasks():
        answers, seconds = [], []
        for device in devices.values():
            with jax.default_device(device):
                program = jax.jit(task.function)
                arguments = jax.device_put(task.arguments, device)
                first, answer = timed(program, *arguments)
                again = median_seconds(program, *arguments, repeat=REPEAT)
            answers.append(np.asarray(answer))
            seconds.append(f"{first:.3g} / {again:.3g} s")
        needed = cost(jax.jit(task.function).lower(*task.arguments).compile())
        apart = max(float(np.max(np.abs(answer - answers[-1]))) for answer in answers)
        rows.append(
            f"| {task.name} | {needed.operations:.2g} | {needed.traffic:.2g} | {needed.launches} | "
            f"{needed.predicted:.2g} s | {' | '.join(seconds)} | {apart:.1e} |"
        )
    return rows


if __name__ == "__main__":
    text = "\n".join(lines()) + "\n"
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
