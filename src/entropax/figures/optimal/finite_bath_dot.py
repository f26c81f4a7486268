"""The optimal drive of a level whose bath is finite, exactly: K modes, weak and strong coupling."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.optimal.known import least_work
from entropax.ledger import FermionLedger
from entropax.method import SplitStep
from entropax.model import Junction, Lead
from entropax.plot import subplots
from entropax.protocol import Held, PiecewiseLinear
from entropax.solve import solve

MODES = (20, 50, 100, 200, 400)
WIDTH = 12.0
FIRST, LAST, TURNS = 3.0, -3.0, 10.0
"""Energies before and after the drive over T, and its duration times Gamma."""

RATES = {"weak": 0.05, "strong": 1.0}
PIECES, STEPS, DESCENT = 16, 700, 25


class Drives(NamedTuple):
    """By coupling and K: work and entropy production of three drives; nodes of the best."""

    modes: np.ndarray
    ideal: float
    ideal_nodes: np.ndarray
    work: np.ndarray
    entropy: np.ndarray
    nodes: np.ndarray


def ledger(protocol: Held, rate, *, modes: int, steps: int, throw: bool = True) -> FermionLedger:
    """Ledger of a level, occupied as at its first energy, with one lead at T = 1, mu = 0."""
    lead = Lead.flat(modes=modes, width=WIDTH, coupling=rate, beta=1.0, mu=0.0)
    junction = Junction(protocol, 1.0 / (1.0 + np.exp(FIRST)), (lead,))
    return solve(junction, protocol.duration[None], SplitStep(steps), throw=throw).ledger


def _run(options: Options) -> Drives:
    sizes = MODES if options.modes is None else (options.modes // 2, options.modes)
    pieces = min(PIECES, options.times_or(PIECES))
    published = options.times is None
    steps = STEPS if published else 10 * options.times_or(1)
    work = np.zeros((len(RATES), len(sizes), 3))
    entropy, nodes = np.zeros_like(work), np.zeros((len(RATES), len(sizes), pieces + 1))
    least, drive = least_work(*map(jnp.asarray, (FIRST, LAST, TURNS)))
    ideal = np.interp(
        np.linspace(0.0, TURNS, pieces + 1), np.asarray(drive.times), np.asarray(drive.energies)
    )
    for j, modes in enumerate(sizes):

        def loss(protocol, rate, modes=modes):
            return ledger(protocol, rate, modes=modes, steps=steps, throw=False).work[0]

        for i, rate in enumerate(map(jnp.asarray, RATES.values())):
            ramp = PiecewiseLinear.ramp(FIRST, LAST, duration=TURNS / rate, pieces=pieces)
            jumping = Held(PiecewiseLinear(ramp.protocol.times, ideal), FIRST, LAST, ramp.duration)
            best = optimise(
                loss,
                jumping,
                steps=options.times_or(DESCENT),
                args=(rate,),
                tolerance=1e-5,
                progress=options.progress,
            )
            nodes[i, j] = best.value.protocol.values
            for k, protocol in enumerate((ramp, jumping, best.value)):
                led = ledger(protocol, rate, modes=modes, steps=steps, throw=published)
                work[i, j, k] = led.work[0]
                entropy[i, j, k] = led.entropy_production[0]
    return Drives(np.array(sizes), float(least), ideal, work, entropy, nodes)


def _claims(data: Drives) -> list[Claim]:
    weak, strong = data.work
    off = weak[-1, 2] / data.ideal - 1.0
    entropy = data.entropy[:, -1, 2]
    gain = data.work[:, :, 1] - data.work[:, :, 2]
    return [
        Claim(
            f"weak coupling, K = {data.modes[-1]}: the optimum is within 5% of W*",
            f"W = {weak[-1, 2]:.4f}, W* = {data.ideal:.4f} ({off:+.1%}); Gamma = 0.05 T",
            bool(abs(off) < 0.05),
        ),
        Claim(
            "the optimum costs no more than the ideal bath's drive, for every K and coupling",
            f"less by {gain.min():.1e} to {gain.max():.3f}",
            bool(np.all(gain > -1e-9)),
        ),
        Claim(
            "the second law: entropy production is not negative",
            f"{data.entropy.min():.4f} at least",
            bool(np.all(data.entropy > -1e-9)),
        ),
        Claim(
            "a small bath is driven back by what returns: the optimum moves most for small K",
            f"drives differ by {_moved(data, 0, 0):.2f} (K = {data.modes[0]}) and "
            f"{_moved(data, 0, -1):.2f} (K = {data.modes[-1]}) at weak coupling",
            bool(_moved(data, 0, 0) > _moved(data, 0, -1)),
        ),
        Claim(
            "and uses it: in weak coupling to a small bath less work is needed than W*",
            f"W = {weak[0, 2]:.4f} for K = {data.modes[0]}, where the ideal bath's drive costs "
            f"{weak[0, 1]:.4f}",
            bool(weak[0, 2] < data.ideal < weak[0, 1]),
        ),
        Claim(
            f"strong coupling: more entropy for about the same work, K = {data.modes[-1]}",
            f"Sigma = {entropy[1]:.3f} and W = {strong[-1, 2]:.3f} at Gamma = T; "
            f"{entropy[0]:.3f} and {weak[-1, 2]:.3f} at 0.05 T",
            bool(entropy[1] > 1.2 * entropy[0]),
        ),
    ]


def _moved(data: Drives, coupling: int, size: int) -> float:
    """Root mean square of how far the optimum is from the ideal bath's drive."""
    away = data.nodes[coupling, size] - data.ideal_nodes
    return float(np.sqrt(np.mean(away**2)))


def _plot(data: Drives):
    figure, axes = subplots(2, 2, figsize=(10, 7), layout="constrained")
    colors = [f"C{k}" for k in range(data.modes.size)]
    for row, name, work, nodes in zip(axes, RATES, data.work, data.nodes, strict=True):
        labels = ("straight line", "ideal bath's drive", "optimum")
        for k, label in enumerate(labels):
            row[0].semilogx(data.modes, work[:, k], "o-", ms=4, label=label)
        row[0].axhline(data.ideal, color="0.5", ls=":", label="ideal bath, W*")
        row[0].minorticks_off()
        row[0].set_xticks(data.modes, [str(k) for k in data.modes])
        row[0].set(xlabel="modes K", ylabel="work / T", title=f"{name} coupling")
        times = np.linspace(0.0, TURNS, data.ideal_nodes.size)
        for drive, modes, color in zip(nodes, data.modes, colors, strict=True):
            row[1].plot(times, drive, color=color, label=f"K = {modes}")
        row[1].plot(times, data.ideal_nodes, color="0.3", ls=":", label="ideal bath")
        row[1].set(xlabel=r"$\Gamma t$", ylabel=r"$\epsilon(t)/T$")
    axes[0, 0].legend(frameon=False, fontsize=8)
    axes[0, 1].legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="finite-bath-dot",
    title="The optimal drive of a level with a finite bath",
    citation="Esposito, Kawai, Lindenberg, Van den Broeck, EPL 89, 20003 (2010), for ideal baths",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
