"""Where the EMME holds: its distance from exact draws over coupling and volume."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from entropax import plot
from entropax.ensemble import ensemble
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021 import common, fig2, fig8, fig9
from entropax.method import EMME, Schrodinger
from entropax.progress import bar
from entropax.solve import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VOLUMES = (30, 60, 125, 250, 500, 1000)
"""Volumes of both windows together; the lower window has two fifths."""
STRENGTHS = np.geomspace(3e-4, 3e-2, 9)
DRAWS, TIMES, SEED = 4, 81, 0
PUBLISHED = [
    (strength, sum(volumes))
    for strength in (fig2.STRENGTH, fig8.STRENGTH, fig9.STRENGTH)
    for volumes in (common.SMALL, common.LARGE, common.SWAPPED)
]
"""The nine points of appendix F; two pairs of volumes have one sum."""


class Data(NamedTuple):
    """Volumes and couplings; by both, the mean and the largest distance of populations of draws."""

    volumes: np.ndarray
    strengths: np.ndarray
    mean: np.ndarray
    largest: np.ndarray

    @property
    def rate(self) -> np.ndarray:
        r"""Decay rates $\gamma = 2\pi\lambda^2 V/\delta$ by volume and coupling, over the width
        $\delta$ of a window."""
        return 2.0 * np.pi * self.strengths**2 * self.volumes[:, None] / common.WIDTH**2


def _distance(strength: float, volume: int, times: int) -> np.ndarray:
    r"""Largest difference of $p(\epsilon_1, E_0; t)$ between each exact draw and the EMME."""
    lower = round(0.4 * volume)
    model = common.model("regular", (lower, volume - lower), strength)
    relaxation = common.WIDTH / (2.0 * np.pi * strength**2 * volume)
    ts = np.linspace(0.0, max(6.8 * relaxation, 20.0), times)
    emme = np.asarray(solve(model, ts, EMME(memory="finite")).ledger.joint)
    exact = ensemble(model, ts, Schrodinger(), key=jax.random.key(SEED), samples=DRAWS, keep=True)
    away = np.abs(exact.ledger.joint - emme)[:, :, 1, 0].max(axis=1)
    return np.where(exact.failed, np.nan, away)


def _run(options: Options) -> Data:
    scale = options.modes_or(VOLUMES[-1]) / VOLUMES[-1]
    chosen = VOLUMES if options.modes is None else VOLUMES[1::2]
    volumes = np.array([max(10 + 5 * i, round(v * scale)) for i, v in enumerate(chosen)])
    strengths = STRENGTHS if options.modes is None else STRENGTHS[::4]
    times = options.times_or(TIMES)
    with bar("maps", len(volumes) * len(strengths), shown=options.progress) as show:
        per_draw = []
        for volume in volumes:
            for strength in strengths:
                per_draw.append(_distance(float(strength), int(volume), times))
                show(len(per_draw), f"V = {volume}")
    distances = np.array(per_draw).reshape(len(volumes), len(strengths), DRAWS)
    return Data(volumes, strengths, np.nanmean(distances, -1), np.nanmax(distances, -1))


def _edges(centers: np.ndarray) -> np.ndarray:
    """Edges midway between neighbours on a logarithmic axis, and as far beyond the outermost."""
    logs = np.log(centers)
    middle = 0.5 * (logs[1:] + logs[:-1])
    return np.exp(np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]]))


def _plot(data: Data) -> "Figure":
    figure, ax = plot.subplots(figsize=(7, 4.6), layout="constrained")
    strengths, volumes = _edges(data.strengths), _edges(data.volumes)
    image = ax.pcolormesh(strengths, volumes, data.mean, cmap="viridis_r", vmin=0.0)
    figure.colorbar(image, label=r"largest $|p_{exact} - p_{EMME}|$, mean over draws")
    fine = np.geomspace(strengths[0], strengths[-1], 200)
    unit = common.WIDTH / np.sqrt(2.0 * np.pi)
    ax.plot(fine, (unit / fine) ** 2, "w--", lw=1.2, label=r"$\gamma = \delta$: too strong above")
    ax.plot(fine, unit / fine, "w:", lw=1.2, label=r"$\gamma = \delta/V$: too few levels below")
    ax.plot(*zip(*PUBLISHED, strict=True), "o", color="#c1272d", ms=5, label="Riera, App. F")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"coupling $\lambda$",
        ylabel="volume $V$",
        xlim=(strengths[0], strengths[-1]),
        ylim=(volumes[0], volumes[-1]),
    )
    legend = ax.legend(fontsize=8, loc="lower left", facecolor="0.4")
    for text in legend.get_texts():
        text.set_color("white")
    return figure


def _claims(data: Data) -> list[Claim]:
    levels = data.rate * data.volumes[:, None]
    inside = (data.rate <= 0.1) & (levels >= 10.0)
    sparse, strong = levels <= 0.3, data.rate >= 1.0
    worst = float(data.largest[inside].max()) if inside.any() else np.nan
    best_sparse = float(data.mean[sparse].min()) if sparse.any() else np.nan
    best_strong = float(data.mean[strong].min()) if strong.any() else np.nan
    best = np.unravel_index(np.argmin(data.mean), data.mean.shape)
    return [
        Claim(
            "the EMME holds between: many levels within the rate, the rate within a window",
            f"largest distance {worst:.3f} in {inside.sum()} points with gamma <= delta/10 and "
            "gamma >= 10 delta/V (allowed 0.1)",
            worst <= 0.1,
        ),
        Claim(
            "it fails where the rate does not reach the next level",
            f"smallest {best_sparse:.2f} in {sparse.sum()} points with gamma <= 0.3 delta/V "
            "(at least 0.2)",
            best_sparse >= 0.2,
        ),
        Claim(
            "it fails where the rate exceeds a window's width",
            f"smallest {best_strong:.2f} in {strong.sum()} points with gamma >= delta "
            "(at least 0.05)",
            best_strong >= 0.05,
        ),
        Claim(
            "(not the paper's) it holds best at large volume and moderate coupling",
            f"{data.mean[best]:.4f} at V = {data.volumes[best[0]]}, lambda = "
            f"{data.strengths[best[1]]:.1e}",
            bool(best[0] == len(data.volumes) - 1),
        ),
    ]


def _arrays(data: Data) -> Mapping[str, np.ndarray]:
    return dict(data._asdict()) | {"rate": data.rate}


FIGURE = Figure(
    name="emme-validity",
    title="Where the EMME holds: coupling against volume",
    citation=f"{common.CITATION}, appendix F",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
