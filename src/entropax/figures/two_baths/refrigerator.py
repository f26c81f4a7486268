"""A refrigerator between two finite baths: strokes found by the EMME, held against exact draws."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.ensemble import ensemble
from entropax.figures.base import Claim, Figure, Options
from entropax.method import EMME, Schrodinger
from entropax.model import Coupling, OpenSystem, Product, RandomBands, WindowBath
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.protocol import Held, PiecewiseConstant, PiecewiseLinear
from entropax.solve import solve

COLD, HOT = 1.0, 2.5
"""Gaps of the strokes, those between the windows of the bath that each of them touches."""
BETA = (1.0, 0.8)
"""Inverse temperatures of the cold bath and of the hot one: heat is pumped as COLD < 0.8 HOT."""
WINDOWS, SMALLEST, GROWTH, WIDTH = 5, 8, 1.35, 0.9
STRENGTH, TIME, SHORTEST, CYCLES, TIMES = 0.035, 160.0, 15.0, 4, 61
RISE = 0.48
"""The share of a stroke in which its coupling is switched on, and off: longer than the memory of a
bath, 2 pi / WIDTH, in the shortest stroke too."""
DRAWS, STEPS = 8, 8


class Refrigerator(NamedTuple):
    """Durations of equal and of optimised strokes; of each, in time: heat from the `cold` bath and
    work by the EMME, entropy production; the same heat and work of exact draws.
    """

    durations: np.ndarray
    times: np.ndarray
    cold: np.ndarray
    work: np.ndarray
    produced: np.ndarray
    cold_exact: np.ndarray
    work_exact: np.ndarray
    descent: np.ndarray


def refrigerator(durations, smallest: int, *, pure: bool) -> OpenSystem:
    """A qubit with a small gap touches the cold bath, with a large gap the hot one, and so on."""
    ends = jnp.cumsum(durations)
    begins = ends - durations
    strokes = durations.shape[0]
    inner = jnp.stack([begins + RISE * durations, ends - RISE * durations], axis=1)
    nodes = jnp.sort(jnp.concatenate([jnp.zeros(1), inner.ravel(), ends]))
    volumes = np.round(smallest * GROWTH ** np.arange(WINDOWS)).astype(int)
    links = []
    for number, gap in enumerate((COLD, HOT)):
        on = np.arange(strokes) % 2 == number
        heights = np.stack([np.zeros(strokes), on, on], axis=1).ravel()
        switch = PiecewiseLinear(nodes, STRENGTH * np.append(heights, 0.0))
        bath = WindowBath(gap * np.arange(WINDOWS), tuple(map(int, volumes)), WIDTH)
        matrix = RandomBands(1.0, real=True)
        links.append(Coupling(machines.SIGMA_X, bath, switch, matrix))
    gaps = PiecewiseConstant(ends[:-1], jnp.array([COLD, HOT] * (strokes // 2)))
    energies = (0.0, Held(gaps, COLD, COLD, TIME))
    return OpenSystem(energies, links, Product(system=0, beta=BETA, pure=pure))


def durations_of(logits):
    """Durations of strokes, each SHORTEST at least, whose sum is TIME."""
    return SHORTEST + (TIME - logits.size * SHORTEST) * jax.nn.softmax(logits)


def warmth(logits, smallest):
    """Minus the heat that the cold bath has given by the end."""
    model = refrigerator(durations_of(logits), smallest, pure=False)
    led = solve(model, jnp.array([TIME]), EMME(coherences=False), throw=False).ledger
    return -led.heat[0, 0]


def _run(options: Options) -> Refrigerator:
    smallest = SMALLEST if options.modes is None else 2
    cycles = CYCLES if options.times is None else 1
    draws = DRAWS if options.modes is None else 2
    equal = jnp.zeros(2 * cycles)
    best = optimise(
        lambda logits: warmth(logits, smallest),
        equal,
        steps=min(40, options.times_or(40)),
        tolerance=1e-6,
        progress=options.progress,
    )
    durations = [durations_of(equal), durations_of(best.value)]
    times = jnp.linspace(0.0, TIME, min(options.times_or(TIMES), TIMES))
    emme, exact = [], []
    for strokes in durations:
        model = refrigerator(strokes, smallest, pure=False)
        emme.append(solve(model, times, EMME(coherences=False)).ledger)
        runs = ensemble(
            refrigerator(strokes, smallest, pure=True),
            times,
            Schrodinger(steps=STEPS),
            key=jax.random.key(5),
            samples=draws,
            keep=True,
            progress=options.progress,
        )
        exact.append(runs.ledger)
    return Refrigerator(
        np.stack([np.asarray(x) for x in durations]),
        np.asarray(times),
        np.stack([np.asarray(led.heat[:, 0]) for led in emme]),
        np.stack([np.asarray(led.work) for led in emme]),
        np.stack([np.asarray(led.entropy_production) for led in emme]),
        np.stack([np.asarray(led.heat[:, :, 0]) for led in exact]),
        np.stack([np.asarray(led.work) for led in exact]),
        np.asarray(best.history),
    )


def _claims(data: Refrigerator) -> list[Claim]:
    equal, best = data.cold[:, -1]
    exact = data.cold_exact[:, :, -1]
    mean, spread = exact.mean(1), exact.std(1, ddof=1)
    error = spread / np.sqrt(exact.shape[1])
    better = int(np.sum(exact[1] > exact[0]))
    cycles = data.durations.shape[1] // 2
    return [
        Claim(
            f"ours: by the EMME {cycles} equal cycles take heat from the colder bath",
            f"{equal:.4f}, work {data.work[0, -1]:.4f}",
            bool(equal > 0.0 and data.work[0, -1] > 0.0),
        ),
        Claim("ours: optimised strokes take more", f"{best:.4f}", bool(best > equal)),
        Claim(
            "ours: exactly, too: the mean over random baths is higher for the optimum of the EMME",
            f"{mean[1]:.4f} +- {error[1]:.4f} for {mean[0]:.4f} +- {error[0]:.4f}, in {better} of "
            f"{exact.shape[1]} draws (spread over draws {spread.max():.4f})",
            bool(mean[1] > mean[0]),
        ),
        Claim(
            "ours: the EMME says within two spreads over draws what a random bath gives",
            f"off by {abs(mean[1] - best):.4f}",
            bool(abs(mean[1] - best) < 2.0 * spread[1]),
        ),
        Claim(
            "Riera (57): entropy is produced, at all times",
            f"{data.produced.min():.1e} at least, {data.produced[1, -1]:.4f} by the end",
            bool(data.produced.min() > -1e-9),
        ),
    ]


def _plot(data: Refrigerator):
    figure, (left, middle, right) = subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    names, colors = ("equal strokes", "optimised strokes"), ("0.45", "#0f62a8")
    for number, (name, color) in enumerate(zip(names, colors, strict=True)):
        exact = data.cold_exact[number]
        mean, spread = exact.mean(0), exact.std(0)
        left.plot(data.times, data.cold[number], "--", color=color, label=f"{name}, EMME")
        left.plot(data.times, mean, color=color, label=f"{name}, exact")
        left.fill_between(data.times, mean - spread, mean + spread, color=color, alpha=0.15)
        middle.plot(data.times, data.work[number], "--", color=color)
        middle.plot(data.times, data.work_exact[number].mean(0), color=color)
        place = np.arange(1, data.durations.shape[1] + 1)
        right.plot(place, data.durations[number], "o-", color=color, ms=4)
    left.axhline(0.0, color="0.8", lw=0.8)
    left.set(xlabel="time", ylabel="heat from the cold bath")
    left.legend(frameon=False, fontsize=8)
    middle.set(xlabel="time", ylabel="work")
    right.set(xlabel="stroke (cold, hot, cold, ...)", ylabel="duration")
    return figure


FIGURE = Figure(
    name="finite-refrigerator",
    title="A refrigerator between two finite baths: the EMME's optimum on exact draws",
    citation="Riera-Campeny et al., PRX Quantum 2, 010340 (2021), for the EMME; ours",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
