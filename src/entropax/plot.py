"""Pictures of fermion ledgers (needs matplotlib: the extra `plot`).

Every function draws on an axes that it is given, against times (or anything else) `x`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from entropax.equilibrium import Equilibrium
from entropax.ledger import FermionLedger, about

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BATH_COLORS = ("#c1272d", "#0f62a8", "#2e8b57", "#b8860b", "#6a3d9a")
INTRA_COLORS = ("#2e8b57", "#8fd0a5", "#145a32", "#b7e4c7", "#40916c")
BATH_NAMES = ("L", "R")

_FIELDS = about(FermionLedger)


def label(field: str) -> str:
    """The symbol of a field of a fermion ledger."""
    return f"${_FIELDS[field]['symbol']}$"


TERM_STYLES = {
    "sigma": (label("entropy_production_fixed"), "#222222", "--"),
    "Sigma": (label("entropy_production"), "#222222", "-"),
    "finite_bath": (label("terms.finite_bath"), "#999999", "-"),
    "inter_bath": (label("terms.inter_bath"), "#0f62a8", "-"),
    "athermality": (label("terms.athermality"), "#c1272d", "-"),
    "intra_bath": (r"$\sum_\nu I_\nu$", "#2e8b57", "-"),
    "system_bath": (label("terms.system_bath"), "#b8860b", "-"),
}
"""Label, colour and line of each quantity, alike in all pictures."""


def subplots(*args: Any, **options: Any) -> tuple[Any, Any]:
    """`matplotlib.pyplot.subplots`, imported when a picture is made and not before."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'entropax[plot]'.") from error
    return plt.subplots(*args, **options)


def bath_name(index: int, baths: int) -> str:
    """L and R for two baths, numbers for more."""
    return BATH_NAMES[index] if baths == len(BATH_NAMES) else str(index + 1)


def _by_bath(
    ax: "Axes",
    x: ArrayLike,
    columns: ArrayLike,
    symbol: str,
    colors: Sequence[str] = BATH_COLORS,
) -> None:
    columns = np.asarray(columns)
    baths = columns.shape[1]
    for index in range(baths):
        text = f"${symbol.format(bath_name(index, baths))}$"
        ax.plot(np.asarray(x), columns[:, index], color=colors[index % len(colors)], label=text)


def inverse_temperatures(
    ax: "Axes", x: ArrayLike, ledger: FermionLedger, reference: Equilibrium | None = None
) -> None:
    """Effective inverse temperatures; dashed: that of the global reference state."""
    _by_bath(ax, x, ledger.beta, r"\beta^*_{{{}}}")
    if reference is not None:
        ax.axhline(float(reference.beta), color="0.5", ls="--", lw=1, label=r"$\beta_{ref}$")
    ax.set_ylabel(r"$\beta^*$")


def chemical_potentials(
    ax: "Axes", x: ArrayLike, ledger: FermionLedger, reference: Equilibrium | None = None
) -> None:
    """Effective chemical potentials; dashed: that of the global reference state."""
    _by_bath(ax, x, ledger.mu, r"\mu^*_{{{}}}")
    if reference is not None:
        ax.axhline(float(reference.mu), color="0.5", ls="--", lw=1, label=r"$\mu_{ref}$")
    ax.set_ylabel(r"$\mu^*$")


def distance_from_thermality(ax: "Axes", x: ArrayLike, ledger: FermionLedger) -> None:
    """How far each bath is from its effective grand canonical state, between 0 and 1."""
    _by_bath(ax, x, ledger.distance_from_thermality, r"{}")
    ax.set_ylabel(r"$D[\rho_\nu\|\pi_\nu]\,/\,\mathcal{S}_\nu$")


def entropy_quantities(ledger: FermionLedger) -> dict[str, np.ndarray]:
    """Entropy production in both forms and its terms, by the names of `TERM_STYLES`."""
    terms = ledger.terms
    values = {
        "sigma": ledger.entropy_production_fixed,
        "Sigma": ledger.entropy_production,
        "finite_bath": terms.finite_bath,
        "inter_bath": terms.inter_bath,
        "athermality": terms.athermality,
        "intra_bath": terms.intra_bath.sum(-1),
        "system_bath": terms.system_bath,
    }
    return {name: np.asarray(value) for name, value in values.items()}


def entropy_production(
    ax: "Axes", x: ArrayLike, ledger: FermionLedger, names: Sequence[str] = tuple(TERM_STYLES)
) -> None:
    """Entropy production in both forms and the terms it is made of."""
    values = entropy_quantities(ledger)
    for name in names:
        text, color, line = TERM_STYLES[name]
        ax.plot(np.asarray(x), values[name], color=color, ls=line, label=text)
    ax.set_ylabel("entropy (nats)")


def correlations(ax: "Axes", x: ArrayLike, ledger: FermionLedger) -> None:
    """Mutual informations: between the baths, of system and baths, and within each bath."""
    entropy_production(ax, x, ledger, ("inter_bath", "system_bath"))
    _by_bath(ax, x, ledger.terms.intra_bath, "I_{{o{}}}", INTRA_COLORS)
    ax.set_ylabel("correlation (nats)")


def mark_regimes(ax: "Axes", bounds: tuple[float, float]) -> None:
    """Vertical lines between the regimes I (steady), II (relaxing) and III (thermalised)."""
    for bound in bounds:
        ax.axvline(bound, color="0.7", lw=0.8, zorder=0)
    low, high = ax.get_xlim()
    edges = np.log([low, *bounds, high])
    for name, a, b in zip(("I", "II", "III"), edges[:-1], edges[1:], strict=True):
        place = (0.5 * (a + b) - edges[0]) / (edges[-1] - edges[0])
        ax.text(place, 1.01, name, transform=ax.transAxes, ha="center", va="bottom", fontsize=8)
