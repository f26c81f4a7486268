"""Ledgers of free fermions as plain arrays by name: the library's and its twins', and comparison.

A `system` hands out the arguments of `textbook.ledger` by `system.dense()`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np

import entropax as ex
from twins import fock, textbook

Array = np.ndarray


class Described(Protocol):
    """A model that can be written out for the twins."""

    def dense(self) -> dict[str, Any]: ...


TEXTBOOK_NAMES = {
    "environment_entropy": "bath_entropy",
    "bath_entropy": "bath_entropies",
    "thermal_entropy": "thermal_entropies",
}
PER_TIME = (
    "entropy_production",
    "entropy_production_fixed",
    "residual",
    "beta",
    "mu",
    "energy",
    "particles",
    "heat",
    "system_entropy",
    "system_occupation",
    "interaction_energy",
    "bath_entropy",
    "thermal_entropy",
    "environment_entropy",
    "total_energy",
)
TERMS = ("system_bath", "inter_bath", "intra_bath", "athermality", "finite_bath")


def fields(led: ex.FermionLedger) -> dict[str, Array]:
    """Everything in a ledger by name, times along the first axis."""
    led = jax.tree.map(np.asarray, led)
    found = {name: getattr(led, name) for name in PER_TIME}
    found |= {name: getattr(led.terms, name) for name in TERMS}
    times = len(led.entropy_production)
    for name in ("athermality_initial", "correlation_initial"):
        found[name] = np.broadcast_to(getattr(led.terms, name), times)
    for name in ("system_energy", "chemical_work", "work", "total_particles"):
        found[name] = getattr(led, name)
    found["distance_from_thermality"] = led.distance_from_thermality
    return {name: np.asarray(value) for name, value in found.items()}


def twin_fields(system: Described, ts: Sequence[float]) -> dict[str, Array]:
    """The same from dense NumPy, and in "slack" how far rounding moves a bath's beta (over eps)."""
    arguments = system.dense()
    h, c0, baths = np.asarray(arguments["h"]), np.asarray(arguments["c0"]), arguments["baths"]
    state, account = textbook.evolution(h, c0), textbook.account(**arguments)
    at = [account(state(float(t))) for t in ts]

    def column(name: str) -> Array:
        return np.array([led[TEXTBOOK_NAMES.get(name, name)] for led in at])

    found = {name: column(name) for name in (*PER_TIME, *TERMS, "athermality_initial")}
    correlations, mus = 0.0, arguments["mus"]
    if mus is None:
        start = account(c0)
        correlations = start["system_bath"] + start["inter_bath"] + sum(start["intra_bath"])
        mus = start["mu"]
    arrived = found["particles"] - [np.trace(c0[np.ix_(bath, bath)]).real for bath in baths]
    between = found["interaction_energy"] + found["energy"].sum(axis=1)
    found |= {
        "correlation_initial": np.full(len(at), correlations),
        "system_energy": found["total_energy"] - between,
        "chemical_work": -arrived @ np.array(mus),
        "work": np.zeros(len(at)),
        "total_particles": np.full(len(at), np.trace(c0).real),
        "distance_from_thermality": 1.0 - found["bath_entropy"] / found["thermal_entropy"],
        "slack": np.ones(found["beta"].shape),
    }
    alphas = column("alpha")
    for nu, bath in enumerate(baths):
        energies = np.linalg.eigvalsh(h[np.ix_(bath, bath)])
        if np.ptp(energies) == 0.0:
            # any beta matches: the library says NaN where the twin says 0
            found["beta"][:, nu] = np.nan
            continue
        for i, (beta, alpha) in enumerate(zip(found["beta"][:, nu], alphas[:, nu], strict=True)):
            n = textbook.occupations_of(beta * energies - alpha)
            rows = np.stack([energies, np.ones(len(bath))])
            covariance = (rows * n * (1.0 - n)) @ rows.T
            found["slack"][i, nu] += 1.0 / max(np.linalg.eigvalsh(covariance)[0], 1e-300)
    return found


def fock_fields(system: Described, t: float) -> dict[str, Any]:
    """Entropies and entropy production at time t from many-body states, by their definitions.

    Effective states are found from dense NumPy; a bath's modes are LAPACK's eigenmodes.
    """
    arguments = system.dense()
    h, c0, parts = np.asarray(arguments["h"]), np.asarray(arguments["c0"]), arguments["system"]
    baths = arguments["baths"]
    account = textbook.account(**arguments)
    now, start = (account(textbook.correlation(h, c0, time)) for time in (t, 0.0))
    betas, mus = arguments["betas"], arguments["mus"]
    alphas = start["alpha"] if mus is None else np.multiply(betas, mus)
    betas = start["beta"] if betas is None else betas
    together = [site for bath in baths for site in bath]
    rho = fock.joint_state(h, c0, t, [*parts, *together])
    rho_b = fock.reduced_state(h, c0, t, together)
    system_entropy = fock.entropy(fock.reduced_state(h, c0, t, parts))
    sigma = system_entropy - fock.entropy(fock.reduced_state(h, c0, 0.0, parts))
    fixed, athermality, finite_bath, product = sigma, 0.0, 0.0, np.eye(1)
    intra, bath_entropy = [], []
    for nu, bath in enumerate(baths):
        h_nu = h[np.ix_(bath, bath)]
        rho_nu, rho_0 = (fock.reduced_state(h, c0, time, bath) for time in (t, 0.0))
        product = np.kron(product, rho_nu)
        pi_t = fock.grand_canonical_natural(h_nu, now["beta"][nu], now["alpha"][nu])
        pi_0 = fock.grand_canonical_natural(h_nu, betas[nu], alphas[nu])
        alone = fock.modes_apart(rho_nu, h_nu)
        natural = betas[nu] * fock.quadratic(h_nu) - alphas[nu] * fock.quadratic(np.eye(len(bath)))
        bath_entropy.append(fock.entropy(rho_nu))
        intra.append(fock.relative_entropy(rho_nu, alone))
        athermality += fock.relative_entropy(alone, pi_t)
        finite_bath += fock.relative_entropy(pi_t, pi_0)
        sigma += fock.entropy(pi_t) - fock.entropy(pi_0)
        fixed += fock.expectation(rho_nu - rho_0, natural)
    return {
        "entropy_production": sigma,
        "entropy_production_fixed": fixed,
        "system_bath": fock.mutual_information(rho, len(parts)),
        "inter_bath": fock.relative_entropy(rho_b, product),
        "intra_bath": intra,
        "athermality": athermality,
        "finite_bath": finite_bath,
        "system_entropy": system_entropy,
        "bath_entropy": bath_entropy,
        "environment_entropy": fock.entropy(rho_b),
    }


