"""Small systems and what is known of them: dense twins, and closed forms with their gradients.

Every `Star` and `Net` builds the library's model and, from the same raw numbers, the arguments of
`textbook.ledger`. Systems with equal sizes and equal kinds of start share one compiled program.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import fock
import jax
import jax.numpy as jnp
import numpy as np
import textbook

import entropax as ex

Array = np.ndarray

# In one program: a start, early, middle and late (Gamma t = 1e6), a negative time, unsorted.
TIMES = np.array([2.0, 0.0, 1e6, -1.5, 0.03, 40.0])


TRACES: list[None] = []


def keep(state: Any) -> Any:
    """As `save=`: the whole state. One object, so that all tests share compiled programs.

    Being traced leaves its mark in `TRACES`.
    """
    TRACES.append(None)
    return state


def quickly(f: Callable) -> Callable:
    """`jax.jit` with as little optimisation as XLA offers: half the time of compiling."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


quick_solve = quickly(lambda model, ts: ex.solve(model, ts, save=keep))


class Star(NamedTuple):
    """A junction: `leads` are (energies, couplings, beta, mu).

    `filling`: occupations of all modes, lead after lead, or None for thermal leads; `limit`: the
    (betas, mus), infinite ones, whose thermal state a filling without a finite beta is.
    """

    level: float
    occupation: float
    leads: tuple[tuple[Array, Array, float, float], ...]
    filling: Array | None = None
    limit: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @property
    def sizes(self) -> list[int]:
        return [len(energies) for energies, *_ in self.leads]

    @property
    def thermal(self) -> bool:
        return self.filling is None

    @property
    def start(self) -> Array:
        """Occupations of all sites."""
        filling = self.filling
        if filling is None:
            filling = np.concatenate([textbook.fermi(b, m, e) for e, _, b, m in self.leads])
        return np.concatenate([[self.occupation], filling])

    def model(self) -> ex.Junction:
        leads = tuple(ex.Lead(*lead) for lead in self.leads)
        junction = ex.Junction(self.level, self.occupation, leads)
        return junction if self.thermal else ex.with_occupations(junction, self.start)

    def dense(self) -> dict[str, Any]:
        """Arguments of `textbook.ledger`, without the time."""
        edges = np.cumsum([1, *self.sizes])
        baths = [list(range(a, b)) for a, b in pairwise(edges)]
        betas, mus = self.limit or (None, None)
        if self.thermal:
            betas, mus = [lead[2] for lead in self.leads], [lead[3] for lead in self.leads]
        return {
            "h": textbook.star(self.level, [lead[:2] for lead in self.leads]),
            "c0": np.diag(self.start),
            "system": [0],
            "baths": baths,
            "betas": betas,
            "mus": mus,
        }


class Net(NamedTuple):
    """A network, with thermal baths or with a correlation matrix of all sites as its `start`."""

    h: Array
    system: tuple[int, ...]
    baths: tuple[tuple[int, ...], ...]
    betas: tuple[float, ...] | None = None
    mus: tuple[float, ...] | None = None
    start: Array | None = None

    @property
    def thermal(self) -> bool:
        return self.betas is not None

    def model(self) -> ex.FermionNetwork:
        return ex.FermionNetwork(self.h, self.system, self.baths, self.betas, self.mus, self.start)

    def dense(self) -> dict[str, Any]:
        c0 = self.start
        if self.betas is not None and self.mus is not None:
            c_s = np.zeros((len(self.system),) * 2) if c0 is None else c0
            c0 = textbook.thermal_product(
                self.h, c_s, self.system, self.baths, self.betas, self.mus
            )
        return {
            "h": self.h,
            "c0": c0,
            "system": self.system,
            "baths": self.baths,
            "betas": self.betas,
            "mus": self.mus,
        }


def random_hermitian(n: int, seed: int, dtype: type = complex) -> Array:
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if dtype is complex else 0.0)
    return (m + m.conj().T) / 2


def random_correlation(n: int, seed: int, filling: Sequence[float] | None = None) -> Array:
    """0 <= C <= 1 in a random complex basis, with the given eigenvalues or random ones."""
    vectors = np.linalg.eigh(random_hermitian(n, seed))[1]
    values = np.random.default_rng(seed).uniform(size=n) if filling is None else np.array(filling)
    return (vectors * values) @ vectors.conj().T


