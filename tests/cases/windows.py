"""Small systems between window baths: spins, three levels, driven ones; and the same as matrices.

Models of equal shapes share compiled programs.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.linalg
from twins import riera

import entropax as ex
from cases.matrices import random_hermitian
from entropax.method.sampling import Samples, samples
from entropax.model.windows.coupling_matrices import Explicit

Array = np.ndarray

KEY = jax.random.key(3)
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
PLUS = np.array([[0.5, 0.5], [0.5, 0.5]])
TIGHT: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-14}
"""Of a solver whose solution is held against an exponential."""

WINDOW = ex.Product(system=1, windows=(0,))
CANONICAL = ex.Product(system=[0.3, 0.7], beta=(1.3,))
COHERENT = ex.Product(system=[[0.5, 0.3j], [-0.3j, 0.5]], beta=(1.3,))
JOINT = ex.Joint([[0.1, 0.2], [0.3, 0.4]])


# Whatever is left out of a model of ten levels


def bath(**changes: Any) -> ex.WindowBath:
    fields = {"centers": (0.0, 1.0), "volumes": (4, 6), "width": 0.5}
    return ex.WindowBath(**(fields | changes))


def coupling(**changes: Any) -> ex.Coupling:
    fields = {"operator": SX, "bath": bath(), "strength": 0.1, "matrix": ex.RandomBands()}
    return ex.Coupling(**(fields | changes))


def model(**changes: Any) -> ex.OpenSystem:
    fields = {"energies": (0.0, 1.0), "couplings": (coupling(),), "start": WINDOW}
    return ex.OpenSystem(**(fields | changes))


# Not driven


def spin(
    start: Any = WINDOW,
    volumes: Sequence[int] = (5, 7),
    strength: Any = 0.05,
    matrix: Any = None,
    **changes: Any,
) -> ex.OpenSystem:
    """Energies 0 and 1, and one bath of windows at 0, 1, 2, ..."""
    fields = {"centers": range(len(volumes)), "volumes": volumes, "width": 0.5} | changes
    link = ex.Coupling(SX, ex.WindowBath(**fields), strength, matrix or ex.RandomBands())
    return ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


def large_spin(start: Any = WINDOW, strength: Any = 3e-3) -> ex.OpenSystem:
    """A bath so large that the master equation holds (Riera, section IV)."""
    return spin(start, (400, 600), strength)


def strong_spin(start: Any, strength: float = 0.2) -> ex.OpenSystem:
    """Three small windows, strongly coupled."""
    return spin(start, (3, 5, 6), strength)


def two_baths(start: Any) -> ex.OpenSystem:
    """A spin between a real and a complex bath, the second one of given levels."""
    hot = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    cold = ex.WindowBath((-0.2, 0.9), (3, 2), width=0.6, levels=[-0.3, -0.1, 0.0, 0.8, 1.1])
    couplings = (
        ex.Coupling(SX, hot, 0.2, ex.RandomBands()),
        ex.Coupling(np.array([[0.3, 1j], [-1j, 0.1]]), cold, 0.3, ex.GUE(0.5)),
    )
    return ex.OpenSystem((0.0, 1.0), couplings, start)


def all_kinds() -> ex.OpenSystem:
    """Three levels as a matrix, two baths, two operators on one, and everything complex."""
    rng = np.random.default_rng(2)
    h = random_hermitian(rng, 3)
    first = ex.WindowBath(centers=(0.0, 0.7), volumes=(2, 3), width=0.6, levels="random")
    second = ex.WindowBath(centers=(0.3, -0.9), volumes=(3, 2), width=0.4)
    couplings = (
        ex.Coupling(random_hermitian(rng, 3), first, 0.2, ex.GUE(variance=0.5)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.3, random_hermitian(rng, 5)),
        ex.Coupling(random_hermitian(rng, 3), first, 0.1, ex.RandomBands(0.7, mean=0.4)),
    )
    rho = random_hermitian(rng, 3)
    rho = rho @ rho.conj().T
    start = ex.Product(system=rho / np.trace(rho).real, beta=(1.5, -0.3))
    return ex.OpenSystem(hamiltonian=h, couplings=couplings, start=start)


def four_couplings(
    seed: int = 0, *, resonant: bool = True, matrix_start: bool = True
) -> ex.OpenSystem:
    """Three levels, two baths, two operators on each; three of the matrices given."""
    rng = np.random.default_rng(seed)
    energies = np.array([0.0, 1.0, 3.0]) if resonant else np.array([0.0, 0.83, 2.9])
    first = ex.WindowBath(centers=(0.0, 1.0, 2.0, 3.0), volumes=(3, 5, 4, 6), width=1.0)
    second = ex.WindowBath(centers=(-1.0, 2.0, 0.0), volumes=(2, 4, 3), width=0.8)
    couplings = (
        ex.Coupling(random_hermitian(rng, 3), first, 0.06, ex.RandomBands(0.5, mean=0.4)),
        ex.Coupling(random_hermitian(rng, 3), first, 0.04, random_hermitian(rng, 18)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.05, random_hermitian(rng, 9)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.07, random_hermitian(rng, 9)),
    )
    system: Any = [0.2, 0.3, 0.5]
    if matrix_start:
        rho = random_hermitian(rng, 3)
        system = rho @ rho.conj().T / np.trace(rho @ rho.conj().T).real
    start = ex.Product(system=system, windows=([0.1, 0.2, 0.3, 0.4], 1))
    return ex.OpenSystem(energies=energies, couplings=couplings, start=start)


class Exact(NamedTuple):
    """A model, and sizes of the sectors that its start needs."""

    model: ex.OpenSystem
    sectors: list[int]
    is_real: bool = False


EXACT = {
    "a window": Exact(spin(), [12]),
    "all windows": Exact(spin(JOINT), [12, 12]),
    "half filled": Exact(spin(ex.Product(system=1, windows=(0,), filling=0.5)), [12]),
    "canonical": Exact(spin(ex.Product(system=0, beta=(2.0,))), [12, 12]),
    "coherent": Exact(spin(ex.Product(system=PLUS, windows=(0,))), [12, 12]),
    "real bands": Exact(spin(matrix=ex.RandomBands(0.5, mean=0.2, real=True)), [12], is_real=True),
    "orthogonal": Exact(spin(matrix=ex.GOE(0.3)), [24], is_real=True),
    "all kinds": Exact(all_kinds(), [75]),
    "eigenstate thermalization": Exact(
        spin(matrix=ex.EigenstateThermalization(lambda e, w: jnp.exp(-w * w) + 0 * e)), [24]
    ),
}
"""Every kind of start and of matrix."""


# Driven

JUMPS, VALUES = (3.0, 4.0, 50.0), (1.0, 2.0, 0.4, 9.0)
QUENCH = ex.PiecewiseConstant(times=JUMPS, values=VALUES)
QUENCH_TIMES = np.array([4.0, 0.0, 1.0, 3.0, 7.0, 3.5])
"""At jumps, before, between and after them, but for the last one."""


class Wave(eqx.Module):
    """1 + height sin(rate t)."""

    height: Any
    rate: float = 0.7

    def __call__(self, time: jax.Array) -> jax.Array:
        return 1.0 + self.height * jnp.sin(self.rate * time)


def driven(energy: Any, start: Any = WINDOW, levels: str = "even") -> ex.OpenSystem:
    """Energies 0 and `energy`, which may be a protocol; three windows, two couplings to them."""
    bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(2, 3, 4), width=0.5, levels=levels)
    couplings = (
        ex.Coupling(SX, bath, 0.1, ex.RandomBands()),
        ex.Coupling(np.diag([1.0, -0.4]), bath, 0.05, ex.GOE(0.3)),
    )
    return ex.OpenSystem((0.0, energy), couplings, start)


EXCITED = np.kron(np.diag([0.0, 1.0]), np.eye(9))
"""What the upper energy of `driven` multiplies."""


def coarse(rhos: Sequence[Array], levels: Array) -> tuple[Array, Array]:
    """The joint distributions and the bath's energies of density matrices of `driven`."""
    p = np.array([np.diagonal(rho).real.reshape(2, len(levels)) for rho in rhos])
    parts = np.split(p, [2, 5], axis=2)
    return np.stack([part.sum(2) for part in parts], axis=-1), p.sum(1) @ levels


