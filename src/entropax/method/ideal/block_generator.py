"""Generators on blocks of a density matrix, where coherences between blocks stay zero."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from entropax._checks import Faults
from entropax.linalg import from_real, to_real
from entropax.method.ideal.conservation import BlockStructure
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.generators import (
    AbstractGenerator,
    MatrixGenerator,
    Preconditioner,
    smooth_inverse,
)
from entropax.method.ideal.populations import Populations


class BlockGenerator(AbstractGenerator):
    r"""A `MatrixGenerator` of jumps on the blocks of $\rho$ on its diagonal.

    `moves`: bath, origin and target of what one jump operator does to one block, beside its rate
    and the part of it that does it. y holds the blocks one after the other.

    Cost: O(sum of size^3) a step and jump; of an XX chain of 8 qubits 1/23 of the whole matrix's.
    """

    whole: MatrixGenerator
    hamiltonians: tuple[Inexact[Array, "_ _"], ...]
    decays: tuple[tuple[Inexact[Array, "_ _"], ...], ...]
    rates: tuple[Float[Array, ""], ...]
    operators: tuple[Inexact[Array, "_ _"], ...]
    populations: Populations | None
    faults: Faults
    moves: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    members: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    baths: int = eqx.field(static=True)

    def __init__(self, whole: MatrixGenerator, blocks: BlockStructure):
        self.whole, self.members, self.baths = whole, blocks.members, whole.baths
        self.populations, self.faults = whole.populations, whole.faults
        index = [np.ix_(block, block) for block in self.members]
        self.hamiltonians = tuple(whole.hamiltonian[place] for place in index)
        decays = [[jnp.zeros(h.shape) for h in self.hamiltonians] for _ in range(whole.baths)]
        moves, rates, operators, number = [], [], [], 0
        for part in whole.dissipators:
            assert isinstance(part, JumpDissipator), "blocks are of jumps"
            for c, place in enumerate(index):
                decays[part.bath][c] = decays[part.bath][c] + part.decay[place]
            for rate, operator in zip(part.rates, part.operators, strict=True):
                for origin, target in enumerate(blocks.targets[number]):
                    if target >= 0:
                        moves.append((part.bath, origin, target))
                        rates.append(rate)
                        operators.append(
                            operator[np.ix_(self.members[target], self.members[origin])]
                        )
                number += 1
        self.decays = tuple(map(tuple, decays))
        self.moves, self.rates, self.operators = tuple(moves), tuple(rates), tuple(operators)

    def _split(self, y: Float[Array, " n"]) -> list[Float[Array, "_ _"]]:
        sizes = [len(block) for block in self.members]
        ends = np.cumsum([size**2 for size in sizes])
        parts = jnp.split(y, ends[:-1])
        return [part.reshape(size, size) for part, size in zip(parts, sizes, strict=True)]

    def _joined(self, parts: list[Array]) -> Float[Array, " n"]:
        return jnp.concatenate([part.ravel() for part in parts])

    def pack(self, state: Inexact[Array, "d d"]) -> Float[Array, " n"]:
        return self._joined([to_real(state)[np.ix_(block, block)] for block in self.members])

    def unpack(self, y: Float[Array, " n"]) -> Complex[Array, "d d"]:
        packed = jnp.zeros(self.whole.hamiltonian.shape)
        for block, part in zip(self.members, self._split(y), strict=True):
            packed = packed.at[np.ix_(block, block)].set(part)
        return from_real(packed)

    def coherent(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        halves = [
            -1j * (h @ from_real(part))
            for h, part in zip(self.hamiltonians, self._split(y), strict=True)
        ]
        return self._joined([to_real(half + half.conj().T) for half in halves])

    def dissipated(self, y: Float[Array, " n"]) -> Float[Array, "baths n"]:
        states = [from_real(part) for part in self._split(y)]
        halves = [
            [-0.5 * (decay @ state) for decay, state in zip(rows, states, strict=True)]
            for rows in self.decays
        ]
        for (bath, origin, target), rate, operator in zip(
            self.moves, self.rates, self.operators, strict=True
        ):
            gained = operator @ (operator @ states[origin]).conj().T
            halves[bath][target] = halves[bath][target] + 0.5 * rate * gained
        return jnp.stack([self._joined([to_real(m + m.conj().T) for m in rows]) for rows in halves])

    def energy_given(self, dissipated: Float[Array, "baths n"]) -> Float[Array, " baths"]:
        return dissipated @ self.pack(self.whole.heat_operator)

    def boundary_power(self, dissipated: Float[Array, "baths n"]) -> Float[Array, ""]:
        if self.whole.boundary_operator is None:
            return jnp.zeros(())
        return jnp.sum(dissipated @ self.pack(self.whole.boundary_operator))

    def particles_taken(self, y: Float[Array, " n"]) -> Float[Array, " baths"]:
        return self.whole.particles_taken(to_real(self.unpack(y)))

    def trace(self) -> Float[Array, " n"]:
        return self.pack(jnp.eye(self.whole.hamiltonian.shape[0]))

    def speed(self) -> Float[Array, ""]:
        return self.whole.speed()

    def most_lost(self) -> Float[Array, ""]:
        return self.whole.most_lost()

    def preconditioner(self) -> Preconditioner:
        inverses = [
            smooth_inverse(h, jnp.sum(jnp.stack([decay[c] for decay in self.decays]), axis=0))
            for c, h in enumerate(self.hamiltonians)
        ]
        return lambda y: self._joined(
            [invert(part) for invert, part in zip(inverses, self._split(y), strict=True)]
        )
