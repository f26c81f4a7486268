"""Plain NumPy twins of second-law quantities, from dense density matrices, by their definitions.

S, E: equations of Strasberg (2020), of Esposito et al. (2010). Indices run over (system, levels of
bath 1, of bath 2, ...), the last fastest. `basis`: vectors |s> as columns; `where`: for each bath,
the window of each level.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.integrate
import scipy.linalg

from twins.riera import entropy

Array = np.ndarray


def shannon(p: Array) -> float:
    p = np.asarray(p).ravel()
    p = p[p > 0]
    return float(-np.sum(p * np.log(p)))


def relative(rho: Array, sigma: Array) -> float:
    """D[rho || sigma] of states with full support."""
    values, vectors = np.linalg.eigh(sigma)
    weights = np.real(np.diag(vectors.conj().T @ rho @ vectors))
    kept = weights > 1e-14
    return float(-entropy(rho) - np.sum(weights[kept] * np.log(values[kept])))


def reduced(rho: Array, d: int, sizes: Sequence[int], keep: int) -> Array:
    """Partial trace: `keep` 0 for the system, 1 for the first bath, ..."""
    dims = [d, *sizes]
    tensor = rho.reshape(dims + dims)
    for axis in reversed(range(len(dims))):
        if axis != keep:
            tensor = np.trace(tensor, axis1=axis, axis2=axis + tensor.ndim // 2)
    return tensor


def table(rho: Array, d: int, sizes: Sequence[int], basis: Array, where: Sequence[Array]) -> Array:
    """p[s, E1, E2, ...] (S8, S34)."""
    rotation = np.kron(basis, np.eye(int(np.prod(sizes))))
    fine = np.real(np.diag(rotation.conj().T @ rho @ rotation)).reshape([d, *sizes])
    out = np.zeros([d, *(int(np.max(w)) + 1 for w in where)])
    for index in np.ndindex(*fine.shape):
        windows = (int(w[i]) for w, i in zip(where, index[1:], strict=True))
        out[(index[0], *windows)] += fine[index]
    return out


def pieces(
    rho: Array, d: int, sizes: Sequence[int], basis: Array, where: Sequence[Array]
) -> dict[str, Any]:
    """The terms of S_obs - S[rho], each by its own definition (S22, S39), and S_obs (S9, S34)."""
    p = table(rho, d, sizes, basis, where)
    system = reduced(rho, d, sizes, 0)
    baths = [reduced(rho, d, sizes, 1 + i) for i in range(len(sizes))]
    product = system
    for bath in baths:
        product = np.kron(product, bath)
    out: dict[str, Any] = {"bath_coherence": [], "ignorance": []}
    alone = [p.sum(axis=tuple(a for a in range(p.ndim) if a != i)) for i in range(p.ndim)]
    out["system_coherence"] = shannon(alone[0]) - entropy(system)
    for bath, w in zip(baths, where, strict=True):
        out["bath_coherence"].append(entropy(bath * np.equal.outer(w, w)) - entropy(bath))
        ignorance = 0.0
        for window in range(int(np.max(w)) + 1):
            block = bath[np.ix_(w == window, w == window)]
            weight = np.trace(block).real
            if weight > 1e-14:
                flat = np.eye(len(block)) / len(block)
                ignorance += weight * relative(block / weight, flat)
        out["ignorance"].append(ignorance)
    out["correlation"] = relative(rho, product)
    out["coarse_correlation"] = sum(map(shannon, alone)) - shannon(p)
    volumes = np.ones(())
    for w in where:
        volumes = np.multiply.outer(volumes, np.bincount(w))
    kept = p > 0
    ratio = (p / np.where(volumes > 0, volumes, 1.0))[kept]
    out["observational"] = float(-np.sum(p[kept] * np.log(ratio)))
    return out


def gibbs(levels: Array, beta: float) -> Array:
    """The canonical state's populations."""
    weights = np.exp(-beta * (levels - np.min(levels)))
    return weights / weights.sum()


