"""The second law of a driven spin and its finite canonical bath (Esposito, section 3.3)."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.diagnosis import identities
from entropax.figures.base import Claim, Figure, Options
from entropax.method import Schrodinger
from entropax.model import GOE, Coupling, Drive, OpenSystem, Product, WindowBath
from entropax.plot import subplots
from entropax.protocol import PiecewiseLinear, Smooth
from entropax.solve import solve

BETA, STRENGTH, PUSH, RATE = 2.0, 0.3, 0.25, 0.9
RISE, END, TIMES = 6.0, 36.0, 73
"""How long switching takes, and the whole."""
SHAPE = (1, 2, 3, 2, 1)
"""Volumes of the bath's windows, times each of:"""
SCALES = (2, 6, 18)
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
METHOD = Schrodinger(jax.random.key(0), mutual_information=True, steps=24)


class Driven(NamedTuple):
    """By size of the bath and time: work, change of free energy, entropy production with the bath's
    initial temperature and in its weak-coupling form, mutual information, interaction energy; and
    the largest violation of each identity over all sizes.
    """

    levels: np.ndarray
    times: np.ndarray
    work: np.ndarray
    free_energy: np.ndarray
    produced: np.ndarray
    weak: np.ndarray
    correlation: np.ndarray
    interaction: np.ndarray
    names: tuple[str, ...]
    violation: np.ndarray


def model(scale: int) -> OpenSystem:
    """A spin that is pushed while its coupling to the bath is switched on and off."""
    volumes = tuple(scale * v for v in SHAPE)
    centers = 0.5 * (np.arange(len(SHAPE)) - len(SHAPE) // 2)
    bath = WindowBath(centers, volumes, width=0.5)
    switch = PiecewiseLinear(
        (0.0, RISE, END - 2 * RISE, END - RISE, END), (0.0, STRENGTH, STRENGTH, 0.0, 0.0)
    )
    push = Smooth(lambda t: PUSH * jnp.sin(RATE * t), width=1.0)
    link = Coupling(SX, bath, switch, GOE(1.0 / sum(volumes)))
    start = Product(system=[0.2, 0.8], beta=(BETA,))
    return OpenSystem((0.0, 0.5), (link,), start, drives=(Drive(SX, push),))


def _run(options: Options) -> Driven:
    scales = SCALES if options.modes is None else SCALES[:2]
    ts = np.linspace(0.0, END, options.times_or(TIMES))
    steps = METHOD.steps * -(-TIMES // len(ts))  # as short, between fewer times
    method = dataclasses.replace(METHOD, steps=steps)
    rows: list[list[np.ndarray]] = []
    violation: dict[str, float] = {}
    for scale in scales:
        system = model(scale)
        solution = solve(system, ts, method, progress=options.progress)
        led = solution.ledger
        assert led.interaction_energy is not None
        energy = led.system_energy + led.interaction_energy
        free = energy - led.system_entropy / BETA
        each = (
            led.work,
            free - free[0],
            led.entropy_production_fixed,
            led.entropy_production_weak,
            led.mutual_information,
            led.interaction_energy,
        )
        rows.append([np.asarray(x) for x in each])
        for relation in identities(system, method, solution):
            name = f"{relation.name} ({relation.source})"
            violation[name] = max(violation.get(name, 0.0), relation.violation)
    work, free, produced, weak, correlation, between = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    levels = np.array([scale * sum(SHAPE) for scale in scales])
    return Driven(
        levels=levels,
        times=ts,
        work=work,
        free_energy=free,
        produced=produced,
        weak=weak,
        correlation=correlation,
        interaction=between,
        names=(*violation,),
        violation=np.array([*violation.values()]),
    )


def _claims(data: Driven) -> list[Claim]:
    law = np.max(np.abs(data.produced / BETA - (data.work - data.free_energy)))
    least = float(data.produced.min())
    above = float((data.produced - data.correlation).min())
    apart = np.abs(data.weak - data.produced)
    worst = int(np.argmax(data.violation))
    return [
        Claim(
            "T Delta_i S = W - Delta F (E24), with W other than 0",
            f"off by at most {law:.1e}; |W| up to {np.abs(data.work).max():.3f}",
            bool(law < 1e-8 and np.abs(data.work).max() > 0.05),
        ),
        Claim(
            "Delta_i S >= 0 at all times (E10), for every size of the bath",
            f"{least:.1e} at least",
            least > -1e-10,
        ),
        Claim(
            "Delta_i S exceeds the correlation of system and bath (E18)",
            f"by {above:.1e} at least",
            above > -1e-10,
        ),
        Claim(
            "its weak-coupling form (E25) differs by the interaction energy while the coupling is "
            "on (E27), and not once it is off",
            f"by {apart.max():.3f} at most, {apart[:, -1].max():.1e} at the end",
            bool(apart.max() > 1e-3 and apart[:, -1].max() < 1e-8),
        ),
        Claim(
            "every identity whose premises hold",
            f"worst: {data.names[worst]}, {data.violation[worst]:.1e}",
            bool(data.violation.max() < 1e-7),
        ),
    ]


def _plot(data: Driven):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(data.times, data.work[-1], label="$W$")
    left.plot(data.times, data.free_energy[-1], label=r"$\Delta F$")
    left.plot(data.times, data.produced[-1] / BETA, label=r"$T\,\Delta_i S = W - \Delta F$")
    left.plot(data.times, data.interaction[-1], color="0.6", lw=0.8, label="interaction")
    left.set(xlabel="time", ylabel="energy", title=f"bath of {data.levels[-1]} levels")
    left.legend(frameon=False, fontsize=8)
    for row, (levels, produced) in enumerate(zip(data.levels, data.produced, strict=True)):
        right.plot(data.times, produced, color=f"C{row}", label=f"{levels} levels")
        right.plot(data.times, data.correlation[row], color=f"C{row}", ls=":")
    right.set(xlabel="time", ylabel=r"$\Delta_i S$, and $I$ (dotted)")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="driven-canonical",
    title="A driven spin and its finite canonical bath: work, free energy, entropy production",
    citation="Esposito, Lindenberg, Van den Broeck, New J. Phys. 12, 013013 (2010), Eqs. 10-27",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: {name: x for name, x in data._asdict().items() if name != "names"},
)
