"""Exact dynamics of free fermions."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.method.base import AbstractMethod, scan_times
from entropax.method.dense import dense_states
from entropax.method.star import star_states
from entropax.method.states import AbstractFermionState
from entropax.model import FermionNetwork, Junction
from entropax.model.driven import AbstractControlled


class Exact(AbstractMethod):
    """Exact dynamics of the correlation matrix, at any time, without a time step.

    A `Junction` goes by its arrowhead structure: O(modes^2) a time and one eigenproblem per lead
    in the ledger. A `FermionNetwork` goes by dense matrices, O(sites^3) a time. Times are reduced
    one by one; reverse-mode derivatives recompute each time's state instead of storing it.
    """

    def prepare(self, model: eqx.Module, ts: Float[Array, " times"]) -> "Exact":
        del ts
        if isinstance(model, AbstractControlled) and model.is_driven:
            first = next(iter(model.protocols))
            other = "SplitStep" if isinstance(model, Junction) else "Magnus"
            raise ValueError(
                f"`{first}` must not be driven for the method Exact; take {other}(steps=...)."
            )
        return self

    def initial(self, model: eqx.Module) -> AbstractFermionState:
        return _states(model, 0.0)[0]

    def run(
        self,
        model: eqx.Module,
        ts: Float[Array, " times"],
        reduce: Callable[[Any], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        at = _states(model, jnp.max(jnp.abs(ts), initial=0.0))[1]
        return scan_times(lambda t: reduce(at(t)), ts, meter)


def _states(model: eqx.Module, horizon: Float[Array, ""] | float):
    if isinstance(model, Junction):
        return star_states(model, horizon)
    if isinstance(model, FermionNetwork):
        return dense_states(model)
    raise ValueError(
        f"`model` must be a Junction or a FermionNetwork for the method Exact, "
        f"but is {type(model).__name__}."
    )
