"""Exact dynamics of free fermions."""

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax._checks import concrete, is_traced
from entropax.method.base import AbstractMethod, scan_times
from entropax.method.fermions.junction_exact import is_crowded, star_states
from entropax.method.fermions.network_exact import dense_states
from entropax.model import FermionNetwork, Junction
from entropax.model.driven import AbstractControlled
from entropax.state import AbstractFermionState


class Exact(AbstractMethod):
    """Exact dynamics of the correlation matrix, at any time, without a time step.

    A `Junction` goes by its arrowhead structure: O(modes^2) a time, and in the ledger one
    eigenproblem per lead, above 1500 modes an elimination (`linalg.displaced_entropy`). A
    `FermionNetwork` goes by dense matrices, O(sites^3) a time. Times are reduced one by one;
    reverse-mode derivatives recompute each time's state instead of storing it.

    `prepare` fills in `crowded`: whether a junction's energies are too close to each other for its
    structure, so that it goes by dense matrices too; None where they are traced, and both are
    compiled. Traced couplings do not count in that: where they are so large beside the distances
    of energies that entropies are lost, `Solution.result` is `unresolved` (`tells_rounding`).
    """

    crowded: bool | None = eqx.field(default=None, static=True)
    tells_rounding: bool = eqx.field(default=False, static=True)

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> Self:
        del ts
        if isinstance(model, AbstractControlled) and model.is_driven:
            first = next(iter(model.protocols))
            other = "SplitStep" if isinstance(model, Junction) else "Magnus"
            raise ValueError(
                f"`{first}` must not be driven for the method Exact; take {other}(steps=...)."
            )
        if not isinstance(model, Junction):
            return self
        crowded = is_crowded(model)
        traced = any(is_traced(concrete(lead.couplings)) for lead in model.leads)
        if not isinstance(crowded, bool):
            return dataclasses.replace(self, tells_rounding=traced)
        return dataclasses.replace(self, crowded=crowded, tells_rounding=traced)

    def initial(self, model: eqx.Module) -> AbstractFermionState:
        return self._states(model, 0.0)[0]

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        at = self._states(model, jnp.max(jnp.abs(ts), initial=0.0))[1]
        return scan_times(lambda t: reduce(at(t)), ts, meter)

    def _states(self, model: eqx.Module, horizon: Float[Array, ""] | float):
        if isinstance(model, Junction):
            crowded = is_crowded(model) if self.crowded is None else self.crowded
            return star_states(model, horizon, crowded, self.tells_rounding)
        if isinstance(model, FermionNetwork):
            return dense_states(model)
        raise ValueError(
            f"`model` must be a Junction or a FermionNetwork for the method Exact, "
            f"but is {type(model).__name__}."
        )
