"""How a junction or a network is counted: blocks of sites, what commutes, which way is faster."""

from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from entropax._checks import concrete, is_traced
from entropax._crossovers import DETERMINANTS_WRITTEN_OUT
from entropax._precision import EPS
from entropax._tolerances import ROUNDED
from entropax.counting.blocks import OCCUPATION, Block
from entropax.counting.fermions import AbstractCounted, FermionCounting, Gained, Produced
from entropax.counting.kinds import in_words, number_and_energy
from entropax.counting.star import nodes_of
from entropax.ledger import FermionModel, open_account
from entropax.ledger.fermions.account import FermionAccount
from entropax.linalg import ArrowheadExponential
from entropax.linalg.cauchy_like import equal_columns
from entropax.method import AbstractMethod, Plan
from entropax.model import FermionNetwork, Junction
from entropax.solve import Solution, raise_failures, solve_plan


class Propagated(NamedTuple):
    """U at each time, and the system's matrix there; beta and mu that the baths begin at, and
    whether they have any.
    """

    u: Any
    system: Inexact[Array, "times s s"]
    beta: Float[Array, " baths"]
    mu: Float[Array, " baths"]
    determined: Array


def count_fermions(
    model: FermionModel,
    plan: Plan[Any, Any],
    method: AbstractMethod[Any],
    of: tuple[Any, ...],
    baths: tuple[int | None, ...],
    throw: bool | None,
) -> FermionCounting:
    """Counts of what each `of` names, in the bath beside it."""
    solution = raise_failures(_propagated(method, plan), throw)
    seen: Propagated = solution.ledger
    start, blocks = _blocks(model, seen)
    moments: Any = None
    counted: AbstractCounted
    named = [x for x in of if isinstance(x, str)]
    if "entropy_production" in named:
        if len(of) > 1:
            raise ValueError("`of` must be one count where it is the entropy production.")
        _require_temperatures(seen)
        moments = _system_filling(model, seen.system)
        counted = Produced(start, _of_product(blocks, seen))
    elif "work" in named or len(named) < len(of):
        if "work" in named and len(of) > 1:
            raise ValueError("`of` must be one count where it is the work.")
        before = tuple(_matrix_of(model, x, seen, bath) for x, bath in zip(of, baths, strict=True))
        if "work" in named:
            moments = (_hamiltonians(model, solution.ts),)
        counted = Gained(start, blocks, None, before)
        _require_commuting(model, of, before)
    else:
        pairs = [_weights_of(x, bath, seen.mu) for x, bath in zip(of, baths, strict=True)]
        counted = Gained(start, blocks, jnp.stack(pairs), ())
        if isinstance(model, FermionNetwork) and not model.has_thermal_baths:
            matrices = [_matrix_of(model, x, seen, b) for x, b in zip(of, baths, strict=True)]
            _require_commuting(model, of, tuple(matrices))
    level, columns = _structure(model, plan, seen.u)
    names = [x if isinstance(x, str) else "weights" for x in of]
    what = ", ".join(map(in_words, names, baths))
    is_whole = list(of) == ["particles"]
    return FermionCounting(
        ts=solution.ts,
        propagators=seen.u,
        moments=moments,
        counted=counted,
        level=level,
        columns=columns,
        what=what,
        counts=len(of),
        is_whole=is_whole,
    )


def _weights_of(of: str, bath: int | None, mu: Float[Array, " baths"]) -> Float[Array, "blocks 2"]:
    """Weights of number and energy: the system's first, then those of each bath."""
    assert bath is not None
    pair = number_and_energy(of, mu[bath])
    return jnp.zeros((1 + mu.shape[0], 2)).at[1 + bath].set(pair)


@eqx.filter_jit
def _propagated(method: AbstractMethod[Any], plan: Plan[Any, Any]) -> Solution[Any]:
    """U at each time, where a solution has its ledger, which is not made."""
    solution = solve_plan(method, plan, lambda state: (state.propagator, state.system))
    account = cast(FermionAccount, open_account(method.initial(plan), plan.model))
    u, system = cast(tuple[Any, Array], solution.saved)
    first = account.start
    seen = _as_recorded(plan.model, Propagated(u, system, first.beta, first.mu, first.determined))
    return eqx.tree_at(
        lambda s: (s.ledger, s.saved), solution, (seen, None), is_leaf=lambda x: x is None
    )


def _as_recorded(model: FermionModel, seen: Propagated) -> Propagated:
    """With the temperatures that leads keep beside occupations of their own, as `pure_start` has
    them drawn from; others have effective ones.
    """
    if not isinstance(model, Junction):
        return seen
    beta, mu, determined = list(seen.beta), list(seen.mu), list(seen.determined)
    for number, lead in enumerate(model.leads):
        if lead.beta is not None and lead.mu is not None:
            beta[number], mu[number], determined[number] = lead.beta, lead.mu, jnp.array(True)
    return seen._replace(beta=jnp.stack(beta), mu=jnp.stack(mu), determined=jnp.stack(determined))


