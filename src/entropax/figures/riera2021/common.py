"""What Figs. 2 and 7-9 of Riera-Campeny et al. (2021) share: a spin and two energy windows."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Options
from entropax.method import EMME, AbstractMethod, BornMarkovSecular, Schrodinger
from entropax.model import Coupling, OpenSystem, Product, RandomBands, WindowBath
from entropax.solve import solve
from entropax.state import WindowState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CITATION = (
    "A. Riera-Campeny, A. Sanpera, P. Strasberg, Quantum systems correlated with a finite bath: "
    "nonequilibrium dynamics and thermodynamics, PRX Quantum 2, 010340 (2021)"
)
LEVELS = 1000
"""Levels of the bath in the largest panels: what `--modes` replaces."""
TIMES = 121
WIDTH, SEED = 0.5, 0
SPECTRA = {"regular": ("even", 1.0), "random": ("random", 1.0), "half-filled": ("random", 0.5)}
LARGE, SWAPPED, SMALL = (400, 600), (600, 400), (20, 40)
METHODS: dict[str, AbstractMethod[WindowState]] = {
    "exact": Schrodinger(),
    "EMME, Markov": EMME(),
    "EMME, finite time": EMME(memory="finite"),
    "Born-Markov-secular": BornMarkovSecular(),
}
STYLES: dict[str, dict[str, Any]] = {
    "exact": {"color": "#0f62a8", "ls": "-"},
    "EMME, Markov": {"color": "#e08214", "ls": "--"},
    "EMME, finite time": {"color": "#2e8b57", "ls": "-.", "marker": "s", "ms": 3, "markevery": 8},
    "Born-Markov-secular": {"color": "#c1272d", "ls": ":"},
}


@dataclasses.dataclass(frozen=True)
class Panel:
    """p(eps_1, E = eps_0; t) by all four descriptions.

    `volumes`: as published; `steady`: V_0 / (V_0 + V_1) of the sizes that were run, the EMME's
    steady state (Riera Eq. 36).
    """

    spectrum: str
    volumes: tuple[int, int]
    strength: float
    steady: float
    times: np.ndarray
    curves: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        return f"{self.spectrum}-{self.volumes[0]}-{self.volumes[1]}"

    def distance(self, name: str) -> float:
        """Largest distance of a description from the exact curve."""
        return float(np.max(np.abs(self.curves[name] - self.curves["exact"])))

    def late(self, name: str) -> float:
        """Average over the last quarter of the times."""
        return float(np.mean(self.curves[name][-len(self.times) // 4 :]))


def model(spectrum: str, volumes: tuple[int, int], strength: float) -> OpenSystem:
    """A spin of splitting 1 in |1>, and windows at 0 and 1, the lower one filled (section IV)."""
    levels, filling = SPECTRA[spectrum]
    bath = WindowBath(centers=(0.0, 1.0), volumes=volumes, width=WIDTH, levels=levels)
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    link = Coupling(flip, bath, strength, RandomBands(variance=1.0))
    start = Product(system=1, windows=(0,), filling=filling)
    return OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


def run(options: Options, rows: Sequence[tuple[int, int]], strength: float) -> dict[str, Panel]:
    """All panels of a figure: a row per pair of volumes, a column per kind of spectrum.

    Times reach 6.8 relaxation times of the EMME (60 in Fig. 2) and 20 at least.
    """
    scale = options.modes_or(LEVELS) / LEVELS
    panels = {}
    for volumes in rows:
        shrunk = scale if volumes != SMALL else 1.0  # small as they are
        sizes = tuple(max(4, round(v * shrunk)) for v in volumes)
        relaxation = WIDTH / (2.0 * np.pi * strength**2 * sum(sizes))
        times = np.linspace(0.0, max(6.8 * relaxation, 20.0), options.times_or(TIMES))
        for column, spectrum in enumerate(SPECTRA):
            system = model(spectrum, (sizes[0], sizes[1]), strength)
            curves = {}
            for name, method in METHODS.items():
                chosen = method
                if isinstance(method, Schrodinger):
                    chosen = Schrodinger(key=jax.random.key(SEED + column))
                solution = solve(system, times, chosen, progress=options.progress)
                curves[name] = np.asarray(solution.ledger.joint[:, 1, 0])
            steady = sizes[0] / sum(sizes)
            panel = Panel(spectrum, volumes, strength, steady, times, curves)
            panels[panel.name] = panel
    return panels


def draw(panels: Mapping[str, Panel]) -> "Figure":
    """The panels in the paper's order."""
    rows = len(panels) // len(SPECTRA)
    figure, axes = plot.subplots(
        rows,
        3,
        figsize=(10, 2.7 * rows + 0.4),
        sharex="row",
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for ax, panel in zip(axes.ravel(), panels.values(), strict=True):
        _panel(ax, panel)
    for ax, spectrum in zip(axes[0], SPECTRA, strict=True):
        ax.set_title(f"{spectrum} bath" if spectrum != "half-filled" else "half-filled window")
    for ax in axes[-1]:
        ax.set_xlabel(r"$t\,\Delta\varepsilon$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$p(\varepsilon_1, E = \varepsilon_0)$")
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def _panel(ax: "Axes", panel: Panel) -> None:
    for name, curve in panel.curves.items():
        ax.plot(panel.times, curve, label=name, lw=1.4, **STYLES[name])
    ax.axhline(panel.steady, color="0.8", lw=0.8, zorder=0)
    ax.text(
        0.03,
        0.05,
        rf"$V = {panel.volumes[0]}, {panel.volumes[1]}$",
        transform=ax.transAxes,
        fontsize=8,
    )
    ax.set(ylim=(-0.03, 1.03), xlim=(0.0, panel.times[-1]))


def arrays(panels: Mapping[str, Panel]) -> dict[str, np.ndarray]:
    """All curves as flat names: panel/description."""
    out = {}
    for name, panel in panels.items():
        out[f"{name}/times"] = panel.times
        out |= {f"{name}/{curve}": values for curve, values in panel.curves.items()}
    return out


def steady_state(panel: Panel, allowed: float) -> Claim:
    """Whether the exact populations end at the EMME's steady state."""
    late = panel.late("exact")
    return Claim(
        f"{panel.name}: the EMME gives the right steady state",
        f"exact, last quarter {late:.3f}; V0/(V0+V1) = {panel.steady:.3f} (allowed {allowed:g})",
        abs(late - panel.steady) <= allowed,
    )
