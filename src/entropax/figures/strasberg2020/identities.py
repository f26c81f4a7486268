"""All identities of the second law with their residuals, on random models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from entropax import plot
from entropax.diagnosis import Identity, identities
from entropax.figures.base import Claim, Figure, Options
from entropax.ledger import ObservationLedger, WindowLedger
from entropax.method import EMME, AbstractMethod, Schrodinger, microcanonical_master_equation
from entropax.model import (
    GUE,
    Coupling,
    Observation,
    OpenSystem,
    Product,
    RandomBands,
    WindowBath,
)
from entropax.protocol import PiecewiseConstant
from entropax.solve import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = (
    "P. Strasberg, Entropy production as change in observational entropy, arXiv:1906.09933 (2020)"
)
LEVELS, TIMES, END, SEED = 1000, 13, 40.0, 0
"""Levels of the single bath, which make 2000 states with the spin: what `--modes` replaces."""
EXACT, MASTER = 1e-9, 1e-8
"""Allowed residuals of exact states, and of master equations at their default tolerances."""


@dataclasses.dataclass(frozen=True)
class Solved:
    """The solution of one model by one method, and its identities."""

    ledger: WindowLedger
    table: tuple[Identity, ...]
    allowed: float


@dataclasses.dataclass(frozen=True)
class Result:
    """The solved models, by name."""

    times: np.ndarray
    solved: Mapping[str, Solved]


def _flip() -> jax.Array:
    return jnp.array([[0.2, 1.0], [1.0, -0.3]])


def single(levels: int, start: Product, upper: object = 1.0) -> OpenSystem:
    """A spin and one bath of three windows, coupled by random bands."""
    volumes = [max(2, round(share * levels)) for share in (0.2, 0.3, 0.5)]
    bath = WindowBath(centers=(0.0, 1.0, 2.0), volumes=volumes, width=0.6)
    # so that the start relaxes over some units of time, whatever the size
    strength = 0.25 / np.sqrt(levels)
    return OpenSystem((0.0, upper), (Coupling(_flip(), bath, strength, RandomBands()),), start)


def double(levels: int, start: Product) -> OpenSystem:
    """A spin between two baths of windows of their own, together as large as the single one."""
    each = max(6, round(np.sqrt(levels)))
    hot = WindowBath((0.0, 1.0), (each // 3, each - each // 3), width=0.7)
    cold = WindowBath((-0.1, 0.9), (each // 2, each - each // 2), width=0.8)
    strength = 0.3 / np.sqrt(each)
    links = (
        Coupling(_flip(), hot, strength, RandomBands()),
        Coupling(_flip(), cold, strength, GUE(variance=1.0)),
    )
    return OpenSystem((0.0, 1.0), links, start)


def _cases(levels: int) -> dict[str, tuple[OpenSystem, AbstractMethod]]:
    key = jax.random.key(SEED)
    window = single(levels, Product(system=1, windows=(0,)))
    canonical = single(levels // 2, Product(system=[0.8, 0.2], beta=(1.2,)))
    splitting = PiecewiseConstant((END / 4, END / 2), (1.0, 2.0, 1.0))
    quenched = single(levels // 2, Product(system=1, windows=(0,)), splitting)
    two = double(levels // 2, Product(system=[0.8, 0.2], beta=(0.3, 2.0)))
    fine = Schrodinger(key, mutual_information=True, observation=Observation(windows=["levels"]))
    coarse = Schrodinger(
        key, mutual_information=True, observation=Observation("eigenbasis", [None])
    )
    both = Schrodinger(key, observation=Observation(windows=["levels", "levels"]))
    return {
        "exact, one window": (window, coarse),
        "exact, canonical": (canonical, fine),
        "exact, quenched": (quenched, coarse),
        "exact, two baths": (two, both),
        "EMME, one window": (window, EMME()),
        "EMME, canonical": (canonical, microcanonical_master_equation()),
        "EMME, quenched": (quenched, EMME(coherences=False)),
        "EMME, two baths": (two, EMME()),
    }


def run(options: Options, names: Sequence[str] | None = None) -> Result:
    """The models by their `names`, None for all."""
    times = np.linspace(0.0, END, options.times_or(TIMES))
    solved = {}
    for name, (model, method) in _cases(options.modes_or(LEVELS)).items():
        if names is not None and name not in names:
            continue
        solution = solve(model, times, method, progress=options.progress)
        allowed = EXACT if isinstance(method, Schrodinger) else MASTER
        solved[name] = Solved(solution.ledger, identities(model, method, solution), allowed)
    return Result(times, solved)


def _terms(seen: ObservationLedger) -> dict[str, np.ndarray]:
    """The non-negative pieces of the change of observational entropy (Eqs. 22, 39)."""
    terms = seen.terms
    return {
        r"$S_{Sh}(p_s) - S[\rho_S]$": np.asarray(terms.system_coherence),
        "bath, coherences": np.asarray(terms.bath_coherence.sum(-1)),
        r"$\sum p_E D[\rho_B(E)\|\rho_{mic}]$": np.asarray(terms.ignorance.sum(-1)),
        r"$I[\rho] - I[p]$": np.asarray(terms.correlation - terms.coarse_correlation),
    }


def _plot(data: Result) -> "Figure":
    names = [name for name, case in data.solved.items() if case.ledger.observed is not None]
    figure, axes = plot.subplots(
        1, len(names), figsize=(3.1 * len(names), 3.5), layout="constrained", squeeze=False
    )
    for ax, name in zip(axes[0], names, strict=True):
        seen = data.solved[name].ledger.observed
        assert seen is not None
        terms = _terms(seen)
        ax.stackplot(data.times, *terms.values(), labels=list(terms), alpha=0.75)
        whole = np.asarray(seen.entropy - seen.joint_entropy)
        ax.plot(data.times, whole, "k.", ms=5, label=r"$S_{obs} - S_{vN}[\rho]$")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("t")
    axes[0, 0].set_ylabel("entropy (nats)")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, ncols=5, loc="outside lower center")
    return figure


def _claims(data: Result) -> list[Claim]:
    return [
        Claim(
            f"{name}: {identity.name} ({identity.source}) {identity.relation}",
            f"off by {identity.violation:.1e} (allowed {case.allowed:g})",
            identity.violation <= case.allowed,
        )
        for name, case in data.solved.items()
        for identity in case.table
    ]


def _arrays(data: Result) -> Mapping[str, np.ndarray]:
    out = {"times": data.times}
    for name, case in data.solved.items():
        for identity in case.table:
            out[f"{name}/{identity.name}"] = np.asarray(identity.residual)
    return out


FIGURE = Figure(
    name="strasberg2020-identities",
    title="Identities of observational entropy and entropy production",
    citation=CITATION,
    run=run,
    plot=_plot,
    claims=_claims,
    arrays=_arrays,
)