def _blocks(model: FermionModel, seen: Propagated) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """What is filled together at the start, and what is counted together."""
    if isinstance(model, Junction):
        places = [np.array([0]), *(1 + np.arange(s.start, s.stop) for s in model.lead_slices)]
        energies = [jnp.zeros(1), *(lead.energies for lead in model.leads)]
        fillings = [model.occupation[None], *(_unless_thermal(lead) for lead in model.leads)]
    else:
        places = [np.array(model.system), *(np.array(bath) for bath in model.baths)]
        h = model.hamiltonian
        energies = [h[p[:, None], p[None, :]] for p in places]
        if not model.has_thermal_baths:
            whole = Block(jnp.arange(model.sites), h, None, None, model.initial_correlation.T)
            counted = [
                Block(jnp.asarray(p), e, None, None, None)
                for p, e in zip(places, energies, strict=True)
            ]
            return (whole,), tuple(counted)
        c = model.initial_correlation
        system = c[places[0][:, None], places[0][None, :]].T
        fillings = [system, *(None for _ in model.baths)]
    temperatures = [(None, None), *zip(seen.beta, seen.mu, strict=True)]
    blocks = []
    for p, e, n, (beta, mu) in zip(places, energies, fillings, temperatures, strict=True):
        thermal = (beta, mu) if n is None else (None, None)
        blocks.append(Block(jnp.asarray(p), e, *thermal, n))
    return tuple(blocks), tuple(blocks)


def _unless_thermal(lead: Any) -> Float[Array, " modes"] | None:
    return None if lead.thermal is not None else lead.initial_occupations


def _of_product(blocks: tuple[Block, ...], seen: Propagated) -> tuple[Block, ...]:
    """The blocks of q: baths thermal at what they begin at."""
    system, *baths = blocks
    thermal = [
        Block(block.sites, block.energies, beta, mu, None)
        for block, beta, mu in zip(baths, seen.beta, seen.mu, strict=True)
    ]
    return (Block(system.sites, system.energies, None, None, None, OCCUPATION), *thermal)


def _system_filling(model: FermionModel, system: Array) -> Array:
    return system[:, 0].real if isinstance(model, Junction) else jnp.swapaxes(system, 1, 2)


def _matrix_of(model: FermionModel, of: Any, seen: Propagated, bath: int | None) -> Array:
    """What is counted, between all sites."""
    sites = model.sites
    if not isinstance(of, str):
        a = jnp.asarray(of)
        rule = "have one entry a site, or be a Hermitian matrix of them"
        if a.shape not in ((sites,), (sites, sites)):
            raise ValueError(f"`of` must {rule} ({sites}), but has shape {a.shape}.")
        if a.ndim == 2 and not is_traced(a) and not np.allclose(a, np.conj(np.asarray(a).T)):
            raise ValueError("`of` must be Hermitian (equal to its conjugate transpose).")
        if isinstance(model, FermionNetwork) and a.ndim == 1:
            a = jnp.diag(a)
        return a
    if of == "work":
        return _hamiltonian(model.before())
    assert bath is not None
    block = _blocks(model, seen)[1][1 + bath]
    part = block.weighed(*number_and_energy(of, seen.mu[bath]))
    if part.ndim == 1:
        return jnp.zeros(sites).at[block.sites].set(part)
    whole = jnp.zeros((sites, sites), part.dtype)
    return whole.at[block.sites[:, None], block.sites[None, :]].set(part)


def _hamiltonian(undriven: FermionModel) -> Array:
    if isinstance(undriven, Junction):
        return FermionNetwork.from_junction(undriven).hamiltonian
    return undriven.hamiltonian


def _hamiltonians(model: FermionModel, ts: Array) -> Array:
    return jax.vmap(lambda t: _hamiltonian(model.at(t) if model.is_driven else model))(ts)


def _require_commuting(
    model: FermionModel, of: tuple[Any, ...], counted: tuple[Array, ...]
) -> None:
    """`ValueError` where the start is not diagonal in what is counted."""
    if isinstance(model, Junction):
        n = jnp.diag(model.initial_occupations)
    else:
        n = model.initial_correlation.T
    for name, a in zip(of, counted, strict=True):
        square = jnp.diag(a) if a.ndim == 1 else a
        away = concrete(jnp.max(jnp.abs(n @ square - square @ n)))
        size = concrete(jnp.max(jnp.abs(square)))
        if is_traced(away) or is_traced(size):
            continue
        if float(away) > ROUNDED * max(float(size), 1.0) * 10.0:
            words = f'"{name}"' if isinstance(name, str) else "the weights"
            raise ValueError(
                "`of` must commute with the start, which a first measurement would change: "
                f"{words} does not, by an element of {float(away):.3g}."
            )
    if isinstance(model, FermionNetwork):
        for i, a in enumerate(counted):
            for b in counted[:i]:
                away = concrete(jnp.max(jnp.abs(a @ b - b @ a)))
                if not is_traced(away) and float(away) > ROUNDED:
                    raise ValueError("`of` must be counts that commute with each other.")


def _require_temperatures(seen: Propagated) -> None:
    determined = concrete(seen.determined & jnp.isfinite(seen.beta) & jnp.isfinite(seen.mu))
    if not is_traced(determined) and not bool(np.all(np.asarray(determined))):
        which = int(np.flatnonzero(~np.asarray(determined))[0])
        raise ValueError(
            "`of` must not be the entropy production where a bath has no finite temperature "
            f"to begin with: bath {which}."
        )


def _structure(
    model: FermionModel, plan: Plan[Any, Any], u: Any
) -> tuple[Float[Array, ""] | None, Int[Array, "depth sites"] | None]:
    """The level, and which columns have the energy of which rows, where determinants go by the
    star's structure.
    """
    if not isinstance(u, ArrowheadExponential) or not isinstance(model, Junction):
        return None, None
    energies = concrete(model.mode_energies)
    is_small = model.sites < DETERMINANTS_WRITTEN_OUT.here
    if is_small or is_traced(energies) or plan.decided.is_crowded is not False:
        return None, None
    nodes = np.asarray(nodes_of(energies))
    # as `poles` of the arrowhead have it
    tolerance = 8 * EPS * float(np.max(np.abs(nodes[1:])))
    return model.fixed_level, jnp.asarray(equal_columns(nodes, tolerance))
