"""Small systems between ideal baths, their rates by hand, and their Liouvillians by the twin."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from twins import lindblad as twin

import entropax as ex
from cases.matrices import random_hermitian
from entropax._checks import Faults
from entropax.method import AbstractIdealBathEquation
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.generators import MatrixGenerator
from entropax.method.ideal.rates import Transitions
from entropax.state import SystemState

Array = np.ndarray

BETAS = (0.7, 1.9)
OHMIC, DRUDE = ex.OhmicSpectrum(0.3, 5.0), ex.DrudeLorentzSpectrum(0.2, 3.0)
DENSITIES = (lambda w: 0.3 * w * np.exp(-w / 5.0), lambda w: 2 * 0.2 * 3.0 * w / (w**2 + 9.0))
AT_ZERO = (0.3 / BETAS[0], 2 * 0.2 / 3.0 / BETAS[1])
RATES = [
    lambda w, b=b, j=j, zero=zero: twin.bose_rate(w, b, j) if abs(w) > 1e-9 else zero
    for b, j, zero in zip(BETAS, DENSITIES, AT_ZERO, strict=True)
]
"""gamma(w) of the two baths, w the energy given to them."""

TIMES = (0.0, 0.5, 2.0, 7.0)


def baths() -> list[ex.ThermalBath]:
    return [ex.ThermalBath(b, s) for b, s in zip(BETAS, (OHMIC, DRUDE), strict=True)]


def hamiltonian(kind: str, rng: np.random.Generator, size: int = 4) -> Array:
    """Random; with degenerate levels; with degenerate gaps."""
    if kind == "random":
        return random_hermitian(rng, size)
    energies = {"level": [0.0, 1.0, 1.0, 2.5], "ladder": [0.0, 1.0, 2.0, 3.0]}[kind]
    vectors = np.linalg.eigh(random_hermitian(rng, size))[1]
    return (vectors * np.array(energies)) @ vectors.conj().T


class Case:
    """A model, and its Liouvillians by the twin."""

    def __init__(self, kind: str, seed: int = 7):
        rng = np.random.default_rng(seed)
        self.h = hamiltonian(kind, rng)
        self.operators = [random_hermitian(rng, 4) for _ in range(2)]
        self.rho = twin.random_state(rng, 4)
        self.jumps = [
            twin.davies_jumps(self.h, s, rate)
            for s, rate in zip(self.operators, RATES, strict=True)
        ]
        self.davies = twin.generator(self.h, [*self.jumps[0], *self.jumps[1]])
        self.redfield = twin.liouvillian(self._redfield, 4)

    def _redfield(self, rho: Array) -> Array:
        total = -1j * (self.h @ rho - rho @ self.h)
        for operator, rate in zip(self.operators, RATES, strict=True):
            total = total + twin.redfield(self.h, operator, rate, rho)
        return total

    def model(self, start: Any = None) -> ex.OpenSystem:
        couplings = [ex.Coupling(s, b) for s, b in zip(self.operators, baths(), strict=True)]
        start = ex.Product(self.rho) if start is None else start
        return ex.OpenSystem(hamiltonian=self.h, couplings=couplings, start=start)


KINDS = ("random", "level", "ladder")


@functools.cache
def case(kind: str) -> Case:
    return Case(kind)


BATH = ex.ThermalBath(1.0, ex.FlatSpectrum(0.1))


def qubit(**changes: Any) -> ex.OpenSystem:
    """A qubit of gap 1 at `BATH`, or with other parts."""
    parts = {
        "energies": (0.0, 1.0),
        "couplings": [ex.Coupling(twin.SX, BATH)],
        "start": ex.Gibbs(beta=1.0),
    }
    return ex.OpenSystem(**(parts | changes))


def qubit_at(bath: ex.ThermalBath, **changes: Any) -> ex.OpenSystem:
    """The same qubit at another bath."""
    return qubit(couplings=[ex.Coupling(twin.SX, bath)], **changes)


def window() -> ex.Coupling:
    """A coupling to a finite bath of windows."""
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 2), width=0.5)
    return ex.Coupling(twin.SX, bath, 0.1, ex.RandomBands(variance=1.0))


def dark() -> ex.OpenSystem:
    """Two like qubits that feel one noise: the singlet is dark."""
    both = twin.on_site(twin.SX, 0, 2) + twin.on_site(twin.SX, 1, 2)
    bath = ex.ThermalBath(1.0, OHMIC)
    return ex.OpenSystem(
        energies=(0.0, 1.0, 1.0, 2.0),
        couplings=[ex.Coupling(both, bath)],
        start=ex.Product(system=1),
    )


def forgotten(sites: int) -> ex.OpenSystem:
    """A chain, and one qubit more that nothing reaches."""
    chain = ex.machines.spin_chain(sites)
    one = np.eye(2)
    return ex.OpenSystem(
        hamiltonian=np.kron(chain.bare_hamiltonian(), one)
        + np.kron(np.eye(2**sites), np.diag([0.0, 0.3])),
        interaction=np.kron(chain.interaction, one),
        couplings=[
            ex.Coupling(np.kron(c.operator, one), bath)
            for c, bath in zip(chain.couplings, chain.baths, strict=True)
        ],
        start=ex.Product(system=0),
    )


SPECTRA = {
    "flat": (ex.FlatSpectrum(0.3), lambda w: 0.3 + 0.0 * w),
    "ohmic": (ex.OhmicSpectrum(0.3, 5.0), lambda w: 0.3 * w * np.exp(-w / 5.0)),
    "ohmic without cutoff": (ex.OhmicSpectrum(0.3), lambda w: 0.3 * w),
    "super-ohmic": (
        ex.SuperOhmicSpectrum(0.3, 5.0, 3.0),
        lambda w: 0.3 * w**3 / 25.0 * np.exp(-w / 5.0),
    ),
    "drude-lorentz": (
        ex.DrudeLorentzSpectrum(0.2, 3.0),
        lambda w: 2 * 0.2 * 3.0 * w / (w**2 + 9.0),
    ),
    "tabulated": (
        ex.TabulatedSpectrum([0.0, 1.0, 20.0], [0.0, 0.5, 0.1]),
        lambda w: np.interp(w, [0.0, 1.0, 20.0], [0.0, 0.5, 0.1]),
    ),
    "function": (ex.CustomSpectrum(lambda w: 0.1 * w**2), lambda w: 0.1 * w**2),
}
"""Spectra, each with J by plain NumPy."""


def channels(known: Case) -> tuple[list[Transitions], tuple[jax.Array, jax.Array]]:
    """What the couplings of a case do between eigenstates, by plain NumPy; these eigenstates."""
    energies, vectors = np.linalg.eigh(known.h)
    taken = energies[None, :] - energies[:, None]
    taken[np.abs(taken) < 1e-9] = 0.0
    parts = []
    for bath, (operator, rate) in enumerate(zip(known.operators, RATES, strict=True)):
        inside = vectors.conj().T @ operator @ vectors
        rates = np.vectorize(rate)(taken)
        arrays = map(jnp.asarray, (inside, taken, rates))
        ratio = jnp.asarray(BETAS[bath] * taken)
        parts.append(
            Transitions(
                bath, *arrays, shift=None, particles=0, log_ratio=ratio, faults=Faults.none()
            )
        )
    return parts, (jnp.asarray(energies), jnp.asarray(vectors))


@eqx.filter_jit
def liouvillian(method: AbstractIdealBathEquation, model: ex.OpenSystem) -> jax.Array:
    """A method's generator as a matrix, compiled once for all models of one size."""
    return method.equation(model, jnp.zeros(0)).generator(model).matrix()


def energy_given(state: SystemState) -> jax.Array:
    """As `save=`: one object, so that all who save it share their programs."""
    return state.energy


def exchanging() -> MatrixGenerator:
    """Two qubits that exchange quanta, with jumps down and up of the first and down of the last.

    The jumps of the first hand a particle to bath 0, those of the last to bath 1.
    """
    h = twin.qubits((1.0, 1.3)) + twin.exchange(0.3, 0, 2)
    first, last = (twin.on_site(twin.LOWER, site, 2) for site in range(2))
    jumps = [
        JumpDissipator(0, jnp.asarray([first, first.T]), jnp.array([0.4, 0.1]), (1, -1)),
        JumpDissipator(1, jnp.asarray([last]), jnp.array([0.7]), (1,)),
    ]
    bare = jnp.asarray(twin.qubits((1.0, 1.3)))
    return MatrixGenerator(jnp.asarray(h), tuple(jumps), bare, jnp.asarray(h) - bare, baths=2)
