"""Free fermions between finite baths, written out in dense NumPy: the slow twin of the fast code.

Conventions: hbar = k_B = 1, H = sum_ij h_ij c_i^dag c_j, C_ij = <c_i^dag c_j>, entropies in nats;
"(U7)" is Eq. 7 of Usui, Ptaszynski, Esposito, Strasberg (2024).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

Array = np.ndarray
Lead = tuple[Array, Array]
Sites = Sequence[int]


def flat_lead(modes: int, width: float, gamma: float) -> Lead:
    """Flat band: eps_k = (k-1) De - W/2, De = W/(K-1), t_k = sqrt(Gamma De / 2 pi).

    A lead of one mode has eps = 0 and De = W.
    """
    if modes == 1:
        energies, spacing = np.zeros(1), width
    else:
        spacing = width / (modes - 1)
        energies = spacing * np.arange(modes) - width / 2
    return energies, np.full(modes, np.sqrt(gamma * spacing / (2 * np.pi)))


def thermal_exponents(beta: float, mu: float, energies: Array) -> Array:
    """x_k = beta (eps_k - mu), with x_k = 0 at eps_k = mu also where beta is infinite."""
    distance = np.asarray(energies, dtype=float) - mu
    with np.errstate(invalid="ignore"):
        return np.where(distance == 0.0, 0.0, beta * distance)


def occupations_of(exponents: Array) -> Array:
    """f(x) = 1/(e^x + 1), right to a relative 1e-15 |x| also where f is tiny."""
    return np.exp(-np.logaddexp(0.0, exponents))


def fermi(beta: float, mu: float, energies: Array) -> Array:
    """f(beta (eps - mu)); beta = +-inf gives a step with 1/2 exactly at mu."""
    return occupations_of(thermal_exponents(beta, mu, energies))


def binary_entropy(n: Array) -> Array:
    """s(n) = -n ln n - (1-n) ln(1-n), with n clipped to [0, 1] and s(0) = s(1) = 0."""
    n = np.clip(n, 0.0, 1.0)
    return -sum(p * np.log(np.where(p > 0.0, p, 1.0)) for p in (n, 1.0 - n))


def thermal_divergence(n: Array, exponents: Array) -> float:
    """sum_k D[n_k || f(x_k)] = sum_k n_k ln(1+e^x_k) + (1-n_k) ln(1+e^-x_k) - s(n_k).

    Taking x instead of f(x) keeps it right where f(x) rounds to 0 or 1.
    """

    def weighted(weight: Array, cost: Array) -> Array:
        # An occupation that is 0 up to rounding costs nothing, even at zero temperature.
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(cost) & (weight < 1e-12), 0.0, weight * cost)

    n = np.clip(n, 0.0, 1.0)
    filled = weighted(n, np.logaddexp(0.0, exponents))
    empty = weighted(1.0 - n, np.logaddexp(0.0, -exponents))
    return float(np.sum(filled + empty - binary_entropy(n)))


def star(level: float, leads: Sequence[Lead]) -> Array:
    """Dense h of one level coupled to all modes; order: level, modes of lead 0, of lead 1, ..."""
    energies = np.concatenate([[level], *(lead[0] for lead in leads)])
    h = np.diag(energies.astype(float))
    h[0, 1:] = h[1:, 0] = np.concatenate([lead[1] for lead in leads])
    return h


def evolution(h: Array, c0: Array) -> Callable[[float], Array]:
    """C(t) = U* C(0) U^T with U = e^{-i h t}, as a function of time."""
    energies, vectors = np.linalg.eigh(h)
    diagonal = np.diag(c0)
    is_diagonal = np.count_nonzero(c0 - np.diag(diagonal)) == 0

    def at(t: float) -> Array:
        u = (vectors * np.exp(-1j * energies * t)) @ vectors.conj().T
        return (u.conj() * diagonal if is_diagonal else u.conj() @ c0) @ u.T

    return at


def correlation(h: Array, c0: Array, t: float) -> Array:
    """C(t) at one time."""
    return evolution(h, c0)(t)


def thermal_correlation(h: Array, beta: float, mu: float) -> Array:
    """C = f(beta (h - mu))^T, the grand canonical state of h."""
    energies, vectors = np.linalg.eigh(h)
    return (vectors.conj() * fermi(beta, mu, energies)) @ vectors.T


def thermal_product(
    h: Array,
    system_correlation: Array,
    system: Sites,
    baths: Sequence[Sites],
    betas: Sequence[float],
    mus: Sequence[float],
) -> Array:
    """C(0) of any Gaussian system state next to baths in grand canonical states of their blocks."""
    c0 = np.zeros(h.shape, dtype=complex)
    c0[np.ix_(system, system)] = system_correlation
    for bath, beta, mu in zip(baths, betas, mus, strict=True):
        c0[np.ix_(bath, bath)] = thermal_correlation(h[np.ix_(bath, bath)], beta, mu)
    return c0


def gaussian_entropy(c_block: Array) -> float:
    """S = sum_a s(lambda_a), lambda the eigenvalues of the block of C (U21)."""
    return float(np.sum(binary_entropy(np.linalg.eigvalsh(c_block))))


def _alpha_at(beta: float, energies: Array, number: float) -> float:
    """The alpha with sum_k f(beta eps_k - alpha) = N, for 0 < N < K."""
    # Were all modes at one energy eps, alpha would be beta eps + logit(N/K): the least and the
    # greatest of these enclose the root, and 1 is far more than rounding can move them.
    alone = beta * energies + np.log(number) - np.log(len(energies) - number)

    def excess(alpha: float) -> float:
        return float(np.sum(occupations_of(beta * energies - alpha))) - number

    return brentq(excess, alone.min() - 1.0, alone.max() + 1.0, xtol=1e-18, maxiter=1000)


def effective(energies: Array, energy: float, number: float) -> tuple[float, float, float, Array]:
    """(beta, alpha = beta mu, entropy, occupations n_k = f(beta eps_k - alpha)) of (U5, U6).

    They fulfil sum_k eps_k n_k = E and sum_k n_k = N. Two nested scalar roots: alpha(beta) fulfils
    the second, and along it E falls strictly with beta. Modes of one and the same energy leave
    beta undetermined: 0 is returned. ValueError where no finite beta exists.
    """
    energies = np.asarray(energies, dtype=float)
    count = len(energies)
    if not 0.0 < number < count:
        raise ValueError(f"no finite beta: `number` must lie inside (0, {count}), but is {number}")
    # The energies are measured from their mean, so that beta moves alpha as little as it can.
    mean = float(energies.mean())
    centred = np.sort(energies - mean)
    target = energy - mean * number
    rounding = 8.0 * np.finfo(float).eps * (np.sum(np.abs(energies)) + abs(energy))

    filling = np.clip(number - np.arange(count), 0.0, 1.0)
    lowest, highest = float(filling @ centred), float(filling @ centred[::-1])
    spread = float(centred[-1] - centred[0])
    if spread <= 8.0 * np.finfo(float).eps * np.abs(energies).max():
        if abs(target) > rounding:
            raise ValueError(f"no finite beta: all modes lie at {mean}, `energy` is {energy}")
        even = np.full(count, number / count)
        alpha = float(np.log(number) - np.log(count - number))
        return 0.0, alpha, float(np.sum(binary_entropy(even))), even
    if not lowest + rounding < target < highest - rounding:
        raise ValueError(
            f"no finite beta: {number} particles have energies inside "
            f"({lowest + mean * number}, {highest + mean * number}), but `energy` is {energy}"
        )

    def excess(beta: float) -> float:
        alpha = _alpha_at(beta, centred, number)
        return float(centred @ occupations_of(beta * centred - alpha)) - target

    at_zero = excess(0.0)
    bound = np.copysign(1.0 / spread, at_zero)
    while excess(bound) * at_zero > 0.0:
        bound *= 2.0
        if abs(bound) * spread > 1e18:
            raise ValueError(f"no finite beta found for E = {energy}, N = {number}")
    beta = 0.0 if at_zero == 0.0 else brentq(excess, 0.0, bound, xtol=1e-18, maxiter=1000)
    alpha = _alpha_at(beta, centred, number) + beta * mean
    occupations = occupations_of(beta * energies - alpha)
    return beta, alpha, float(np.sum(binary_entropy(occupations))), occupations


def _bath_modes(block: Array) -> tuple[Array, Array]:
    """Energies and vectors (columns) of a bath's eigenmodes; the sites of a diagonal block."""
    if np.count_nonzero(block - np.diag(np.diag(block))) == 0:
        return np.diag(block).real, np.eye(len(block))
    return np.linalg.eigh(block)