def with_energies(model: ex.OpenSystem, energies: Any) -> ex.OpenSystem:
    """The model whose system has other energies, numbers or protocols."""
    return eqx.tree_at(lambda m: m.energies, model, energies)


# As matrices over everything


class Dense(NamedTuple):
    """A draw of a model. `resting`: H less the energies of the system."""

    levels: list[Array]
    resting: Array
    start: Array

    def hamiltonian(self, energies: Any) -> Array:
        """All of H."""
        size = int(np.prod([len(e) for e in self.levels]))
        return self.resting + np.kron(np.diag(np.asarray(energies)), np.eye(size))

    def at(self, energies: Any, times: Sequence[float] | Array) -> list[Array]:
        """The density matrix of everything, under constant energies."""
        h = self.hamiltonian(energies)
        return [riera.evolve(h, self.start, t) for t in times]


def dense(model: ex.OpenSystem, key: Any = KEY) -> Dense:
    """What `Schrodinger(key)` draws; the system between energy eigenstates."""
    keys = [jax.random.fold_in(key, i) for i in range(len(model.baths) + len(model.couplings))]
    levels = [np.asarray(b.draw_levels(k)) for b, k in zip(model.baths, keys, strict=False)]
    vectors, d = model.before().spectrum()[1], model.levels
    v = np.eye(d) if vectors is None else np.asarray(vectors)
    terms = []
    for i, (c, n) in enumerate(zip(model.couplings, model.bath_of_coupling, strict=True)):
        b = c.matrix.draw(keys[len(levels) + i], model.baths[n], jnp.asarray(levels[n]))
        operator = v.conj().T @ np.asarray(c.operator) @ v
        terms.append((float(c.strength), operator, np.asarray(b), n))
    resting = riera.hamiltonian(np.zeros((d, d)), terms, levels)
    start = model.start.on_levels(model, [jnp.asarray(e) for e in levels])
    return Dense(levels, resting, dense_start(start, d, is_diagonal=model.start.is_diagonal))


