"""Arrowhead matrices, degenerate and resonant ones too, and their dense twins."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from rounding import EPS, eigenvalue_rounding

from entropax.linalg import arrowhead_eigenvalues, arrowhead_spectrum, level_response

Array = np.ndarray
MODES = 6
TIME = 3.7
RNG = np.random.default_rng(12)
ENERGIES = RNG.normal(size=MODES)  # not sorted
COUPLINGS = RNG.normal(size=MODES)
# level, energies, couplings
CASES: dict[str, tuple[float, Array, Array]] = {
    "generic": (0.3, ENERGIES, COUPLINGS),
    "sorted band": (0.1, np.linspace(-1.0, 1.0, MODES), np.full(MODES, 0.4)),
    "no coupling": (0.3, ENERGIES, np.zeros(MODES)),
    "some uncoupled": (0.3, ENERGIES, COUPLINGS * np.array([1, 0, 1, 0, 0, 1])),
    "equal energies": (0.2, np.array([0.5, -1.0, 0.5, 0.5, -1.0, 0.9]), COUPLINGS),
    "all energies equal": (0.2, np.full(MODES, 0.7), COUPLINGS),
    "all equal, level too": (0.7, np.full(MODES, 0.7), COUPLINGS),
    "all at zero": (0.0, np.zeros(MODES), COUPLINGS),
    "equal, one uncoupled": (
        0.2,
        np.array([0.5, -1.0, 0.5, 0.9, -1.0, 0.9]),
        COUPLINGS * np.array([1, 0, 0, 0, 1, 0]),
    ),
    "equal to rounding": (
        0.2,
        np.array([0.5, 0.5 + 2.0**-53, -1.0, -1.0 - 2.0**-52, 0.1, 0.9]),
        COUPLINGS,
    ),
    "nearly equal": (0.2, np.array([0.5, 0.5 + 1e-13, -1.0, -1.0 + 1e-9, 0.1, 0.9]), COUPLINGS),
    "tiny couplings": (0.3, ENERGIES, 10.0 ** np.array([-14.0, -11.0, -8.0, -5.0, -2.0, 0.0])),
    "all tiny": (0.3, ENERGIES, np.array([1e-9, -1e-9, 1e-10, 1e-12, 1e-14, 3e-9])),
    "resonance, tiny coupling": (
        0.4,
        np.array([0.4, -1.0, 0.9, 1.3, -0.2, 2.0]),
        np.array([1e-10, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ),
    "resonance within a band": (0.4, np.linspace(-1.0, 1.0, MODES) + 0.2, np.full(MODES, 1e-9)),
    "resonance, all couple": (0.4, np.array([0.4, -1.0, 0.9, 1.3, -0.2, 2.0]), COUPLINGS),
    "large scale": (3e5, 1e6 * ENERGIES, 1e5 * COUPLINGS),
    "small scale": (3e-7, 1e-6 * ENERGIES, 1e-7 * COUPLINGS),
}
# energies of order one, so that derivatives and times mean the same in all of them
ORDINARY = [name for name in CASES if not name.endswith("scale")]


def dense(level: float, energies: Array, couplings: Array) -> Array:
    h = np.diag(np.concatenate([[level], energies]))
    h[0, 1:] = h[1:, 0] = couplings
    return h


def spectrum_rounding(h: Array) -> float:
    """How far our eigenvalues and LAPACK's may lie apart: its rounding, and our 8 eps.

    Energies that differ by so much count as equal.
    """
    norm = float(np.linalg.norm(h, 2))
    return eigenvalue_rounding(len(h), norm) + 8 * EPS * norm


def everything(level, energies, couplings, time):
    spectrum = arrowhead_spectrum(level, energies, couplings)
    eigenvalues = arrowhead_eigenvalues(level, energies, couplings)
    return eigenvalues, spectrum.nodes, spectrum.weights, level_response(spectrum, time)


one = jax.jit(everything)


def evolution(level, energies, couplings, response, scale: float = 1.0) -> tuple:
    """e^{-iht}, less e^{-iet} on the modes' diagonal, put together from the functions y and z.

    y[e_j, e_k] of different energies is a quotient that has lost its digits where they nearly
    meet, so those entries are left at zero; equal ones have z.
    """
    del level
    distance = energies[:, None] - energies[None, :]
    far, same = masks(energies, scale)
    y = response.y[:, None] - response.y[None, :]
    z = 0.5 * (response.z[:, None] + response.z[None, :])
    quotient = jnp.where(far, y / jnp.where(far, distance, 1.0), jnp.where(same, z, 0.0))
    border = couplings * response.y
    return response.level, border, couplings[:, None] * couplings[None, :] * quotient


def masks(energies, scale: float) -> tuple:
    distance = abs(energies[:, None] - energies[None, :])
    return distance > 1e-2 * scale, distance < 1e-15 * scale


def dense_evolution(level: float, energies: Array, couplings: Array, time: float) -> tuple:
    """The same of the dense exponential, without masks."""
    u = scipy.linalg.expm(-1j * time * dense(level, energies, couplings))
    return u[0, 0], u[0, 1:], u[1:, 1:] - np.diag(np.exp(-1j * time * energies))
