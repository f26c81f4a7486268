"""Fig. 1: entropy production of a spin in a random-matrix reservoir, from 10 to 2000 levels."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from entropax import plot
from entropax.diagnosis import identities
from entropax.figures.base import Claim, Figure, Options
from entropax.ledger import WindowLedger
from entropax.method import EMME, BornMarkovSecular, Schrodinger
from entropax.model import GOE, Coupling, OpenSystem, Product, WindowBath
from entropax.solve import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = (
    "M. Esposito, K. Lindenberg, C. Van den Broeck, Entropy production as correlation between "
    "system and reservoir, New J. Phys. 12, 013013 (2010)"
)
SIZES = (10, 50, 200, 500, 1000, 2000)
"""Levels of the reservoir; those above `--modes` are left out."""
TIMES, END, WINDOWS, SEED = 300, 1500.0, 50, 0
SPLITTING, STRENGTH, BETA = 0.1, 0.1, 10.0
DRAWS, SMALL = 50, (3, 5, 10, 20)
CORRELATED = 200
"""Up to this many levels the exact mutual information is followed."""


@dataclasses.dataclass(frozen=True)
class Result:
    """Exact solutions by number of levels, the master equations, and many draws of small baths."""

    times: np.ndarray
    exact: Mapping[int, WindowLedger]
    emme: WindowLedger
    redfield: WindowLedger
    negative: Mapping[int, int]
    lowest: float
    interaction: float


def model(levels: int, windows: int = 1) -> OpenSystem:
    r"""$H = (\Delta/2)\sigma_z + H_r + \lambda\sigma_x R$ from |0>, the lower level (Eq. 29).

    `windows`: how many of equal width the reservoir's axis is cut into; one for exact dynamics.
    """
    spectrum = np.linspace(-0.5, 0.5, levels)
    width = 1.0 / windows
    place = np.clip(np.floor((spectrum + 0.5) / width + 1e-9).astype(int), 0, windows - 1)
    centers = -0.5 + width * (np.arange(windows) + 0.5)
    bath = WindowBath(
        centers, np.bincount(place, minlength=windows).tolist(), width, levels=spectrum
    )
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    link = Coupling(flip, bath, STRENGTH, GOE(variance=1.0 / (8 * levels)))
    energies = (-0.5 * SPLITTING, 0.5 * SPLITTING)
    return OpenSystem(energies, (link,), Product(system=0, beta=(BETA,)))


def redfield_rates() -> tuple[float, float]:
    r"""Rates up and down, $\lambda^2 a(\mp\Delta)$, of the infinite reservoir (Eqs. 31-33)."""
    x = BETA / 2
    share = (np.exp(x) - np.exp(BETA * SPLITTING - x)) / (np.exp(x) - np.exp(-x))
    down = STRENGTH**2 * np.pi / 4 * share
    return float(np.exp(-BETA * SPLITTING) * down), float(down)


def redfield_excited(times: np.ndarray) -> np.ndarray:
    """Population of the upper level by the Redfield equation (Eq. 30)."""
    up, down = redfield_rates()
    return up / (up + down) * (1.0 - np.exp(-(up + down) * times))


def emme_excited() -> float:
    """The EMME's long-time population of the upper level, windows of no width."""
    return float(0.5 * (np.exp(-BETA * SPLITTING) - np.exp(-BETA)) / (1.0 - np.exp(-BETA)))


def weak_form(excited: np.ndarray) -> np.ndarray:
    """Entropy production (25) from the upper level's population."""
    p = np.clip(excited, 1e-300, 1.0)
    entropy = -p * np.log(p) - (1.0 - p) * np.log(1.0 - p)
    return entropy - BETA * SPLITTING * excited


def _run(options: Options) -> Result:
    times = np.linspace(0.0, END, options.times_or(TIMES))
    largest = options.modes_or(SIZES[-1])
    sizes = [n for n in SIZES if n <= largest] or [largest]
    exact, interaction = {}, 0.0
    for n in sizes:
        method = Schrodinger(key=jax.random.key(SEED), mutual_information=n <= CORRELATED)
        solution = solve(model(n), times, method, progress=options.progress)
        exact[n] = solution.ledger
        (identity,) = identities(model(n), method, solution, ["weak coupling"])
        interaction = np.maximum(interaction, identity.violation)
    tiled = model(max(sizes[-1], 2 * WINDOWS), WINDOWS)
    emme = solve(tiled, times, EMME()).ledger
    redfield = solve(tiled, times, BornMarkovSecular()).ledger
    negative, lowest = {}, np.inf
    keys = jax.random.split(jax.random.key(SEED + 1), DRAWS)
    for n in SMALL if largest >= 100 else SMALL[:2]:

        def draw(key: jax.Array, small: OpenSystem = model(n)) -> WindowLedger:
            return solve(small, times, Schrodinger(key=key)).ledger

        led = jax.vmap(draw)(keys)
        weak = np.asarray(led.entropy_production_weak)
        negative[n] = int(np.sum(weak.min(axis=1) < -1e-10))
        lowest = np.minimum(lowest, np.min(_fixed(led)))
    for led in exact.values():
        lowest = np.minimum(lowest, np.min(_fixed(led)))
    return Result(times, exact, emme, redfield, negative, float(lowest), float(interaction))