class Pieces(NamedTuple):
    """A draw of a model, driven or not: H of the baths, S x B of each coupling at strength 1."""

    model: ex.OpenSystem
    levels: list[Array]
    baths: Array
    couplings: list[Array]
    start: Array

    @property
    def size(self) -> int:
        return len(self.baths) // self.model.levels

    def system(self, operator: Any) -> Array:
        """An operator between eigenstates of H_0, on everything."""
        return np.kron(np.asarray(operator), np.eye(self.size))

    def hamiltonian(self, time: float) -> Array:
        at = self.model.at(jnp.array(time))
        total = self.baths + self.system(at.between_eigenstates())
        for c, term in zip(at.couplings, self.couplings, strict=True):
            total = total + float(c.strength) * term
        return total

    def slope(self, time: float) -> Array:
        """dH/dt, of protocols without a break near."""
        return (self.hamiltonian(time + 1e-4) - self.hamiltonian(time - 1e-4)) / 2e-4

    def at(self, times: Sequence[float] | Array, breaks: Sequence[float] = ()) -> list[Array]:
        """The density matrix of everything, integrated between breaks."""
        size, rho, now, states = len(self.baths), self.start.astype(complex), 0.0, []

        def right(t: float, y: Array) -> Array:
            half = -1j * self.hamiltonian(t) @ y.reshape(size, size)
            return (half + half.conj().T).ravel()

        for stop in sorted({*map(float, times), *breaks}):
            if stop > now:
                y = scipy.integrate.solve_ivp(
                    right, (now, stop), rho.ravel(), method="DOP853", rtol=1e-11, atol=1e-13
                ).y[:, -1]
                rho, now = y.reshape(size, size), stop
            if stop in times:
                states.append(rho)
        return states


def pieces(model: ex.OpenSystem, key: Any = KEY) -> Pieces:
    """What `Schrodinger(key)` draws."""
    baths, count = len(model.baths), len(model.couplings)
    keys = [jax.random.fold_in(key, i) for i in range(2 * baths + count)]
    levels = [np.asarray(b.draw_levels(k)) for b, k in zip(model.baths, keys, strict=False)]
    terms = []
    for i, (c, n) in enumerate(zip(model.couplings, model.bath_of_coupling, strict=True)):
        b = c.matrix.draw(keys[baths + i], model.baths[n], jnp.asarray(levels[n]))
        terms.append((1.0, np.asarray(model.in_eigenbasis(c.operator)), np.asarray(b), n))
    d, start = model.levels, model.start
    bare = riera.hamiltonian(np.zeros((d, d)), [], levels)
    couplings = [riera.hamiltonian(np.zeros((d, d)), [term], levels) - bare for term in terms]
    given = [jnp.asarray(e) for e in levels]
    if start.is_incoherent:
        rho = dense_start(start.on_levels(model, given), d, is_diagonal=start.is_diagonal)
    else:
        kets, weights = start.kets(model, given, keys[-baths:])
        x = np.asarray(kets).reshape(len(bare), -1)
        rho = x @ np.asarray(weights) @ x.conj().T
    return Pieces(model, levels, bare, couplings, rho)


