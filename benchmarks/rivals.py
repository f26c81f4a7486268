"""The textbook way: what a physicist writes in NumPy for a level between two baths.

One diagonalisation of h, then for each time two complex matrix products for C(t), three Hermitian
eigenproblems (left, right, both baths) and Newton's method for each bath's temperature.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Problem(NamedTuple):
    """A junction, and all that does not depend on time."""

    level: float
    occupation: float
    energies: tuple[Array, Array]
    couplings: tuple[Array, Array]
    beta: tuple[float, float]
    mu: tuple[float, float]
    spectrum: Array
    vectors: Array


def problem(level, occupation, energies, couplings, beta, mu) -> Problem:
    """Diagonalise h: the step that all times share."""
    h = np.diag(np.concatenate([[level], *energies]))
    h[0, 1:] = h[1:, 0] = np.concatenate(couplings)
    spectrum, vectors = np.linalg.eigh(h)
    return Problem(level, occupation, energies, couplings, beta, mu, spectrum, vectors)


def ledger(given: Problem, t: float) -> dict:
    """All fields of the ledger at time t."""
    baths = _slices(given)
    before = _start_exponents(given)
    start = [_fermi(x) for x in before]
    n0 = np.concatenate([[given.occupation], *start])
    c = correlation(given, n0, t)
    n = [c.diagonal().real[where] for where in baths]

    system_entropy = _s(c[0, 0].real)
    bath_entropy = np.array([_gaussian_entropy(c[where, where]) for where in baths])
    environment_entropy = _gaussian_entropy(c[1:, 1:])
    joint_entropy = np.sum(_s(n0))
    system_gain = system_entropy - _s(given.occupation)

    energy, particles = _energies(given, n), np.array([np.sum(x) for x in n])
    particle_gain = particles - [np.sum(x) for x in start]
    heat = given.mu * particle_gain - (energy - _energies(given, start))

    beta, mu, now = match(given, energy, particles)
    matched = [_fermi(x) for x in now]
    thermal_entropy = np.array([np.sum(_s(x)) for x in matched])

    sigma = system_gain + np.sum(thermal_entropy) - sum(np.sum(_s(x)) for x in start)
    system_bath = system_entropy + environment_entropy - joint_entropy
    inter_bath = np.sum(bath_entropy) - environment_entropy
    intra_bath = np.array([np.sum(_s(x)) for x in n]) - bath_entropy
    athermality = sum(_divergence(x, y) for x, y in zip(n, now, strict=True))
    row = c[0, 1:]
    return {
        "entropy_production": sigma,
        "entropy_production_fixed": system_gain - given.beta @ heat,
        "terms.system_bath": system_bath,
        "terms.inter_bath": inter_bath,
        "terms.intra_bath": intra_bath,
        "terms.athermality": athermality,
        "terms.finite_bath": sum(_divergence(x, y) for x, y in zip(matched, before, strict=True)),
        "residual": sigma - system_bath - inter_bath - np.sum(intra_bath) - athermality,
        "beta": beta,
        "mu": mu,
        "energy": energy,
        "particles": particles,
        "heat": heat,
        "chemical_work": -np.sum(given.mu * particle_gain),
        "system_entropy": system_entropy,
        "system_occupation": c[0, 0].real,
        "system_energy": given.level * c[0, 0].real,
        "interaction_energy": 2 * np.sum(np.concatenate(given.couplings) * row.real),
        "bath_entropy": bath_entropy,
        "thermal_entropy": thermal_entropy,
        "environment_entropy": environment_entropy,
    }


def entropy_production(level, occupation, energies, couplings, beta, mu, t: float) -> float:
    """Sigma alone, at new couplings: h is diagonalised anew, bath entropies are not needed."""
    given = problem(level, occupation, energies, couplings, beta, mu)
    start = [_fermi(x) for x in _start_exponents(given)]
    c = correlation(given, np.concatenate([[occupation], *start]), t)
    n = [c.diagonal().real[where] for where in _slices(given)]
    now = match(given, _energies(given, n), np.array([np.sum(x) for x in n]))[2]
    gain = sum(np.sum(_s(_fermi(x))) - np.sum(_s(y)) for x, y in zip(now, start, strict=True))
    return _s(c[0, 0].real) - _s(occupation) + gain


def correlation(given: Problem, n0: Array, t: float) -> Array:
    """C(t) = U* diag(n0) U^T with U = exp(-iht): two complex matrix products."""
    u = (given.vectors * np.exp(-1j * given.spectrum * t)) @ given.vectors.T
    return (u.conj() * n0) @ u.T


def match(given: Problem, energy: Array, number: Array) -> tuple[Array, Array, list[Array]]:
    """beta, mu and beta (eps - mu) of each bath's grand canonical state, by Newton's method."""
    betas, mus, exponents = [], [], []
    for e, energy_now, number_now, beta, mu in zip(
        given.energies, energy, number, given.beta, given.mu, strict=True
    ):
        alpha = beta * mu
        for _ in range(200):
            n = _fermi(beta * e - alpha)
            w = n * (1.0 - n)
            miss = [e @ n - energy_now, np.sum(n) - number_now]
            step = np.linalg.solve([[w @ e**2, -(w @ e)], [w @ e, -np.sum(w)]], miss)
            # a long way off the slope misleads: beta changes by half of itself at most
            step *= min(1.0, (0.5 * abs(beta) + 0.1) / max(abs(step[0]), 1e-300))
            beta, alpha = beta + step[0], alpha + step[1]
            if np.max(np.abs(step)) < 1e-13 * (1.0 + abs(beta) + abs(alpha)):
                break
        betas.append(beta)
        mus.append(alpha / beta)
        exponents.append(beta * e - alpha)
    return np.array(betas), np.array(mus), exponents


def _slices(given: Problem) -> tuple[slice, slice]:
    left, right = map(len, given.energies)
    return slice(1, 1 + left), slice(1 + left, 1 + left + right)


def _start_exponents(given: Problem) -> list[Array]:
    return [b * (e - m) for e, b, m in zip(given.energies, given.beta, given.mu, strict=True)]


def _energies(given: Problem, occupations: list[Array]) -> Array:
    return np.array([e @ n for e, n in zip(given.energies, occupations, strict=True)])


def _gaussian_entropy(block: Array) -> float:
    return np.sum(_s(np.linalg.eigvalsh(block)))


def _fermi(x: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, x))


def _s(n: Array) -> Array:
    return -_xlogx(n) - _xlogx(1.0 - n)


def _xlogx(x: Array) -> Array:
    return np.where(x > 0.0, x, 0.0) * np.log(np.where(x > 0.0, x, 1.0))


def _divergence(n: Array, exponents: Array) -> float:
    """sum_k D[n_k || f(x_k)]; by x_k, as f(x_k) may round to 0 or 1."""
    cost = n * np.logaddexp(0.0, exponents) + (1.0 - n) * np.logaddexp(0.0, -exponents)
    return np.sum(cost - _s(n))