def fixed(rho: Array, d: int, levels: Sequence[Array], betas: Sequence[float]) -> float:
    """D[rho || rho_S pi_1 pi_2 ...] (E10, S5)."""
    product = reduced(rho, d, [len(e) for e in levels], 0)
    for e, beta in zip(levels, betas, strict=True):
        product = np.kron(product, np.diag(gibbs(e, beta)))
    return relative(rho, product)


def weak(start: Array, rho: Array, d: int, sizes: Sequence[int], energies: Array, beta: float):
    """D[rho_S(0) || rho_eq] - D[rho_S(t) || rho_eq] (E25)."""
    thermal = np.diag(gibbs(energies, beta))
    one, other = reduced(start, d, sizes, 0), reduced(rho, d, sizes, 0)
    return relative(one, thermal) - relative(other, thermal)


def quench(
    hamiltonians: Sequence[Array], jumps: Sequence[float], rho: Array, t: float
) -> tuple[Array, list[Array]]:
    """rho(t) from rho(0) under H constant between `jumps`, and the states at the jumps so far."""
    now, at_jumps = 0.0, []
    for h, jump in zip(hamiltonians, [*jumps, np.inf], strict=True):
        u = scipy.linalg.expm(-1j * h * (min(jump, t) - now))
        rho, now = u @ rho @ u.conj().T, min(jump, t)
        if t < jump:
            return rho, at_jumps
        at_jumps.append(rho)
    return rho, at_jumps


def driven(
    h: Callable[[float], Array], slope: Callable[[float], Array], rho: Array, times: Sequence[float]
) -> tuple[list[Array], list[float]]:
    """rho and the work int tr(dH/dt rho) dt at ascending times from 0 on, by an ODE solver."""
    n = len(rho)

    def right(t: float, y: Array) -> Array:
        state = y[:-1].reshape(n, n)
        change = -1j * (h(t) @ state - state @ h(t))
        return np.append(change.ravel(), np.trace(slope(t) @ state))

    start = np.append(rho.ravel(), 0.0).astype(complex)
    found = scipy.integrate.solve_ivp(
        right, (0.0, max(times)), start, "DOP853", t_eval=times, rtol=1e-11, atol=1e-13
    )
    return [y[:-1].reshape(n, n) for y in found.y.T], list(found.y[-1].real)


def mme(
    terms: Sequence[tuple[float, Array, Array]], energies: Array, bath: Any, where: Array
) -> Array:
    """Rates dp/dt = R p over (s, E) of the microcanonical master equation (S43).

    `terms`: (strength, S, B); resonant pairs of windows only; (S43) times the density of states
    1/width that the paper leaves out.
    """
    centers, count = np.asarray(bath.centers), bath.windows
    centered = []
    for _, _, b in terms:
        b = np.array(b, complex)
        for w in range(count):
            inside = np.ix_(where == w, where == w)
            b[inside] -= np.eye(np.sum(where == w)) * np.mean(np.diag(b[inside]))
        centered.append(b)
    d = len(energies)
    rates = np.zeros((d * count, d * count))
    for s, r, e, f in np.ndindex(d, d, count, count):
        if abs(centers[f] - centers[e] - energies[s] + energies[r]) > 1e-9:
            continue
        total = 0.0
        for (la, sa, _), ba in zip(terms, centered, strict=True):
            for (lg, sg, _), bg in zip(terms, centered, strict=True):
                block, back = ba[np.ix_(where == e, where == f)], bg[np.ix_(where == f, where == e)]
                overlap = np.trace(block @ back)
                total += (la * lg * sa[s, r] * sg[r, s] * overlap).real
        total *= 2 * np.pi / float(bath.width)
        rates[r * count + f, s * count + e] += total / bath.volumes[e]
        rates[s * count + e, s * count + e] -= total / bath.volumes[e]
    return rates
