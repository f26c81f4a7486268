"""What all figures of Usui et al. (2024) share: parameters, runs, regimes."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from entropax.equilibrium import Equilibrium
from entropax.figures.base import Options
from entropax.ledger import FermionLedger, global_equilibrium
from entropax.model import Junction, Lead, pure_start
from entropax.solve import solve

CITATION = (
    "A. Usui, K. Ptaszynski, M. Esposito, P. Strasberg, Microscopic contributions to the entropy "
    "production at all times (2024)"
)
MODES, WIDTH = 1000, 10.0
BETAS = (10.0, 2.0)
MUS = {"a": (1.0, -1.0), "b": (0.5, 0.5)}
TIMES = 60
CASES = tuple(MUS)


def junction(case: str, gamma: float, modes: tuple[int, int]) -> Junction:
    """The empty level at energy 0 between two flat bands (Usui, section IV)."""
    leads = [
        Lead.flat(modes=k, width=WIDTH, coupling=gamma, beta=beta, mu=mu)
        for k, beta, mu in zip(modes, BETAS, MUS[case], strict=True)
    ]
    return Junction(level=0.0, occupation=0.0, leads=leads)


@dataclasses.dataclass(frozen=True)
class Run:
    """One curve: `x` is Gamma t, the ledger and the reference are in NumPy arrays."""

    case: str
    gamma: float
    x: np.ndarray
    ledger: FermionLedger
    reference: Equilibrium

    @property
    def regimes(self) -> tuple[float, float]:
        """Ends of regimes I and II: 5% and 95% of the way of beta_L to its final value."""
        beta = self.ledger.beta[:, 0]
        way = (beta - beta[0]) / (np.median(beta[self.late]) - beta[0])
        first = self.x[np.argmax(way > 0.05)]
        unsettled = np.flatnonzero(np.abs(way - 1.0) > 0.05)
        last = self.x[min(unsettled[-1] + 1, len(self.x) - 1)] if len(unsettled) else first
        return float(first), float(max(last, first))

    @property
    def late(self) -> np.ndarray:
        """Where time averages of regime III are taken: Gamma t from 1e5 to 1e8."""
        return self.x >= 1e5

    def late_mean(self, values: Any) -> np.ndarray:
        """Average over regime III."""
        return np.mean(np.asarray(values)[self.late], axis=0)


def run(
    case: str,
    gamma: float,
    options: Options,
    *,
    pure_seed: int | None = None,
    asymmetry: int = 0,
    late_only: bool = False,
) -> Run:
    """The exact ledger over Gamma t = 1e-1 .. 1e8, logarithmic (late_only: 1e5 .. 1e8).

    `pure_seed`: start in one random pure product state; `asymmetry`: modes moved from the right
    bath to the left one. Runs that figures share are computed once in a process.
    """
    modes = options.modes_or(MODES)
    times = options.times_or(TIMES)
    asymmetry = round(asymmetry * modes / MODES) if modes < MODES else asymmetry
    sizes = (modes + asymmetry, modes - asymmetry)
    x = np.logspace(5, 8, max(2, times // 5)) if late_only else np.logspace(-1, 8, times)
    return _run(case, gamma, sizes, tuple(x), pure_seed, options.progress)


@functools.lru_cache(maxsize=64)
def _run(
    case: str,
    gamma: float,
    sizes: tuple[int, int],
    x: tuple[float, ...],
    pure_seed: int | None,
    progress: bool,
) -> Run:
    model = junction(case, gamma, sizes)
    if pure_seed is not None:
        model = pure_start(model, jax.random.key(pure_seed))
    solution = solve(model, jnp.array(x) / gamma, progress=progress)
    numbers = eqx.filter(solution.ledger, eqx.is_array)
    ledger = jax.tree.map(np.asarray, numbers)
    reference = jax.tree.map(np.asarray, global_equilibrium(model))
    return Run(case, gamma, np.array(x), ledger, reference)


def arrays(runs: Mapping[str, Run]) -> dict[str, np.ndarray]:
    """All numbers of some runs as flat names: run/quantity."""
    out: dict[str, np.ndarray] = {}
    for name, one in runs.items():
        out[f"{name}/gamma_t"] = one.x
        for path, leaf in jax.tree_util.tree_leaves_with_path(one.ledger):
            out[f"{name}/{jax.tree_util.keystr(path, simple=True, separator='.')}"] = leaf
        out[f"{name}/reference.beta"] = np.asarray(one.reference.beta)
        out[f"{name}/reference.mu"] = np.asarray(one.reference.mu)
    return out


def relative(a: Any, b: Any) -> float:
    """Largest |a - b| over the larger of the two."""
    a, b = np.asarray(a), np.asarray(b)
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))))