def _trace_energy(h: Array, c: Array, sites: Sites) -> float:
    """<H_G> = sum_ij in G h_ij C_ij."""
    block = np.ix_(sites, sites)
    return float(np.sum(h[block] * c[block]).real)


def _snapshot(
    h: Array,
    c: Array,
    system: Sites,
    baths: Sequence[Sites],
    global_entropy: float | None = None,
) -> dict:
    """Everything that the state C alone says, without any effective temperature."""

    def entropy(sites: Sites) -> float:
        return gaussian_entropy(c[np.ix_(sites, sites)])

    occupations = []
    for bath in baths:
        block = np.ix_(bath, bath)
        _, v = _bath_modes(h[block])
        # The modes are d_a = sum_j V*_ja c_j, so <d_a^dag d_b> = (V^T C V*)_ab.
        occupations.append(np.diag(v.T @ c[block] @ v.conj()).real)
    together = [site for bath in baths for site in bath]
    everything = [*system, *together]
    bath_energies = [_trace_energy(h, c, bath) for bath in baths]
    total = _trace_energy(h, c, everything)
    return {
        "occupations": occupations,
        "energy": bath_energies,
        "particles": [float(np.sum(n)) for n in occupations],
        "system_occupation": float(np.trace(c[np.ix_(system, system)]).real),
        "total_energy": total,
        "interaction_energy": total - _trace_energy(h, c, system) - sum(bath_energies),
        "system_entropy": entropy(system),
        "bath_entropy": entropy(together),
        "bath_entropies": [entropy(bath) for bath in baths],
        "global_entropy": entropy(everything) if global_entropy is None else global_entropy,
    }