E_L = np.array([-1.31, 0.42, -0.57, 1.04, 0.11, 1.77, -1.93, 0.68, -0.85, 1.36])
E_R = np.array([0.86, -0.23, -1.66, 1.43, 0.29, -0.98, 1.89, -0.41, 0.53, -1.27])
T_L = np.array([0.31, 0.22, -0.27, 0.35, 0.18, 0.25, 0.29, -0.33, 0.2, 0.24])
T_R = np.array([0.28, 0.33, 0.21, -0.24, 0.3, 0.26, -0.19, 0.34, 0.23, 0.32])


def _pair(
    *,
    level: float = 0.2,
    occupation: float = 0.3,
    energies: tuple[Array, Array] = (E_L, E_R),
    couplings: tuple[Array, Array] = (T_L, T_R),
    beta: tuple[float, float] = (1.3, 0.6),
    mu: tuple[float, float] = (0.4, -0.3),
    filling: Sequence[float] | None = None,
    limit: tuple | None = None,
) -> Star:
    leads = tuple(zip(energies, couplings, beta, mu, strict=True))
    occupations = None if filling is None else np.array(filling, float)
    return Star(level, occupation, leads, occupations, limit)


def _but(array: Array, **changes: float) -> Array:
    """A copy with some entries replaced: `_but(x, i2=0.0)`."""
    copy = array.copy()
    for index, value in changes.items():
        copy[int(index[1:])] = value
    return copy


_SHARED = (E_L, _but(E_R, i1=0.42, i4=0.11, i6=1.77, i9=-1.31))
_PURE = (1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0)

_ALL = np.concatenate([E_L, E_R])

THERMAL: dict[str, Star] = {
    "mixed": _pair(),
    "level empty": _pair(occupation=0.0),
    "level filled": _pair(occupation=1.0),
    "far level": _pair(level=30.0),
    "level at a mode": _pair(level=0.42),
    "strong coupling": _pair(couplings=(5 * T_L, 5 * T_R)),
    "weak coupling": _pair(couplings=(1e-4 * T_L, 1e-4 * T_R)),
    "uneven coupling": _pair(couplings=(_but(T_L, i0=1e-9, i4=1e-5), _but(T_R, i2=1e-7))),
    "uncoupled modes": _pair(couplings=(_but(T_L, i1=0.0, i4=0.0), _but(T_R, i2=0.0))),
    "one lead uncoupled": _pair(couplings=(T_L, 0 * T_R)),
    "no coupling": _pair(couplings=(0 * T_L, 0 * T_R)),
    "equal energies across leads": _pair(energies=_SHARED),
    "equal energies within a lead": _pair(energies=(_but(E_L, i3=0.42, i5=0.11), E_R)),
    "equal energies within and across": _pair(energies=(_but(E_L, i3=0.42, i5=0.42), _SHARED[1])),
    "equal energies, some uncoupled": _pair(
        energies=(_but(E_L, i3=0.42), _SHARED[1]), couplings=(_but(T_L, i1=0.0, i2=0.0), T_R)
    ),
    "nearly equal within": _pair(energies=(_but(E_L, i3=0.42 + 1e-9, i5=0.11 + 1e-7), E_R)),
    "nearly equal across": _pair(energies=(E_L, _but(E_R, i0=0.42 + 3e-12, i4=0.11 + 1e-6))),
    "close within": _pair(energies=(_but(E_L, i3=0.42 + 4.5e-5), E_R)),
    "closer within": _pair(energies=(_but(E_L, i3=0.42 + 6e-6), E_R)),
    "an energy next to zero": _pair(energies=(_but(E_L, i2=1e-300), E_R)),
    "negative temperature": _pair(beta=(-0.7, 1.1)),
    "infinite temperature": _pair(beta=(0.0, 0.8)),
    "cold": _pair(beta=(60.0, 45.0)),
    "hot": _pair(beta=(1e-4, -2e-4)),
    "one mode far away": _pair(energies=(_but(E_L, i0=-20.0), E_R)),
}
# `textbook.ledger` knows no effective state at t = 0 here, and sigma is +inf later.
FROZEN: dict[str, Star] = {
    "zero temperature": _pair(beta=(np.inf, np.inf)),
    "zero and finite temperature": _pair(beta=(np.inf, 0.9), occupation=1.0),
    "zero temperature, mu at a mode": _pair(beta=(np.inf, np.inf), mu=(0.42, 0.29)),
    "zero negative temperature": _pair(beta=(-np.inf, 0.7)),
}
DIAGONAL: dict[str, Star] = {
    "pure": _pair(occupation=0.0, filling=_PURE),
    "pure, level filled": _pair(occupation=1.0, filling=_PURE),
    "random filling": _pair(filling=np.random.default_rng(5).uniform(size=20) / (1 + np.exp(_ALL))),
    "equal fillings": _pair(filling=[0.7 if e < -0.5 else 0.3 if e < 0.5 else 0.2 for e in _ALL]),
    "pure, uncoupled modes": _pair(
        occupation=1.0, filling=_PURE, couplings=(_but(T_L, i1=0.0), _but(T_R, i1=0.0))
    ),
    "pure, equal energies across leads": _pair(occupation=0.0, filling=_PURE, energies=_SHARED),
    "pure, equal energies within a lead": _pair(
        occupation=0.0, filling=_PURE, energies=(_but(E_L, i3=0.42), E_R)
    ),
}
# Baths without a finite beta at the start, and the limits of thermal states that they are.
_COLD = (np.inf, np.inf)
EDGES: dict[str, Star] = {
    "empty leads": _pair(occupation=1.0, filling=np.zeros(20), limit=(_COLD, (-9.0, -9.0))),
    "filled leads": _pair(occupation=0.0, filling=np.ones(20), limit=(_COLD, (9.0, 9.0))),
    "one lead empty, one filled": _pair(
        occupation=0.4, filling=(0,) * 10 + (1,) * 10, limit=(_COLD, (-9.0, 9.0))
    ),
    "ground states": _pair(
        occupation=0.0, filling=[*(E_L < -0.2), *(E_R < -0.9)], limit=(_COLD, (-0.2, -0.9))
    ),
    "highest states": _pair(
        occupation=0.0,
        filling=[*(E_L > 0.8), *(E_R > 1.0)],
        limit=((-np.inf, -np.inf), (0.8, 1.0)),
    ),
}
NOTHING: dict[str, Star] = {
    "empty": _pair(occupation=0.0, filling=np.zeros(20)),
    "filled": _pair(occupation=1.0, filling=np.ones(20)),
}

