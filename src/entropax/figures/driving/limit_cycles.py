"""Engines in their limit cycles: a dot with two strokes, a qubit on an Otto cycle."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.cycle import limit_cycle
from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.solve import solve

LEVELS, TEMPERATURES, FAST = (2.5, 1.0), (2.0, 0.5), 0.05
"""Those of the dot; and the stroke, in units of 1/Gamma, whose levels are chosen for most power."""
GAPS, QUBIT, RATE, RAMP, CYCLES = (2.0, 1.0), (4.0, 0.5), 0.5, 1.0, 6
POINTS, STROKES, DESCENT = 33, 8, 40
METHOD = Davies(coherences=False, housekeeping=False)


class Engines(NamedTuple):
    """By stroke of the dot: power, efficiency, entropy production of a cycle, rate of convergence,
    and power in closed form; levels of most power, by gradient and in closed form, with that power;
    by stroke of the qubit: power and efficiency of the limit cycle, and of the sixth cycle.
    """

    stroke: np.ndarray
    power: np.ndarray
    efficiency: np.ndarray
    produced: np.ndarray
    rate: np.ndarray
    known: np.ndarray
    best: np.ndarray
    best_known: np.ndarray
    most: np.ndarray
    qubit_stroke: np.ndarray
    qubit_power: np.ndarray
    qubit_efficiency: np.ndarray
    sixth_power: np.ndarray


def power_in_closed_form(levels: Any, stroke: Any) -> jax.Array:
    """Work drawn a time by the dot, rates 1, both strokes alike."""
    hot, cold = (1.0 / (1.0 + jnp.exp(e / t)) for e, t in zip(levels, TEMPERATURES, strict=True))
    # p_h - p_c = (f_h - f_c) tanh(stroke / 2)
    return (levels[0] - levels[1]) * (hot - cold) * jnp.tanh(0.5 * stroke) / (2.0 * stroke)


def _dot(levels: Any, stroke: Any) -> Any:
    engine = machines.two_stroke_dot(levels, TEMPERATURES, 1.0, (stroke, stroke))
    return limit_cycle(engine, 2.0 * stroke, METHOD, times=2, throw=False)


def _loss(levels: jax.Array) -> jax.Array:
    return _dot((levels[0], levels[1]), jnp.asarray(FAST)).power


def _known_loss(levels: jax.Array) -> jax.Array:
    return -power_in_closed_form((levels[0], levels[1]), FAST)


def _run(options: Options) -> Engines:
    strokes = jnp.geomspace(0.02, 20.0, options.times_or(POINTS))
    cycle = jax.jit(jax.vmap(lambda stroke: _dot(LEVELS, stroke)))(strokes)
    closed = jax.vmap(lambda stroke: power_in_closed_form(LEVELS, stroke))(strokes)
    steps = min(DESCENT, 2 * options.times_or(DESCENT))
    begin = jnp.array(LEVELS)
    best = optimise(_loss, begin, steps=steps, tolerance=1e-9, progress=options.progress)
    best_known = optimise(_known_loss, begin, steps=DESCENT, tolerance=1e-12)
    of_qubit = np.geomspace(0.5, 16.0, min(STROKES, options.times_or(STROKES)))
    power, efficiency, sixth = [], [], []
    for stroke in of_qubit:
        period = 2.0 * (stroke + RAMP)
        numbers = GAPS, QUBIT, (RATE, RATE), stroke, RAMP
        turning = limit_cycle(machines.two_level_engine(*numbers, cycles=1), period, METHOD)
        power.append(-float(turning.power))
        efficiency.append(float(turning.efficiency))
        ends = period * np.array([CYCLES - 1, CYCLES])
        work = solve(machines.two_level_engine(*numbers, CYCLES), ends, METHOD).ledger.work
        sixth.append(-float(work[1] - work[0]) / period)
    return Engines(
        np.asarray(strokes),
        -np.asarray(cycle.power),
        np.asarray(cycle.efficiency),
        np.asarray(cycle.entropy_production),
        np.asarray(cycle.rate),
        np.asarray(closed),
        np.asarray(best.value),
        np.asarray(best_known.value),
        -np.array([best.loss, best_known.loss]),
        of_qubit,
        np.array(power),
        np.array(efficiency),
        np.array(sixth),
    )


def _claims(data: Engines) -> list[Claim]:
    off = float(np.max(np.abs(data.power - data.known)))
    quality = 1.0 - LEVELS[1] / LEVELS[0]
    carnot = 1.0 - TEMPERATURES[1] / TEMPERATURES[0]
    away = float(np.max(np.abs(data.efficiency - quality)))
    rate = float(np.nanmax(np.abs(data.rate - 1.0)))
    root = 1.0 - np.sqrt(TEMPERATURES[1] / TEMPERATURES[0])
    at_most = 1.0 - data.best[1] / data.best[0]
    settling = np.abs(data.sixth_power - data.qubit_power)
    otto = float(np.max(np.abs(data.qubit_efficiency - (1.0 - GAPS[1] / GAPS[0]))))
    return [
        Claim(
            "the dot's power is (e_h - e_c)(f_h - f_c) tanh(tau/2)/2 tau at every stroke",
            f"off by at most {off:.1e}",
            off < 1e-10,
        ),
        Claim(
            "its efficiency is 1 - e_c/e_h at any speed, below Carnot's",
            f"off by at most {away:.1e}; {quality:.3f} < {carnot:.3f}",
            away < 1e-9 and quality < carnot,
        ),
        Claim(
            "other states come closer at the rate Gamma, where that can be told",
            f"off by at most {rate:.1e}",
            rate < 1e-9,
        ),
        Claim(
            "ours: levels of most power by gradient are those of the closed form",
            f"e = {data.best[0]:.6f}, {data.best[1]:.6f}; power {data.most[0]:.9f} and "
            f"{data.most[1]:.9f}",
            bool(np.all(np.abs(data.best - data.best_known) < 1e-4))
            and abs(data.most[0] - data.most[1]) < 1e-9,
        ),
        Claim(
            "ours: at most power the efficiency is near Curzon's and Ahlborn's 1 - sqrt(T_c/T_h)",
            f"{at_most:.4f}, {root:.4f}",
            abs(at_most - root) < 0.02,
        ),
        Claim(
            "an Otto qubit's efficiency is 1 - w_c/w_h in the limit cycle at any stroke",
            f"off by at most {otto:.1e}",
            otto < 1e-7,
        ),
        Claim(
            "ours: the sixth cycle of short strokes is not yet the limit cycle, of long ones it is",
            f"power off by {settling[0]:.1e} and {settling[-1]:.1e}",
            bool(settling[0] > 1e-6 > settling[-1]),
        ),
    ]


def _plot(data: Engines):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.semilogx(data.stroke, data.power, "o", ms=4, label="limit cycle")
    left.semilogx(data.stroke, data.known, color="0.3", label="closed form")
    left.semilogx(data.stroke, data.produced / (2.0 * data.stroke), label="entropy production rate")
    left.set(xlabel=r"stroke $\Gamma\tau$", ylabel="power", title="a dot with two strokes")
    left.legend(frameon=False, fontsize=8)
    right.semilogx(data.qubit_stroke, data.qubit_power, "o-", ms=4, label="limit cycle")
    right.semilogx(data.qubit_stroke, data.sixth_power, "x--", ms=5, label="sixth cycle")
    right.set(xlabel="length of a stroke", ylabel="power", title="a qubit on an Otto cycle")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="limit-cycles",
    title="Engines in their limit cycles: power in closed form and by gradient",
    citation="Esposito, Kawai, Lindenberg, Van den Broeck, Phys. Rev. E 81, 041106 (2010), for "
    "quantum dots at most power; Quan et al., Phys. Rev. E 76, 031105 (2007)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
