"""Energies and frequencies of a small system, and which of them are one."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from entropax._precision import EPS
from entropax.linalg import Spectrum, modes
from entropax.model import OpenSystem


def bare_spectrum(model: OpenSystem) -> Spectrum:
    """Energies and eigenstates of the bare Hamiltonian; where it is given by energies, these."""
    energies, vectors = model.spectrum()
    return energies, jnp.eye(model.levels) if vectors is None else vectors


def total_spectrum(model: OpenSystem) -> Spectrum:
    """The same of all of the Hamiltonian."""
    return bare_spectrum(model) if model.interaction is None else modes(model.total_hamiltonian())


def unresolved(energies: Float[Array, " d"]) -> Float[Array, ""]:
    """Below this a difference counts as none: 1e-9 of the largest, or what rounding leaves."""
    rounding = 64 * EPS * energies.shape[0] * jnp.max(jnp.abs(energies))
    return jnp.maximum(1e-9 * (jnp.max(energies) - jnp.min(energies)), rounding)


def alike(energies: Float[Array, " d"]) -> Bool[Array, "d d"]:
    """Whether two levels have one energy."""
    return jnp.abs(energies[:, None] - energies[None, :]) <= unresolved(energies)


def transition_energies(energies: Float[Array, " d"]) -> Float[Array, "d d"]:
    r"""What the transition j to i gives away, $\omega_{ij} = \epsilon_j - \epsilon_i$."""
    given = energies[None, :] - energies[:, None]
    # within a degenerate level no energy is exchanged, to rounding; it moves as the energies do
    return jnp.where(alike(energies), given - jax.lax.stop_gradient(given), given)


def same_frequency(energies: Float[Array, " d"]) -> Bool[Array, "d d d d"]:
    """Whether the transitions j to i and k to l have one frequency, indices [i, j, l, k]."""
    given = energies[None, :] - energies[:, None]
    gap = jnp.abs(given[:, :, None, None] - given[None, None, :, :])
    return gap <= unresolved(energies)


def frequency_groups(energies: np.ndarray) -> np.ndarray:
    """A number for each frequency, at the pairs of eigenstates that have it."""
    given = energies[None, :] - energies[:, None]
    order = np.argsort(given, axis=None)
    steps = np.diff(given.ravel()[order]) > float(unresolved(jnp.asarray(energies)))
    groups = np.empty(given.size, int)
    groups[order] = np.concatenate([[0], np.cumsum(steps)])
    return groups.reshape(given.shape)
