"""What identities of entropy production rest on: premises, each a sentence where it fails."""

import dataclasses
from collections.abc import Callable
from typing import Protocol, cast, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from entropax._tolerances import AS_STATED
from entropax.ledger.windows import WindowLedger
from entropax.method import EMME, AbstractMethod, Schrodinger
from entropax.method.sampling import Samples, certainly_apart, samples
from entropax.method.windows.memory_kernels import offsets
from entropax.method.windows.moment import Moment
from entropax.model import OpenSystem, Product, WindowBath

_MISMATCH = 1e-12
"""Difference of two entropies of the start, in nats, below which they count as equal."""


@runtime_checkable
class Solved(Protocol):
    """A solution of a window model."""

    @property
    def ts(self) -> Array: ...

    @property
    def ledger(self) -> WindowLedger: ...


@dataclasses.dataclass(frozen=True)
class Case:
    """A solution and what it is of."""

    model: OpenSystem
    method: AbstractMethod
    ts: Array
    ledger: WindowLedger

    @property
    def samples(self) -> Samples | None:
        """Undriven models at some times of every stretch; see `entropax.method.sampling`."""
        return samples(self.model, self.ts)

    @property
    def beta(self) -> Array:
        assert isinstance(self.model.start, Product)
        assert self.model.start.beta is not None
        return self.model.start.beta


Premise = Callable[[Case], str | None]
"""A condition of an identity: returns what is missing, in words, and None where nothing is."""


def product_start(case: Case) -> str | None:
    """The start must be a product."""
    if isinstance(case.model.start, Product):
        return None
    return f"a product start, but `start` is a {type(case.model.start).__name__}"


def canonical_start(case: Case) -> str | None:
    """The start must be canonical."""
    start = case.model.start
    if isinstance(start, Product) and start.beta is not None and start.is_incoherent:
        return None
    return "a product start with canonical baths (`Product(system, beta=...)`)"


def thermal_windows(case: Case) -> str | None:
    """None where each bath starts canonical over its windows: of most entropy at its energy."""
    if (missing := product_start(case)) is not None:
        return missing
    led = case.ledger
    below = float(jnp.max(led.thermal_entropy[0] - present(led.bath_observational_entropy)[0]))
    if below <= _MISMATCH:
        return None
    return f"baths that start canonical over their windows, but are {below:.3g} nats from it"


def exact_dynamics(case: Case) -> str | None:
    """The dynamics must be exact."""
    return None if isinstance(case.method, Schrodinger) else "exact dynamics (`Schrodinger`)"


def emme(case: Case) -> str | None:
    """The method must be the EMME."""
    return None if isinstance(case.method, EMME) else "the master equation of finite baths (`EMME`)"


def markov(case: Case) -> str | None:
    """The equation must be Markovian and secular."""
    method = case.method
    if not (isinstance(method, EMME) and method.memory == "infinite" and method.secular):
        return "`EMME()` with infinite memory, secular"
    if case.model.interaction is not None or case.model.drives:
        return "a system without `interaction` and `drives`, which mix what is measured"
    if not certainly_apart(case.samples):
        return "levels of the system of which no two have one energy"
    return None


def resonant(case: Case) -> str | None:
    """None where energy is conserved: the EMME splits jumps that end between two windows."""
    needed = "windows on resonance with all transitions of the system, at all times"
    if isinstance(case.method, Schrodinger):
        return None
    if (missing := markov(case)) is not None:
        return missing
    model, dissipators = case.model, cast(EMME, case.method).dissipators
    if not model.is_piecewise_constant:
        return needed
    if (seen := case.samples) is None:
        return needed
    for number in range(len(model.baths)):

        def away_of(undriven: OpenSystem, bath: WindowBath = model.baths[number]) -> Array:
            return offsets(bath, Moment.of(undriven, dissipators).energies)

        away = np.abs(np.asarray(seen.each(away_of)))
        if np.any((away > AS_STATED) & (away < 1.0 - AS_STATED)):
            return needed
    return None


def undriven(case: Case) -> str | None:
    """Nothing may be driven."""
    return "energies that are not driven" if case.model.is_driven else None


def evolving_baths(case: Case) -> str | None:
    """Baths must evolve."""
    return "baths that evolve" if case.ledger.entropy_production is None else None


def even_start(case: Case) -> str | None:
    """None where, for exact dynamics, windows start evenly filled and the system diagonal (S14);
    for other methods as `markov`.
    """
    start = case.model.start
    if exact_dynamics(case) is not None:
        return markov(case)
    if (
        start.is_diagonal
        and start.is_incoherent
        and not (isinstance(start, Product) and (start.beta is not None or start.filling < 1.0))
    ):
        return None
    return "a start evenly filled in each window and diagonal in the system's energies"


def mutual_information_known(case: Case) -> str | None:
    """The exact mutual information must be known."""
    has_information = case.ledger.mutual_information is not None
    return None if has_information else "`Schrodinger(mutual_information=True)`"


def correlation_known(case: Case) -> str | None:
    """The correlations between the system and all baths must be known."""
    if case.ledger.observed is not None:
        return None
    return mutual_information_known(case) if one_bath(case) is None else observation_known(case)


def observation_known(case: Case) -> str | None:
    """Something must have been observed."""
    return None if case.ledger.observed is not None else "`Schrodinger(observation=...)`"


def matched_windows(case: Case) -> str | None:
    """None where the start has an observational entropy equal to its von Neumann entropy (S14)."""
    if (missing := observation_known(case)) is not None:
        return missing
    assert case.ledger.observed is not None
    initial = float(case.ledger.observed.terms_initial.total)
    if initial <= _MISMATCH:
        return None
    return f"an observation that sees all of the start's entropy, but misses {initial:.3g} of it"


def one_bath(case: Case) -> str | None:
    """There must be one bath."""
    return None if len(case.model.baths) == 1 else "one bath"


def present(values: Array | None) -> Array:
    """What a premise has made sure of."""
    assert values is not None
    return values