def _terms(now: dict, exponents: Sequence[Array]) -> dict:
    """(U8)-(U11): I_{S-B}, I_{L-R} (sum S_nu - S_B), I_nu and D* of one snapshot."""
    return {
        "system_bath": now["system_entropy"] + now["bath_entropy"] - now["global_entropy"],
        "inter_bath": sum(now["bath_entropies"]) - now["bath_entropy"],
        "intra_bath": [
            float(np.sum(binary_entropy(n))) - s
            for n, s in zip(now["occupations"], now["bath_entropies"], strict=True)
        ],
        "athermality": sum(
            thermal_divergence(n, x) for n, x in zip(now["occupations"], exponents, strict=True)
        ),
    }


def _sum_of_terms(terms: dict) -> float:
    """I_{S-B} + I_{L-R} + sum_nu I_nu + D* (U12)."""
    correlations = terms["system_bath"] + terms["inter_bath"] + sum(terms["intra_bath"])
    return correlations + terms["athermality"]


def ledger(
    h: Array,
    c0: Array,
    system: Sites,
    baths: Sequence[Sites],
    t: float,
    betas: Sequence[float] | None = None,
    mus: Sequence[float] | None = None,
) -> dict:
    """All thermodynamic quantities at time t of any Hermitian h, partition and start C(0)."""
    return account(h, c0, system, baths, betas, mus)(correlation(h, c0, t))