ONE_LEAD = {
    "one lead": Star(0.2, 0.8, ((E_L[:6], T_L[:6], 1.3, 0.4),)),
    # the mean of six times 0.2 is not 0.2
    "one lead at one energy": Star(0.2, 0.8, ((np.full(6, 0.2), T_L[:6], 1.3, 0.4),)),
}
# The same junction, its lead cut in three, and one with leads of their own.
THREE_LEADS = {
    "cut lead": Star(
        0.2, 0.8, tuple((E_L[s], T_L[s], 1.3, 0.4) for s in map(slice, (0, 3, 4), (3, 4, 6)))
    ),
    "three leads": Star(
        0.1,
        0.6,
        (
            (E_L[:3], T_L[:3], 1.3, 0.4),
            (E_R[:1], T_R[:1], 0.7, -0.2),
            (E_R[1:3], T_R[1:3], 2.0, 0.0),
        ),
    ),
}

SEVEN = ((0,), ((1, 2, 3), (4, 5, 6)))
SCATTERED = ((2, 5), ((0, 4), (3,), (1, 6)))


def ring(sites: int, hopping: float, flux: float) -> Array:
    """h_{j+1,j} = J e^{i flux / n}: eigenvalues 2 J cos((2 pi m + flux) / n), m = 0 .. n-1."""
    h = np.zeros((sites, sites), complex)
    for j in range(sites):
        h[(j + 1) % sites, j] += hopping * np.exp(1j * flux / sites)
    return h + h.conj().T


def chain(sites: int, hopping: float) -> Array:
    """h_{j,j+1} = J, open ends."""
    return hopping * (np.eye(sites, k=1) + np.eye(sites, k=-1))


