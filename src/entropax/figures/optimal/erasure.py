"""Erasure of a bit with least heat: gradient descent against the closed form and L^2/t."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise_with_constraint
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.optimal.known import least_heat
from entropax.method import Davies
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.protocol import Held, PiecewiseLinear
from entropax.solve import solve

PIECES = 32
CITED = ((0.1, 10.0, 0.45909888292832), (0.01, 20.0, 0.73998511613767))
"""What is left of the bit, duration, and the least heat (Esposito et al. 2010)."""

LEFT, POINTS = 0.1, 8
_METHOD = Davies(coherences=False, housekeeping=False, rtol=1e-8, atol=1e-10)


class Erasures(NamedTuple):
    """Heat of optimised and of closed-form (`known`) protocols: of cited cases, and by duration."""

    heat: np.ndarray
    left: np.ndarray
    durations: np.ndarray
    optimised: np.ndarray
    known: np.ndarray
    bound: float


def problem(protocol: Held, left: float):
    """Heat given to the bath by driving the upper state of a mixed bit, and what must vanish: the
    logarithm of the probability of a bit that is not erased, less that of the one that is wanted.
    """
    model = machines.erasure(gap=protocol)
    ledger = solve(model, protocol.duration[None], _METHOD, throw=False).ledger
    return -ledger.heat[0, 0], jnp.log(ledger.state[0, 1, 1].real / left)


def optimum(
    left: float, duration: float, *, pieces: int, rounds: int, progress: bool
) -> tuple[float, float]:
    """Least heat, and the probability that is left."""
    goal = jnp.asarray(left)
    begin = PiecewiseLinear.ramp(0.5, -jnp.log(goal), duration=duration, pieces=pieces)
    optimised = optimise_with_constraint(
        problem,
        begin,
        steps=30,
        rounds=rounds,
        args=(goal,),
        tolerance=1e-6 if rounds > 1 else 10.0,
        progress=progress,
    )
    return float(optimised.loss), float(jnp.exp(optimised.violation[0]) * goal)


def _run(options: Options) -> Erasures:
    count = POINTS if options.times is None else 2
    pieces = min(PIECES, options.times_or(PIECES))
    # in less than ln 5 not even an infinite energy leaves 0.1 of a half
    durations = np.geomspace(2.0, 300.0, count)
    rounds = 8 if options.times is None else 1
    cases = [(left, duration) for left, duration, _ in CITED]
    cases += [(LEFT, duration) for duration in durations]
    settings: Any = {"pieces": pieces, "rounds": rounds, "progress": options.progress}
    ours = np.array([optimum(*case, **settings) for case in cases])
    least = [float(least_heat(*map(jnp.asarray, (0.5, *case))).heat) for case in cases]
    fewer = len(CITED)
    return Erasures(
        ours[:fewer, 0], ours[:, 1], durations, ours[fewer:, 0], np.array(least), _bound(LEFT)
    )


def _bound(left: float) -> float:
    """Landauer's bound on the heat of erasing a mixed bit, T = 1."""
    return float(np.log(2.0) + left * np.log(left) + (1 - left) * np.log(1 - left))


def _length(left: float) -> float:
    return float(2.0 * (np.arcsin(np.sqrt(0.5)) - np.arcsin(np.sqrt(left))))


def _claims(data: Erasures) -> list[Claim]:
    claims = []
    for index, (left, duration, cited) in enumerate(CITED):
        ours, kept = data.heat[index], data.left[index]
        claims.append(
            Claim(
                f"erased to {left:g} in t = {duration:g}: least heat within 1%",
                f"{ours:.6f} at {kept:.6f}; {cited:.6f} in closed form",
                bool(abs(ours / cited - 1.0) < 0.01 and abs(kept / left - 1.0) < 1e-4),
            )
        )
    least = data.known[len(CITED) :]
    ratio = data.optimised / least
    excess = (data.optimised - data.bound) * data.durations
    limit = _length(LEFT) ** 2
    return [
        *claims,
        Claim(
            "the optimum is that of the closed form at every duration, and never below it",
            f"heat over least heat - 1 from {ratio.min() - 1:.1e} to {ratio.max() - 1:.1e}",
            bool(np.all(ratio > 1.0 - 1e-5) and np.all(ratio < 1.01)),
        ),
        Claim(
            "slow erasure: the excess over Landauer's bound goes to L^2/t",
            f"excess x t = {excess[-1]:.4f} at t = {data.durations[-1]:g}, L^2 = {limit:.4f}",
            bool(abs(excess[-1] / limit - 1.0) < 0.05),
        ),
    ]


def _plot(data: Erasures):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    fine, least = data.durations, data.known[len(CITED) :]
    left.semilogx(fine, data.optimised, "o", color="#0f62a8", label="found by gradient")
    left.semilogx(fine, least, color="#c1272d", label="closed form")
    left.axhline(data.bound, color="#222222", ls="--", label=r"$-T\,\Delta S$")
    left.set(xlabel=r"duration $\Gamma t$", ylabel="heat to the bath / T")
    left.legend(frameon=False, fontsize=8)
    right.loglog(fine, data.optimised - data.bound, "o", color="#0f62a8")
    right.loglog(fine, least - data.bound, color="#c1272d")
    right.loglog(fine, _length(LEFT) ** 2 / fine, color="0.6", ls=":", label=r"$L^2/t$")
    right.set(xlabel=r"duration $\Gamma t$", ylabel="excess heat / T")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="erasure",
    title="Erasure of a bit with least heat, in finite time",
    citation="Esposito, Kawai, Lindenberg, Van den Broeck, EPL 89, 20003 (2010); Diana, Bagci, "
    "Esposito, Phys. Rev. E 87, 012111 (2013)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
