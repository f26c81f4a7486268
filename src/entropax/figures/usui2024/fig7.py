"""Fig. 7: one random pure start beside the Fermi distribution it samples."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CITATION, MODES, junction
from entropax.model import pure_start

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 0
SAMPLES = 400


def _run(options: Options) -> dict[str, Any]:
    modes = options.modes_or(MODES)
    mixed = junction("a", 3.0, (modes, modes))
    pure = pure_start(mixed, jax.random.key(SEED))
    keys = jax.random.split(jax.random.key(SEED + 1), SAMPLES)
    draws = jax.vmap(lambda key: pure_start(mixed, key).leads[1].initial_occupations)(keys)
    return {
        "energies": np.asarray(mixed.leads[1].energies),
        "fermi": np.asarray(mixed.leads[1].initial_occupations),
        "occupations": np.asarray(pure.leads[1].initial_occupations),
        "mean_of_draws": np.asarray(draws.mean(0)),
    }


def _plot(data: dict[str, Any]) -> "Figure":
    figure, ax = plot.subplots(figsize=(4.5, 2.8), layout="constrained")
    ax.plot(data["energies"], data["fermi"], color="0.6", lw=2, label="Fermi distribution")
    ax.plot(data["energies"], data["occupations"], "k.", ms=2, label="pure state")
    ax.set(xlabel=r"$\epsilon_k$", ylabel=r"$n_{Rk}(0)$", title=r"right bath, case (a)")
    ax.legend(frameon=False, fontsize=8)
    return figure


def _claims(data: dict[str, Any]) -> list[Claim]:
    n, fermi = data["occupations"], data["fermi"]
    sharp = bool(np.all((n == 0) | (n == 1)))
    off = float(np.sum(data["mean_of_draws"] - fermi))
    error = float(np.sqrt(np.sum(fermi * (1 - fermi)) / SAMPLES))
    return [
        Claim("every mode is filled or empty", f"{int(n.sum())} of {len(n)} filled", sharp),
        Claim(
            "on average over draws the ensemble is recovered",
            f"mean particle number off by {off:+.3f} +- {error:.3f} ({SAMPLES} draws)",
            abs(off) < 4 * error,
        ),
    ]


FIGURE = Figure(
    name="usui2024-fig7",
    title="A random pure start",
    citation=f"{CITATION}, Fig. 7",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
