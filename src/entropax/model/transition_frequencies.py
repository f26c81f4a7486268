"""Energies and frequencies of a small system, and which of them are one."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from entropax._precision import EPS
from entropax.linalg import Spectrum, modes
from entropax.model import OpenSystem


def bare_spectrum(model: OpenSystem[Any, Any]) -> Spectrum:
    """Energies and eigenstates of the bare Hamiltonian; where it is given by energies, these."""
    energies, vectors = model.spectrum()
    return energies, jnp.eye(model.levels) if vectors is None else vectors


def total_spectrum(model: OpenSystem[Any, Any]) -> Spectrum:
    """The same of all of the Hamiltonian."""
    return bare_spectrum(model) if model.interaction is None else modes(model.total_hamiltonian())


def unresolved(energies: Float[Array, " d"]) -> Float[Array, ""]:
    """What rounding leaves of a difference of energies: below this it counts as none."""
    return 64 * EPS * energies.shape[0] * jnp.max(jnp.abs(energies))


def _groups(values: Float[Array, "*shape"], apart: Float[Array, ""]) -> Int[Array, "*shape"]:
    """A number for each cluster of values, whose neighbours are not further apart than that."""
    order = jnp.argsort(values, axis=None)
    steps = jnp.diff(values.ravel()[order]) > apart
    number = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(steps)])
    return jnp.zeros(values.size, int).at[order].set(number).reshape(values.shape)


def alike(energies: Float[Array, " d"]) -> Bool[Array, "d d"]:
    """Whether two levels have one energy."""
    level = _groups(energies, unresolved(energies))
    return level[:, None] == level[None, :]


def transition_energies(energies: Float[Array, " d"]) -> Float[Array, "d d"]:
    r"""What the transition j to i gives away, $\omega_{ij} = \epsilon_j - \epsilon_i$."""
    differences = energies[None, :] - energies[:, None]
    # within a degenerate level no energy is exchanged, to rounding; it moves as the energies do
    slopes = differences - jax.lax.stop_gradient(differences)
    return jnp.where(alike(energies), slopes, differences)


def frequency_groups(energies: Float[Array, " d"]) -> Int[Array, "d d"]:
    """A number for each frequency, at the transitions j to i that have it.

    Each belongs to one group alone, as it must for an equation that keeps states positive.
    """
    held = jax.lax.stop_gradient(energies)
    return _groups(held[None, :] - held[:, None], 2 * unresolved(held))


def same_frequency(energies: Float[Array, " d"]) -> Bool[Array, "d d d d"]:
    """Whether the transitions j to i and k to l have one frequency, indices [i, j, l, k]."""
    group = frequency_groups(energies)
    return group[:, :, None, None] == group[None, None, :, :]
