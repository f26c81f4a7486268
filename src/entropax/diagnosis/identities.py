"""The identities and inequalities of the second law, each as a residual.

S, R, E: equations of Strasberg (2020), of Riera-Campeny et al. (2021), of Esposito et al. (2010).
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.entropy import marginal, observational
from entropax.ledger.windows import WindowLedger
from entropax.method import EMME, AbstractMethod, Schrodinger
from entropax.method.sampling import Samples, certainly_apart, samples
from entropax.method.windows.memory_kernels import offsets
from entropax.model import OpenSystem, Product
from entropax.model.open_system import joint_volumes

_MISMATCH = 1e-12
"""Entropy that the start misses, below which it misses none."""


class Identity(NamedTuple):
    """One relation at all times.

    `residual`: left side less right side; it vanishes where `relation` is "=", and is not negative
    where it is ">=".
    """

    name: str
    source: str
    relation: Literal["=", ">="]
    residual: Float[Array, " times"]

    @property
    def violation(self) -> float:
        """How far it is from holding, at worst."""
        residual = self.residual if self.relation == ">=" else -jnp.abs(self.residual)
        return float(jnp.maximum(0.0, -jnp.min(residual)))


@runtime_checkable
class Solved(Protocol):
    """A solution of a window model."""

    @property
    def ts(self) -> Array: ...

    @property
    def ledger(self) -> WindowLedger: ...


@dataclasses.dataclass(frozen=True)
class _Case:
    model: OpenSystem
    method: AbstractMethod
    ts: Array
    ledger: WindowLedger

    @property
    def samples(self) -> Samples | None:
        """The undriven model now and then, in every stretch."""
        return samples(self.model, self.ts)

    @property
    def beta(self) -> Array:
        assert isinstance(self.model.start, Product)
        assert self.model.start.beta is not None
        return self.model.start.beta


Premise = Callable[[_Case], str | None]
"""What is missing, in words; None where nothing is."""


def _product(case: _Case) -> str | None:
    if isinstance(case.model.start, Product):
        return None
    return f"a product start, but `start` is a {type(case.model.start).__name__}"


def _canonical(case: _Case) -> str | None:
    start = case.model.start
    if isinstance(start, Product) and start.beta is not None:
        return None
    return "a product start with canonical baths (`Product(system, beta=...)`)"


def _thermal_windows(case: _Case) -> str | None:
    """At the first time each bath is canonical over its windows, of all with its energy."""
    if (missing := _product(case)) is not None:
        return missing
    led = case.ledger
    below = float(jnp.max(led.thermal_entropy[0] - _known(led.bath_observational_entropy)[0]))
    if below <= _MISMATCH:
        return None
    return f"baths that start canonical over their windows, but are {below:.3g} nats from it"


def _exact(case: _Case) -> str | None:
    return None if isinstance(case.method, Schrodinger) else "exact dynamics (`Schrodinger`)"


def _emme(case: _Case) -> str | None:
    return None if isinstance(case.method, EMME) else "the master equation of finite baths (`EMME`)"


def _markov(case: _Case) -> str | None:
    method = case.method
    if not (isinstance(method, EMME) and method.memory == "infinite" and method.secular):
        return "`EMME()` with infinite memory, secular"
    if not certainly_apart(case.samples):
        return "levels of the system of which no two have one energy"
    return None


def _resonant(case: _Case) -> str | None:
    """Where the EMME's jumps fall between windows it shares them, and energy is not conserved."""
    needed = "windows on resonance with all transitions of the system, at all times"
    if isinstance(case.method, Schrodinger):
        return None
    if (missing := _markov(case)) is not None:
        return missing
    model = case.model
    if not model.is_piecewise_constant:
        return needed
    if (seen := case.samples) is None:
        return needed
    for number in range(len(model.baths)):
        away = np.abs(np.asarray(seen.each(functools.partial(offsets, number=number))))
        if np.any((away > 1e-9) & (away < 1.0 - 1e-9)):
            return needed
    return None


