"""Erasure of a bit in finite time: heat against Landauer's bound."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.solve import solve

DEPTH, POINTS = 5.0, 28


class Erased(NamedTuple):
    """By duration: heat given to the bath, Landauer's bound, work, what is left of the bit."""

    duration: np.ndarray
    heat: np.ndarray
    bound: np.ndarray
    work: np.ndarray
    error: np.ndarray


def _run(options: Options) -> Erased:
    durations = jnp.geomspace(1.0, 1000.0, options.times_or(POINTS))
    method = Davies(coherences=False, housekeeping=False)

    @jax.jit
    def one(duration):
        ledger = solve(
            machines.erasure(duration=duration, depth=DEPTH), duration[None], method, throw=False
        ).ledger
        return (
            -ledger.heat[0, 0],
            ledger.landauer_bound[0, 0],
            ledger.work[0],
            ledger.state[0, 1, 1].real,
        )

    rows = np.array([[float(x) for x in one(duration)] for duration in durations])
    return Erased(np.asarray(durations), *rows.T)


def _claims(data: Erased) -> list[Claim]:
    excess = data.heat - data.bound
    slow = data.duration > 100.0
    times = excess[slow] * data.duration[slow]
    spread = float(np.ptp(times) / times[-1])
    final = data.error[-1]
    length = 2.0 * (np.arcsin(np.sqrt(0.5)) - np.arcsin(np.sqrt(final)))
    ideal = np.log(2.0) + final * np.log(final) + (1 - final) * np.log(1 - final)
    return [
        Claim(
            "heat is above Landauer's bound -T dS at every duration",
            f"by {excess.min():.2e} at least",
            bool(np.all(excess > 0)),
        ),
        Claim(
            "slow erasure reaches it: for a bit erased to 0.7%, 94% of T ln 2",
            f"{data.heat[-1]:.4f} at t = {data.duration[-1]:g}, -T dS = {ideal:.4f}",
            bool(abs(data.heat[-1] - ideal) < 0.01),
        ),
        Claim(
            "the excess falls as 1/t",
            f"excess x t = {times[0]:.3f} to {times[-1]:.3f} for t > 100 ({spread:.1%})",
            spread < 0.05,
        ),
        Claim(
            "it is above the shortest protocol's L^2/t, L = 2[asin sqrt(1/2) - asin sqrt(delta)]",
            f"{times[-1]:.3f} > L^2 = {length**2:.3f}",
            bool(times[-1] > length**2),
        ),
    ]


def _plot(data: Erased):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(data.duration, data.heat, color="#c1272d", label="heat to the bath")
    left.plot(data.duration, data.work, color="#0f62a8", label="work")
    left.plot(data.duration, data.bound, color="#222222", ls="--", label=r"$-T\,\Delta S$")
    left.axhline(np.log(2.0), color="0.7", lw=0.8, label=r"$T \ln 2$")
    left.set(xscale="log", xlabel=r"duration $\Gamma t$")
    left.legend(frameon=False, fontsize=8)
    right.loglog(data.duration, data.heat - data.bound, color="#c1272d", label="excess heat")
    scale = (data.heat - data.bound)[-1] * data.duration[-1]
    right.loglog(data.duration, scale / data.duration, color="0.6", ls=":", label=r"$\propto 1/t$")
    right.set(xlabel=r"duration $\Gamma t$")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-erasure",
    title="Erasure of a bit: heat and Landauer's bound",
    citation="Landauer, IBM J. Res. Dev. 5, 183 (1961); Diana, Bagci, Esposito, "
    "Phys. Rev. E 87, 012111 (2013)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
