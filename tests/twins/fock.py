"""Free fermions as many-body density matrices of at most 8 sites: the twin of the twin.

Conventions: H = sum_ij h_ij c_i^dag c_j, C_ij = <c_i^dag c_j>, entropies in nats. Site 0 is the
leftmost tensor factor, |0> empty and |1> filled; the Jordan-Wigner string of site i runs over the
sites before it. An ordinary partial trace is therefore right for neighbouring sites only: whoever
wants others puts the sites into another order first (`joint_state`).
"""

from collections.abc import Sequence

import numpy as np

Array = np.ndarray

MAX_SITES = 8
# Eigenvalues of density matrices below this are rounding, not probability.
SUPPORT = 1e-13


def annihilators(sites: int) -> list[Array]:
    """c_i = Z x ... x Z x a x 1 x ... x 1, with a at place i."""
    if sites > MAX_SITES:
        raise ValueError(f"`sites` must be at most {MAX_SITES}, but is {sites}")
    lower, string, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)
    operators = []
    for i in range(sites):
        product = np.eye(1)
        for factor in [string] * i + [lower] + [one] * (sites - i - 1):
            product = np.kron(product, factor)
        operators.append(product)
    return operators


def quadratic(m: Array) -> Array:
    """sum_ij m_ij c_i^dag c_j: the Hamiltonian for m = h, the number of particles for m = 1."""
    c = annihilators(len(m))
    rows = (c[i].T @ sum(m[i, j] * c[j] for j in range(len(m))) for i in range(len(m)))
    return sum(rows, np.zeros((2 ** len(m),) * 2, dtype=complex))


def mode_product(vectors: Array, filling: Array) -> Array:
    """prod_a [n_a N_a + (1 - n_a)(1 - N_a)], N_a = d_a^dag d_a, d_a^dag = sum_i V_ia c_i^dag."""
    c = annihilators(len(vectors))
    one = np.eye(2 ** len(vectors))
    rho = one.astype(complex)
    for v, n in zip(vectors.T, filling, strict=True):
        creator = sum(v[i] * c[i].T for i in range(len(c)))
        number = creator @ creator.conj().T
        rho = rho @ (n * number + (1.0 - n) * (one - number))
    return rho


def gaussian_state(c: Array) -> Array:
    """The Gaussian density matrix with <c_i^dag c_j> = C_ij, for any 0 <= C <= 1."""
    eigenvalues, w = np.linalg.eigh(c)
    # With d_a^dag = sum_i V_ia c_i^dag: <d_a^dag d_b> = (V^T C V*)_ab, diagonal for V = W*.
    return mode_product(w.conj(), eigenvalues)


def grand_canonical(h: Array, beta: float, mu: float) -> Array:
    """exp(-beta (H - mu N)) / Z."""
    return grand_canonical_natural(h, beta, beta * mu)


def grand_canonical_natural(h: Array, beta: float, alpha: float) -> Array:
    """exp(-beta H + alpha N) / Z, alpha = beta mu: defined at beta = 0 too."""
    exponents, vectors = np.linalg.eigh(quadratic(alpha * np.eye(len(h)) - beta * h))
    weights = np.exp(exponents - exponents.max())
    return (vectors * (weights / weights.sum())) @ vectors.conj().T


def evolve(rho: Array, h: Array, t: float) -> Array:
    """e^{-iHt} rho e^{iHt} with the many-body H."""
    energies, vectors = np.linalg.eigh(quadratic(h))
    u = (vectors * np.exp(-1j * energies * t)) @ vectors.conj().T
    return u @ rho @ u.conj().T


def joint_state(h: Array, c0: Array, t: float, order: Sequence[int]) -> Array:
    """rho(t) of all sites, set out in the given order: h and C(0) are permuted before all else."""
    block = np.ix_(order, order)
    return evolve(gaussian_state(c0[block]), h[block], t)


def keep_first(rho: Array, sites: int) -> Array:
    """Trace out all but the first `sites` sites."""
    kept = 2**sites
    rest = len(rho) // kept
    return np.einsum("aibi->ab", rho.reshape(kept, rest, kept, rest))


def reduced_state(h: Array, c0: Array, t: float, keep: Sequence[int]) -> Array:
    """rho_G(t) of the sites G = `keep`, in that order."""
    others = [site for site in range(len(h)) if site not in keep]
    return keep_first(joint_state(h, c0, t, [*keep, *others]), len(keep))


def modes_apart(rho: Array, h: Array) -> Array:
    """The product of the single-mode states of rho in the eigenmodes of h."""
    vectors = np.linalg.eigh(h)[1]
    c, filling = annihilators(len(h)), []
    for column in vectors.T:
        creator = sum(x * a.T for x, a in zip(column, c, strict=True))
        filling.append(expectation(rho, creator @ creator.conj().T))
    return mode_product(vectors, np.array(filling))


def correlation_matrix(rho: Array) -> Array:
    """C_ij = tr rho c_i^dag c_j."""
    c = annihilators(round(np.log2(len(rho))))
    return np.array([[np.trace(rho @ a.T @ b) for b in c] for a in c])


def expectation(rho: Array, operator: Array) -> float:
    """tr rho A of a Hermitian A."""
    return float(np.trace(rho @ operator).real)


def entropy(rho: Array) -> float:
    """S = -tr rho ln rho."""
    p = np.linalg.eigvalsh(rho)
    p = p[p > SUPPORT]
    return float(-np.sum(p * np.log(p)))


def relative_entropy(rho: Array, sigma: Array) -> float:
    """D[rho || sigma] = tr rho (ln rho - ln sigma), +inf where rho leaves the support of sigma."""
    q, vectors = np.linalg.eigh(sigma)
    weights = np.einsum("ia,ij,ja->a", vectors.conj(), rho, vectors).real
    inside = q > SUPPORT
    if np.any(weights[~inside] > 10 * SUPPORT):
        return float("inf")
    return float(-entropy(rho) - np.sum(weights[inside] * np.log(q[inside])))


def mutual_information(rho: Array, first: int) -> float:
    """D[rho_XY || rho_X x rho_Y], X the first `first` sites and Y the others."""
    kept = 2**first
    rest = len(rho) // kept
    rho_y = np.einsum("aiaj->ij", rho.reshape(kept, rest, kept, rest))
    # Y's strings over X square away in any state of definite parity, so its partial trace is right,
    # and even operators of X and Y multiply as a plain tensor product.
    return relative_entropy(rho, np.kron(keep_first(rho, first), rho_y))
