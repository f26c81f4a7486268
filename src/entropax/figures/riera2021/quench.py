"""What Figs. 3-5 of Riera-Campeny et al. (2021) share: a spin whose splitting is quenched."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from entropax.figures.base import Options
from entropax.ledger import WindowLedger
from entropax.method import EMME, Schrodinger
from entropax.model import Coupling, OpenSystem, Product, RandomBands, WindowBath
from entropax.protocol import PiecewiseConstant
from entropax.solve import solve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS, TIMES = 700, 241
"""Levels of the bath and number of times: what `--modes` and `--times` replace."""
EARLY = np.linspace(0.0, 6.0, 25)
"""Times that are added to the evenly spaced ones."""
VOLUMES = (100, 200, 400)
WIDTH, PERIOD, STRETCHES, SEED = 0.5, 120.0, 6, 0
STRENGTH = 3e-3
"""Strength of the coupling; the paper gives it with Fig. 2 and leaves it out here."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The solutions that a figure shows, by name."""

    times: np.ndarray
    ledgers: Mapping[str, WindowLedger]

    def late(self) -> np.ndarray:
        """Mask of the second halves of all stretches, where the memory of a quench is lost."""
        return (self.times % PERIOD) > 0.5 * PERIOD


def model(levels: int = LEVELS) -> OpenSystem:
    """Windows at 0, 1, 2; the upper level at 1 and at 2 in turns (Eq. 68); |1> and window 0."""
    volumes = tuple(max(2, round(v * levels / LEVELS)) for v in VOLUMES)
    bath = WindowBath(centers=(0.0, 1.0, 2.0), volumes=volumes, width=WIDTH)
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    # times of fewer levels are longer: the same relaxation in each stretch
    strength = STRENGTH * np.sqrt(LEVELS / levels)
    link = Coupling(flip, bath, strength, RandomBands(variance=1.0))
    jumps = PERIOD * np.arange(1, STRETCHES)
    splitting = PiecewiseConstant(jumps, 1.0 + np.arange(STRETCHES) % 2)
    return OpenSystem((0.0, splitting), (link,), Product(system=1, windows=(0,)))


def run(options: Options, *, exact: Schrodinger | None = None) -> Run:
    """The EMME, and exact dynamics of one draw where a method is given."""
    system = model(options.modes_or(LEVELS))
    # where the exact dynamics still remembers its start, and rates are not yet rates
    times = np.linspace(0.0, STRETCHES * PERIOD, options.times_or(TIMES))
    times = np.union1d(times, EARLY)
    methods = {"EMME": EMME()} | ({} if exact is None else {"exact": exact})
    return Run(
        times,
        {
            name: solve(system, times, method, progress=options.progress).ledger
            for name, method in methods.items()
        },
    )


def draw_of(seed: int = SEED, *, mutual_information: bool = False) -> Schrodinger:
    """Exact dynamics of the draw that is shown."""
    return Schrodinger(key=jax.random.key(seed), mutual_information=mutual_information)


def shade(ax: "Axes") -> None:
    """Shade the times at which the splitting is 2."""
    for i in range(1, STRETCHES, 2):
        ax.axvspan(i * PERIOD, (i + 1) * PERIOD, color="0.9", lw=0, zorder=0)
    ax.set(xlim=(0.0, STRETCHES * PERIOD), xlabel=r"$t\,\Delta\varepsilon$")


def arrays(data: Run, fields: Mapping[str, Callable[[WindowLedger], object]]) -> dict:
    """Fields of each ledger as flat names: description/field."""
    out: dict[str, np.ndarray] = {"times": data.times}
    for name, ledger in data.ledgers.items():
        for field, of in fields.items():
            values = of(ledger)
            if values is not None:
                out[f"{name}/{field}"] = np.asarray(values)
    return out
