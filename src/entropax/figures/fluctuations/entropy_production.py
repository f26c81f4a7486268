"""The law of entropy production of Usui's junction, from its first regime to its last."""

from typing import NamedTuple

import jax
import numpy as np

from entropax.counting import counting
from entropax.figures.base import Claim, Figure, Options
from entropax.model import Junction, Lead, pure_start
from entropax.plot import subplots
from entropax.solve import solve

MODES, WIDTH, COUPLING = 160, 10.0, 3.0
BETA, MU = (10.0, 2.0), (1.0, -1.0)
TIMES = (0.3, 1.0, 3.0, 10.0, 60.0, 1000.0)
"""In units of 1/Gamma: the last beyond the recurrence of 160 modes, at 300."""


WIDTH_OF_LAW = 1.0
"""What the laws are smoothed by, in nats."""


class Laws(NamedTuple):
    """Times; of the mixed start and of a pure one the first four cumulants, by order and time, and
    the law with its values, by time; the ledger's entropy production at fixed temperatures and how
    far the integral theorem is off.
    """

    times: np.ndarray
    cumulants: np.ndarray
    values: np.ndarray
    probabilities: np.ndarray
    pure_values: np.ndarray
    pure_probabilities: np.ndarray
    ledger: np.ndarray
    theorem: np.ndarray


def junction(modes: int) -> Junction:
    """Case (a) of the paper, with fewer modes."""
    leads = [
        Lead.flat(modes=modes, width=WIDTH, coupling=COUPLING, beta=beta, mu=mu)
        for beta, mu in zip(BETA, MU, strict=True)
    ]
    return Junction(0.0, 0.5, leads)


def _run(options: Options) -> Laws:
    modes = min(options.modes_or(MODES), MODES)
    chosen = TIMES if options.times is None else TIMES[1::2]
    times = np.array(chosen) / COUPLING
    mixed = junction(modes)
    pure = pure_start(mixed, jax.random.key(4))
    counts = [counting(model, times, "entropy_production") for model in (mixed, pure)]
    laws = [count.distribution(width=WIDTH_OF_LAW) for count in counts]
    return Laws(
        np.asarray(times),
        np.stack([np.asarray(count.cumulants(4)) for count in counts]),
        np.asarray(laws[0].values),
        np.asarray(laws[0].probabilities),
        np.asarray(laws[1].values),
        np.asarray(laws[1].probabilities),
        np.asarray(solve(mixed, times).ledger.entropy_production_fixed),
        np.asarray(counts[0].generating(-1.0)) - 1.0,
    )


def _gaussian(values: np.ndarray, mean: float, variance: float) -> np.ndarray:
    law = np.exp(-0.5 * (values - mean) ** 2 / variance)
    return law / law.sum()


def _away(data: Laws) -> np.ndarray:
    """Distance in variation from a Gaussian of the same two cumulants, at each time."""
    mean, variance = data.cumulants[0, :2]
    return np.array(
        [
            0.5 * np.abs(p - _gaussian(data.values, m, v + WIDTH_OF_LAW**2)).sum()
            for p, m, v in zip(data.probabilities, mean, variance, strict=True)
        ]
    )


def _claims(data: Laws) -> list[Claim]:
    below = data.probabilities[:, data.values < 0.0].sum(axis=1)
    skewness = data.cumulants[0, 2] / data.cumulants[0, 1] ** 1.5
    away, off = _away(data), np.abs(data.theorem).max()
    mean = np.abs(data.cumulants[0, 0] - data.ledger).max()
    spread = np.sqrt(data.cumulants[:, 1, -1])
    return [
        Claim("the integral theorem, <e^{-sigma}> = 1", f"off by {off:.1e}", bool(off < 1e-8)),
        Claim("the mean is the ledger's sigma", f"off by {mean:.1e}", bool(mean < 1e-9)),
        Claim(
            "ours: negative entropy production is likely at first and rare in the end",
            f"P(sigma < 0) from {below[0]:.3f} to {below[-1]:.1e}",
            bool(below[0] > 0.05 and below[-1] < 1e-3),
        ),
        Claim(
            "ours: the law tends to a Gaussian",
            f"variation distance from {away.max():.3f} to {away[-1]:.4f}, skewness from "
            f"{skewness[0]:.2f} to {skewness[-1]:.3f}",
            bool(away[-1] < 0.5 * away.max() and abs(skewness[-1]) < abs(skewness[0])),
        ),
        Claim(
            "ours: a pure start is as uncertain in the end, to a factor of two",
            f"standard deviations {spread[0]:.2f} and {spread[1]:.2f}",
            bool(0.5 < spread[1] / spread[0] < 2.0),
        ),
    ]


def _plot(data: Laws):
    figure, (left, middle, right) = subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    step = data.values[1] - data.values[0]
    for number, time in enumerate(data.times):
        (line,) = left.plot(
            data.values,
            data.probabilities[number] / step,
            label=rf"$\Gamma t$ = {time * COUPLING:g}",
        )
        mean, variance = data.cumulants[0, :2, number]
        smooth = _gaussian(data.values, mean, variance + WIDTH_OF_LAW**2) / step
        left.plot(data.values, smooth, ":", color=line.get_color(), lw=1.0)
    left.axvline(0.0, color="0.7", lw=0.8)
    left.set(xlabel=r"$\sigma$ (dotted: Gaussians)", ylabel="density")
    left.set_xlim(data.values[0], data.values[-1])
    left.legend(frameon=False, fontsize=7)
    axis = data.times * COUPLING
    for number, name in enumerate(("mixed", "pure")):
        middle.plot(axis, data.cumulants[number, 0], "o-", label=f"mean, {name}")
        middle.plot(axis, data.cumulants[number, 1], "s--", label=f"variance, {name}")
    middle.set(xscale="log", yscale="log", xlabel=r"$\Gamma t$")
    middle.legend(frameon=False, fontsize=8)
    for values, p, name in (
        (data.values, data.probabilities[-1], "mixed"),
        (data.pure_values, data.pure_probabilities[-1], "pure"),
    ):
        right.semilogy(values, np.maximum(p / (values[1] - values[0]), 1e-14), label=name)
    right.set(xlabel=r"$\sigma$ at the last time", ylabel="density")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="fluctuations",
    title="Entropy production as a random variable: the law of sigma in time",
    citation="A. Usui, K. Ptaszynski, M. Esposito, P. Strasberg, New J. Phys. 26, 023049 (2024), "
    "for the model; ours",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