def dense_start(state: Any, d: int, *, is_diagonal: bool) -> Array:
    """A start on levels as a density matrix of everything."""
    if is_diagonal:
        return np.diag(np.asarray(state).ravel()).astype(complex)
    flat = np.asarray(state).reshape(d, d, -1)
    size = flat.shape[-1]
    rho = np.zeros((d, size, d, size), complex)
    for i in range(size):
        rho[:, i, :, i] = flat[:, :, i]
    return rho.reshape(d * size, d * size)


# As the master equation written out


def written(model: ex.OpenSystem, **options: Any) -> Array:
    """The twin's generator for the same rates."""
    terms = [
        (float(c.strength), np.asarray(c.operator), n)
        for c, n in zip(model.couplings, model.bath_of_coupling, strict=True)
    ]
    twin = riera.Written(
        np.asarray(model.energies),
        terms,
        [np.asarray(b.centers) for b in model.baths],
        [b.volume for b in model.baths],
        [float(b.width) for b in model.baths],
    )

    baths = [model.baths[n] for n in model.bath_of_coupling]
    known = [_by_blocks(c.matrix, bath) for c, bath in zip(model.couplings, baths, strict=True)]

    def products(a: int, b: int) -> Array:
        """<B_b^* B_a> over pairs of windows: of the entries, or of mean and variance."""
        one, other = known[a], known[b]
        if one["entries"] is not None and other["entries"] is not None:
            out = np.zeros((baths[a].windows,) * 2, complex)
            where = baths[a].window_of_level
            for i, j in np.ndindex(*one["entries"].shape):
                weight = baths[a].volumes[where[i]] * baths[a].volumes[where[j]]
                product = np.conj(other["entries"][i, j]) * one["entries"][i, j]
                out[where[i], where[j]] += product / weight
            return out
        return np.conj(other["mean"]) * one["mean"] + (one["variance"] if a == b else 0.0)

    def averages(a: int) -> Array:
        return known[a]["average"]

    return twin.generator(products, averages, **options)


def _by_blocks(matrix: Any, bath: ex.WindowBath) -> dict[str, Any]:
    """What a matrix is made of, entry by entry: the averages over windows taken away (Eq. 8)."""
    count, where = bath.windows, bath.window_of_level
    average, mean = np.zeros(count), np.zeros((count, count), complex)
    if isinstance(matrix, Explicit):
        b = np.array(matrix.entries, complex)
        for i, w in enumerate(where):
            average[w] += b[i, i].real / bath.volumes[w]
        for i, w in enumerate(where):
            b[i, i] -= average[w]
        for i, j in np.ndindex(*b.shape):
            volume = bath.volumes[where[i]] * bath.volumes[where[j]]
            mean[where[i], where[j]] += b[i, j] / volume
        return {"entries": b, "mean": mean, "variance": None, "average": average}
    apart = 1.0 - np.eye(count)
    if isinstance(matrix, ex.GOE):
        variance = float(matrix.variance_) * np.ones((count, count))
    else:
        variance = float(matrix.variance_) * apart
        mean = (0.0 if matrix.mean_ is None else float(matrix.mean_)) * apart + 0j
    return {"entries": None, "mean": mean, "variance": variance, "average": average}


def flow(model: ex.OpenSystem, generator: Array, times: Array) -> Array:
    """All rho(E), by the exponential."""
    start = np.asarray(model.start.on_windows(model))
    if model.start.is_diagonal:
        start = np.einsum("ij,j...->ij...", np.eye(model.levels), start)
    return np.array([(scipy.linalg.expm(generator * t) @ start.ravel()) for t in times]).reshape(
        len(times), *start.shape
    )


def assert_same(led: ex.WindowLedger, states: Array, tolerance: float) -> None:
    """A ledger's joint distribution and system state against all rho(E)."""
    joint = np.moveaxis(np.diagonal(states, axis1=1, axis2=2), -1, 1).real
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=tolerance)
    system = states.sum(axis=tuple(range(3, states.ndim)))
    np.testing.assert_allclose(led.system_state, system, rtol=0, atol=tolerance)


def known_samples(model: ex.OpenSystem, ts: list[float]) -> Samples:
    found = samples(model, jnp.array(ts))
    assert found is not None
    return found