THERMAL_BATHS = {"betas": (1.3, -0.4), "mus": (0.2, -0.3)}
NETWORKS: dict[str, Net] = {
    "complex": Net(random_hermitian(7, 3), *SEVEN, **THERMAL_BATHS),
    "ring with flux": Net(ring(7, 0.8, 0.9), *SEVEN, **THERMAL_BATHS),
    "two levels, three baths, one of one site": Net(
        random_hermitian(7, 4),
        *SCATTERED,
        (1.3, -0.4, 0.6),
        (0.2, -0.3, 0.1),
        start=random_correlation(2, 9),
    ),
    "correlated": Net(random_hermitian(7, 6), *SCATTERED, start=random_correlation(7, 8)),
    "correlated pure": Net(
        random_hermitian(7, 6),
        *SCATTERED,
        start=random_correlation(7, 8, (1, 0, 1, 0, 1, 0, 1)),
    ),
    "correlated, some of it pure": Net(
        random_hermitian(7, 6),
        *SCATTERED,
        start=random_correlation(7, 8, (1, 0, 0.5, 0.5, 1, 0.2, 0)),
    ),
    "real chain": Net(
        chain(7, 0.7) + np.diag([0.1, 0.5, -0.3, 0.2, 0.9, -0.8, 0.4]), *SEVEN, **THERMAL_BATHS
    ),
}


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
    found = {name: getattr(led, name) for name in PER_TIME}
    found |= {name: getattr(led.terms, name) for name in TERMS}
    times = len(led.entropy_production)
    for name in ("athermality_initial", "correlation_initial"):
        found[name] = jnp.broadcast_to(getattr(led.terms, name), times)
    for name in ("system_energy", "chemical_work", "work", "total_particles"):
        found[name] = getattr(led, name)
    found["distance_from_thermality"] = led.distance_from_thermality
    return {name: np.asarray(value) for name, value in found.items()}


def twin_fields(system: Star | Net, ts: Sequence[float]) -> dict[str, Array]:
    """The same from dense NumPy, and in "slack" how far rounding moves a bath's beta (over eps)."""
    arguments = system.dense()
    h, c0, baths = np.asarray(arguments["h"]), np.asarray(arguments["c0"]), arguments["baths"]
    at = [textbook.ledger(t=float(t), **arguments) for t in ts]

    def column(name: str) -> Array:
        return np.array([led[TEXTBOOK_NAMES.get(name, name)] for led in at])

    found = {name: column(name) for name in (*PER_TIME, *TERMS, "athermality_initial")}
    correlations, mus = 0.0, arguments["mus"]
    if mus is None:
        start = textbook.ledger(t=0.0, **arguments)
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


def fock_fields(system: Star | Net, t: float) -> dict[str, Any]:
    """Entropies and entropy production at time t from many-body states, by their definitions.

    Effective states are found from dense NumPy; a bath's modes are LAPACK's eigenmodes.
    """
    arguments = system.dense()
    h, c0, parts = np.asarray(arguments["h"]), np.asarray(arguments["c0"]), arguments["system"]
    baths = arguments["baths"]
    now, start = (textbook.ledger(t=time, **arguments) for time in (t, 0.0))
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
        alone = _modes_apart(rho_nu, h_nu)
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


def _modes_apart(rho: Array, h: Array) -> Array:
    """The product of the single-mode states of rho in the eigenmodes of h."""
    vectors = np.linalg.eigh(h)[1]
    c = fock.annihilators(len(h))
    filling = []
    for column in vectors.T:
        creator = sum(x * a.T for x, a in zip(column, c, strict=True))
        filling.append(fock.expectation(rho, creator @ creator.conj().T))
    return fock.mode_product(vectors, np.array(filling))


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


class Exact(NamedTuple):
    """A value and its derivative with respect to each named parameter."""

    value: float
    slope: dict[str, float]


def entropy_slope(n: float) -> float:
    """s'(n) = ln((1-n)/n)."""
    return float(np.log1p(-n) - np.log(n))


