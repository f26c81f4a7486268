"""Heat from a finite bath to a colder one through a spin: exact and by the EMME, against size."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.diagnosis import identities
from entropax.ensemble import ensemble
from entropax.figures.base import Claim, Figure, Options
from entropax.method import EMME, Schrodinger
from entropax.model import Coupling, Observation, OpenSystem, Product, RandomBands, WindowBath
from entropax.plot import subplots
from entropax.solve import solve

SIZES, DRAWS, TIMES, END = (20, 40, 80, 160), 8, 31, 60.0
"""Levels of each bath of exact dynamics; draws of levels, couplings and pure states of a size."""
LARGE, MIXED = 400, 30
"""Levels of each bath: by the EMME alone, and exactly from a mixed canonical start."""
BETA, WIDTH = (0.5, 2.0), 0.5
RATE = 0.1
"""Relaxation by the middle window, the same in every size: the strength falls as size^-1/2."""
SX = np.array([[0.0, 1.0], [1.0, 0.0]])


class Flows(NamedTuple):
    """Times; for each size the exact `heat` of draws, by draw, time and bath, and that of the EMME;
    the latter for the largest baths; entropy production at fixed temperatures and correlation
    entropy, exactly from the mixed start, and residuals of three relations between them.
    """

    sizes: np.ndarray
    times: np.ndarray
    heat: np.ndarray
    heat_emme: np.ndarray
    heat_large: np.ndarray
    produced: np.ndarray
    correlation: np.ndarray
    residuals: np.ndarray


def model(size: int, *, pure: bool) -> OpenSystem:
    """A spin between a hot and a cold bath of so many levels each, canonical (typical: `pure`)."""
    volumes = (size // 5, 2 * size // 5, size - size // 5 - 2 * size // 5)
    strength = np.sqrt(RATE * WIDTH / (2 * np.pi * volumes[1]))
    links = []
    for _ in BETA:
        bath = WindowBath((0.0, 1.0, 2.0), volumes, WIDTH, levels="random")
        links.append(Coupling(SX, bath, strength, RandomBands(1.0, real=True)))
    start = Product(system=[0.5, 0.5], beta=BETA, pure=pure)
    return OpenSystem((0.0, 1.0), links, start)


def _run(options: Options) -> Flows:
    largest = options.modes_or(max(SIZES))
    sizes = [size for size in SIZES if size <= max(largest, 10)] or [10, largest]
    draws = DRAWS if options.modes is None else 2
    times = jnp.linspace(0.0, END, min(options.times_or(TIMES), TIMES))
    heat, heat_emme = [], []
    for size in sizes:
        exact = ensemble(
            model(size, pure=True),
            times,
            Schrodinger(propagation="chebyshev", order=2, steps=2),
            key=jax.random.key(size),
            samples=draws,
            keep=True,
            progress=options.progress,
        )
        heat.append(np.asarray(exact.ledger.heat))
        heat_emme.append(np.asarray(solve(model(size, pure=False), times, EMME()).ledger.heat))
    large = solve(model(LARGE, pure=False), times, EMME()).ledger
    mixed = model(min(MIXED, 2 * options.modes_or(MIXED)), pure=False)
    method = Schrodinger(jax.random.key(1), observation=Observation())
    solution = solve(mixed, times, method)
    led = solution.ledger
    names = ("fixed temperature", "above correlations", "correlation and divergence")
    relations = identities(mixed, method, solution, names)
    assert led.observed is not None
    correlation = np.asarray(led.observed.terms.correlation)
    return Flows(
        np.array(sizes),
        np.asarray(times),
        np.stack(heat),
        np.stack(heat_emme),
        np.asarray(large.heat),
        np.asarray(led.entropy_production_fixed),
        correlation,
        np.stack([np.asarray(relation.residual) for relation in relations]),
    )


def _distances(data: Flows) -> np.ndarray:
    """Largest distance of the mean of draws from the EMME, by size and bath; its standard error."""
    away = np.abs(data.heat.mean(1) - data.heat_emme)
    place = away.argmax(axis=1)
    error = data.heat.std(1, ddof=1) / np.sqrt(data.heat.shape[1])
    return np.stack([np.take_along_axis(x, place[:, None], 1)[:, 0] for x in (away, error)])


def _claims(data: Flows) -> list[Claim]:
    end = data.heat[-1].mean(0)[-1]
    away, error = _distances(data)
    first, last = away.max(1)[[0, -1]]
    equality = np.abs(data.residuals[2]).max()
    return [
        Claim(
            "ours: heat goes from the hot bath to the cold one, exactly and by the EMME",
            f"{end[0]:.4f} and {end[1]:.4f} into the spin ({data.heat_emme[-1, -1].round(4)})",
            bool(end[0] > 0.0 > end[1] and data.heat_emme[-1, -1, 0] > 0.0),
        ),
        Claim(
            "ours: small baths add to what the EMME is off by; what stays is of the coupling",
            f"off by {first:.4f} at {data.sizes[0]} levels, {last:.4f} at {data.sizes[-1]} "
            f"(standard error {error.max():.4f})",
            bool(last < 0.5 * first),
        ),
        Claim(
            "Esposito (18) for two reservoirs: entropy production >= correlations >= 0",
            f"{data.residuals[1].min():.4f} and {data.correlation.min():.1e} at least",
            bool(data.residuals[:2].min() > -1e-9 and data.correlation.min() > -1e-9),
        ),
        Claim(
            "Esposito (17): the rest is how far the reservoirs are from where they began",
            f"to {equality:.1e}",
            bool(equality < 1e-8),
        ),
    ]


def _plot(data: Flows):
    figure, (left, middle, right) = subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for size, heat in zip(data.sizes, data.heat, strict=True):
        mean, spread = heat.mean(0), heat.std(0)
        (line, _) = left.plot(data.times, mean, lw=1.0)
        left.get_lines()[-1].set_color(line.get_color())
        line.set_label(f"exact, {size} + {size} levels")
        for bath in range(2):
            low, high = mean[:, bath] - spread[:, bath], mean[:, bath] + spread[:, bath]
            left.fill_between(data.times, low, high, color=line.get_color(), alpha=0.12)
    left.plot(data.times, data.heat_large, "k--", lw=1.2)
    left.plot([], [], "k--", label=f"EMME, {LARGE} + {LARGE}")
    left.set(xlabel="time", ylabel="heat from each bath")
    left.legend(frameon=False, fontsize=7)
    away, error = _distances(data)
    for bath, name in enumerate(("hot", "cold")):
        middle.errorbar(data.sizes, away[:, bath], error[:, bath], fmt="o-", capsize=3, label=name)
    middle.set(xscale="log", yscale="log", xlabel="levels of each bath", ylabel="exact less EMME")
    middle.set_xticks(data.sizes, [str(size) for size in data.sizes], minor=False)
    middle.minorticks_off()
    middle.legend(frameon=False)
    right.plot(data.times, data.produced, label=r"$\Delta_i S$, fixed temperatures")
    right.plot(data.times, data.correlation, label="correlation entropy")
    right.plot(
        data.times,
        data.produced - data.correlation,
        label=r"$\sum_\nu D[\rho_\nu(t)||\rho_\nu(0)]$",
    )
    right.set(xlabel="time", ylabel="nats")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="two-baths",
    title="Heat between two finite baths: exact and by the EMME",
    citation="Esposito, Lindenberg, Van den Broeck, New J. Phys. 12, 013013 (2010), Eqs. 17, 18; "
    "Riera-Campeny et al., PRX Quantum 2, 010340 (2021), Eqs. 69-74",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
