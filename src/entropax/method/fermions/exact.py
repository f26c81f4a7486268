"""Exact dynamics of free fermions."""

from collections.abc import Callable
from typing import Any, cast

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.method.base import AbstractMethod, Plan, require_model, scan_times
from entropax.method.fermions.junction_exact import StarEvolution
from entropax.method.fermions.network_exact import DenseEvolution
from entropax.model import FermionNetwork, Junction
from entropax.state import AbstractFermionState


class Exact(AbstractMethod[AbstractFermionState]):
    """Exact dynamics of the correlation matrix, at any time, without a time step.

    A `Junction` goes by its arrowhead structure: O(modes^2) a time, and in the ledger one
    eigenproblem per lead, above 1500 modes an elimination (`linalg.displaced_entropy`). A
    `FermionNetwork` goes by dense matrices, O(sites^3) a time. Times are reduced one by one;
    reverse-mode derivatives recompute each time's state instead of storing it.

    A junction whose energies are too close to each other for its structure goes by dense matrices
    too; where energies are traced, both ways are compiled. Traced couplings do not count in that:
    where they are so large beside the distances of energies that entropies are lost,
    `Solution.result` is `unresolved`.
    """

    states = AbstractFermionState

    def plan(self, model: eqx.Module, ts: Float[Array, " asked"]) -> Plan[Any, Any]:
        require_model(self, model, (Junction, FermionNetwork))
        fermions = cast(Junction | FermionNetwork, model)
        is_junction = isinstance(fermions, Junction)
        if fermions.is_driven:
            first = next(iter(fermions.protocols))
            other = "SplitStep" if is_junction else "Magnus"
            raise ValueError(
                f"`{first}` must not be driven for the method Exact; take {other}(steps=...)."
            )
        evolution = StarEvolution.of(fermions) if is_junction else DenseEvolution()
        return Plan.of(fermions, ts, evolution)

    def initial(self, plan: Plan[Any, Any]) -> AbstractFermionState:
        return plan.decided.initial(plan.model)

    def run(
        self,
        plan: Plan[Any, Any],
        reduce: Callable[[AbstractFermionState], PyTree[Array]],
        meter: diffrax.AbstractProgressMeter,
    ) -> PyTree[Array]:
        state_at = plan.decided.states(plan.model, jnp.max(jnp.abs(plan.ts)))
        return scan_times(lambda t: reduce(state_at(t)), plan.ts, meter)