def _plot(data: Result) -> "Figure":
    rows = -(-len(data.exact) // 3)
    figure, axes = plot.subplots(
        rows,
        3,
        figsize=(10, 2.7 * rows + 0.4),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    qme = weak_form(redfield_excited(data.times))
    for ax, (n, led) in zip(axes.ravel(), data.exact.items(), strict=False):
        ax.axhline(0.0, color="0.8", lw=0.8)
        ax.plot(data.times, led.entropy_production_weak, "#e08214", lw=1.0, label="exact, (25)")
        ax.plot(data.times, led.entropy_production_fixed, "#0f62a8", lw=1.2, label="exact, (10)")
        ax.plot(data.times, qme, color="#c1272d", ls=":", label="Redfield, (25)")
        ax.plot(data.times, data.emme.entropy_production_fixed, "--", color="#2e8b57", label="EMME")
        ax.set_title(f"N = {n}", fontsize=10)
    for ax in axes.ravel()[len(data.exact) :]:
        ax.set_axis_off()
    axes[0, 0].legend(frameon=False, fontsize=8)
    for ax in axes[-1]:
        ax.set_xlabel(r"$t$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\Delta_i S$ (nats)")
    return figure


def _late(populations: np.ndarray) -> float:
    """Mean over the last half of the times."""
    return float(np.mean(populations[len(populations) // 2 :]))


def _fixed(ledger: WindowLedger) -> np.ndarray:
    return np.asarray(ledger.entropy_production_fixed)


def _weak(ledger: WindowLedger) -> np.ndarray:
    return np.asarray(ledger.entropy_production_weak)


def _excited(ledger: WindowLedger) -> np.ndarray:
    return np.asarray(ledger.system_state[:, 1, 1].real)


def _claims(data: Result) -> list[Claim]:
    smallest, largest = min(data.exact), max(data.exact)
    first, last = data.exact[smallest], data.exact[largest]
    counts = ", ".join(f"{k} of {DRAWS} at N = {n}" for n, k in data.negative.items())
    returns = _fixed(first)[data.times > 50.0]
    gaps = {n: float(np.abs(_weak(led) - _fixed(led)).max()) for n, led in data.exact.items()}
    by_size = ", ".join(f"{gap:.3f} at N = {n}" for n, gap in gaps.items())
    claims = [
        Claim(
            "entropy production (10) is never negative, at any N and in any draw",
            f"smallest {data.lowest:.1e} (allowed -1e-10)",
            data.lowest >= -1e-10,
        ),
        Claim(
            "form (25) is negative at some time in small reservoirs",
            counts,
            data.negative[SMALL[0]] > 0,
        ),
        Claim(
            "both differ by the interaction energy (27)",
            f"residual {data.interaction:.1e} (allowed 1e-9)",
            data.interaction <= 1e-9,
        ),
        Claim(
            f"near-recurrences, very close to zero, at N = {smallest}",
            f"smallest {returns.min():.3f} after t = 50, of a mean {returns.mean():.3f} "
            "(allowed a tenth)",
            returns.min() <= 0.1 * returns.mean(),
        ),
        Claim(
            f"(10) and (25) converge to one another as N grows: N = {largest}",
            f"apart by up to {by_size} (allowed 0.02)",
            gaps[largest] <= 0.02,
        ),
    ]
    claims += _claims_of_populations(data, last)
    for n, led in data.exact.items():
        if led.mutual_information is not None:
            above = np.asarray(led.entropy_production_fixed - led.mutual_information)
            claims.append(
                Claim(
                    f"entropy production bounds the correlation entropy (18), N = {n}",
                    f"smallest difference {above.min():.1e} (allowed -1e-10)",
                    above.min() >= -1e-10,
                )
            )
    return claims


def _claims_of_populations(data: Result, last: WindowLedger) -> list[Claim]:
    """Where populations go at the largest N, `last`: to Redfield's, or to the EMME's."""
    largest = max(data.exact)
    exact, emme = _late(_excited(last)), _late(_excited(data.emme))
    redfield = float(redfield_excited(np.array([1e9]))[0])
    frozen = float(np.abs(_excited(data.redfield) - redfield_excited(data.times)).max())
    return [
        Claim(
            "the frozen bath over windows is the Redfield equation (30)",
            f"largest distance of populations {frozen:.4f} (allowed 0.005)",
            frozen <= 0.005,
        ),
        Claim(
            f"the exact population goes to Redfield's, 1/(1+exp(beta Delta)): N = {largest}",
            f"exact {exact:.4f}, Redfield {redfield:.4f} (allowed 0.01)",
            abs(exact - redfield) <= 0.01,
        ),
        Claim(
            "(not the paper's) it goes to the EMME's: a flat reservoir is no bath at beta",
            f"exact {exact:.4f}, EMME {emme:.4f}, windows of no width {emme_excited():.4f} "
            "(allowed 0.03)",
            abs(exact - emme) <= 0.03,
        ),
    ]


def _arrays(data: Result) -> Mapping[str, np.ndarray]:
    out = {
        "times": data.times,
        "redfield/excited": redfield_excited(data.times),
        "redfield/weak": weak_form(redfield_excited(data.times)),
    }
    named = {f"N{n}": led for n, led in data.exact.items()}
    named |= {"emme": data.emme, "frozen": data.redfield}
    for name, led in named.items():
        out[f"{name}/excited"] = _excited(led)
        out[f"{name}/fixed"] = _fixed(led)
        out[f"{name}/weak"] = _weak(led)
        if led.mutual_information is not None:
            out[f"{name}/correlation"] = -np.asarray(led.mutual_information)
    return out


FIGURE = Figure(
    name="esposito2010-fig1",
    title="Entropy production of a spin in a random-matrix reservoir",
    citation=f"{CITATION}, Fig. 1",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
