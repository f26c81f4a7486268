"""States: what the ledger may ask of one, whatever method made it."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax.entropy import binary_entropy, gaussian_entropy
from entropax.linalg import BinaryEntropy, compressed_trace


class AbstractFermionState(eqx.Module):
    """A Gaussian state of a system and its baths at one time.

    `system`: correlation matrix of the system's sites; `occupations`: those of each bath's modes
    (eigenmodes of the bath); `system_energy` and `interaction_energy`: of the system's own block
    of h, and of all that couples system and baths to each other.
    """

    system: eqx.AbstractVar[Inexact[Array, "s s"]]
    occupations: eqx.AbstractVar[tuple[Float[Array, " modes"], ...]]
    system_energy: eqx.AbstractVar[Float[Array, ""]]
    interaction_energy: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        """Von Neumann entropy of each bath."""

    @abc.abstractmethod
    def environment_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of all baths together."""

    @abc.abstractmethod
    def joint_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of system and baths together."""

    def system_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of the system."""
        return gaussian_entropy(self.system)


class ProductState(AbstractFermionState):
    """Independent modes and level: the start of a junction."""

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " modes"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(jnp.sum(binary_entropy(n)) for n in self.occupations)

    def environment_entropy(self) -> Float[Array, ""]:
        return jnp.sum(jnp.stack(self.bath_entropies()))

    def joint_entropy(self) -> Float[Array, ""]:
        return self.system_entropy() + self.environment_entropy()


class StarState(AbstractFermionState):
    """A junction at time t.

    `level_row`: C_dj between the level and each mode; `blocks`: correlation matrix of each lead;
    `amplitudes`: |<d|exp(-iht)|a>|^2 over all sites, which with the initial occupations
    `start` fix the spectrum of all leads together (physics of one removed direction).
    """

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " modes"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]
    level_row: Inexact[Array, " all_modes"]
    blocks: tuple[Inexact[Array, "modes modes"], ...]
    amplitudes: Float[Array, " sites"]
    start: Float[Array, " sites"]

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(gaussian_entropy(block) for block in self.blocks)

    def environment_entropy(self) -> Float[Array, ""]:
        return compressed_trace(BinaryEntropy(), self.start, self.amplitudes)

    def joint_entropy(self) -> Float[Array, ""]:
        return jnp.sum(binary_entropy(self.start))


class DenseState(AbstractFermionState):
    """A network at time t, with the `correlation` matrix of all sites."""

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " modes"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]
    correlation: Inexact[Array, "sites sites"]
    baths: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(self._entropy(bath) for bath in self.baths)

    def environment_entropy(self) -> Float[Array, ""]:
        return self._entropy(sum(self.baths, ()))

    def joint_entropy(self) -> Float[Array, ""]:
        return gaussian_entropy(self.correlation)

    def _entropy(self, sites: tuple[int, ...]) -> Float[Array, ""]:
        index = jnp.array(sites)
        return gaussian_entropy(self.correlation[index[:, None], index[None, :]])


class WindowState(eqx.Module):
    r"""A small system and its window baths at one time.

    `joint`: $p(\epsilon_k, E_1, E_2, \dots)$; `system`: the reduced density matrix between energy
    eigenstates; `energy`: one a bath; `interaction_energy`, and the exact `mutual_information` of
    system and baths: None where the description does not know them; `frozen`: the baths do not
    evolve.
    """

    joint: Float[Array, "..."]
    system: Inexact[Array, "d d"]
    energy: Float[Array, " baths"]
    interaction_energy: Float[Array, ""] | None = None
    mutual_information: Float[Array, ""] | None = None
    frozen: bool = eqx.field(default=False, static=True)
