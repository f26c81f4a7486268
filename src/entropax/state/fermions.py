"""Gaussian states of free fermions: what a ledger may ask of one, whatever method made it."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax._batching import vmap_by_shape
from entropax.entropy import binary_entropy, gaussian_entropy
from entropax.linalg import (
    ArrowheadExponential,
    BinaryEntropy,
    Displaced,
    blocked_sum,
    compressed_trace,
    displaced_entropy,
    with_slope_of,
)

Propagator = ArrowheadExponential | Complex[Array, "sites sites"]
"""U of one particle: a matrix, or what it follows from."""


class AbstractFermionState(eqx.Module):
    """A Gaussian state of a system and its baths at one time.

    `system`: correlation matrix of the system's sites; `occupations`: those of each bath's modes
    (eigenmodes of the bath); `system_energy` and `interaction_energy`: of the system's own block
    of h, and of all that couples system and baths to each other; `work`: done by what drives h;
    `rounding`: what entropies of baths may be off by, where that is more than is usual.
    """

    system: eqx.AbstractVar[Inexact[Array, "s s"]]
    occupations: eqx.AbstractVar[tuple[Float[Array, " _"], ...]]
    system_energy: eqx.AbstractVar[Float[Array, ""]]
    interaction_energy: eqx.AbstractVar[Float[Array, ""]]
    work: eqx.AbstractVar[Float[Array, ""]]
    rounding: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        """Von Neumann entropy of each bath."""

    @abc.abstractmethod
    def environment_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of all baths together."""

    @abc.abstractmethod
    def joint_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of system and baths together."""

    def bath_energies(
        self, energies: tuple[Float[Array, " _"], ...]
    ) -> tuple[Float[Array, ""], ...]:
        """Mean energy of each bath, `energies` those of its modes."""
        both = zip(energies, self.occupations, strict=True)
        return tuple(blocked_sum(e * n) for e, n in both)

    def system_entropy(self) -> Float[Array, ""]:
        """Von Neumann entropy of the system."""
        return gaussian_entropy(self.system)


class ProductState(AbstractFermionState):
    """Independent modes and level: the start of a junction."""

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " _"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]
    work: Float[Array, ""]
    rounding: Float[Array, ""] = eqx.field(default_factory=lambda: jnp.zeros(()), kw_only=True)

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(vmap_by_shape(lambda n: jnp.sum(binary_entropy(n)), self.occupations))

    def environment_entropy(self) -> Float[Array, ""]:
        return jnp.sum(jnp.stack(self.bath_entropies()))

    def joint_entropy(self) -> Float[Array, ""]:
        return self.system_entropy() + self.environment_entropy()


class StarState(AbstractFermionState):
    """A junction at time t.

    `propagator`: U from the start to now, of one particle; `level_row`: C_dj between the level and
    each mode; `leads`: correlations within each lead, its matrix or what it follows from (`blocks`:
    matrices); `amplitudes`: |<d|exp(-iht)|a>|^2 over all
    sites, which with the initial occupations `start` fix the spectrum of all leads together
    (physics of one removed direction).
    """

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " _"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]
    work: Float[Array, ""]
    propagator: Propagator
    level_row: Inexact[Array, " all_modes"]
    leads: tuple[Displaced | Inexact[Array, "_ _"], ...]
    amplitudes: Float[Array, " sites"]
    start: Float[Array, " sites"]
    rounding: Float[Array, ""] = eqx.field(default_factory=lambda: jnp.zeros(()), kw_only=True)

    @property
    def blocks(self) -> tuple[Inexact[Array, "_ _"], ...]:
        """The correlation matrix of each lead."""
        return tuple(x.matrix() if isinstance(x, Displaced) else x for x in self.leads)

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(vmap_by_shape(_lead_entropy, self.leads))

    def environment_entropy(self) -> Float[Array, ""]:
        return compressed_trace(BinaryEntropy(), self.start, self.amplitudes)

    def joint_entropy(self) -> Float[Array, ""]:
        return jnp.sum(binary_entropy(self.start))


def _lead_entropy(correlations: Displaced | Array) -> Array:
    if isinstance(correlations, Displaced):
        return displaced_entropy(correlations)
    return gaussian_entropy(correlations)


class DenseState(AbstractFermionState):
    r"""A network at time t, with the `correlation` matrix of all sites.

    `propagator`: U from the start to now, of one particle; `traces`: energies of the baths,
    $\mathrm{tr}\,h_\nu C$ (with C transposed).
    """

    system: Inexact[Array, "s s"]
    occupations: tuple[Float[Array, " _"], ...]
    system_energy: Float[Array, ""]
    interaction_energy: Float[Array, ""]
    work: Float[Array, ""]
    propagator: Propagator
    correlation: Inexact[Array, "sites sites"]
    traces: tuple[Float[Array, ""], ...]
    baths: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    rounding: Float[Array, ""] = eqx.field(default_factory=lambda: jnp.zeros(()), kw_only=True)

    def bath_energies(
        self, energies: tuple[Float[Array, " _"], ...]
    ) -> tuple[Float[Array, ""], ...]:
        # what couples modes of one energy moves the energy, and neither modes nor occupations
        sums = super().bath_energies(energies)
        return tuple(with_slope_of(x, t) for x, t in zip(sums, self.traces, strict=True))

    def bath_entropies(self) -> tuple[Float[Array, ""], ...]:
        return tuple(vmap_by_shape(gaussian_entropy, [self._block(bath) for bath in self.baths]))

    def environment_entropy(self) -> Float[Array, ""]:
        return gaussian_entropy(self._block(sum(self.baths, ())))

    def joint_entropy(self) -> Float[Array, ""]:
        return gaussian_entropy(self.correlation)

    def _block(self, sites: tuple[int, ...]) -> Inexact[Array, "n n"]:
        index = jnp.array(sites)
        return self.correlation[index[:, None], index[None, :]]


def as_matrix(propagator: Propagator) -> Complex[Array, "sites sites"]:
    """U written out."""
    is_structured = isinstance(propagator, ArrowheadExponential)
    return propagator.matrix() if is_structured else propagator
