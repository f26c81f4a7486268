"""Fig. 4: the Clausius chain of the EMME, and the bath's nonequilibrium temperature."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import CITATION
from entropax.figures.riera2021.quench import Run, arrays, run, shade
from entropax.ledger import WindowLedger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMBERS = {
    "entropy_production": (r"$\Delta S_{obs}$", "#0f62a8", "-"),
    "entropy_production_local": (r"$\Delta S^S_{obs} + \Delta S^B_{obs}$", "#e08214", "--"),
    "clausius": (r"$\Delta S^S_{obs} - \int dQ/T^*_B$", "#2e8b57", "-."),
}
"""Members of the Clausius chain, the least one first: label, colour and line."""


def _run(options: Options) -> Run:
    return run(options)


def _members(ledger: WindowLedger) -> list[np.ndarray]:
    return [np.asarray(getattr(ledger, name)) for name in MEMBERS]


def _temperature(ledger: WindowLedger) -> np.ndarray:
    return 1.0 / np.asarray(ledger.beta[:, 0])


def _plot(data: Run) -> "Figure":
    figure, ax = plot.subplots(figsize=(6.4, 4.2), layout="constrained")
    ledger = data.ledgers["EMME"]
    for values, (label, color, line) in zip(_members(ledger), MEMBERS.values(), strict=True):
        ax.plot(data.times, values, color=color, ls=line, label=label)
    shade(ax)
    ax.set_ylabel("entropy (nats)")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.36, 0.02))
    inset = ax.inset_axes((0.58, 0.12, 0.38, 0.34))
    inset.plot(data.times, _temperature(ledger), color="#c1272d", lw=1.2)
    shade(inset)
    inset.set_xlabel("")
    inset.set_ylabel(r"$T^*_B$", fontsize=8)
    inset.tick_params(labelsize=7)
    return figure


def _claims(data: Run) -> list[Claim]:
    ledger = data.ledgers["EMME"]
    production, local, clausius = _members(ledger)
    temperature, rate = _temperature(ledger), np.asarray(ledger.entropy_production_rate)
    steps = {
        "Clausius: entropy change less heat over T* is at least the local entropies' change": (
            clausius - local
        ),
        "the local entropies' change is at least that of the observational entropy": (
            local - production
        ),
        "the observational entropy has not decreased": production,
        "its rate is not negative": rate,
    }
    claims = [
        Claim(words, f"smallest difference {gap.min():.2e} (allowed -1e-9)", gap.min() >= -1e-9)
        for words, gap in steps.items()
    ]
    finite = bool(np.all(np.isfinite(temperature)))
    claims.append(
        Claim(
            "T* starts at 0 and is no constant",
            f"T*(0) = {temperature[0]:g}, then {temperature[1:].min():.3f} to "
            f"{temperature[1:].max():.3f}",
            finite and temperature[0] == 0.0 and np.ptp(temperature[1:]) > 0.1,
        )
    )
    claims.append(
        Claim(
            "the two gaps: nonequilibrium of the bath, ignored correlations",
            f"up to {(clausius - local).max():.3f} and {(local - production).max():.3f} nats",
            (clausius - local).max() > 0.01 and (local - production).max() > 0.01,
        )
    )
    return claims


def _arrays(data: Run) -> Mapping[str, np.ndarray]:
    fields = {name: (lambda led, name=name: getattr(led, name)) for name in MEMBERS}
    return arrays(data, fields | {"beta": lambda led: led.beta[:, 0]})


FIGURE = Figure(
    name="riera2021-fig4",
    title="The Clausius inequality of a quenched spin and its finite bath",
    citation=f"{CITATION}, Fig. 4",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