def _undriven(case: _Case) -> str | None:
    return "energies that are not driven" if case.model.is_driven else None


def _evolving(case: _Case) -> str | None:
    return "baths that evolve" if case.ledger.entropy_production is None else None


def _even(case: _Case) -> str | None:
    """For exact dynamics, levels of a window evenly filled and the system diagonal (S14)."""
    start = case.model.joint_start
    if _exact(case) is not None:
        return _markov(case)
    if start.is_diagonal and not (
        isinstance(start, Product) and (start.beta is not None or start.filling < 1.0)
    ):
        return None
    return "a start evenly filled in each window and diagonal in the system's energies"


def _information(case: _Case) -> str | None:
    known = case.ledger.mutual_information is not None
    return None if known else "`Schrodinger(mutual_information=True)`"


def _observed(case: _Case) -> str | None:
    return None if case.ledger.observed is not None else "`Schrodinger(observation=...)`"


def _matched(case: _Case) -> str | None:
    """Nothing observational at the start beyond the von Neumann entropy (S14)."""
    if (missing := _observed(case)) is not None:
        return missing
    assert case.ledger.observed is not None
    initial = float(case.ledger.observed.terms_initial.total)
    if initial <= _MISMATCH:
        return None
    return f"an observation that sees all of the start's entropy, but misses {initial:.3g} of it"


def _one_bath(case: _Case) -> str | None:
    return None if len(case.model.baths) == 1 else "one bath"


def _known(values: Array | None) -> Array:
    assert values is not None
    return values


def _splitting(case: _Case) -> Array:
    led = case.ledger
    parts = led.system_observational_entropy + jnp.sum(_known(led.bath_observational_entropy), -1)
    return _known(led.observational_entropy) - parts + led.coarse_correlation


def _local(case: _Case) -> Array:
    led = case.ledger
    return _known(led.entropy_production_local) - _known(led.entropy_production)


def _first_law(case: _Case) -> Array:
    led = case.ledger
    if led.interaction_energy is None:
        gained = led.system_energy - led.system_energy[0]
        return gained - (led.work - led.work[0]) - jnp.sum(led.heat - led.heat[0], -1)
    return (led.total_energy - led.total_energy[0]) - (led.work - led.work[0])


def _energies(model: OpenSystem) -> np.ndarray:
    """Of level and windows together."""
    total = np.asarray(model.spectrum()[0])
    for bath in model.baths:
        total = np.add.outer(total, np.asarray(bath.centers))
    return total


def _total_energy(case: _Case) -> Array:
    """Largest change of the probability of any total energy since the first time."""
    rounded, place = np.unique(np.round(_energies(case.model), 9), return_inverse=True)
    joint = case.ledger.joint.reshape(case.ledger.joint.shape[0], -1)
    member = np.equal.outer(place.ravel(), np.arange(len(rounded))).astype(float)
    p = joint @ member
    return jnp.max(jnp.abs(p - p[0]), axis=1)


def _spohn(case: _Case) -> Array:
    """d S_obs/dt + d_t D[p || p_T] for T = 1; nothing where a probability starts to rise from 0."""
    led, model = case.ledger, case.model
    flow, p = led.joint_rate, led.joint
    filled = p > 1e-300
    logs = jnp.log(jnp.where(filled, p, 1.0)) - jnp.log(joint_volumes(model)) + _energies(model)
    axes = tuple(range(1, p.ndim))
    change = jnp.sum(jnp.where(filled, flow * logs, 0.0), axis=axes)
    whole = jnp.all(filled | (jnp.abs(flow) < 1e-12), axis=axes)
    return jnp.where(whole, _known(led.entropy_production_rate) + change, 0.0)


