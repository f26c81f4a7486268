"""Two measurements on free fermions, configuration by configuration: at most 10 sites.

The amplitude from one set of filled modes to another is a minor of the one-particle U.
"""

import itertools
from typing import NamedTuple

import numpy as np

Array = np.ndarray


def configurations(sites: int) -> Array:
    """All of them, a row each, one where a mode is filled."""
    return np.array(list(itertools.product((0, 1), repeat=sites)))


def transitions(u: Array) -> Array:
    """Probabilities |<f|U|i>|^2 between `configurations`, f along the first axis."""
    every = configurations(len(u))
    filled = every.sum(axis=1)
    p = np.zeros((len(every), len(every)))
    for number in range(len(u) + 1):
        which = np.flatnonzero(filled == number)
        modes = np.array([np.flatnonzero(every[c]) for c in which]).reshape(len(which), number)
        minors = u[modes[:, None, :, None], modes[None, :, None, :]]
        p[np.ix_(which, which)] = np.abs(np.linalg.det(minors)) ** 2
    return p


def product(n: Array) -> Array:
    """The probability of each configuration of independent modes."""
    every = configurations(len(n))
    return np.prod(np.where(every == 1, n, 1.0 - n), axis=1)


class Counted(NamedTuple):
    """Values of x, from one configuration to another, and their probabilities."""

    x: Array
    p: Array

    def generating(self, u: complex) -> complex:
        return np.sum(self.p * np.exp(u * self.x))

    def cumulants(self) -> Array:
        """The first four."""
        mean = np.sum(self.p * self.x)
        second, third, fourth = (np.sum(self.p * (self.x - mean) ** k) for k in (2, 3, 4))
        return np.array([mean, second, third, fourth - 3.0 * second**2])


def gained(u: Array, n: Array, before: Array, after: Array) -> Counted:
    """What weights of modes say at the end less what they say at the start; n: occupations."""
    every = configurations(len(u))
    return Counted((every @ after)[:, None] - every @ before, transitions(u) * product(n))


def produced(u: Array, n: Array, m: Array) -> Counted:
    """ln p0 - ln q between products of occupations n and m."""
    p0 = product(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(p0) - np.log(product(m))[:, None]
    p = transitions(u) * p0
    return Counted(np.where(p > 1e-25, x, 0.0), p)
