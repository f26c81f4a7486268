"""Modes of baths and fillings of them: thermal ones, ground states, those a hair from them."""

import functools
import math
from typing import Any

import jax
import numpy as np
from twins import textbook

from entropax.equilibrium import Equilibrium, match, match_occupations

Array = np.ndarray
BAND = np.linspace(-5.0, 5.0, 1000)
SMALL = np.array([0.3, -1.0, 0.5, 0.5, 1.7, 2.0])
matching, matching_occupations = jax.jit(match), jax.jit(match_occupations)


def recover(energies: Any, energy: Any, number: Any) -> Equilibrium:
    """In NumPy, which compiles nothing for a sum or an entry of what was found."""
    return jax.tree.map(np.asarray, matching(energies, energy, number))


def recover_from(energies: Any, occupations: Any) -> Equilibrium:
    return jax.tree.map(np.asarray, matching_occupations(energies, occupations))


TEMPERATURES = (10.0, 2.0, 1.0, -0.5, -20.0, 200.0, 3000.0, 1e-6)


def sums(energies: Array, n: Array) -> tuple[float, float]:
    """E and N, each correctly rounded."""
    return math.fsum(energies * n), math.fsum(n)


# energies SMALL sorted: -1, 0.3, 0.5, 0.5, 1.7, 2
EDGES = {
    # N, occupations of the limit, mu of the limit at beta = inf
    "one particle": (1.0, [0, 1, 0, 0, 0, 0], -0.35),
    "part of a level": (1.4, [0.4, 1, 0, 0, 0, 0], 0.3),
    "degenerate level": (2.5, [1, 1, 0.25, 0.25, 0, 0], 0.5),
    "all but one": (5.0, [1, 1, 1, 1, 1, 0], 1.85),
    "less than one": (0.3, [0, 0.3, 0, 0, 0, 0], -1.0),
}
STATES = {"cold": (6.0, 0.4), "warm": (1.0, 0.2), "hot": (0.3, -1.0), "inverted": (-0.8, 0.9)}


@functools.cache
def mixed_batch() -> tuple[Array, Array, Array]:
    """Ordinary, cold, empty, impossible and one-energy baths side by side."""
    rows = []
    for beta, mu in (*STATES.values(), (20.0, 0.4), (1e-6, 0.1)):
        rows.append((SMALL, *sums(SMALL, textbook.fermi(beta, mu, SMALL))))
    for number, occupations, _ in EDGES.values():
        rows.append((SMALL, float(SMALL @ np.array(occupations)), number))
    rows += [(SMALL, 0.0, 0.0), (SMALL, -9.0, 1.0), (np.full(6, 0.7), 1.4, 2.0)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def cluster(hair: float, *filling: float) -> tuple[Array, Array]:
    """Modes at 0, as many as there are fillings but two, then one a hair above, and one at 1."""
    energies = np.zeros(len(filling))
    energies[-2:] = hair, 1.0
    return energies, np.array(filling)


HAIRS = {
    "a hair": cluster(2.5e-6, 0.5, 0.25, 0.0, 1e-9, 0.0),
    "a hair of a hair": cluster(1e-12, 0.5, 0.25, 0.0, 1e-11, 0.0),
    "a hair, little more than rounding": cluster(4e-15, 0.5, 0.25, 0.0, 2e-14, 0.0),
    "hairs and another mode": cluster(1e-8, 0.5, 0.25, 0.0, 1e-9, 1e-18),
    "three sizes of hairs": (
        np.array([0.0, 1e-12, 0.0, 3e-8, 1e-4, 1.0, -2e-8, -1.0]),
        np.array([0.5, 0.25, 0.75, 1e-5, 0.0, 0.0, 1.0, 1.0]),
    ),
    "particles and holes, one number": (
        np.array([-1.0, -1e-9, 0.0, 1e-9, 0.5, 2.0]),
        np.array([1.0, 1.0 - 2.0**-40, 1.0 - 2.0**-33, 2.0**-33, 2.0**-40, 0.0]),
    ),
    "few particles": (SMALL, np.array([3e-13, 1e-13, 0.0, 0.0, 2e-14, 1e-15])),
    "a cold band": (BAND[::25], textbook.fermi(60.0, 0.1, BAND[::25])),
}