class Rabi(NamedTuple):
    """A level and one mode, or several of one energy, whose couplings act as their norm g.

    n_d(t) = n_d + (n - n_d) P, P = (4 g^2 / Omega^2) sin^2(Omega t/2), Omega^2 = D^2 + 4 g^2,
    with D the detuning level - mode and n the occupation of each mode.
    """

    level: float
    energy: float
    couplings: tuple[float, ...]
    occupation: float
    beta: float
    mu: float

    def star(self) -> Star:
        energies = np.full(len(self.couplings), self.energy)
        lead = (energies, np.array(self.couplings), self.beta, self.mu)
        return Star(self.level, self.occupation, (lead,))

    def system_occupation(self, t: float) -> Exact:
        g, detuning = float(np.linalg.norm(self.couplings)), self.level - self.energy
        omega = np.hypot(detuning, 2 * g)
        sine, cosine = np.sin(omega * t / 2), np.cos(omega * t / 2)
        ratio = 4 * g**2 / omega**2
        p = ratio * sine**2
        by_omega = -2 * p / omega + ratio * t * sine * cosine
        by_g = 2 * p / g + by_omega * 4 * g / omega
        by_detuning = by_omega * detuning / omega
        by_t = ratio * omega * sine * cosine
        x = self.beta * (self.energy - self.mu)
        n = float(textbook.occupations_of(np.array(x)))
        away = n - self.occupation
        by_x = -n * (1 - n) * p
        slope = {
            "level": away * by_detuning,
            "energy": -away * by_detuning + by_x * self.beta,
            "occupation": 1 - p,
            "beta": by_x * (self.energy - self.mu),
            "mu": -by_x * self.beta,
            "t": away * by_t,
        }
        slope |= {f"coupling {k}": away * by_g * c / g for k, c in enumerate(self.couplings)}
        return Exact(self.occupation + away * p, slope)

    def entropy_production(self, t: float) -> Exact:
        """Sigma = s(n_d(t)) - s(n_d) + K [s(N(t)/K) - s(n)]: all modes at one energy are alike."""
        modes = len(self.couplings)
        level = self.system_occupation(t)
        n = float(textbook.fermi(self.beta, self.mu, np.array(self.energy)))
        mean = n + (self.occupation - level.value) / modes
        before = textbook.binary_entropy(np.array([self.occupation, *[n] * modes])).sum()
        after = textbook.binary_entropy(np.array([level.value, *[mean] * modes])).sum()
        fall = n * (1 - n)
        by_n = {
            "energy": -fall * self.beta,
            "beta": -fall * (self.energy - self.mu),
            "mu": fall * self.beta,
        }
        slope = {}
        for name, dlevel in level.slope.items():
            dn, dstart = by_n.get(name, 0.0), float(name == "occupation")
            dmean = dn + (dstart - dlevel) / modes
            slope[name] = entropy_slope(level.value) * dlevel + modes * entropy_slope(mean) * dmean
            slope[name] -= entropy_slope(self.occupation) * dstart + modes * entropy_slope(n) * dn
        return Exact(float(after - before), slope)


RABI = {
    "one mode": Rabi(0.3, -0.2, (0.4,), 0.9, 1.2, 0.1),
    "one uncoupled mode": Rabi(0.3, -0.2, (1e-200,), 0.9, 1.2, 0.1),
    "six modes of one energy": Rabi(0.3, -0.2, (0.4, -0.1, 0.25, 0.3, 0.1, 0.2), 0.9, 1.2, 0.1),
    "six resonant modes": Rabi(0.3, 0.3, (0.4, 0.1, 0.25, 0.3, 0.1, 0.2), 0.9, 1.2, 0.1),
    "six modes, three uncoupled": Rabi(0.3, -0.2, (0.4, 0, 0.25, 0, 0, 0.3), 0.9, 1.2, 0.1),
}
ONE_MODE = {name: RABI[name].star() for name in ("one mode", "one uncoupled mode")}


class Ring(NamedTuple):
    """A ring threaded by a flux: n_j(t) = sum_l |U_jl|^2 n_l, U_jl a sum of plane waves."""

    hopping: float
    flux: float
    filling: tuple[float, ...]

    def h(self) -> Array:
        return ring(len(self.filling), self.hopping, self.flux)

    def by(self, parameter: str) -> Array:
        """The derivative of h."""
        h, n = self.h(), len(self.filling)
        if parameter == "hopping":
            return h / self.hopping
        upwards = np.roll(np.eye(n), 1, axis=0) * h
        return (1j / n) * (upwards - upwards.conj().T)

    def occupation(self, site: int, t: float) -> Exact:
        n = len(self.filling)
        k = (2 * np.pi * np.arange(n)) / n
        angle = k - self.flux / n
        waves = np.exp(-1j * k[None, :] * np.arange(n)[:, None]) / n  # of distance l - j
        turn = np.exp(-2j * self.hopping * np.cos(angle) * t)
        amplitude = waves @ turn
        by_energy = waves @ (-1j * t * turn * 2 * np.cos(angle))
        by_flux = waves @ (-1j * t * turn * 2 * self.hopping * np.sin(angle) / n)
        filling = np.roll(self.filling, -site)

        def change(d: Array) -> float:
            return float(2 * (amplitude.conj() * d).real @ filling)

        value = float(np.abs(amplitude) ** 2 @ filling)
        by_t = waves @ (-2j * self.hopping * np.cos(angle) * turn)
        slope = {"hopping": change(by_energy), "flux": change(by_flux), "t": change(by_t)}
        return Exact(value, slope)


RING = Ring(0.8, 0.9, (0.9, 0.2, 0.5, 0.7, 0.1, 0.3, 0.6))
