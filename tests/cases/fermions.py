"""Junctions and networks of free fermions by name, one set of shapes and times.

Every `Star` and `Net` builds the library's model and, from the same raw numbers, the arguments of
`textbook.ledger`. Systems with equal sizes and equal kinds of start share one compiled program,
and `solved` keeps what has been solved.
"""

import functools
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from twins import textbook
from twins.closed_forms import Rabi, Ring, ring

import entropax as ex
from cases.matrices import seeded_correlation, seeded_hermitian
from entropax.state import StarState

Array = np.ndarray

# In one program: a start, early, middle and late (Gamma t = 1e6), a negative time, unsorted.
TIMES = np.array([2.0, 0.0, 1e6, -1.5, 0.03, 40.0])


TRACES: list[None] = []


def keep(state: Any) -> Any:
    """As `save=`: the whole state, a junction's with the matrices of its leads written out.

    One object, so that all tests share compiled programs. Being traced leaves its mark in `TRACES`.
    """
    TRACES.append(None)
    if isinstance(state, StarState):
        return eqx.tree_at(lambda s: s.leads, state, state.blocks)
    return state


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


def hot(filling: float) -> Star:
    """Modes of a lead are filled alike: beta = 0, and alpha is all there is to a start."""
    energies = np.linspace(-1.0, 2.0, 10), np.linspace(-1.0, 1.7, 10)
    couplings = (np.full(10, 0.2),) * 2
    occupations = [filling] * 10 + [0.5] * 10
    return _pair(
        level=0.3,
        occupation=0.2,
        energies=energies,
        couplings=couplings,
        beta=(0.0, 0.0),
        mu=(0.0, 0.0),
        filling=occupations,
    )


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


def chain(sites: int, hopping: float) -> Array:
    """h_{j,j+1} = J, open ends."""
    return hopping * (np.eye(sites, k=1) + np.eye(sites, k=-1))


THERMAL_BATHS = {"betas": (1.3, -0.4), "mus": (0.2, -0.3)}
NETWORKS: dict[str, Net] = {
    "complex": Net(seeded_hermitian(7, 3), *SEVEN, **THERMAL_BATHS),
    "ring with flux": Net(ring(7, 0.8, 0.9), *SEVEN, **THERMAL_BATHS),
    "two levels, three baths, one of one site": Net(
        seeded_hermitian(7, 4),
        *SCATTERED,
        (1.3, -0.4, 0.6),
        (0.2, -0.3, 0.1),
        start=seeded_correlation(2, 9),
    ),
    "correlated": Net(seeded_hermitian(7, 6), *SCATTERED, start=seeded_correlation(7, 8)),
    "correlated pure": Net(
        seeded_hermitian(7, 6),
        *SCATTERED,
        start=seeded_correlation(7, 8, (1, 0, 1, 0, 1, 0, 1)),
    ),
    "correlated, some of it pure": Net(
        seeded_hermitian(7, 6),
        *SCATTERED,
        start=seeded_correlation(7, 8, (1, 0, 0.5, 0.5, 1, 0.2, 0)),
    ),
    "real chain": Net(
        chain(7, 0.7) + np.diag([0.1, 0.5, -0.3, 0.2, 0.9, -0.8, 0.4]), *SEVEN, **THERMAL_BATHS
    ),
}


RABI = {
    "one mode": Rabi(0.3, -0.2, (0.4,), 0.9, 1.2, 0.1),
    "one uncoupled mode": Rabi(0.3, -0.2, (1e-200,), 0.9, 1.2, 0.1),
    "six modes of one energy": Rabi(0.3, -0.2, (0.4, -0.1, 0.25, 0.3, 0.1, 0.2), 0.9, 1.2, 0.1),
    "six resonant modes": Rabi(0.3, 0.3, (0.4, 0.1, 0.25, 0.3, 0.1, 0.2), 0.9, 1.2, 0.1),
    "six modes, three uncoupled": Rabi(0.3, -0.2, (0.4, 0, 0.25, 0, 0, 0.3), 0.9, 1.2, 0.1),
}


def star_of(rabi: Rabi) -> Star:
    """The junction that oscillates so."""
    energies = np.full(len(rabi.couplings), rabi.energy)
    lead = (energies, np.array(rabi.couplings), rabi.beta, rabi.mu)
    return Star(rabi.level, rabi.occupation, (lead,))


ONE_MODE = {name: star_of(RABI[name]) for name in ("one mode", "one uncoupled mode")}

ORDINARY = THERMAL | DIAGONAL | ONE_LEAD | THREE_LEADS | ONE_MODE
LIMITS = FROZEN | EDGES
JUNCTIONS = ORDINARY | LIMITS | NOTHING


RING = Ring(0.8, 0.9, (0.9, 0.2, 0.5, 0.7, 0.1, 0.3, 0.6))

