"""The identities and inequalities of the second law, each as a residual.

S, R, E: equations of Strasberg (2020), of Riera-Campeny et al. (2021), of Esposito et al. (2010).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from entropax.diagnosis.fluctuation_theorems import (
    OF_WINDOWS,
    fluctuation_theorems,
    ledger_of_model,
)
from entropax.diagnosis.premises import (
    Case,
    Premise,
    canonical_start,
    correlation_known,
    emme,
    even_start,
    evolving_baths,
    exact_dynamics,
    markov,
    matched_windows,
    mutual_information_known,
    observation_known,
    one_bath,
    present,
    product_start,
    resonant,
    thermal_windows,
    undriven,
)
from entropax.diagnosis.relation import Identity
from entropax.entropy import marginal, observational
from entropax.ledger import FermionModel, WindowLedger
from entropax.method import AbstractMethod
from entropax.model import OpenSystem
from entropax.model.views import joint_volumes


def _splitting(case: Case) -> Array:
    led = case.ledger
    parts = led.system_observational_entropy + jnp.sum(present(led.bath_observational_entropy), -1)
    return present(led.observational_entropy) - parts + led.coarse_correlation


def _local(case: Case) -> Array:
    led = case.ledger
    return present(led.entropy_production_local) - present(led.entropy_production)


def _first_law(case: Case) -> Array:
    led = case.ledger
    if led.interaction_energy is None:
        gained = led.system_energy - led.system_energy[0]
        return gained - (led.work - led.work[0]) - jnp.sum(led.heat - led.heat[0], -1)
    return (led.total_energy - led.total_energy[0]) - (led.work - led.work[0])


def _energies(model: OpenSystem) -> np.ndarray:
    """Total energy of each level of the system with each combination of windows."""
    total = np.asarray(model.spectrum()[0])
    for bath in model.baths:
        total = np.add.outer(total, np.asarray(bath.centers))
    return total


def _total_energy(case: Case) -> Array:
    """Largest change of the probability of any total energy since the first time."""
    rounded, place = np.unique(np.round(_energies(case.model), 9), return_inverse=True)
    joint = case.ledger.joint.reshape(case.ledger.joint.shape[0], -1)
    member = np.equal.outer(place.ravel(), np.arange(len(rounded))).astype(float)
    p = joint @ member
    return jnp.max(jnp.abs(p - p[0]), axis=1)


def _spohn(case: Case) -> Array:
    """d S_obs/dt + d_t D[p || p_T] for T = 1; 0 where a probability starts to rise from 0."""
    led, model = case.ledger, case.model
    flow, p = led.joint_rate, led.joint
    filled = p > 1e-300
    logs = jnp.log(jnp.where(filled, p, 1.0)) - jnp.log(joint_volumes(model)) + _energies(model)
    axes = tuple(range(1, p.ndim))
    change = jnp.sum(jnp.where(filled, flow * logs, 0.0), axis=axes)
    whole = jnp.all(filled | (jnp.abs(flow) < 1e-12), axis=axes)
    return jnp.where(whole, present(led.entropy_production_rate) + change, 0.0)


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


def _to_fixed_master(case: Case) -> Array:
    led = case.ledger
    system = led.system_observational_entropy - led.system_observational_entropy[0]
    old = system - led.heat @ case.beta
    away = _window_divergence(led.joint)
    return present(led.entropy_production) - old + led.coarse_correlation + away


def _to_fixed_exact(case: Case) -> Array:
    led = case.ledger
    assert led.observed is not None
    terms = led.observed.terms
    difference = led.observed.entropy_production - led.entropy_production_fixed
    away = _window_divergence(led.observed.outcomes)
    return difference - terms.system_coherence + away + terms.coarse_correlation


def _account(case: Case) -> Array:
    """Sigma~ less I_cor and the divergences of the baths from their initial states."""
    led = case.ledger
    assert led.observed is not None
    seen, beta = led.observed, case.beta
    gained = led.energy - led.energy[0]
    apart = gained @ beta - jnp.sum(seen.bath_entropy - seen.bath_entropy[0], axis=-1)
    return led.entropy_production_fixed - seen.terms.correlation - apart


def _correlation(case: Case) -> Array:
    """The entropy of all correlations between the system and its baths."""
    if len(case.model.baths) == 1 and case.ledger.mutual_information is not None:
        return case.ledger.mutual_information
    assert case.ledger.observed is not None
    return case.ledger.observed.terms.correlation


def _bath_split(case: Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    worst = jnp.zeros(seen.entropy.shape)
    for number in range(len(case.model.baths)):
        entropy = jax.vmap(
            lambda joint, volume, axis=1 + number: observational(marginal(joint, axis), [volume])
        )(seen.outcomes, seen.volumes[number])
        dephased = seen.bath_entropy[:, number] + seen.terms.bath_coherence[:, number]
        worst = jnp.maximum(worst, jnp.abs(entropy - dephased - seen.terms.ignorance[:, number]))
    return worst


def _smallest_term(case: Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    terms = seen.terms
    apart = terms.correlation - terms.coarse_correlation
    of_baths = jnp.minimum(terms.bath_coherence, terms.ignorance)
    return jnp.minimum(jnp.minimum(terms.system_coherence, apart), jnp.min(of_baths, axis=-1))


def _above_ignorance(case: Case) -> Array:
    seen = case.ledger.observed
    assert seen is not None
    apart = seen.terms.correlation - seen.terms.coarse_correlation
    return seen.entropy_production - jnp.sum(seen.terms.ignorance, axis=-1) - apart


def _interaction(case: Case) -> Array:
    led = case.ledger
    energy = present(led.interaction_energy)
    gap = present(led.entropy_production_weak) - led.entropy_production_fixed
    return gap - case.beta[0] * (energy - energy[0])


def _free_energy(case: Case) -> Array:
    """beta (W - Delta F) less Sigma~, with F = U - T S and U of system and interaction."""
    led = case.ledger
    energy = led.system_energy + present(led.interaction_energy)
    spent = led.work - led.work[0] - (energy - energy[0])
    gained = led.system_entropy - led.system_entropy[0]
    return case.beta[0] * spent + gained - led.entropy_production_fixed


class _Entry(NamedTuple):
    name: str
    source: str
    relation: Literal["=", ">="]
    premises: tuple[Premise, ...]
    residual: Callable[[Case], Array]


_ENTRIES = (
    _Entry("splitting", "S10, S37", "=", (evolving_baths,), _splitting),
    _Entry(
        "local",
        "R66",
        "=",
        (evolving_baths, product_start),
        lambda c: _local(c) - c.ledger.coarse_correlation,
    ),
    _Entry(
        "clausius-local",
        "R67, R74",
        ">=",
        (evolving_baths, thermal_windows),
        lambda c: present(c.ledger.clausius) - present(c.ledger.entropy_production_local),
    ),
    _Entry("local-production", "R67, R74", ">=", (evolving_baths, product_start), _local),
    _Entry(
        "second law",
        "R57, S26",
        ">=",
        (evolving_baths, even_start),
        lambda c: present(c.ledger.entropy_production),
    ),
    _Entry("rate", "R57", ">=", (markov,), lambda c: present(c.ledger.entropy_production_rate)),
    _Entry("spohn", "R56, S56", "=", (markov, undriven, resonant), _spohn),
    _Entry("first law", "R49, R72, E22", "=", (evolving_baths, resonant), _first_law),
    _Entry("total energy", "R32, S49", "=", (markov, undriven, resonant), _total_energy),
    _Entry(
        "mutual information",
        "R42, S24",
        ">=",
        (mutual_information_known,),
        lambda c: present(c.ledger.mutual_information) - c.ledger.coarse_mutual_information,
    ),
    _Entry(
        "fixed temperature, master equation", "S60", "=", (emme, canonical_start), _to_fixed_master
    ),
    _Entry(
        "fixed temperature",
        "E10, S5",
        ">=",
        (exact_dynamics, canonical_start),
        lambda c: c.ledger.entropy_production_fixed,
    ),
    _Entry(
        "above correlations",
        "E18",
        ">=",
        (exact_dynamics, canonical_start, correlation_known),
        lambda c: c.ledger.entropy_production_fixed - _correlation(c),
    ),
    _Entry("weak coupling", "E27", "=", (exact_dynamics, canonical_start, one_bath), _interaction),
    _Entry(
        "free energy", "E23, E24", "=", (exact_dynamics, canonical_start, one_bath), _free_energy
    ),
    _Entry("bath under measurement", "S12", "=", (observation_known,), _bath_split),
    _Entry(
        "terms",
        "S22, S39",
        "=",
        (observation_known,),
        lambda c: c.ledger.observed.residual,
    ),
    _Entry("terms are positive", "S22, S23, S24, S39", ">=", (observation_known,), _smallest_term),
    _Entry("ignorance", "S26, S40", ">=", (observation_known, matched_windows), _above_ignorance),
    _Entry(
        "correlation and divergence", "S5, E17", "=", (observation_known, canonical_start), _account
    ),
    _Entry(
        "fixed temperature, exact", "S32", "=", (canonical_start, matched_windows), _to_fixed_exact
    ),
)


NAMES = tuple(entry.name for entry in _ENTRIES)
"""Names of all identities."""


def identities(
    model: FermionModel | OpenSystem,
    method: AbstractMethod,
    solution: Any,
    names: Sequence[str] | None = None,
) -> tuple[Identity, ...]:
    """Residuals of the identities and inequalities that a solved model must obey.

    Of window baths those of the papers, and by name the integral fluctuation theorem; of free
    fermions and ideal baths fluctuation theorems (`entropax.counting`), which cost runs of their
    own: integral and detailed, Jarzynski's relation, the symmetry of Gallavotti and Cohen.

    **Arguments:** `model`, `method` and the `solution` that `solve` made of them, of window baths
    at times of which the first is 0; `names`: which identities (`entropax.diagnosis.NAMES` of
    window baths); None for all whose premises hold. A report, not to be traced.

    Raises `ValueError` for an identity asked for by name whose premise does not hold, and says
    what it needs; and for a solution of window baths that does not begin at time 0.
    """
    account, ledger = getattr(solution, "ledger", solution), ledger_of_model(model)
    if not isinstance(account, ledger):
        raise ValueError(
            f"`solution` must be what `solve` made of the model, with a {ledger.__name__}, but "
            f"holds a {type(account).__name__}."
        )
    if ledger is not WindowLedger:
        return fluctuation_theorems(model, method, solution.ts, names)
    assert isinstance(model, OpenSystem)
    ts = np.asarray(solution.ts)
    if ts.shape[0] == 0 or ts[0] != 0.0:
        raise ValueError(f"`solution` must begin at time 0, but has times {ts}.")
    case, relations = Case(model, method, solution.ts, solution.ledger), []
    entries = {entry.name: entry for entry in _ENTRIES}
    theorems = [theorem.name for theorem in OF_WINDOWS]
    for name in entries if names is None else names:
        if name in theorems:
            relations += fluctuation_theorems(model, method, solution.ts, [name])
            continue
        if name not in entries:
            every = ", ".join([*NAMES, *theorems])
            raise ValueError(f"`names` must be of {every}, but has {name!r}.")
        entry = entries[name]
        missing = [words for premise in entry.premises if (words := premise(case))]
        if missing and names is not None:
            raise ValueError(f"`{name}` ({entry.source}) needs {missing[0]}.")
        if not missing:
            residual = entry.residual(case)
            relations.append(Identity(entry.name, entry.source, entry.relation, residual))
    return tuple(relations)
