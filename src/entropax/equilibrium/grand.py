r"""Grand canonical fermions, and (energy, number) -> (beta, mu).

Given $E$ and $N$, the natural parameters $\beta$ and $\alpha=\beta\mu$ minimise the convex dual

$$ \Phi(\beta,\alpha) = \sum_k \ln(1 + e^{\alpha-\beta\epsilon_k}) + \beta E - \alpha N, $$

whose minimum is the entropy of the matching grand canonical state (Usui Eqs. 5 and 6).

It is minimised (`entropax.equilibrium.grand_dual`) as seen from the filled Fermi sea, where the
modes are (`entropax.equilibrium.fermi_sea`).
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from entropax._precision import EPS, TINY
from entropax.entropy import binary_entropy
from entropax.equilibrium.distribution import fermi, log_odds
from entropax.equilibrium.fermi_sea import Sea, from_nearer_end, ranks, sides
from entropax.equilibrium.grand_dual import minimise, moments, newton_step
from entropax.linalg import blocked_sum


class Equilibrium(eqx.Module):
    r"""A grand canonical state of independent fermionic modes.

    `log_odds` $x_k = \beta\epsilon_k-\alpha$ and `occupations` $f(x_k)$ say what the state is,
    `entropy` its entropy. `beta` is +inf (-inf) where the energy is the lowest (highest) that the
    number allows, and NaN where no value is singled out: modes all at one energy, an empty or a
    filled bath. `mu` is NaN with it. A state matched with beta below rounding has beta = 0 and mu
    NaN: only $\alpha=\beta\mu$ is left of it.

    `determined`: beta and mu are finite numbers. `converged`: the state has the energy and number
    asked for (False where none has, or for NaN input).
    """

    beta: Float[Array, ""]
    mu: Float[Array, ""]
    log_odds: Float[Array, " k"]
    occupations: Float[Array, " k"]
    entropy: Float[Array, ""]
    determined: Bool[Array, ""]
    converged: Bool[Array, ""]


def thermal(
    energies: Float[Array, " k"], beta: Float[Array, ""], mu: Float[Array, ""]
) -> Equilibrium:
    """The grand canonical state with given inverse temperature and chemical potential."""
    x = log_odds(energies, beta, mu)
    n = fermi(x)
    sound = ~(jnp.isnan(beta) | jnp.isnan(mu))
    return Equilibrium(beta, mu, x, n, jnp.sum(binary_entropy(n)), jnp.isfinite(beta), sound)


@jax.jit
def match(
    energies: Float[Array, " k"], energy: Float[Array, ""], number: Float[Array, ""]
) -> Equilibrium:
    r"""The grand canonical state of modes `energies` with mean `energy` and `number`.

    Newton's method on the dual, with steps halved until they descend, converges from anywhere.
    Derivatives follow from the implicit function theorem; the entropy's are
    $\beta\,dE - \alpha\,dN - \beta\sum_k n_k\,d\epsilon_k$. At the edges, where beta is
    infinite or undetermined, occupations and entropy are those of the limit and constant; what E
    cannot tell from an edge, being rounded, is taken to be there (see `match_occupations`).

    Cost: two sorts, and O(k) a step, 5 to 60 steps (90 where energies differ by a hair).
    """
    return _match(*(jnp.asarray(x, float) for x in (energies, energy, number))).state


@jax.custom_jvp
def _match(energies: Array, energy: Array, number: Array) -> "_Matched":
    k = energies.shape[0]
    rank = ranks(energies)
    filled = jnp.clip(jnp.round(number), 0, k)
    offset = number - filled

    def seen(sign: Array) -> tuple[Sea, Array]:
        sea = Sea.seen(energies, sign, sides(rank, sign, filled), offset)
        in_sea = blocked_sum(jnp.where(sea.side < 0, energies, 0.0))
        return sea, sign * (energy - in_sea - sea.level * offset) / sea.scale

    sea, excess = from_nearer_end(seen)
    summed = number + (jnp.abs(energy) + jnp.abs(sea.level) * number) / sea.scale
    room = 16 * EPS * k
    edge = _Edge(
        extreme=(number <= room) | (number >= k - room),
        ground=excess <= 0.5 * room,
        offset=jnp.where(jnp.abs(offset) <= room, 0.0, offset),
    )
    return _matched(sea, excess, offset, edge, summed)


@_match.defjvp
def _match_jvp(primals, tangents):
    matched, (change, denergy, dnumber) = _match(*primals), tangents
    sea = matched.sea
    in_sea = jnp.sum((sea.side < 0) * change)
    dexcess = sea.sign * (denergy - in_sea - sea.level * dnumber) / sea.scale
    return matched, _moved(matched, sea.sign * change / sea.scale, dexcess, dnumber)


@jax.jit
def match_occupations(energies: Real[Array, " k"], occupations: Real[Array, " k"]) -> Equilibrium:
    r"""The grand canonical state with energy $\sum_k n_k\epsilon_k$ and number $\sum_k n_k$.

    As `match`, but accurate however close to an edge: the state counts as an edge only where every
    occupation is that of the edge to 4e-15, so that no mode of noticeable occupation comes out
    empty, and beta may be as large as one over the least difference of energies. The entropy's
    derivatives are $\beta\epsilon_k-\alpha$ by $n_k$ and $\beta\,(n_k-n^*_k)$ by $\epsilon_k$,
    $n^*$ being the occupations returned. `occupations` outside [0, 1] count as 0 or 1.

    Cost: that of `match`.
    """
    energies, n = jnp.asarray(energies, float), jnp.asarray(occupations, float)
    n = n + jax.lax.stop_gradient(jnp.clip(n, 0.0, 1.0) - n)
    return _match_occupations(energies, n).state


@jax.custom_jvp
def _match_occupations(energies: Array, n: Array) -> "_Matched":
    rank = ranks(energies)
    total = blocked_sum(n)
    filled = jnp.round(total)

    def seen(sign: Array) -> tuple[Sea, Array, Array, Array]:
        side = sides(rank, sign, filled)
        share = jnp.where(side > 0, n, 1.0 - n)
        offset = blocked_sum(side * share)
        sea = Sea.seen(energies, sign, side, offset)
        return sea, blocked_sum(share * side * sea.e), offset, share

    sea, excess, offset, share = from_nearer_end(seen)
    noticed = jnp.where(share > 16 * EPS, share, 0.0)
    edge = _Edge(
        extreme=jnp.all(noticed == 0) & ((filled == 0) | (filled == energies.shape[0])),
        ground=jnp.all((noticed == 0) | (sea.e == 0)),
        offset=jnp.sum(sea.side * noticed),
    )
    return _matched(sea, excess, offset, edge, total)


@_match_occupations.defjvp
def _match_occupations_jvp(primals, tangents):
    matched = _match_occupations(*primals)
    sea, n, (change, dn) = matched.sea, primals[1], tangents
    share, de = jnp.where(sea.side > 0, n, 1.0 - n), sea.sign * change / sea.scale
    return matched, _moved(matched, de, dn @ sea.e + (share * sea.side) @ de, jnp.sum(dn))


class _Edge(NamedTuple):
    """Whether the bath is empty or filled, whether it is the sea, and its particles beyond that."""

    extreme: Bool[Array, ""]
    ground: Bool[Array, ""]
    offset: Float[Array, ""]


class _Matched(NamedTuple):
    """An equilibrium, the sea it is seen from, b and a there, and whether it is an edge."""

    state: Equilibrium
    sea: Sea
    b: Float[Array, ""]
    a: Float[Array, ""]
    reached: Bool[Array, ""]


def _matched(sea: Sea, excess: Array, offset: Array, edge: _Edge, summed: Array) -> _Matched:
    """The state with given excess energy and number; `summed`: size of the sums that gave them."""
    e, side = sea.e, sea.side
    wide = jnp.any(e != 0)
    reached = edge.extreme | (edge.ground & wide)
    limit = _limit(side, e == 0, edge.offset)
    b, a = minimise(e, side, excess, offset, reached)
    mean, variance, _ = moments(e, fermi(side * (b * e - a)))
    # b is zero where rounding may have made it; what exceeds 1 it has not
    tilted = jnp.abs(b) > jnp.minimum(16 * EPS * summed / jnp.maximum(variance, TINY), 1.0)
    drop = jnp.where(tilted, 0.0, b)
    b, a = b - drop, a - drop * mean
    x = b * e - a
    share = jnp.where(reached, limit, fermi(side * x))
    odds = side * jnp.where(limit > 0, jnp.log1p(-limit) - jnp.log(limit), jnp.inf)
    # the dual, as the state's entropy plus a small correction for what rounding left unmatched
    had_energy, had_number = blocked_sum(share * side * jnp.stack([e, jnp.ones_like(e)]))
    miss_energy, miss_number = excess - had_energy, offset - had_number
    unmatched = jnp.asarray(jnp.where(reached, 0.0, b * miss_energy - a * miss_number))

    determined = ~reached & wide & tilted
    infinite = jnp.where(reached & ~edge.extreme, sea.sign * jnp.inf, jnp.nan)
    surface = jnp.where(edge.offset == 0, sea.middle, sea.level)
    surface = jnp.where(reached & ~edge.extreme, surface, jnp.nan)
    mu = sea.level + sea.sign * sea.scale * a / jnp.where(tilted, b, 1.0)
    coarse = jnp.where(reached | ~tilted, e.shape[0] + summed, 0.0)
    sound = jnp.abs(miss_energy) <= 500 * EPS * (coarse + excess)
    sound &= jnp.abs(miss_number) <= 500 * EPS * (coarse + jnp.sum(share))
    state = Equilibrium(
        beta=jnp.where(~reached & wide, sea.sign * b / sea.scale, infinite),
        mu=jnp.where(determined, mu, surface),
        log_odds=jnp.where(reached, odds, x),
        occupations=jnp.where(side > 0, share, 1.0 - share),
        entropy=jnp.sum(binary_entropy(share)) + unmatched,
        determined=determined,
        converged=sound & jnp.isfinite(excess),
    )
    return _Matched(state, sea, b, a, reached)


def _moved(matched: _Matched, de: Array, dexcess: Array, doffset: Array) -> _Matched:
    """The tangent of `matched`, from those of energies, excess energy and number."""
    state, sea, b, a, reached = matched
    e, side = sea.e, sea.side
    # of particles and of holes, both to full relative accuracy
    share = fermi(side * jnp.where(reached, 0.0, state.log_odds))
    w = share * (1.0 - share)
    pull = b * w * de
    db, da = newton_step(
        e, share, dexcess - (share * side) @ de + pull @ e, -doffset - jnp.sum(pull)
    )
    dx = jnp.where(reached, 0.0, b * de + db * e - da)
    # the entropy is the minimum of the dual
    dentropy = b * (dexcess - (share * side) @ de) - a * doffset
    tilt = jnp.where(state.determined, b, 1.0)
    none: Any = np.zeros((), jax.dtypes.float0)  # the tangent of a bool
    tangents = {
        "beta": jnp.where(jnp.isfinite(state.beta), sea.sign * db / sea.scale, 0.0),
        "mu": jnp.where(state.determined, sea.sign * sea.scale * (da - a / tilt * db) / tilt, 0.0),
        "log_odds": dx,
        "occupations": -w * dx,
        "entropy": jnp.where(reached, 0.0, dentropy),
        "determined": none,
        "converged": none,
    }
    # not by the constructor, whose fields say what a state holds, and no tangent of a bool
    fields = [tangents[field.name] for field in dataclasses.fields(state)]
    change = jax.tree.unflatten(jax.tree.structure(state), fields)
    at_rest = jax.tree.map(jnp.zeros_like, sea)
    db, da = (jnp.where(reached, 0.0, x) for x in (db, da))
    return _Matched(change, at_rest._replace(e=de), db, da, none)


def _limit(side: Array, at_level: Array, offset: Array) -> Array:
    """Shares of particles and holes at an edge: the modes at the Fermi level share equally."""
    counts = jnp.sum(at_level & jnp.stack([side > 0, side < 0]), axis=1)
    particles, holes = counts[0], counts[1]
    opposite = jnp.where(side > 0, holes, particles)
    shared = (opposite + side * offset) / jnp.maximum(particles + holes, 1)
    return jnp.where(at_level, jnp.clip(shared, 0.0, 1.0), 0.0)