def largest(found: dict[str, Array]) -> float:
    """The largest entropy, or 1: what deviations are held against."""
    return max(1.0, float(np.max(found["thermal_entropy"])))


def assert_same_ledger(
    found: dict[str, Array], expected: dict[str, Array], tolerance: float, skip: Sequence[str] = ()
) -> None:
    """Every field of `expected`, relative to the largest entropy or its own largest entry."""
    for name, right in expected.items():
        if name in skip or name == "slack":
            continue
        finite = np.abs(right[np.isfinite(right)])
        bound = tolerance * max(largest(expected), float(np.max(finite, initial=0.0)))
        if name in ("beta", "mu"):
            with np.errstate(divide="ignore", invalid="ignore"):
                beta = np.abs(expected["beta"])
                bound = tolerance * expected["slack"] * (1.0 if name == "beta" else 1.0 + 1 / beta)
                bound = np.where(np.isfinite(right), bound * (1.0 + np.abs(right)), 0.0)
        left, right, bound = np.broadcast_arrays(found[name], right, bound)
        with np.errstate(invalid="ignore"):
            good = (np.abs(left - right) <= bound) | (left == right)
        good |= np.isnan(left) & np.isnan(right)
        if name == "mu":  # not where beta is zero to rounding
            good |= np.isnan(left) & (np.abs(expected["beta"]) <= tolerance * expected["slack"])
        assert good.all(), f"{name}: {left[~good]} is not {right[~good]} at {np.argwhere(~good)}"


def assert_invariants(found: dict[str, Array], *, thermal: bool) -> None:
    """What holds at every time, from every start; the two second laws from thermal ones."""
    assert np.max(np.abs(found["residual"])) < 1e-11
    if thermal:
        assert np.min(found["entropy_production"]) >= -1e-10
        assert np.min(found["entropy_production_fixed"]) >= -1e-10
    assert np.min(found["finite_bath"]) >= -1e-10
    with np.errstate(invalid="ignore"):
        gap = found["entropy_production_fixed"] - found["entropy_production"]
    # heats are known to rounding, and count beta times: much where modes are a hair apart
    steepest = np.max(np.abs(found["beta"]), initial=0.0, where=np.isfinite(found["beta"]))
    assert np.min(gap) >= -1e-10 - 1e-13 * steepest
    for name in ("system_bath", "inter_bath", "intra_bath", "athermality"):
        assert np.min(found[name]) >= -1e-10, name
    # no correlation with a single level exceeds 2 ln 2, and none is shared by less than two
    assert np.max(found["system_bath"]) <= 2 * np.log(2) + 1e-10
    for name, size in (("total_energy", found["energy"]), ("total_particles", found["particles"])):
        scale = max(1.0, float(np.max(np.sum(np.abs(size), axis=-1))))
        np.testing.assert_allclose(found[name], found[name][0], rtol=0, atol=1e-11 * scale)


def assert_same_state(state: Any, c: Array, baths: list, tolerance: float = 1e-9) -> None:
    """The parts of a junction's state against a correlation matrix of all sites."""
    np.testing.assert_allclose(state.system, c[:1, :1], rtol=0, atol=tolerance)
    np.testing.assert_allclose(state.level_row, c[0, 1:], rtol=0, atol=tolerance)
    for nu, bath in enumerate(baths):
        block = c[np.ix_(bath, bath)]
        np.testing.assert_allclose(state.blocks[nu], block, rtol=0, atol=tolerance)
        diagonal = np.diag(block).real
        np.testing.assert_allclose(state.occupations[nu], diagonal, rtol=0, atol=tolerance)


def independent_numbers(led: ex.FermionLedger) -> list[Array]:
    """What the independent program printed, at the first time."""
    return [
        led.system_occupation[0],
        led.entropy_production_fixed[0],
        led.terms.system_bath[0],
        led.terms.inter_bath[0],
        *led.terms.intra_bath[0],
        led.entropy_production[0],
    ]


def assert_same_sum(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """What is left where LAPACK chooses the modes inside a degenerate level."""
    left, right = (x["intra_bath"].sum(axis=-1) + x["athermality"] for x in (found, expected))
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-9)
