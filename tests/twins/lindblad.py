"""Master equations with ideal baths by plain NumPy: jump operators, Liouvillians, exponentials."""

import numpy as np
import scipy.integrate
import scipy.linalg

Array = np.ndarray

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
SY = np.array([[0.0, -1.0j], [1.0j, 0.0]])
SZ = np.diag([1.0, -1.0])
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
"""|0><1| of (ground, excited)."""


def on_site(operator: Array, site: int, sites: int) -> Array:
    """An operator of one qubit among several."""
    out = np.eye(1)
    for k in range(sites):
        out = np.kron(out, operator if k == site else np.eye(2))
    return out


def qubits(gaps: tuple[float, ...]) -> Array:
    """-w/2 sigma_z of each: the bare Hamiltonian, the ground state first."""
    return sum(-0.5 * w * on_site(SZ, i, len(gaps)) for i, w in enumerate(gaps))


def exchange(strength: float, site: int, sites: int) -> Array:
    """(J/2)(sx sx + sy sy) between a site and the next."""
    xx = on_site(SX, site, sites) @ on_site(SX, site + 1, sites)
    yy = on_site(SY, site, sites) @ on_site(SY, site + 1, sites)
    return (0.5 * strength * (xx + yy)).real


def bose_rate(w: float, beta: float, density) -> float:
    """gamma of the energy w given to a bath of bosons."""
    n = np.exp(-beta * abs(w)) / -np.expm1(-beta * abs(w))
    return density(abs(w)) * (n + (w > 0))


def parts(hamiltonian: Array, operator: Array) -> list[tuple[float, Array]]:
    """(w, A_w): what hands the energy w to the bath."""
    e, v = np.linalg.eigh(hamiltonian)
    inside = v.conj().T @ operator @ v
    given = e[None, :] - e[:, None]
    frequencies: list[float] = []
    for w in np.sort(given[np.abs(inside) > 1e-12]):
        if not frequencies or w - frequencies[-1] > 1e-8:
            frequencies.append(float(w))
    return [
        (w, v @ np.where(np.abs(given - w) < 1e-8, inside, 0.0) @ v.conj().T) for w in frequencies
    ]


def davies_jumps(hamiltonian: Array, operator: Array, rate) -> list[Array]:
    """sqrt(gamma(w)) A_w."""
    return [np.sqrt(rate(w)) * a for w, a in parts(hamiltonian, operator) if rate(w) > 0]


def dissipate(jumps: list[Array], rho: Array) -> Array:
    total = np.zeros_like(rho, dtype=complex)
    for jump in jumps:
        decay = jump.conj().T @ jump
        total += jump @ rho @ jump.conj().T - 0.5 * (decay @ rho + rho @ decay)
    return total


def redfield(hamiltonian: Array, operator: Array, rate, rho: Array) -> Array:
    """[Lambda rho, A] + h.c., Lambda = sum gamma(w) A_w / 2."""
    weighted = sum(0.5 * rate(w) * a for w, a in parts(hamiltonian, operator))
    back = weighted.conj().T
    gained = weighted @ rho @ operator + operator @ rho @ back
    return gained - operator @ weighted @ rho - rho @ back @ operator


def principal_value(rate, w: float) -> float:
    """P int dv/2pi gamma(v) / (w - v), by QUADPACK."""
    width = 8.0
    edges = w - width, w + width
    total = -scipy.integrate.quad(rate, *edges, weight="cauchy", wvar=w, limit=400)[0]
    for far in ((-np.inf, edges[0]), (edges[1], np.inf)):
        total += scipy.integrate.quad(lambda v: rate(v) / (w - v), *far, limit=400)[0]
    return total / (2.0 * np.pi)


def liouvillian(action, size: int) -> Array:
    """The matrix of a linear map over rows of rho."""
    units = np.eye(size * size).reshape(-1, size, size)
    return np.array([action(unit).ravel() for unit in units]).T


def generator(hamiltonian: Array, jumps: list[Array]) -> Array:
    def action(rho: Array) -> Array:
        return -1j * (hamiltonian @ rho - rho @ hamiltonian) + dissipate(jumps, rho)

    return liouvillian(action, len(hamiltonian))


def null_state(matrix: Array) -> Array:
    """The steady state, from the singular vector."""
    size = int(np.sqrt(len(matrix)))
    state = scipy.linalg.svd(matrix)[2][-1].conj().reshape(size, size)
    return state / np.trace(state)


def propagate(matrix: Array, rho: Array, time: float) -> Array:
    return (scipy.linalg.expm(matrix * time) @ rho.ravel()).reshape(rho.shape)


def choi(matrix: Array, time: float) -> Array:
    """The Choi matrix of exp(L t), positive where the map is completely so."""
    size = int(np.sqrt(len(matrix)))
    flow = scipy.linalg.expm(matrix * time).reshape(size, size, size, size)
    # flow[i, l, j, k] takes rho_jk to rho_il
    return flow.transpose(0, 2, 1, 3).reshape(size * size, size * size)


def entropy(rho: Array) -> float:
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-300]
    return float(-np.sum(p * np.log(p)))


def random_state(rng: np.random.Generator, size: int) -> Array:
    x = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    rho = x @ x.conj().T
    return rho / np.trace(rho).real


def complex_map(real_form: Array) -> Array:
    """The matrix over rows of rho of a map that is given over Re rho + Im rho of Hermitian rho."""
    size = int(np.sqrt(len(real_form)))

    def image(hermitian: Array) -> Array:
        x = (real_form @ (hermitian.real + hermitian.imag).ravel()).reshape(size, size)
        return (x + x.T) / 2 + 1j * (x - x.T) / 2

    def action(unit: Array) -> Array:
        return image((unit + unit.T) / 2 + 0j) + 1j * image((unit - unit.T) / 2j)

    return liouvillian(action, size)