def _window_divergence(joint: Array) -> Array:
    """sum over baths of D[p_E(t) || p_E(0)], p(0) canonical over what is measured."""
    total = jnp.zeros(joint.shape[0])
    for axis in range(2, joint.ndim):
        p = jax.vmap(lambda joint, axis=axis - 1: marginal(joint, axis))(joint)
        start = p[0]
        filled = p > 0
        logs = jnp.log(jnp.where(filled, p / jnp.where(start > 0, start, 1.0), 1.0))
        total = total + jnp.sum(p * logs, axis=1)
    return total


def _to_fixed_master(case: _Case) -> Array:
    led = case.ledger
    system = led.system_observational_entropy - led.system_observational_entropy[0]
    old = system - led.heat @ case.beta
    away = _window_divergence(led.joint)
    return _known(led.entropy_production) - old + led.coarse_correlation + away


def _to_fixed_exact(case: _Case) -> Array:
    led = case.ledger
    assert led.observed is not None
    terms = led.observed.terms
    difference = led.observed.entropy_production - led.entropy_production_fixed
    away = _window_divergence(led.observed.outcomes)
    return difference - terms.system_coherence + away + terms.coarse_correlation


def _account(case: _Case) -> Array:
    """Sigma~ less I_cor and the divergences of the baths from their initial states."""
    led = case.ledger
    assert led.observed is not None
    seen, beta = led.observed, case.beta
    gained = led.energy - led.energy[0]
    apart = gained @ beta - jnp.sum(seen.bath_entropy - seen.bath_entropy[0], axis=-1)
    return led.entropy_production_fixed - seen.terms.correlation - apart


