"""What protocols are optimised for: numbers of a `Solution`, to be used in a loss."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import check, concrete, is_traced
from entropax.equilibrium import equilibrium_free_energy
from entropax.ledger import AbstractMomentLedger
from entropax.linalg import modes
from entropax.model import Junction, OpenSystem
from entropax.model.driven import AbstractDriven
from entropax.solve import Solution

_CLOSED = 0.01
"""Largest change of a system's energy in a closed cycle, as a share of work and heat."""


def entropy_production(solution: Solution) -> Float[Array, ""]:
    r"""$\Sigma$ at the last time. Here and below the times of a solution must ascend."""
    return solution.ledger.entropy_production[-1]


def work(solution: Solution) -> Float[Array, ""]:
    """Work done on the system until the last time, that of jumps included."""
    return solution.ledger.work[-1]


def dissipated_work(solution: Solution, model: AbstractDriven) -> Float[Array, ""]:
    r"""$W - \Delta F$ until the last time, F the equilibrium free energy of the system alone.

    $F = -T\ln\mathrm{tr}\,e^{-\beta H_S}$, with $-T\ln(1+e^{-\beta(\epsilon_d-\mu)})$ for the level
    of a junction. Non-negative from an equilibrium start at weak coupling. Raises `ValueError` for
    models of several baths or of baths without a temperature.
    """
    last = solution.ts[-1]
    after = model.within(last, (last, last))
    return work(solution) - (_free_energy(after) - _free_energy(model.before()))


def power(solution: Solution) -> Float[Array, ""]:
    """Work drawn per time, between the last two times: a period of a machine."""
    return -_last(solution.ts, _work_of(solution)) / _last(solution.ts, solution.ts)


def efficiency(solution: Solution, hot: tuple[int, ...] = (0,)) -> Float[Array, ""]:
    """Work drawn per heat from the hot baths, between the last two times.

    They must be a period apart, and the state a periodic one: where the energy of the system (and
    of what couples it) is not back to 1 % of work and heat it raises, as such a number could be
    above Carnot's (inside a program it is NaN).
    """
    ts, ledger = solution.ts, solution.ledger
    drawn = -_last(ts, _work_of(solution))
    taken = _last(ts, jnp.sum(ledger.heat[:, jnp.array(hot)], axis=-1))
    stored = _last(ts, _stored(ledger))
    is_open = jnp.abs(stored) > _CLOSED * (jnp.abs(drawn) + jnp.abs(taken))
    bare = concrete(is_open)
    if not is_traced(bare) and bare:
        raise eqx.EquinoxRuntimeError(
            "`solution` must end with a closed cycle for an efficiency: between its last two times "
            "the energy of the system changes by more than 1 % of work and heat. Does the protocol "
            "come back, last jump included? Has the limit cycle been reached?"
        )
    return jnp.where(is_open, jnp.nan, drawn / taken)


def _stored(ledger: Any) -> Float[Array, " times"]:
    """The energy of the system, with that of the interaction where it is known."""
    if isinstance(ledger, AbstractMomentLedger):
        return ledger.energy
    between = ledger.interaction_energy
    return ledger.system_energy if between is None else ledger.system_energy + between


def _last(ts: Float[Array, " times"], values: Float[Array, " times"]) -> Float[Array, ""]:
    if ts.shape[0] < 2:
        raise ValueError(
            f"`solution` must have two times or more, the last two a period apart, but has "
            f"{ts.shape[0]}."
        )
    return values[-1] - values[-2]


def _work_of(solution: Solution) -> Float[Array, " times"]:
    ledger = solution.ledger
    return ledger.work + getattr(ledger, "chemical_work", 0.0)


def _free_energy(model: AbstractDriven) -> Float[Array, ""]:
    """Equilibrium free energy of an undriven model, up to terms of the temperature alone."""
    if isinstance(model, Junction) and len(model.leads) == 1 and model.leads[0].thermal:
        beta, mu = model.leads[0].thermal
        return equilibrium_free_energy(jnp.stack([0.0, model.fixed_level - mu]), beta)
    if isinstance(model, OpenSystem) and model.is_ideal and len(model.baths) == 1:
        bath = model.baths[0]
        rule = "0 of the bath: what carries particles is not known of an OpenSystem"
        mu = check("mu", bath.mu, rule, lambda xp, x: x == 0)
        energies, beta = modes(model.total_hamiltonian())[0], bath.beta + 0.0 * mu  # checked too
        return equilibrium_free_energy(energies, beta)
    raise ValueError(
        "`model` must be a Junction with one thermal lead or an OpenSystem with one ideal bath."
    )
