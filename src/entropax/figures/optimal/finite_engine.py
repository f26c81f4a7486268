"""An Otto cycle between two finite baths, by the EMME: strokes that draw the most work."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optimistix

from entropax.control import optimise
from entropax.figures.base import Claim, Figure, Options
from entropax.method import EMME
from entropax.model import Coupling, OpenSystem, Product, RandomBands, WindowBath
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.protocol import Held, PiecewiseConstant
from entropax.solve import Solution, solve

HOT, COLD = 2.5, 1.0
"""Gaps of the strokes: each is resonant with the windows of one bath alone."""

BETA = (0.3, 2.0)
WINDOWS, SMALLEST, GROWTH, WIDTH = 7, 20, 1.35, 0.25
STRENGTH, TIME, SHORTEST, CYCLES, TIMES = 4e-3, 400.0, 2.0, 6, 400


class Engine(NamedTuple):
    """Durations of strokes; times; work drawn, Clausius' left side and the baths' beta in time."""

    durations: np.ndarray
    times: np.ndarray
    drawn: np.ndarray
    clausius: np.ndarray
    entropy: np.ndarray
    beta: np.ndarray
    bound: float


def engine(durations) -> OpenSystem:
    """A qubit quenched between the gaps, each a stroke with one bath; its gap ends as it began."""
    baths = []
    for gap in (HOT, COLD):
        volumes = np.round(SMALLEST * GROWTH ** np.arange(WINDOWS)).astype(int)
        baths.append(WindowBath(gap * np.arange(WINDOWS), tuple(map(int, volumes)), width=WIDTH))
    gaps = jnp.array([HOT, COLD] * (durations.shape[0] // 2))
    strokes = PiecewiseConstant(jnp.cumsum(durations[:-1]), gaps)
    protocol = Held(strokes, HOT, HOT, TIME)
    links = [
        Coupling(machines.SIGMA_X, bath, strength=STRENGTH, matrix=RandomBands(1.0))
        for bath in baths
    ]
    return OpenSystem((0.0, protocol), links, Product(system=0, beta=BETA))


def durations_of(logits):
    """Durations of strokes, each SHORTEST at least, whose sum is TIME."""
    return SHORTEST + (TIME - logits.size * SHORTEST) * jax.nn.softmax(logits)


def run(durations, times) -> Solution:
    """Solution of the master equation of populations."""
    return solve(engine(durations), times, EMME(coherences=False), throw=False)


def drawn(logits):
    """Minus the work drawn until the last stroke is over."""
    return run(durations_of(logits), jnp.array([TIME])).ledger.work[0]


def greatest_work() -> float:
    """Most work of any cycle: drawn until all is in one equilibrium at the entropy of the start."""
    model = engine(durations_of(jnp.zeros(2 * CYCLES)))
    levels = [jnp.array([0.0, HOT]), *(bath.centers for bath in model.baths)]
    volumes = [jnp.ones(2), *(jnp.array(bath.volumes, float) for bath in model.baths)]

    def thermal(beta, k: int):
        """Energy and entropy of the qubit or of a bath."""
        log_p = jax.nn.log_softmax(jnp.log(volumes[k]) - beta * levels[k])
        p = jnp.exp(log_p)
        return jnp.array([p @ levels[k], -p @ (log_p - jnp.log(volumes[k]))])

    def together(log_beta):
        return sum((thermal(jnp.exp(log_beta), k) for k in (1, 2)), thermal(jnp.exp(log_beta), 0))

    # the qubit starts in its ground state
    energy, entropy = thermal(BETA[0], 1) + thermal(BETA[1], 2)
    solver = optimistix.Bisection(rtol=1e-12, atol=1e-12)
    options = {"lower": -6.0, "upper": 4.0}
    root = optimistix.root_find(
        lambda x, args: together(x)[1] - entropy, solver, jnp.zeros(()), options=options
    )
    return float(energy - together(root.value)[0])


def _run(options: Options) -> Engine:
    cycles = CYCLES if options.times is None else 2
    best = optimise(
        drawn,
        jnp.zeros(2 * cycles),
        steps=options.times_or(60),
        tolerance=1e-6,
        progress=options.progress,
    )
    durations = jnp.stack([durations_of(jnp.zeros(2 * cycles)), durations_of(best.value)])
    times = jnp.linspace(0.0, TIME, options.times_or(TIMES) + 1)
    ledgers = [run(strokes, times).ledger for strokes in durations]
    return Engine(
        np.asarray(durations),
        np.asarray(times),
        np.stack([np.asarray(ledger.work) for ledger in ledgers]),
        np.stack([np.asarray(ledger.clausius) for ledger in ledgers]),
        np.stack([np.asarray(ledger.entropy_production) for ledger in ledgers]),
        np.stack([np.asarray(ledger.beta) for ledger in ledgers]),
        greatest_work(),
    )


def _claims(data: Engine) -> list[Claim]:
    before, after = -data.drawn[:, -1]
    cycles = data.durations.shape[1] // 2
    slack = data.clausius - data.entropy
    return [
        Claim(
            f"{cycles} equal cycles are an engine: work is drawn",
            f"{before:.4f} in t = {TIME:g}",
            bool(before > 0.0),
        ),
        Claim(
            "optimised strokes draw more",
            f"{after:.4f}, {after / before:.2f} times as much",
            bool(after > before),
        ),
        Claim(
            "less than until all is in equilibrium at the entropy of the start",
            f"{after:.4f} of {data.bound:.4f}",
            bool(after < data.bound),
        ),
        Claim(
            "Clausius: Delta S_S - sum int dQ/T* >= Delta S_obs >= 0, at all times",
            f"Delta S_obs {data.entropy.min():.1e} at least, the rest {slack.min():.1e}",
            bool(data.entropy.min() > -1e-9 and slack.min() > -1e-9),
        ),
        Claim(
            "the baths approach each other's temperature: the engine runs down",
            f"beta from {BETA[0]:g}, {BETA[1]:g} to {data.beta[1, -1, 0]:.3f}, "
            f"{data.beta[1, -1, 1]:.3f}",
            bool(np.ptp(data.beta[1, -1]) < np.ptp(BETA)),
        ),
    ]


def _plot(data: Engine):
    figure, axes = subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    names = ("equal strokes", "optimised strokes")
    for strokes, work, clausius, name, color in zip(
        data.durations, data.drawn, data.clausius, names, ("0.5", "#0f62a8"), strict=True
    ):
        axes[0].plot(data.times, -work, color=color, label=name)
        axes[1].plot(data.times, clausius, color=color)
        axes[2].plot(np.arange(1, strokes.size + 1), strokes, "o-", color=color, ms=4)
    axes[0].axhline(data.bound, color="#c1272d", ls=":", label="reversible, finite baths")
    axes[0].set(xlabel="time", ylabel="work drawn")
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].plot(data.times, data.entropy[1], color="#0f62a8", ls=":", label=r"$\Delta S_{obs}$")
    axes[1].set(xlabel="time", ylabel=r"$\Delta S_S - \sum\int dQ/T^*$")
    axes[1].legend(frameon=False, fontsize=8)
    axes[2].set(xlabel="stroke (hot, cold, hot, ...)", ylabel="duration")
    return figure


FIGURE = Figure(
    name="finite-engine",
    title="An Otto cycle between two finite baths",
    citation="Riera-Campeny, Sanpera, Strasberg, PRX Quantum 2, 010340 (2021), for the EMME",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