def _bath_split(case: _Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    worst = jnp.zeros(seen.entropy.shape)
    for number in range(len(case.model.baths)):
        entropy = jax.vmap(
            lambda joint, volume, axis=1 + number: observational(marginal(joint, axis), [volume])
        )(seen.outcomes, seen.volumes[number])
        own = seen.bath_entropy[:, number] + seen.terms.bath_coherence[:, number]
        worst = jnp.maximum(worst, jnp.abs(entropy - own - seen.terms.ignorance[:, number]))
    return worst


def _smallest_term(case: _Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    terms = seen.terms
    apart = terms.correlation - terms.coarse_correlation
    of_baths = jnp.minimum(terms.bath_coherence, terms.ignorance)
    return jnp.minimum(jnp.minimum(terms.system_coherence, apart), jnp.min(of_baths, axis=-1))


def _above_ignorance(case: _Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    apart = seen.terms.correlation - seen.terms.coarse_correlation
    return seen.entropy_production - jnp.sum(seen.terms.ignorance, axis=-1) - apart


def _interaction(case: _Case) -> Array:
    led = case.ledger
    energy = _known(led.interaction_energy)
    gap = _known(led.entropy_production_weak) - led.entropy_production_fixed
    return gap - case.beta[0] * (energy - energy[0])


def _free_energy(case: _Case) -> Array:
    """beta (W - Delta F) less Sigma~, with F = U - T S and U of system and interaction."""
    led = case.ledger
    energy = led.system_energy + _known(led.interaction_energy)
    spent = led.work - led.work[0] - (energy - energy[0])
    gained = led.system_entropy - led.system_entropy[0]
    return case.beta[0] * spent + gained - led.entropy_production_fixed


class _Entry(NamedTuple):
    name: str
    source: str
    relation: Literal["=", ">="]
    premises: tuple[Premise, ...]
    residual: Callable[[_Case], Array]


_ENTRIES = (
    _Entry("splitting", "S10, S37", "=", (_evolving,), _splitting),
    _Entry(
        "local",
        "R66",
        "=",
        (_evolving, _product),
        lambda c: _local(c) - c.ledger.coarse_correlation,
    ),
    _Entry(
        "clausius-local",
        "R67, R74",
        ">=",
        (_evolving, _thermal_windows),
        lambda c: _known(c.ledger.clausius) - _known(c.ledger.entropy_production_local),
    ),
    _Entry("local-production", "R67, R74", ">=", (_evolving, _product), _local),
    _Entry(
        "second law",
        "R57, S26",
        ">=",
        (_evolving, _even),
        lambda c: _known(c.ledger.entropy_production),
    ),
    _Entry("rate", "R57", ">=", (_markov,), lambda c: _known(c.ledger.entropy_production_rate)),
    _Entry("spohn", "R56, S56", "=", (_markov, _undriven, _resonant), _spohn),
    _Entry("first law", "R49, R72, E22", "=", (_evolving, _resonant), _first_law),
    _Entry("total energy", "R32, S49", "=", (_markov, _undriven, _resonant), _total_energy),
    _Entry(
        "mutual information",
        "R42, S24",
        ">=",
        (_information,),
        lambda c: _known(c.ledger.mutual_information) - c.ledger.coarse_mutual_information,
    ),
    _Entry("fixed temperature, master equation", "S60", "=", (_emme, _canonical), _to_fixed_master),
    _Entry(
        "fixed temperature",
        "E10, S5",
        ">=",
        (_exact, _canonical),
        lambda c: c.ledger.entropy_production_fixed,
    ),
    _Entry(
        "above correlations",
        "E18",
        ">=",
        (_exact, _canonical, _information, _one_bath),
        lambda c: c.ledger.entropy_production_fixed - _known(c.ledger.mutual_information),
    ),
    _Entry("weak coupling", "E27", "=", (_exact, _canonical, _one_bath), _interaction),
    _Entry("free energy", "E23, E24", "=", (_exact, _canonical, _one_bath), _free_energy),
    _Entry("bath under measurement", "S12", "=", (_observed,), _bath_split),
    _Entry(
        "terms",
        "S22, S39",
        "=",
        (_observed,),
        lambda c: c.ledger.observed.residual,
    ),
    _Entry("terms are positive", "S22, S23, S24, S39", ">=", (_observed,), _smallest_term),
    _Entry("ignorance", "S26, S40", ">=", (_observed, _matched), _above_ignorance),
    _Entry("correlation and divergence", "S5, E17", "=", (_observed, _canonical), _account),
    _Entry("fixed temperature, exact", "S32", "=", (_canonical, _matched), _to_fixed_exact),
)

NAMES = tuple(entry.name for entry in _ENTRIES)
"""Of all identities."""


def identities(
    model: OpenSystem,
    method: AbstractMethod,
    solution: Solved,
    names: Sequence[str] | None = None,
) -> tuple[Identity, ...]:
    """Residuals of the identities and inequalities that a solved model must obey.

    **Arguments:** `model`, `method` and the `solution` that `solve` made of them, at times of
    which the first is 0; `names`: which identities (`entropax.ledger.NAMES`); None for all whose
    premises hold. A report, not to be traced.

    Raises `ValueError` for an identity asked for by name whose premise does not hold, and says
    what it needs; and for a solution that does not begin at time 0.
    """
    if not isinstance(getattr(solution, "ledger", None), WindowLedger):
        found = type(getattr(solution, "ledger", solution)).__name__
        raise ValueError(
            f"`solution` must be of a model with window baths, whose identities these are, but "
            f"holds a {found}."
        )
    ts = np.asarray(solution.ts)
    if ts.shape[0] == 0 or ts[0] != 0.0:
        raise ValueError(f"`solution` must begin at time 0, but has times {ts}.")
    case, found = _Case(model, method, solution.ts, solution.ledger), []
    entries = {entry.name: entry for entry in _ENTRIES}
    for name in entries if names is None else names:
        if name not in entries:
            raise ValueError(f"`names` must be of {', '.join(NAMES)}, but has {name!r}.")
        entry = entries[name]
        missing = [words for premise in entry.premises if (words := premise(case))]
        if missing and names is not None:
            raise ValueError(f"`{name}` ({entry.source}) needs {missing[0]}.")
        if not missing:
            residual = entry.residual(case)
            found.append(Identity(entry.name, entry.source, entry.relation, residual))
    return tuple(found)
