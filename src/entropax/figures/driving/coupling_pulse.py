"""A spin cooled by a coupling to a finite bath that is switched on and off, at least entropy."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.figures.base import Claim, Figure, Options
from entropax.method import EMME, Schrodinger
from entropax.model import Coupling, OpenSystem, Product, RandomBands, WindowBath
from entropax.plot import subplots
from entropax.protocol import PiecewiseLinear
from entropax.solve import solve

VOLUMES, WIDTH, END = (30, 60, 90), 0.5, 60.0
TARGET, STIFF = 0.45, 40.0
"""Excitation to be reached, of 0.8 at the start, and what missing it by x costs: STIFF x^2."""
NODES, DESCENT, DRAWS = 17, 40, 4
AREA = 0.0075
"""The integral of the squared strength that the descent begins with."""
SX = np.array([[0.0, 1.0], [1.0, 0.0]])


class Pulses(NamedTuple):
    """Those of a sudden pulse, a smooth one, and the optima by the EMME and exactly: strengths at
    nodes; and by description (EMME, exact draws): entropy production, excitation, work.
    """

    times: np.ndarray
    strength: np.ndarray
    produced: np.ndarray
    excited: np.ndarray
    work: np.ndarray


def cooled(
    strength: jax.Array, method: Any, volumes: tuple[int, ...] = VOLUMES
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Entropy production, excitation and work at the end of a pulse."""
    times = np.linspace(0.0, END, strength.shape[0] + 2)
    switch = PiecewiseLinear(times, jnp.pad(strength, 1))
    bath = WindowBath((0.0, 1.0, 2.0), volumes, WIDTH)
    link = Coupling(SX, bath, switch, RandomBands(1.0, real=True))
    start = Product(system=[0.2, 0.8], windows=(0,))
    model = OpenSystem((0.0, 1.0), (link,), start)
    led = solve(model, jnp.array([END]), method, throw=False).ledger
    assert led.entropy_production is not None
    return led.entropy_production[0], led.system_state[0, 1, 1].real, led.work[0]


def _cost(strength: jax.Array, method: Any, volumes: tuple[int, ...]) -> jax.Array:
    produced, excited, _ = cooled(strength, method, volumes)
    return produced + STIFF * (excited - TARGET) ** 2


def _mean_cost(strength: jax.Array, keys: jax.Array, volumes: tuple[int, ...]) -> jax.Array:
    """That of exact dynamics, over draws of levels and couplings."""
    return jnp.mean(jax.lax.map(lambda key: _cost(strength, _exact(key), volumes), keys))


def _exact(key: jax.Array) -> Schrodinger:
    return Schrodinger(key, steps=4)


def _of_area(shape: np.ndarray, area: float) -> jax.Array:
    """A pulse of a shape, scaled so that its squared strength has an integral."""
    fine = np.linspace(0.0, 1.0, 4001)
    between = np.interp(fine, np.linspace(0.0, 1.0, NODES), shape)
    return jnp.asarray(shape[1:-1] * np.sqrt(area / (END * np.mean(between**2))))


def _run(options: Options) -> Pulses:
    keys = jax.random.split(jax.random.key(2), min(DRAWS, options.modes_or(DRAWS)))
    if options.times is not None:
        keys = keys[:1]
    steps = min(DESCENT, options.times_or(DESCENT) // 5)
    share = np.linspace(0.0, 1.0, NODES)
    sudden = np.where((share > 0.2) & (share < 0.45), 1.0, 0.0)
    begin = _of_area(np.sin(np.pi * share) ** 2, AREA)
    volumes = VOLUMES if options.modes is None else tuple(v // 10 for v in VOLUMES)
    markov = functools.partial(_cost, method=EMME(), volumes=volumes)
    exactly = functools.partial(_mean_cost, volumes=volumes)
    by_emme = optimise(markov, begin, steps=steps, progress=options.progress).value
    by_exact = optimise(
        exactly, by_emme, steps=steps, args=(keys,), progress=options.progress
    ).value
    whole = np.interp(np.linspace(0, 1, 4001), share, np.pad(np.asarray(by_emme), 1))
    box = _of_area(sudden, END * float(np.mean(whole**2)))
    pulses = (box, begin, by_emme, by_exact)
    rows = np.zeros((3, len(pulses), 1 + len(keys)))

    @jax.jit
    def worth(strength: jax.Array, keys: jax.Array) -> jax.Array:
        of_draws = jax.lax.map(lambda key: jnp.stack(cooled(strength, _exact(key), volumes)), keys)
        return jnp.concatenate([jnp.stack(cooled(strength, EMME(), volumes))[None], of_draws])

    for number, strength in enumerate(pulses):
        rows[:, number] = np.asarray(worth(strength, keys)).T
    strengths = np.array([np.pad(np.asarray(x), 1) for x in pulses])
    return Pulses(END * share, strengths, *rows)


def _claims(data: Pulses) -> list[Claim]:
    (box, _, _, _), exact = data.produced[:, 0], data.produced[:, 1:].mean(1)
    same = abs(box - data.produced[2, 0])
    cost = data.produced + STIFF * (data.excited - TARGET) ** 2
    exactly = cost[:, 1:].mean(1)
    work = np.abs(data.work[:, 1:]).mean(1)
    return [
        Claim(
            "the EMME knows a pulse by the integral of its square alone",
            f"a sudden pulse and a smooth one of one area: entropy production off by {same:.1e}",
            same < 1e-6,
        ),
        Claim(
            "ours: exactly, the sudden pulse costs work and the smooth one hardly any",
            f"|W| = {work[0]:.4f} and {work[2]:.4f}",
            bool(work[0] > 3.0 * work[2]),
        ),
        Claim(
            "ours: the exact optimum costs no more, exactly, than what the EMME takes for one",
            f"{exactly[3]:.5f} and {exactly[2]:.5f}; sudden: {exactly[0]:.5f}",
            bool(exactly[3] <= exactly[2] + 1e-9),
        ),
        Claim(
            "ours: the EMME finds the exact optimum about as good as its own",
            f"{cost[3, 0]:.5f} and {cost[2, 0]:.5f}",
            bool(cost[2, 0] <= cost[3, 0] + 1e-9 and cost[3, 0] < 1.1 * cost[2, 0]),
        ),
        Claim(
            "the second law in every draw",
            f"Sigma = {data.produced.min():.4f} at least; means {exact.round(4)}",
            bool(data.produced.min() > -1e-9),
        ),
    ]


LABELS = ("sudden", "begun with", "optimum of the EMME", "exact optimum")


def _plot(data: Pulses):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    place = np.arange(len(LABELS))
    for label, strength in zip(LABELS, data.strength, strict=True):
        left.plot(data.times, strength, label=label)
    left.set(xlabel="time", ylabel=r"strength $\lambda$")
    left.legend(frameon=False, fontsize=8)
    cost = data.produced + STIFF * (data.excited - TARGET) ** 2
    spread = cost[:, 1:].std(1)
    right.errorbar(place, cost[:, 1:].mean(1), spread, fmt="o", capsize=3, label="exact, draws")
    right.plot(place, cost[:, 0], "x", ms=7, label="EMME")
    right.set_xticks(place, LABELS, fontsize=8, rotation=12)
    right.set(ylabel=r"$\Sigma$ + cost of missing the target")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="coupling-pulse",
    title="Cooling a spin by switching its coupling to a finite bath: EMME and exact optima",
    citation="Riera-Campeny et al., PRX Quantum 2, 010340 (2021), for the EMME; ours",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
