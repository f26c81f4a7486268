"""The optimal drive of one level: gradient descent against the closed form."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.optimal.known import least_work
from entropax.method import Davies
from entropax.model import Coupling, FlatSpectrum, Gibbs, OpenSystem, ThermalBath
from entropax.model.ideal import machines
from entropax.objectives import work
from entropax.plot import subplots
from entropax.protocol import Held, PiecewiseLinear
from entropax.solve import solve

PIECES, STEPS = 64, 80
CASES = ((3.0, -3.0, 1.0), (3.0, -3.0, 10.0), (2.0, 0.5, 1.0))
_METHOD = Davies(coherences=False, housekeeping=False, rtol=1e-9, atol=1e-11)


class Optima(NamedTuple):
    """By case (from, to, duration): work of the ramp, of the optimum `found` by gradient and of the
    one `known` in closed form; `nodes` of the former, `times` and `energies` of the latter.
    """

    cases: np.ndarray
    ramp: np.ndarray
    found: np.ndarray
    known: np.ndarray
    nodes: np.ndarray
    times: np.ndarray
    energies: np.ndarray


def model(protocol: Held) -> OpenSystem:
    """A level with rate 1 at temperature 1, in equilibrium before the drive."""
    bath = ThermalBath(1.0, FlatSpectrum(1.0), "fermi")
    return OpenSystem((0.0, protocol), [Coupling(machines.LOWERING, bath)], Gibbs(beta=1.0))


def work_of(protocol: Held):
    """What a drive costs, jumps at both ends included."""
    return work(solve(model(protocol), protocol.duration[None], _METHOD))


def _run(options: Options) -> Optima:
    pieces = min(PIECES, options.times_or(PIECES))
    rows = []
    for first, last, duration in CASES:
        ramp = PiecewiseLinear.ramp(first, last, duration=duration, pieces=pieces)
        best = optimise(
            work_of,
            ramp,
            steps=options.times_or(STEPS),
            tolerance=1e-7,
            progress=options.progress,
        )
        least, drive = least_work(*map(jnp.asarray, (first, last, duration)))
        assert isinstance(best.value.protocol, PiecewiseLinear)
        rows.append(
            (
                float(best.history[0]),
                float(best.loss),
                float(least),
                np.asarray(best.value.protocol.values),
                np.asarray(drive.times),
                np.asarray(drive.energies),
            )
        )
    return Optima(np.array(CASES), *(np.array(column) for column in zip(*rows, strict=True)))


def _claims(data: Optima) -> list[Claim]:
    claims = []
    for index, (first, last, duration) in enumerate(data.cases):
        name = f"{first:g} to {last:g} in t = {duration:g}"
        above = data.found[index] - data.known[index]
        claims.append(
            Claim(
                f"{name}: the optimum is above W* by less than 2e-3",
                f"W = {data.found[index]:.9f}, W* = {data.known[index]:.9f}, by {above:.1e}; "
                f"the ramp {data.ramp[index]:.6f}",
                bool(-1e-9 < above < 2e-3),
            )
        )
        ours = data.nodes[index, [0, -1]]
        ends = data.energies[index, [0, -1]]
        jumps, exact = ours - [first, last], ends - [first, last]
        off = np.max(np.abs(jumps / exact - 1.0))
        claims.append(
            Claim(
                f"{name}: it jumps at both ends as the closed form does",
                f"to {ours[0]:.4f} and from {ours[1]:.4f}; {ends[0]:.4f} and "
                f"{ends[1]:.4f} in closed form: jumps off by {off:.1e}",
                bool(off < 0.05),
            )
        )
    return claims


def _plot(data: Optima):
    figure, axes = subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for axis, (first, last, duration), nodes, drive_times, energies in zip(
        axes, data.cases, data.nodes, data.times, data.energies, strict=True
    ):
        times = np.linspace(0.0, duration, nodes.size)
        around = np.concatenate([[-0.15 * duration, 0.0], times, [duration, 1.15 * duration]])
        axis.plot(
            around,
            np.concatenate([[first, first], nodes, [last, last]]),
            color="#0f62a8",
            label="found by gradient",
        )
        axis.plot(drive_times, energies, color="#c1272d", ls=":", lw=2.5, label="closed form")
        axis.plot([0.0, duration], [first, last], color="0.7", lw=0.8, label="ramp")
        axis.set(xlabel=r"$\Gamma t$", title=rf"$\epsilon$: {first:g} to {last:g}")
    axes[0].set_ylabel(r"$\epsilon(t)/T$")
    axes[0].legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="optimal-dot",
    title="The optimal drive of one level, and its jumps",
    citation="Esposito, Kawai, Lindenberg, Van den Broeck, EPL 89, 20003 (2010)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