# Of `flat_junction`: K, W, t, then n_d, sigma, I(S:B), I(L:R), I_L, I_R, Sigma, from an independent
# dense program.
INDEPENDENT = [
    (10, 4.0, 1.0, 0.0553667219845, 0.247233619516, 0.237974875405, 0.00437913143492,
     0.00301018631898, 0.00128193929521, 0.246658153190),
    (100, 10.0, 10.0, 0.336711425413, 0.682342249752, 0.269007364742, 0.234086112401,
     0.128713724217, 0.0356194157952, 0.678246186775),
    (400, 20.0, 50.0, 0.388679707826, 1.16893575275, 0.121986610379, 0.575130490533,
     0.24036317358, 0.127081663577, 1.150662551105),
]  # fmt: skip


def flat_junction(
    modes: int, width: float, coupling: Any, beta: tuple, mu: tuple, level: float = 0.0
) -> ex.Junction:
    """An empty level between flat bands."""
    leads = (
        ex.Lead.flat(modes=modes, width=width, coupling=coupling, beta=b, mu=m)
        for b, m in zip(beta, mu, strict=True)
    )
    return ex.Junction(level, 0.0, tuple(leads))


def independent(row: tuple) -> tuple[ex.Junction, float, list[float]]:
    """The model of a row, its time, and the numbers it must have."""
    modes, width, t, *expected = row
    return flat_junction(modes, width, 0.1, (1.0, 1.0), (0.5, -0.5), 0.5), t, expected


def solve(system: Star | Net, ts: Any = TIMES) -> ex.Solution:
    """With all states; the program is one that JAX can keep between runs."""
    return ex.solve(system.model(), ts, save=keep)


@functools.cache
def solved(name: str) -> ex.Solution:
    """The named junction or network at `TIMES`."""
    return solve((JUNCTIONS | NETWORKS)[name])


# Driven, up to time 3

DRIVEN_TIMES = (0.7, 3.0, 1.5)
LEVEL = ex.PiecewiseLinear((0.0, 0.9, 2.0, 3.0), (0.4, 1.3, -0.8, 0.2))
GATE = ex.Held(ex.Fourier(1.0, (-0.3,), (0.0,), np.pi), 0.0, 0.5, 3.0)
OTHER = ex.PiecewiseConstant((1.1,), (1.0, 0.4))
# Of the same kinds, so that the same programs serve.
AT_REST = (
    ex.PiecewiseLinear((0.0, 0.9, 2.0, 3.0), (0.5,) * 4),
    ex.Held(ex.Fourier(1.0, (0.0,), (0.0,), np.pi), 1.0, 1.0, 3.0),
    ex.PiecewiseConstant((1.1,), (1.0, 1.0)),
)


def driven_junction(
    level: Any = LEVEL, gate: Any = GATE, other: Any = None, modes: int = 5
) -> ex.Junction:
    """A level between two leads, one of which has a mode more."""
    left = ex.Lead.flat(modes=modes, width=5.0, coupling=1.0, beta=2.0, mu=0.3, gate=gate)
    right = ex.Lead.flat(modes=modes + 1, width=5.0, coupling=0.7, beta=0.8, mu=-0.3, gate=other)
    return ex.Junction(level, 0.3, (left, right))


as_network = ex.FermionNetwork.from_junction


def with_protocols(
    model: ex.Junction | ex.FermionNetwork, protocols: Sequence[Any]
) -> ex.Junction | ex.FermionNetwork:
    """The same model under others, unchecked: of level and gates, or of drives."""

    def where(model: Any) -> list[Any]:
        if isinstance(model, ex.FermionNetwork):
            return [drive.protocol for drive in model.drives]
        return [x for x in (model.level, *(x.gate for x in model.leads)) if callable(x)]

    return eqx.tree_at(where, model, list(protocols))


# Small ones of any arguments: what may be built, and what not


def flat(**changes: Any) -> ex.Lead:
    return ex.Lead.flat(
        **({"modes": 4, "width": 2.0, "coupling": 0.5, "beta": 1.0, "mu": 0.1} | changes)
    )


def lead(**changes: Any) -> ex.Lead:
    arguments = {"energies": [0.0, 1.0, 2.0], "couplings": [0.1, 0.2, 0.3], "beta": 1.0, "mu": 0.0}
    return ex.Lead(**(arguments | changes))


def junction(**changes: Any) -> ex.Junction:
    return ex.Junction(**({"level": 0.1, "occupation": 0.2, "leads": (lead(), flat())} | changes))


def network(**changes: Any) -> ex.FermionNetwork:
    arguments = {
        "hamiltonian": chain(4, 0.5),
        "system": (0,),
        "baths": ((1, 2), (3,)),
        "beta": (1.0, 2.0),
        "mu": (0.0, 0.1),
    }
    return ex.FermionNetwork(**(arguments | changes))
