"""A qubit on an Otto cycle: power and efficiency against the length of its strokes."""

from typing import Any, NamedTuple

import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.solve import solve

GAPS, TEMPERATURES, RATE, RAMP, CYCLES = (2.0, 1.0), (4.0, 0.5), 0.5, 1.0, 6
POINTS, SHOWN = 24, 4.0


class Cycles(NamedTuple):
    """By length of a stroke: work, heat and entropy production of the last cycle; by time: the
    excitation and the energy of one run.
    """

    stroke: np.ndarray
    work: np.ndarray
    heat: np.ndarray
    produced: np.ndarray
    times: np.ndarray
    excited: np.ndarray
    energy: np.ndarray


def _engine(stroke: float) -> Any:
    return machines.two_level_engine(GAPS, TEMPERATURES, (RATE, RATE), stroke, RAMP, CYCLES)


def _run(options: Options) -> Cycles:
    strokes = np.geomspace(0.25, 32.0, options.times_or(POINTS))
    method = Davies(housekeeping=False)
    work, heat, produced = [], [], []
    for stroke in strokes:
        ends = 2.0 * (stroke + RAMP) * np.array([CYCLES - 1, CYCLES])
        ledger = solve(_engine(stroke), ends, method).ledger
        work.append(float(ledger.work[1] - ledger.work[0]))
        heat.append(np.asarray(ledger.heat[1] - ledger.heat[0]))
        produced.append(float(ledger.entropy_production[1] - ledger.entropy_production[0]))
    # corners of the cycle are among the times
    times = np.linspace(0.0, 2.0 * (SHOWN + RAMP) * CYCLES, 100 * CYCLES + 1)
    shown = solve(_engine(SHOWN), times, method, progress=options.progress).ledger
    excited = np.asarray(shown.state[:, 1, 1].real)
    energy = np.asarray(shown.energy)
    return Cycles(
        strokes, np.array(work), np.array(heat), np.array(produced), times, excited, energy
    )


def _limit() -> float:
    """Work of a cycle whose strokes end in equilibrium."""
    hot, cold = (1.0 / (1.0 + np.exp(w / t)) for w, t in zip(GAPS, TEMPERATURES, strict=True))
    return float((GAPS[0] - GAPS[1]) * (hot - cold))


def _claims(data: Cycles) -> list[Claim]:
    efficiency = -data.work / data.heat[:, 0]
    otto, carnot = 1.0 - GAPS[1] / GAPS[0], 1.0 - TEMPERATURES[1] / TEMPERATURES[0]
    # the first cycles of short strokes still settle
    settled = data.stroke > 2.0
    off = float(np.max(np.abs(efficiency[settled] - otto)))
    power = -data.work / (2.0 * (data.stroke + RAMP))
    best = int(np.argmax(power))
    last = -float(data.work[-1])
    return [
        Claim(
            "the efficiency is 1 - w_c/w_h at any speed (Quan et al. 2007), below Carnot's",
            f"off by at most {off:.1e} for strokes above 2; {otto:.3f} < {carnot:.3f}",
            off < 1e-5 and otto < carnot,
        ),
        Claim(
            "long strokes give the work (w_h - w_c)(p_h - p_c)",
            f"{last:.8f}, closed form {_limit():.8f}",
            abs(last - _limit()) < 1e-6,
        ),
        Claim(
            "power is largest for strokes of finite length",
            f"{power[best]:.4f} at {data.stroke[best]:.2f}, relaxation time "
            f"{1 / (RATE / np.tanh(GAPS[1] / 2 / TEMPERATURES[1])):.2f}",
            0 < best < len(power) - 1,
        ),
        Claim(
            "every cycle produces entropy",
            f"at least {data.produced.min():.3f}",
            bool(np.all(data.produced > 0)),
        ),
    ]


def _plot(data: Cycles):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    gap = data.energy / np.where(data.excited > 0, data.excited, np.nan)
    left.plot(gap, data.excited, color="#222222", lw=0.8)
    left.set(xlabel=r"gap $\omega$", ylabel="excited population", title=f"stroke {SHOWN:g}")
    period = 2.0 * (data.stroke + RAMP)
    right.plot(data.stroke, -data.work / period, color="#c1272d", label="power")
    right.set(xscale="log", xlabel="length of a stroke", ylabel="power")
    twin = right.twinx()
    twin.plot(data.stroke, -data.work / data.heat[:, 0], color="#0f62a8", label="efficiency")
    twin.axhline(1.0 - TEMPERATURES[1] / TEMPERATURES[0], color="0.6", ls="--", label="Carnot")
    twin.set(ylabel="efficiency", ylim=(0, 1))
    handles = right.get_legend_handles_labels()[0] + twin.get_legend_handles_labels()[0]
    right.legend(handles=handles, frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-two-level-engine",
    title="A qubit on an Otto cycle: power and efficiency",
    citation="Kieu, Phys. Rev. Lett. 93, 140403 (2004); Quan et al., "
    "Phys. Rev. E 76, 031105 (2007)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
