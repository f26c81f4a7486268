"""Entropy production of a spin in random-matrix reservoirs: mean and variance over draws, by N."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from entropax import plot
from entropax.ensemble import ensemble
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.esposito2010.fig1 import CITATION, END, model
from entropax.method import Schrodinger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES, DRAWS = (5, 10, 20, 50, 100, 200, 500), 200
TIMES, SEED = 150, 0
SETTLED = 200.0
"""From here on populations only fluctuate: relaxation takes about 40."""


class Data(NamedTuple):
    """Times; levels of the reservoirs; by level and time the mean of (10), its standard error and
    its variance over draws; the smallest value of (10); draws of each size."""

    times: np.ndarray
    sizes: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    variance: np.ndarray
    lowest: float
    draws: int


def _run(options: Options) -> Data:
    times = np.linspace(0.0, END, options.times_or(TIMES))
    scale = options.modes_or(SIZES[-1]) / SIZES[-1]
    chosen = SIZES if options.modes is None else SIZES[::3]
    sizes = np.array([max(4 + i, round(n * scale)) for i, n in enumerate(chosen)])
    draws = DRAWS if options.modes is None else 32
    ensembles = [
        ensemble(
            model(int(n)),
            times,
            Schrodinger(),
            key=jax.random.fold_in(jax.random.key(SEED), n),
            samples=draws,
            quantiles=(0.0,),
            keep=True,
            progress=options.progress,
        )
        for n in sizes
    ]
    mean, error, lowest = (
        np.array([ledger.entropy_production_fixed for ledger in ledgers])
        for ledgers in (
            [runs.mean for runs in ensembles],
            [runs.error for runs in ensembles],
            [runs.quantiles[0.0] for runs in ensembles],
        )
    )
    sound = np.array([np.sum(~runs.failed) for runs in ensembles])[:, None]
    return Data(times, sizes, mean, error, error**2 * sound, float(lowest.min()), draws)


def _settled(data: Data, values: np.ndarray) -> np.ndarray:
    return values[:, data.times >= SETTLED].mean(axis=1)


def _exponent(data: Data) -> float:
    """d ln(variance) / d ln N of the settled entropy production, from N = 20 on."""
    large = data.sizes >= data.sizes[-1] / 25
    variance = _settled(data, data.variance)[large]
    return float(np.polyfit(np.log(data.sizes[large]), np.log(variance), 1)[0])


def _plot(data: Data) -> "Figure":
    figure, (left, right) = plot.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    shades = np.linspace(0.8, 0.0, len(data.sizes))
    for n, mean, variance, shade in zip(data.sizes, data.mean, data.variance, shades, strict=True):
        color = (0.06 + 0.9 * shade, 0.38 + 0.5 * shade, 0.66)
        left.plot(data.times, mean, color=color, label=f"N = {n}")
        spread = np.sqrt(variance)
        left.fill_between(data.times, mean - spread, mean + spread, color=color, alpha=0.15, lw=0)
    left.set(xlabel="$t$", ylabel=r"$\Delta_i S$ (10), mean and spread", xlim=(0, data.times[-1]))
    left.legend(frameon=False, fontsize=8, ncols=2)
    settled, variance = _settled(data, data.mean), _settled(data, data.variance)
    right.errorbar(
        data.sizes, settled, _settled(data, data.error), fmt="s", color="#0f62a8", label="mean"
    )
    right.plot(data.sizes, variance, "o", color="#c1272d", label="variance over draws")
    guide = variance[-1] * (data.sizes / data.sizes[-1]) ** -2.0
    right.plot(data.sizes, guide, color="0.6", ls="--", label=r"$1/N^2$")
    right.set(xscale="log", yscale="log", xlabel="$N$", ylabel=f"$t >$ {SETTLED:g}")
    right.legend(frameon=False, fontsize=8)
    return figure


def _claims(data: Data) -> list[Claim]:
    settled, error = _settled(data, data.mean), _settled(data, data.error)
    variance, slope = _settled(data, data.variance), _exponent(data)
    share = np.sqrt(variance[-1]) / settled[-1]
    last = abs(settled[-1] - settled[-2]) / settled[-1]
    return [
        Claim(
            "entropy production (10) is never negative, in any draw",
            f"smallest of {data.draws} draws a size {data.lowest:.1e} (allowed -1e-10)",
            data.lowest >= -1e-10,
        ),
        Claim(
            "its mean no longer depends on N where N is large",
            f"{settled[-2]:.4f} +- {error[-2]:.4f} and {settled[-1]:.4f} +- {error[-1]:.4f} at the "
            "two largest (allowed 5%)",
            bool(last <= 0.05),
        ),
        Claim(
            "one draw stands for all of them where N is large",
            f"spread over draws {share:.1%} of the mean at N = {data.sizes[-1]} (allowed 10%)",
            bool(share <= 0.1),
        ),
        Claim(
            "(not the paper's) variance falls as 1/N^2, as of a mean over all matrix elements",
            f"exponent {slope:.2f} from N = 20 on (-2 +- 0.4)",
            abs(slope + 2.0) <= 0.4,
        ),
    ]


def _arrays(data: Data) -> Mapping[str, np.ndarray]:
    return {
        "times": data.times,
        "N": data.sizes,
        "mean": data.mean,
        "error": data.error,
        "variance": data.variance,
    }


FIGURE = Figure(
    name="gorm-ensemble",
    title="Entropy production over draws of a random-matrix reservoir",
    citation=CITATION,
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