def account(
    h: Array,
    c0: Array,
    system: Sites,
    baths: Sequence[Sites],
    betas: Sequence[float] | None = None,
    mus: Sequence[float] | None = None,
    *,
    conserved: bool = False,
) -> Callable[[Array], dict]:
    """The ledger as a function of C(t): what rests on the start alone is found once.

    `conserved`: the entropy of everything is taken to be that of the start, not found anew.

    Sigma = DeltaS_S + sum_nu [S_nu*(t) - S_nu*(0)] (U7), sigma = DeltaS_S - sum_nu beta_nu(0) Q_nu
    (U13), Q_nu = -(DeltaE_nu - mu_nu(0) DeltaN_nu). `betas` and `mus` are those of baths that start
    grand canonical (infinite ones too); without them the effective values of `c0` stand for them.
    A bath's modes are the eigenmodes of its block of h. mu is nan where beta = 0, and so is heat
    where that is so at the start.
    ValueError where a bath has no finite effective beta.
    """
    h, c0 = np.asarray(h), np.asarray(c0)
    sites = sorted([*system, *(site for bath in baths for site in bath)])
    if sites != list(range(len(h))):
        raise ValueError(f"`system` and `baths` must hold {len(h)} sites once each, not {sites}")
    mode_energies = [_bath_modes(h[np.ix_(bath, bath)])[0] for bath in baths]
    before = _snapshot(h, c0, system, baths)

    def matched(state: dict) -> list[tuple[float, float, float, Array]]:
        parts = zip(mode_energies, state["energy"], state["particles"], strict=True)
        return [effective(*part) for part in parts]

    if betas is None or mus is None:
        start = matched(before)
        betas, alphas = [s[0] for s in start], [s[1] for s in start]
        mus = [_mu(b, a) for b, a in zip(betas, alphas, strict=True)]
        exponents_0 = [b * e - a for e, b, a in zip(mode_energies, betas, alphas, strict=True)]
    else:
        exponents_0 = [
            thermal_exponents(b, m, e) for e, b, m in zip(mode_energies, betas, mus, strict=True)
        ]
        alphas = [b * m for b, m in zip(betas, mus, strict=True)]
    initial_entropies = [float(np.sum(binary_entropy(occupations_of(x)))) for x in exponents_0]

    terms_0 = _terms(before, exponents_0)

    def at(c: Array) -> dict:
        now = _snapshot(h, c, system, baths, before["global_entropy"] if conserved else None)
        thermal = matched(now)
        exponents = [th[0] * e - th[1] for e, th in zip(mode_energies, thermal, strict=True)]
        terms = _terms(now, exponents)

        change = now["system_entropy"] - before["system_entropy"]
        gained = np.subtract(now["energy"], before["energy"])
        arrived = np.subtract(now["particles"], before["particles"])
        sigma_running = change + sum(th[2] for th in thermal) - sum(initial_entropies)
        sigma_fixed = change
        for beta, alpha, de, dn in zip(betas, alphas, gained, arrived, strict=True):
            # A bath at zero temperature makes any exchange infinitely irreversible.
            sigma_fixed += np.inf if np.isinf(beta) else beta * de - alpha * dn
        return {
            "entropy_production": sigma_running,
            "entropy_production_fixed": float(sigma_fixed),
            "beta": [th[0] for th in thermal],
            "alpha": [th[1] for th in thermal],
            "mu": [_mu(th[0], th[1]) for th in thermal],
            "heat": [-float(e - m * n) for e, n, m in zip(gained, arrived, mus, strict=True)],
            **{key: now[key] for key in now if key not in ("occupations", "global_entropy")},
            **terms,
            "athermality_initial": terms_0["athermality"],
            "finite_bath": sum(
                thermal_divergence(th[3], x) for th, x in zip(thermal, exponents_0, strict=True)
            ),
            "thermal_entropies": [th[2] for th in thermal],
            "residual": sigma_running - (_sum_of_terms(terms) - _sum_of_terms(terms_0)),
        }

    return at


def _mu(beta: float, alpha: float) -> float:
    """mu = alpha / beta, undefined at beta = 0."""
    return float("nan") if beta == 0.0 else alpha / beta


def landauer_buttiker(
    level: float,
    gamma_left: float,
    gamma_right: float,
    mu_left: float,
    temperature_left: float,
    mu_right: float,
    temperature_right: float,
    width: float = np.inf,
) -> tuple[float, float, float]:
    """(I, J_E, n) of the steady resonant level in flat bands of width W, currents from L to R.

    T(w) = G_L G_R / [(w - eps - Lambda)^2 + (G/2)^2], Lambda = (G/2pi) ln[(w+W/2)/(W/2-w)],
    I = int dw/2pi T (f_L - f_R), J_E = int dw/2pi w T (f_L - f_R),
    n = int dw/2pi (T/G_L G_R) (G_L f_L + G_R f_R). Infinite width: Lambda = 0.
    """
    gamma, half = gamma_left + gamma_right, width / 2

    def lorentzian(w: float) -> float:
        shift = 0.0 if np.isinf(half) else gamma / (2 * np.pi) * np.log((w + half) / (half - w))
        return 1.0 / ((w - level - shift) ** 2 + (gamma / 2) ** 2) / (2 * np.pi)

    def left(w: float) -> float:
        return float(fermi(1.0 / temperature_left, mu_left, w))

    def right(w: float) -> float:
        return float(fermi(1.0 / temperature_right, mu_right, w))

    def current(w: float) -> float:
        return gamma_left * gamma_right * lorentzian(w) * (left(w) - right(w))

    def filling(w: float) -> float:
        return lorentzian(w) * (gamma_left * left(w) + gamma_right * right(w))

    marks = [level + k * gamma for k in (-10.0, -1.0, 0.0, 1.0, 10.0)]
    for mu, temperature in ((mu_left, temperature_left), (mu_right, temperature_right)):
        marks += [mu + k * temperature for k in (-30.0, -5.0, 0.0, 5.0, 30.0)]
    edges = [-half, *sorted({mark for mark in marks if abs(mark) < half}), half]
    return (
        _integral(current, edges),
        _integral(lambda w: w * current(w), edges),
        _integral(filling, edges),
    )


def _integral(function: Callable[[float], float], edges: Sequence[float]) -> float:
    """Integral over [edges[0], edges[-1]], piece by piece."""
    options = {"epsabs": 1e-14, "epsrel": 1e-12, "limit": 400}
    return sum(quad(function, a, b, **options)[0] for a, b in pairwise(edges))
