"""The textbook master equation: baths frozen in their reference state."""

import dataclasses
from typing import Literal

import diffrax
import equinox as eqx

from entropax._checks import whole
from entropax.method.windows.bath_closures import FrozenBaths
from entropax.method.windows.master_equation import AbstractMasterEquation
from entropax.method.windows.moment import Dissipators


class BornMarkovSecular(AbstractMasterEquation):
    r"""The Born-Markov-secular equation with the baths of the start (Riera Eq. 3).

    Rates are those of `EMME` averaged over the start's windows,
    $\sum_E p_E\,\gamma(E+\omega,E)/V_E$; nothing acts back on the baths, so `joint` is
    $p(\epsilon_k, t)\,p(E, 0)$ (correlations of a `Joint` start are dropped), and what only baths
    that evolve have, observational entropy and its production, is None. `energy` and `heat` count
    what the jumps hand over. Microcanonical or canonical is a matter of the start.

    **Arguments:** as for `EMME`.
    """

    closure = FrozenBaths

    _: dataclasses.KW_ONLY
    memory: Literal["infinite", "finite"] = eqx.field(default="infinite", static=True)
    dissipators: Dissipators = eqx.field(default="global", static=True)
    secular: bool = eqx.field(default=True, static=True)
    lamb_shift: bool = eqx.field(default=True, static=True)
    first_order: bool = eqx.field(default=True, static=True)
    coherences: bool | None = eqx.field(default=None, static=True)
    solver: diffrax.AbstractSolver | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_steps: int = eqx.field(default=100_000, static=True, converter=whole)
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()
