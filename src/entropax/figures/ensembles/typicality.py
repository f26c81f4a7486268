"""Fig. 8 of Usui et al. with 256 pure starts instead of one: what is typical, and how closely."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from entropax import plot
from entropax.ensemble import Ensemble, ensemble
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.usui2024.common import CITATION, junction
from entropax.ledger import FermionLedger
from entropax.model import Junction, pure_start
from entropax.plot import BATH_COLORS, TERM_STYLES, entropy_quantities
from entropax.solve import solve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CASE, GAMMA, MODES, TIMES = "a", 3.0, 200, 40
DRAWS, FEWER, SEED = 256, 128, 0
SCALES = (0.5, 1.0, 2.0, 4.0)
"""Sizes of the leads, in units of K, at which fluctuations are compared."""
LATE = np.array([1e5, 1e6, 1e7, 1e8])
BAND = (0.05, 0.5, 0.95)
ROWS = (("sigma", "Sigma"), ("inter_bath", "intra_bath", "system_bath"), ("athermality",))


class Data(NamedTuple):
    """Gamma t; the ensemble's thermal start; the pure starts; K, mean and spread of Sigma."""

    x: np.ndarray
    mixed: FermionLedger
    pure: Ensemble[FermionLedger]
    sizes: np.ndarray
    means: np.ndarray
    spreads: np.ndarray


def _sound(values: Any, runs: Ensemble) -> np.ndarray:
    """Values of the draws that did not fail."""
    return np.asarray(values)[~runs.failed]


def _draws(model: Junction, ts: np.ndarray, samples: int, options: Options) -> Ensemble:
    return ensemble(
        functools.partial(pure_start, model),
        ts,
        key=jax.random.key(SEED),
        samples=samples,
        quantiles=BAND,
        keep=True,
        progress=options.progress,
    )


def _run(options: Options) -> Data:
    modes, small = options.modes_or(MODES), options.modes is not None
    x = np.logspace(-1, 8, options.times_or(TIMES))
    model = junction(CASE, GAMMA, (modes, modes))
    mixed = solve(model, x / GAMMA).ledger
    pure = _draws(model, x / GAMMA, 32 if small else DRAWS, options)
    sizes = np.array([int(scale * modes) for scale in (SCALES[1:3] if small else SCALES)])
    means, spreads = np.zeros(len(sizes)), np.zeros(len(sizes))
    for i, k in enumerate(sizes):
        scaled = junction(CASE, GAMMA, (int(k), int(k)))
        drawn = _draws(scaled, LATE / GAMMA, 16 if small else FEWER, options)
        sigma = _sound(drawn.ledger.entropy_production, drawn)
        means[i], spreads[i] = sigma.mean(), np.sqrt(sigma.var(axis=0, ddof=1).mean())
    numbers = jax.tree.map(np.asarray, eqx.filter(mixed, eqx.is_array))
    return Data(x, numbers, pure, sizes, means, spreads)


