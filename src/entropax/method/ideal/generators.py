r"""Generators of GKLS and Redfield equations, as linear maps on some form of a state.

Everything is in the basis in which the system is given. A state's Hermitian matrix is followed as a
real array (`linalg.to_real`), so that it stays Hermitian and generators are real matrices.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from entropax._checks import Faults
from entropax.equilibrium import expectation
from entropax.linalg import Spectrum, from_real, held_spectrum, to_real
from entropax.method.ideal.dissipators import AbstractDissipator, lamb_shift
from entropax.method.ideal.populations import Populations
from entropax.method.ideal.rates import Transitions, faults_among

Preconditioner = Callable[[Array], Array]


class AbstractGenerator(eqx.Module):
    r"""$\dot\rho = -i[H', \rho] + \sum_\alpha D_\alpha(\rho)$ on some form y of the state."""

    baths: eqx.AbstractVar[int]
    populations: eqx.AbstractVar[Populations | None]
    faults: eqx.AbstractVar[Faults]

    @abc.abstractmethod
    def pack(self, state: Inexact[Array, "d d"]) -> Float[Array, "..."]:
        """The form y of a Hermitian matrix."""

    @abc.abstractmethod
    def unpack(self, y: Float[Array, "..."]) -> Inexact[Array, "d d"]:
        """The matrix of a form y."""

    @abc.abstractmethod
    def coherent(self, y: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""$-i[H', \rho]$."""

    @abc.abstractmethod
    def dissipated(self, y: Float[Array, "..."]) -> Float[Array, "baths ..."]:
        r"""$D_\alpha(\rho)$ of each bath."""

    @abc.abstractmethod
    def energy_given(self, dissipated: Float[Array, "baths ..."]) -> Float[Array, " baths"]:
        r"""$\mathrm{tr}\,H D_\alpha$ with the H whose change is heat, from $D_\alpha$'s forms."""

    @abc.abstractmethod
    def boundary_power(self, dissipated: Float[Array, "baths ..."]) -> Float[Array, ""]:
        """What the baths give to the rest of the energy, which is work."""

    @abc.abstractmethod
    def particles_taken(self, y: Float[Array, "..."]) -> Float[Array, " baths"]:
        """Particle currents into the system."""

    @abc.abstractmethod
    def trace(self) -> Float[Array, "..."]:
        """w with w.y = tr rho."""

    @abc.abstractmethod
    def preconditioner(self) -> Preconditioner:
        """About the inverse of the generator."""

    @abc.abstractmethod
    def speed(self) -> Float[Array, ""]:
        """The fastest rate of decay, about."""

    @abc.abstractmethod
    def most_lost(self) -> Float[Array, ""]:
        """At what rate a state loses what it holds, at most, in whatever basis it is given."""

    @property
    def size(self) -> int:
        """How many numbers a form has."""
        return self.trace().size

    def __call__(self, y: Float[Array, "..."]) -> Float[Array, "..."]:
        """The rate of change of y."""
        return self.coherent(y) + jnp.sum(self.dissipated(y), axis=0)

    def matrix(self) -> Float[Array, "n n"]:
        """The generator as a matrix over raveled y."""
        example = self.trace()
        units = jnp.eye(example.size).reshape(example.size, *example.shape)
        return jax.vmap(self)(units).reshape(example.size, example.size).T


class MatrixGenerator(AbstractGenerator):
    """Acts on whole density matrices.

    `hamiltonian`: $H'$, with shifts and without what a frame takes away; `populations`: where those
    of its eigenstates may evolve apart.
    """

    hamiltonian: Inexact[Array, "d d"]
    dissipators: tuple[AbstractDissipator, ...]
    heat_operator: Inexact[Array, "d d"]
    boundary_operator: Inexact[Array, "d d"] | None
    populations: Populations | None = None
    faults: Faults = eqx.field(default_factory=Faults.none, kw_only=True)
    baths: int = eqx.field(static=True, kw_only=True)

    def pack(self, state: Inexact[Array, "d d"]) -> Float[Array, "d d"]:
        return to_real(state)

    def unpack(self, y: Float[Array, "d d"]) -> Complex[Array, "d d"]:
        return from_real(y)

    def coherent(self, y: Float[Array, "d d"]) -> Float[Array, "d d"]:
        half = -1j * (self.hamiltonian @ from_real(y))
        return to_real(half + half.conj().T)

    def dissipated(self, y: Float[Array, "d d"]) -> Float[Array, "baths d d"]:
        state = from_real(y)
        halves = [jnp.zeros_like(state) for _ in range(self.baths)]
        for part in self.dissipators:
            halves[part.bath] = halves[part.bath] + part.half(state)
        each = [to_real(half + half.conj().T) for half in halves]
        return jnp.stack(each) if each else jnp.zeros((0, *state.shape))

    def energy_given(self, dissipated: Float[Array, "baths d d"]) -> Float[Array, " baths"]:
        return jnp.sum(dissipated * to_real(self.heat_operator), axis=(-2, -1))

    def boundary_power(self, dissipated: Float[Array, "baths d d"]) -> Float[Array, ""]:
        if self.boundary_operator is None:
            return jnp.zeros(())
        return jnp.sum(dissipated * to_real(self.boundary_operator))

    def particles_taken(self, y: Float[Array, "d d"]) -> Float[Array, " baths"]:
        state, taken = from_real(y), jnp.zeros(self.baths)
        for part in self.dissipators:
            if part.loss is not None:
                taken = taken.at[part.bath].add(-expectation(part.loss, state))
        return taken

    def trace(self) -> Float[Array, "d d"]:
        return jnp.eye(self.hamiltonian.shape[0])

    def preconditioner(self) -> Preconditioner:
        return smooth_inverse(self.hamiltonian, self._decaying())

    def speed(self) -> Float[Array, ""]:
        return jnp.max(jnp.abs(self._decaying()))

    def most_lost(self) -> Float[Array, ""]:
        return jnp.max(jnp.sum(jnp.abs(self._decaying()), axis=1))

    def _decaying(self) -> Inexact[Array, "d d"]:
        total = jnp.zeros(self.hamiltonian.shape)
        for part in self.dissipators:
            total = total + part.decaying()
        return total


class SecularGenerator(AbstractGenerator):
    r"""A secular generator on what commutes with H: populations, and coherences within levels.

    `pairs`: index pairs (i, j) of eigenstates of one energy, each with (j, i); what is between
    others is zero. Cost: O(n^2) a step for n pairs.
    """

    energies: Float[Array, " d"]
    vectors: Inexact[Array, "d d"]
    dissipators: Float[Array, "baths n n"]
    shift: Float[Array, "n n"] | None
    loss: Float[Array, "baths n"]
    populations: Populations | None
    faults: Faults
    pairs: tuple[tuple[int, int], ...] = eqx.field(static=True)
    baths: int = eqx.field(static=True)

    def __init__(
        self,
        parts: Sequence[Transitions],
        spectrum: Spectrum,
        pairs: tuple[tuple[int, int], ...],
        populations: Populations | None,
        faults: Faults,
        *,
        baths: int,
    ):
        self.energies, self.vectors = spectrum
        self.faults = faults_among(parts) + faults
        self.pairs, self.baths = pairs, baths
        self.populations = None
        if populations is not None and self.has_no_coherences:
            # with the pairs given, there is nothing else
            self.populations = dataclasses.replace(populations, is_apart=jnp.array(True))
        i, j = self._indices()
        size = i.size
        total = [jnp.zeros((size, size)) for _ in range(baths)]
        loss = [jnp.zeros(size) for _ in range(baths)]
        for part in parts:
            number = part.bath
            change, decay = self._pauli(part) if self._is_plain else self._with_pairs(part)
            total[number] = total[number] + change
            if part.particles:
                loss[number] = loss[number] + part.particles * decay
        self.dissipators = jnp.stack(total) if total else jnp.zeros((0, size, size))
        self.loss = jnp.stack(loss) if loss else jnp.zeros((0, size))
        self.shift = None
        if any(part.shift is not None for part in parts) and np.any(i != j):
            shift = lamb_shift(parts, self.energies)
            self.shift = self._real(-1j * self._anticommutator(shift, sign=-1.0))

    @property
    def has_no_coherences(self) -> bool:
        """Whether there is nothing but populations."""
        return all(i == j for i, j in self.pairs)

    @property
    def _is_plain(self) -> bool:
        """Whether there is a population of each eigenstate, in order, and nothing else."""
        return self.pairs == tuple((k, k) for k in range(self.energies.shape[0]))

    def _pauli(self, part: Transitions) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
        """What a channel does to populations, and the rate at which each is left."""
        gain = part.rate * jnp.abs(part.operator) ** 2
        decay = jnp.sum(gain, axis=0)
        return gain - jnp.diag(decay), decay

    def _with_pairs(self, part: Transitions) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
        """The same of all pairs."""
        i, j = self._indices()
        a = part.operator
        rate = 0.5 * (part.rate[i[:, None], i[None, :]] + part.rate[j[:, None], j[None, :]])
        gain = rate * a[i[:, None], i[None, :]] * a.conj()[j[:, None], j[None, :]]
        half = 0.5 * a.conj().T @ (part.rate * a)
        decay = half + half.conj().T
        change = self._real(gain - 0.5 * self._anticommutator(decay))
        return change, to_real(decay)[i, j]

    def _indices(self) -> tuple[np.ndarray, np.ndarray]:
        both = np.array(self.pairs, dtype=int).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _anticommutator(self, operator: Array, sign: float = 1.0) -> Array:
        i, j = self._indices()
        left = jnp.where(j[:, None] == j[None, :], operator[i[:, None], i[None, :]], 0.0)
        right = jnp.where(i[:, None] == i[None, :], operator[j[None, :], j[:, None]], 0.0)
        return left + sign * right

    def _real(self, complex_map: Array) -> Float[Array, "n n"]:
        """The map on rho_ij as one on Re rho_ij + Im rho_ij."""
        place = {pair: index for index, pair in enumerate(self.pairs)}
        turned = np.array([place[(j, i)] for i, j in self.pairs], dtype=int)
        return complex_map.real + jnp.imag(complex_map)[:, turned]

    def pack(self, state: Inexact[Array, "d d"]) -> Float[Array, " n"]:
        inside = self.vectors.conj().T @ state @ self.vectors
        return jnp.diagonal(inside).real if self._is_plain else to_real(inside)[self._indices()]

    def unpack(self, y: Float[Array, " n"]) -> Inexact[Array, "d d"]:
        if self._is_plain:
            return (self.vectors * y) @ self.vectors.conj().T
        packed = jnp.zeros((self.energies.shape[0],) * 2).at[self._indices()].set(y)
        inside = from_real(packed) if any(i != j for i, j in self.pairs) else packed
        return self.vectors @ inside @ self.vectors.conj().T

    def coherent(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        return jnp.zeros_like(y) if self.shift is None else self.shift @ y

    def dissipated(self, y: Float[Array, " n"]) -> Float[Array, "baths n"]:
        return self.dissipators @ y

    def energy_given(self, dissipated: Float[Array, "baths n"]) -> Float[Array, " baths"]:
        if self._is_plain:
            return dissipated @ self.energies
        return dissipated @ jnp.diag(self.energies)[self._indices()]

    def boundary_power(self, dissipated: Float[Array, "baths n"]) -> Float[Array, ""]:
        del dissipated
        return jnp.zeros(())

    def particles_taken(self, y: Float[Array, " n"]) -> Float[Array, " baths"]:
        return -self.loss @ y

    def trace(self) -> Float[Array, " n"]:
        i, j = self._indices()
        return jnp.asarray((i == j).astype(float))

    def preconditioner(self) -> Preconditioner:
        losses: Array = jnp.diagonal(jax.lax.stop_gradient(jnp.sum(self.dissipators, axis=0)))
        return lambda y: y / jnp.where(losses == 0, -1.0, losses)

    def speed(self) -> Float[Array, ""]:
        return jnp.max(jnp.abs(jnp.sum(self.dissipators, axis=0)))

    def most_lost(self) -> Float[Array, ""]:
        return self.speed()


def smooth_inverse(
    hamiltonian: Inexact[Array, "n n"], decay: Inexact[Array, "n n"]
) -> Preconditioner:
    r"""The inverse of $-i[H, X] - \frac12\{K, X\}$, with K's diagonal between eigenstates of H."""
    energies, vectors = held_spectrum(hamiltonian)
    back = vectors.conj().T
    losses = jnp.real(jnp.einsum("ki,kl,li->i", vectors.conj(), decay, vectors))
    losses = jax.lax.stop_gradient(losses)
    floor = 1e-3 * jnp.max(losses)
    losses = jnp.maximum(losses, jnp.where(floor > 0, floor, 1.0))
    rate = -1j * (energies[:, None] - energies[None, :]) - 0.5 * (losses[:, None] + losses[None, :])

    def invert(y: Float[Array, "n n"]) -> Float[Array, "n n"]:
        return to_real(vectors @ ((back @ from_real(y) @ vectors) / rate) @ back)

    return invert
