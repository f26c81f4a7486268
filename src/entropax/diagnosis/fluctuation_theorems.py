r"""Theorems about fluctuations, each where its premises hold, with what is left of it.

Each costs runs of its own, so that `identities` of window baths has them by name alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._tolerances import AS_STATED
from entropax.counting import counting
from entropax.counting.fermions import FermionCounting, Produced
from entropax.counting.jumps import JumpCounts, countable, jump_counts
from entropax.diagnosis.relation import Identity
from entropax.ledger import FermionLedger, GKLSLedger, WindowLedger
from entropax.linalg import modes
from entropax.method import AbstractIdealBathEquation, AbstractMethod, Davies
from entropax.model import FermionNetwork, Jump, Junction, OpenSystem, WindowBath

_POINTS = np.array([-0.8, -0.35, 0.2])
"""Where symmetries of generating functions are looked at; each has its mirror at -1 - u."""


class Asked(NamedTuple):
    """A model, its method, and times."""

    model: Any
    method: AbstractMethod[Any]
    ts: Array


class Theorem(NamedTuple):
    """`premise`: what is missing, in words, None where nothing is."""

    name: str
    source: str
    premise: Callable[[Asked], str | None]
    residual: Callable[[Asked], Float[Array, " times"]]


def _integral(asked: Asked) -> Float[Array, " times"]:
    count = counting(asked.model, asked.ts, "entropy_production", method=asked.method)
    return jnp.asarray(count.generating(-1.0)) - 1.0


def _has_temperatures(asked: Asked) -> str | None:
    for number, thermal in enumerate(asked.model.bath_temperatures):
        if thermal is None:
            return f"baths that start thermal, but bath {number} has a start of its own"
    return None


def _exchange_premise(asked: Asked) -> str | None:
    return _has_temperatures(asked) if isinstance(asked.model, Junction) else "a Junction"


def _detailed_premise(asked: Asked) -> str | None:
    if asked.model.is_driven:
        return "a model that is not driven"
    missing = _exchange_premise(asked)
    if missing is None and not 0.0 < float(asked.model.occupation) < 1.0:
        return "a level that is neither empty nor filled"
    return missing


def _beside_its_start(asked: Asked) -> FermionCounting:
    """Entropy production with the system's own start in q: ln p0 of both outcomes."""
    count = counting(asked.model, asked.ts, "entropy_production", method=asked.method)
    fermions = cast(FermionCounting, count)
    assert isinstance(fermions.counted, Produced)
    start = jnp.broadcast_to(asked.model.occupation, fermions.moments.shape)
    return eqx.tree_at(lambda c: c.moments, fermions, start)


def _detailed(asked: Asked) -> Float[Array, " times"]:
    """The symmetry of ln p0(i) - ln p0(f)."""
    same = _beside_its_start(asked)
    here, mirrored = same.generating(_POINTS), same.generating(-1.0 - _POINTS)
    return jnp.max(jnp.abs(here / mirrored - 1.0), axis=0)


def _exchange(asked: Asked) -> Float[Array, " times"]:
    return jnp.asarray(_beside_its_start(asked).generating(-1.0)) - 1.0


def _grand_canonical(asked: Asked) -> tuple[float, float] | None:
    """beta and mu of all of a network's start, None where it is not thermal."""
    model = asked.model
    if not isinstance(model, FermionNetwork) or model.has_thermal_baths:
        return None
    before = model.before()
    h = np.asarray(before.hamiltonian)
    energies, vectors = np.linalg.eigh(h)
    n: np.ndarray = vectors.conj().T @ np.asarray(before.initial_correlation).T @ vectors
    filled = np.real(np.diag(n))
    if np.max(np.abs(n - np.diag(filled))) > AS_STATED or not np.all((filled > 0) & (filled < 1)):
        return None
    odds = np.log1p(-filled) - np.log(filled)
    slope, offset = np.polyfit(energies, odds, 1)
    if slope == 0 or np.max(np.abs(odds - slope * energies - offset)) > 1e-6:
        return None
    return float(slope), float(-offset / slope)


def _work_premise(asked: Asked) -> str | None:
    if _grand_canonical(asked) is None:
        return "a FermionNetwork whose `start` is the grand canonical state of all of h(0)"
    return None


