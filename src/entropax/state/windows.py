"""States of a small system and its window baths."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults
from entropax.entropy import ObservationalTerms


class Observed(eqx.Module):
    r"""An exact state under an `Observation` (Strasberg, section II).

    `outcomes`: $p_{sE_1E_2\dots}$; `volumes`: $V_E$ of each bath's windows; `terms`: what $S_{obs}$
    exceeds `joint_entropy`, the von Neumann entropy of everything, by; `bath_entropy`: of each.
    """

    outcomes: Float[Array, "..."]
    volumes: tuple[Float[Array, " _"], ...]
    terms: ObservationalTerms
    joint_entropy: Float[Array, ""]
    bath_entropy: Float[Array, " baths"]


class WindowState(eqx.Module):
    r"""A small system and its window baths at one time, or at several.

    `joint`: $p(\epsilon_k, E_1, E_2, \dots)$, `flow` its rate of change (None at the start);
    `system`: the reduced density matrix between eigenstates of $H_0$, and the `hamiltonian` $H_S$
    of this time; `energy`: one a bath; `work`: done on the system so far; `interaction_energy`, the
    exact `mutual_information` of system and baths, and what is `observed`: None where the
    description does not know them; `frozen`: the baths do not evolve; `faults`: of what it is made
    with.
    """

    joint: Float[Array, "..."]
    flow: Float[Array, "..."] | None
    system: Inexact[Array, "*times d d"]
    hamiltonian: Inexact[Array, "*times d d"]
    energy: Float[Array, "*times baths"]
    work: Float[Array, "*times"]
    interaction_energy: Float[Array, "*times"] | None = None
    mutual_information: Float[Array, "*times"] | None = None
    observed: Observed | None = None
    faults: Faults | None = None
    frozen: bool = eqx.field(default=False, static=True)

    @property
    def energies(self) -> Float[Array, "*times d"]:
        """The diagonal of the Hamiltonian."""
        return jnp.diagonal(self.hamiltonian, axis1=-2, axis2=-1).real