def _exponent(data: Data) -> tuple[int, float]:
    """Least K of the larger half of the leads, and d ln(relative spread of Sigma)/d ln K there."""
    count = len(data.sizes)
    large = slice(min(count // 2, count - 2), None)
    relative = np.log(data.spreads[large] / data.means[large])
    slope = np.polyfit(np.log(data.sizes[large]), relative, 1)[0]
    return int(data.sizes[large][0]), float(slope)


def _band(ax: "Axes", data: Data, low: np.ndarray, high: np.ndarray, color: str) -> None:
    ax.fill_between(data.x, low, high, color=color, alpha=0.25, lw=0)


def _plot(data: Data) -> "Figure":
    figure, grid = plot.subplots(3, 2, figsize=(9, 9), layout="constrained")
    axes = grid.ravel()
    low, middle, high = (data.pure.quantiles[level] for level in BAND)
    named = entropy_quantities(data.pure.ledger)
    with np.errstate(invalid="ignore"):  # sigma of a pure start is infinite
        shares = {n: np.quantile(_sound(x, data.pure), BAND, axis=0) for n, x in named.items()}
    for ax, name, label in zip(axes[:2], ("beta", "mu"), (r"$\beta^*$", r"$\mu^*$"), strict=True):
        for bath, color in enumerate(BATH_COLORS[:2]):
            ax.plot(data.x, getattr(data.mixed, name)[:, bath], color="0.75", lw=4)
            ax.plot(data.x, getattr(middle, name)[:, bath], color=color, lw=1)
            _band(ax, data, getattr(low, name)[:, bath], getattr(high, name)[:, bath], color)
        ax.set_ylabel(label)
    exact = entropy_quantities(data.mixed)
    for ax, names, label in zip(axes[2:5], ROWS, ("entropy", "correlation", r"$D^*$"), strict=True):
        for name in names:
            text, color, line = TERM_STYLES[name]
            below, half, above = shares[name]
            ax.plot(data.x, exact[name], color="0.75", lw=4, ls=line)
            ax.plot(data.x, half, color=color, lw=1, ls=line, label=text)
            _band(ax, data, below, above, color)
        ax.set(yscale="log", ylim=(1e-2, None), ylabel=label)
        ax.legend(frameon=False, fontsize=8)
    for ax in axes[:5]:
        ax.set(xscale="log", xlim=(data.x[0], data.x[-1]), xlabel=r"$\Gamma t$")
    last = axes[5]
    relative = data.spreads / data.means
    last.loglog(data.sizes, relative, "o", color="#222222", label="pure starts")
    guide = relative[-1] * (data.sizes / data.sizes[-1]) ** -0.5
    last.loglog(data.sizes, guide, color="0.6", ls="--", label=r"$K^{-1/2}$")
    last.set(xlabel="$K$", ylabel=r"spread of $\Sigma$ / mean, $\Gamma t \geq 10^5$")
    last.set_xticks(data.sizes, [str(k) for k in data.sizes], minor=False)
    last.minorticks_off()
    last.legend(frameon=False, fontsize=8)
    axes[0].set_title(f"{len(data.pure.indices)} pure starts (5 to 95%), grey: mixed", fontsize=9)
    return figure


def _claims(data: Data) -> list[Claim]:
    runs, mixed = data.pure, data.mixed
    apart, names = 0.0, ("energy", "particles", "system_occupation")
    for name in names:
        error = np.asarray(getattr(runs.error, name))
        away = np.abs(np.asarray(getattr(runs.mean, name)) - getattr(mixed, name))
        apart = max(apart, float(np.max(away / np.where(error > 1e-12, error, np.inf))))
    drawn = runs.ledger
    sigma = _sound(drawn.entropy_production, runs)
    scale = float(np.max(mixed.entropy_production))
    bias = np.abs(np.asarray(runs.mean.entropy_production) - mixed.entropy_production) / scale
    spread = np.std(sigma, axis=0, ddof=1) / scale
    late = data.x >= 1e5
    mean, exact = (entropy_quantities(led) for led in (runs.mean, mixed))
    larger = {
        name: float(np.mean(mean[name][late]) / np.mean(exact[name][late])) for name in ROWS[1]
    }
    net = _sound(drawn.terms.athermality[:, -1] - drawn.terms.athermality_initial, runs)
    smallest, slope = _exponent(data)
    return [
        Claim(
            "what is linear in the state is the mixed start's on average",
            f"energies, particles, occupation: {apart:.1f} standard errors at most (allowed 5)",
            apart <= 5.0,
        ),
        Claim(
            "entropy production of a pure start is the ensemble's at all times",
            f"mean off by {bias.max():.1%} of the largest value at most, one draw by "
            f"{spread.max():.1%} (allowed 5%, 15%)",
            bool(bias.max() < 0.05 and spread.max() < 0.15),
        ),
        Claim(
            "it stays positive",
            f"lowest of all draws and times {sigma.min():.3f} (allowed -0.01)",
            bool(sigma.min() > -1e-2),
        ),
        Claim(
            "correlations end larger than from the ensemble",
            ", ".join(f"{name} x {factor:.2f}" for name, factor in larger.items()),
            min(larger.values()) > 1.0,
        ),
        Claim(
            "D*(t) - D*(0) ends negative, unlike the ensemble's",
            f"{np.mean(net):.1f} on average, negative in {np.mean(net < 0):.1%} of draws "
            f"(at least 95%), mixed {float(mixed.terms.athermality[-1]):+.1f}",
            bool(np.mean(net < 0) >= 0.95 and mixed.terms.athermality[-1] > 0),
        ),
        Claim(
            "(not the paper's) relative fluctuations fall as one over the root of large K",
            f"exponent {slope:.2f} from K = {smallest} to {data.sizes[-1]} (-0.5 +- 0.15)",
            abs(slope + 0.5) <= 0.15,
        ),
    ]


def _arrays(data: Data) -> Mapping[str, np.ndarray]:
    out = {"gamma_t": data.x, "K": data.sizes, "means": data.means, "spreads": data.spreads}
    out |= {f"mixed/{name}": x for name, x in entropy_quantities(data.mixed).items()}
    out |= {"failed": data.pure.failed}
    return out | {f"pure/{name}": x for name, x in data.pure.collected.fields("ledger").items()}


FIGURE = Figure(
    name="typicality",
    title="256 pure starts against the ensemble",
    citation=f"{CITATION}, section IV C and Fig. 8",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