def _jarzynski(asked: Asked) -> Float[Array, " times"]:
    thermal = _grand_canonical(asked)
    assert thermal is not None
    beta, mu = thermal
    model = asked.model
    work = counting(model, asked.ts, "work", method=asked.method)

    def log_z(undriven: FermionNetwork) -> Array:
        return jnp.sum(jax.nn.softplus(-beta * (modes(undriven.hamiltonian)[0] - mu)))

    later = jnp.stack([log_z(model.at(t) if model.is_driven else model) for t in asked.ts])
    return jnp.asarray(work.generating(-beta)) * jnp.exp(log_z(model.before()) - later) - 1.0


def _steady_premise(asked: Asked) -> str | None:
    if not isinstance(asked.method, Davies):
        return "the Davies equation, whose jumps are in detailed balance"
    if asked.model.is_driven:
        return "a model that is not driven"
    if any(isinstance(coupling, Jump) for coupling in asked.model.couplings):
        return "couplings alone, and no Jump"
    if not np.all(np.isfinite(np.asarray([bath.beta for bath in asked.model.baths]))):
        return "baths of finite temperature"
    return None


def _plain_premise(asked: Asked) -> str | None:
    missing = _steady_premise(asked)
    if missing is None and not _jumps_of(asked).is_plain:
        return "levels of which no two have one energy, and no Jump"
    return missing


def _jumps_of(asked: Asked) -> JumpCounts:
    method = cast(AbstractIdealBathEquation, asked.method)
    return jump_counts(method, countable(asked.model, method, "entropy_production"))


def _gallavotti_cohen(asked: Asked) -> Float[Array, " times"]:
    """The dominant eigenvalue of the generator that counts entropy, against its mirror."""
    counts = _jumps_of(asked)
    weights = counts.weights("entropy_production", None)

    def dominant(u: float) -> float:
        tilted = np.asarray(counts.tilted(jnp.asarray(u + 0j), weights))
        return float(np.max(np.linalg.eigvals(tilted).real))

    away = max(abs(dominant(u) - dominant(-1.0 - u)) for u in _POINTS)
    return jnp.full(asked.ts.shape, away)


_INTEGRAL = "integral fluctuation theorem"

OF_FERMIONS = (
    Theorem(_INTEGRAL, "Esposito 2009, Eq. 38", _has_temperatures, _integral),
    Theorem("exchange", "Jarzynski, Wojcik 2004, Eq. 6", _exchange_premise, _exchange),
    Theorem("detailed fluctuation theorem", "Esposito 2009, Eq. 52", _detailed_premise, _detailed),
    Theorem("jarzynski", "Jarzynski 1997, Eq. 2", _work_premise, _jarzynski),
)
OF_IDEAL_BATHS = (
    Theorem(_INTEGRAL, "Seifert 2005, Eq. 16", _plain_premise, _integral),
    Theorem(
        "gallavotti-cohen", "Lebowitz, Spohn 1999, Eq. 2.10", _steady_premise, _gallavotti_cohen
    ),
)
OF_WINDOWS = (Theorem(_INTEGRAL, "Esposito 2009, Eq. 38", lambda asked: None, _integral),)


_THEOREMS: dict[type[Any], tuple[Theorem, ...]] = {
    FermionLedger: OF_FERMIONS,
    GKLSLedger: OF_IDEAL_BATHS,
    WindowLedger: OF_WINDOWS,
}


def ledger_of_model(model: Any) -> type[Any]:
    """The kind of ledger that a model's solutions have; `ValueError` for what is no model."""
    if isinstance(model, Junction | FermionNetwork):
        return FermionLedger
    if not isinstance(model, OpenSystem):
        raise ValueError(f"`model` must be a model, but is {type(model).__name__}.")
    has_windows = any(isinstance(bath, WindowBath) for bath in model.baths)
    return WindowLedger if has_windows else GKLSLedger


def fluctuation_theorems(
    model: Any, method: AbstractMethod[Any], ts: Array, names: Sequence[str] | None
) -> tuple[Identity, ...]:
    """Residuals of those that are named; None for all whose premises hold."""
    asked, relations = Asked(model, method, ts), []
    theorems = {theorem.name: theorem for theorem in _THEOREMS[ledger_of_model(model)]}
    for name in theorems if names is None else names:
        if name not in theorems:
            raise ValueError(
                f"`names` must be of {', '.join(theorems)} for this model, but has {name!r}."
            )
        theorem = theorems[name]
        missing = theorem.premise(asked)
        if missing is None:
            relations.append(Identity(name, theorem.source, "=", theorem.residual(asked)))
        elif names is not None:
            raise ValueError(f"`{name}` ({theorem.source}) needs {missing}.")
    return tuple(relations)
