"""Work on a level in a finite bath: least on average, or least uncertain."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.control import optimise
from entropax.counting import counting
from entropax.figures.base import Claim, Figure, Options
from entropax.method import Magnus
from entropax.model import Drive, FermionNetwork
from entropax.plot import subplots
from entropax.protocol import PiecewiseLinear

MODES, WIDTH, COUPLING, BETA = 40, 8.0, 0.6, 1.0
LOW, HIGH, DURATION, NODES, STEPS = -1.0, 2.0, 5.0, 9, 64
SHARES, DESCENT = (0.0, 0.25, 0.5, 0.75, 1.0), 30
"""The share of the variance in what is made least: beta <W> (1 - share) + beta^2 Var(W)/2 share."""


class Works(NamedTuple):
    """Times and levels of the ramp and of each optimum; their mean work less the free energy, its
    variance, <e^{-beta (W - Delta F)}>; the law of the ramp's and of the least uncertain work.
    """

    times: np.ndarray
    levels: np.ndarray
    dissipated: np.ndarray
    variance: np.ndarray
    jarzynski: np.ndarray
    values: np.ndarray
    probabilities: np.ndarray


def model(inner, modes: int) -> FermionNetwork:
    """A level in one thermal state with its bath, moved from LOW to HIGH through inner nodes."""
    size = 1 + modes
    h = np.diag(np.append(LOW, np.linspace(-0.5 * WIDTH, 0.5 * WIDTH, modes)))
    h[0, 1:] = h[1:, 0] = np.sqrt(COUPLING * WIDTH / (2.0 * np.pi * modes))
    values, vectors = np.linalg.eigh(h)
    start = (vectors / (1.0 + np.exp(BETA * values))) @ vectors.T
    heights = jnp.concatenate([jnp.zeros(1), inner - LOW, jnp.array([HIGH - LOW])])
    ramp = PiecewiseLinear(np.linspace(0.0, DURATION, heights.shape[0]), heights)
    drive = Drive(np.diag(np.append(1.0, np.zeros(modes))), ramp)
    return FermionNetwork(h, (0,), (tuple(range(1, size)),), start=start, drives=(drive,))


def _free_energy(modes: int) -> float:
    """Free energy that the level and its bath gain: the least work there is."""
    h = np.asarray(model(jnp.zeros(1), modes).hamiltonian)
    later = h.copy()
    later[0, 0] += HIGH - LOW
    z = [np.sum(np.logaddexp(0.0, -BETA * np.linalg.eigvalsh(x))) for x in (h, later)]
    return float(z[0] - z[1]) / BETA


def _cost(inner, share, modes: int):
    work = counting(model(inner, modes), jnp.array([DURATION]), "work", method=Magnus(STEPS))
    mean, variance = work.mean[0], work.variance[0]
    return (1.0 - share) * BETA * mean + share * 0.5 * BETA**2 * variance


def _run(options: Options) -> Works:
    modes = min(options.modes_or(MODES), MODES)
    steps = min(DESCENT, options.times_or(DESCENT) // 4)
    shares = SHARES if options.times is None else SHARES[::2]
    straight = jnp.linspace(LOW, HIGH, NODES)[1:-1]
    loss = functools.partial(_cost, modes=modes)
    inner, at = [straight], straight
    for share in shares:
        at = optimise(loss, at, steps=steps, args=(share,), progress=options.progress).value
        inner.append(at)
    free = _free_energy(modes)
    counts = [
        counting(model(x, modes), jnp.array([DURATION]), "work", method=Magnus(STEPS))
        for x in inner
    ]
    laws = [counts[i].distribution(801, width=0.1) for i in (0, -1)]
    return Works(
        np.linspace(0.0, DURATION, NODES),
        np.array([np.concatenate([[LOW], np.asarray(x), [HIGH]]) for x in inner]),
        np.array([float(count.mean[0]) - free for count in counts]),
        np.array([float(count.variance[0]) for count in counts]),
        np.array([float(count.generating(-BETA)[0]) * np.exp(BETA * free) for count in counts]),
        np.stack([np.asarray(law.values) for law in laws]),
        np.stack([np.asarray(law.density[0]) for law in laws]),
    )


def _claims(data: Works) -> list[Claim]:
    off = np.abs(data.jarzynski - 1.0).max()
    best, certain = data.dissipated[1], data.variance[-1]
    return [
        Claim("Jarzynski's relation for every protocol", f"off by {off:.1e}", bool(off < 1e-9)),
        Claim(
            "work is at least the free energy",
            f"{data.dissipated.min():.4f} above at least",
            bool(data.dissipated.min() > 0.0),
        ),
        Claim(
            "ours: least work and least uncertain work are two protocols",
            f"dissipated {best:.4f} and {data.dissipated[-1]:.4f}, variances "
            f"{data.variance[1]:.4f} and {certain:.4f} (ramp: {data.dissipated[0]:.4f}, "
            f"{data.variance[0]:.4f})",
            bool(best < data.dissipated[-1] and certain < data.variance[1]),
        ),
        Claim(
            "ours: what is asked for trades one for the other, all along",
            f"dissipated {data.dissipated[1:].round(4)}, variances {data.variance[1:].round(4)}",
            bool(
                np.all(np.diff(data.dissipated[1:]) > -1e-6)
                and np.all(np.diff(data.variance[1:]) < 1e-6)
            ),
        ),
    ]


def _plot(data: Works):
    figure, (left, middle, right) = subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    labels = ["ramp", "least work", *[""] * (len(data.levels) - 3), "least variance"]
    for number, (levels, label) in enumerate(zip(data.levels, labels, strict=True)):
        color = "0.5" if number == 0 else f"C{number - 1}"
        left.plot(data.times, levels, color=color, label=label or None)
        middle.plot(data.dissipated[number], data.variance[number], "o", color=color)
    middle.plot(data.dissipated[1:], data.variance[1:], color="0.8", lw=1.0, zorder=0)
    left.set(xlabel="time", ylabel="level")
    left.legend(frameon=False, fontsize=8)
    middle.set(xlabel=r"$\langle W\rangle - \Delta F$", ylabel="Var(W)")
    for values, p, label in zip(
        data.values, data.probabilities, ("ramp", "least variance"), strict=True
    ):
        seen = p > 1e-3 * p.max()
        right.plot(values[seen], p[seen], label=label)
    right.set(xlabel="work", ylabel="density")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="work-statistics",
    title="Work on a level in a finite bath: mean against variance, by gradient",
    citation="Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); Solon, Horowitz, Phys. Rev. Lett. 120, "
    "180605 (2018), for the trade-off; ours",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
