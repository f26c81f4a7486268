r"""Steady states of rate equations to relative accuracy, whatever their rates are.

$\sum_j (W_{ij} p_j - W_{ji} p_i) = 0$ is solved by elimination without a subtraction (Grassmann,
Taksar, Heyman 1985; O'Cinneide 1993): states are taken out one by one, and what went through state
k goes directly, $W_{ij} + W_{ik} W_{kj} / S_k$ with $S_k = \sum_i W_{ik}$.

A bath in detailed balance with $\pi$, $W_{ij}\pi_j = W_{ji}\pi_i$, drives a net current through
each of its links that may be far smaller than the two flows it is the difference of. It follows
from $u = p/\pi$, as $W_{ij}\pi_j (u_j - u_i)$, whose differences have a recursion of their own:
what all baths together lack of balance, $s_{ij} = W_{ij}\pi_j - W_{ji}\pi_i$, goes along in the
elimination, $s_{ij} + (W_{ik} s_{kj} - W_{jk} s_{ki})/S_k$, and comes back as

$$ u_k - u_j = \sum_i \Big[\frac{W_{ik}}{S_k} (u_i - u_j) - \frac{s_{ik} u_i}{S_k \pi_k}\Big]
   = \sum_i \Big[\frac{W_{ki} p_i}{S_k \pi_k} - \frac{W_{ik}}{S_k} u_j\Big], $$

term by term whichever has no cancellation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from entropax._precision import TINY
from entropax._tolerances import AS_STATED

_NEAR = 0.1
"""The net current, in units of the larger flow, below which it is taken from the differences."""

_WIDEST = 600.0
"""The range of the logarithms of pi from which on pi would underflow."""


class RateEquation(NamedTuple):
    r"""A rate equation: `rates` $W_{ij}$ from j to i through each bath, none to the state itself.

    `log_ratios`: $\ln(W_{ij}/W_{ji})$ where a bath links two states; NaN or infinite where it has
    no detailed balance.
    """

    rates: Float[Array, "baths n n"]
    log_ratios: Float[Array, "baths n n"]


class RateSteady(NamedTuple):
    r"""The steady `populations` p (meaningless unless `is_unique`); through each bath the net
    `currents` from j to i, and its `production`, $\sum_{i<j} I_{ij}\ln(W_{ij}p_j/W_{ji}p_i)$.
    """

    populations: Float[Array, " n"]
    is_unique: Bool[Array, ""]
    currents: Float[Array, "baths n n"]
    production: Float[Array, " baths"]


class _Elimination(NamedTuple):
    """The states in the order in which they were taken out, one along the first axis, with the
    flows into each and the shares in which these went on. `rest`: the states that remain at the
    end, one if unique.
    """

    state: Int[Array, " steps"]
    outflow: Float[Array, " steps"]
    shares: Float[Array, "steps n"]
    inflows: Float[Array, "steps n"]
    rest: Bool[Array, " n"]


def steady_rates(equation: RateEquation) -> RateSteady:
    """The steady state, its currents and entropy production. Cost: O(baths n^3). Differentiable."""
    elimination = _eliminate(jnp.sum(equation.rates, axis=0))
    populations = _populations(elimination)
    if equation.rates.shape[0] == 0:  # no bath, and nothing that moves
        nothing = jnp.zeros_like(equation.rates)
        return RateSteady(populations, jnp.sum(elimination.rest) == 1, nothing, jnp.zeros(0))
    linked = (equation.rates > 0) & jnp.isfinite(equation.log_ratios)
    linked &= jnp.swapaxes(linked, -1, -2)
    ratios = jnp.where(linked, equation.log_ratios, 0.0)
    log_weights = jax.vmap(_log_weights, in_axes=(0, 0, None))(linked, ratios, populations)
    currents, affinities = jax.vmap(_through, in_axes=(0, 0, 0, 0, None, None, None))(
        jnp.arange(ratios.shape[0]), linked, ratios, log_weights, equation, populations, elimination
    )
    production = 0.5 * jnp.sum(currents * affinities, axis=(-2, -1))
    return RateSteady(populations, jnp.sum(elimination.rest) == 1, currents, production)


def _eliminate(total: Float[Array, "n n"]) -> _Elimination:
    n = total.shape[0]

    def take_out(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], tuple]:
        rates, present = carry
        outflow = jnp.where(present, jnp.sum(jnp.where(present[:, None], rates, 0.0), axis=0), -1.0)
        # the one that loses most: what nothing leaves stays to the end, as it should
        k = jnp.argmax(jax.lax.stop_gradient(outflow))
        is_left = outflow[k] > 0
        others = present & (jnp.arange(n) != k)
        shares = jnp.where(others & is_left, rates[:, k], 0.0) / jnp.where(is_left, outflow[k], 1.0)
        inflows = jnp.where(others & is_left, rates[k], 0.0)
        rates = jnp.where(jnp.eye(n, dtype=bool), 0.0, rates + shares[:, None] * inflows[None, :])
        present = jnp.where(is_left, others, present)
        return (rates, present), (k, jnp.where(is_left, outflow[k], 1.0), shares, inflows)

    carry = total, jnp.ones(n, bool)
    (_, rest), steps = jax.lax.scan(take_out, carry, None, length=n - 1)
    state, outflow, shares, inflows = steps
    return _Elimination(state, outflow, shares, inflows, rest)


def _populations(elimination: _Elimination) -> Float[Array, " n"]:
    def put_back(p: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
        k, outflow, inflows = step
        back = p.at[k].set(inflows @ p / outflow)
        # states that nothing leaves are not taken out, and the last steps are empty
        p = jnp.where(jnp.any(inflows > 0) | ~elimination.rest[k], back, p)
        return p / jnp.sum(p), None

    start = elimination.rest / jnp.sum(elimination.rest)
    steps = (elimination.state, elimination.outflow, elimination.inflows)
    return jax.lax.scan(put_back, start, steps, reverse=True)[0]


def _log_weights(
    linked: Bool[Array, "n n"], ratios: Float[Array, "n n"], populations: Float[Array, " n"]
) -> Float[Array, " n"]:
    r"""$\ln\pi$ of one bath, equal to $\ln p$ at the fullest of all states that are linked."""
    n = populations.shape[0]
    log_p = jnp.log(jnp.maximum(jax.lax.stop_gradient(populations), TINY))

    def reach(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        is_set, log_weights = carry
        reached = linked & is_set[None, :] & ~is_set[:, None]
        can = jnp.any(reached, axis=1)
        among = jnp.where(jnp.any(can), can, ~is_set)
        i = jnp.argmax(jnp.where(among, log_p, -jnp.inf))
        j = jnp.argmax(jnp.where(reached[i], log_p, -jnp.inf))
        value = jnp.where(can[i], log_weights[j] + ratios[i, j], log_p[i])
        return (is_set.at[i].set(True), log_weights.at[i].set(value)), None

    carry = jnp.zeros(n, bool), jnp.zeros(n)
    return jax.lax.scan(reach, carry, None, length=n)[0][1]


def _through(
    bath: Int[Array, ""],
    linked: Bool[Array, "n n"],
    ratios: Float[Array, "n n"],
    log_weights: Float[Array, " n"],
    equation: RateEquation,
    populations: Float[Array, " n"],
    elimination: _Elimination,
) -> tuple[Float[Array, "n n"], Float[Array, "n n"]]:
    """Net currents of one bath, and the affinities that drive them."""
    rates = equation.rates[bath]
    flows = rates * populations[None, :]
    direct = flows - flows.T
    drop = log_weights[:, None] - log_weights[None, :]
    frozen = jax.lax.stop_gradient
    sound = jnp.all(jnp.abs(frozen(jnp.where(linked, drop - ratios, 0.0))) < AS_STATED)
    sound &= jnp.ptp(frozen(log_weights)) < _WIDEST
    weights = jnp.exp(jnp.where(sound, log_weights, 0.0))
    u = populations / weights
    each = jax.vmap(_unbalance, in_axes=(0, 0, None, None))(
        equation.rates, equation.log_ratios, weights, jnp.where(sound, drop, 0.0)
    )
    each = each.at[bath].set(jnp.where(linked, 0.0, each[bath]))  # nothing, not even rounding
    unbalance = jnp.sum(each, axis=0)
    differences = _differences(elimination, unbalance, weights, u)
    small = rates * weights[None, :] * differences.T
    near = frozen(jnp.abs(direct)) < _NEAR * frozen(jnp.maximum(flows, flows.T))
    currents = jnp.where(linked & sound & near, small, direct)
    gain = differences.T  # u_j - u_i, each way over the smaller of the two
    rises = gain >= 0
    low = jnp.where(rises, u[:, None], u[None, :])
    ratio = gain / jnp.where(low > 0, low, 1.0)
    close = jnp.where(
        rises,
        jnp.log1p(jnp.where(rises, ratio, 0.0)),
        -jnp.log1p(jnp.where(rises, 0.0, -ratio)),
    )
    # rates that underflow still have a ratio
    balanced = jnp.isfinite(equation.log_ratios[bath])
    filled = populations > 0
    log = jnp.log(jnp.where(filled, populations, 1.0))
    log_flow_ratios = (
        jnp.where(balanced, equation.log_ratios[bath], 0.0) + log[None, :] - log[:, None]
    )
    log_flows = jnp.log(jnp.where(flows > 0, flows, 1.0))
    far = jnp.where(balanced, log_flow_ratios, log_flows - log_flows.T)
    both = jnp.where(balanced, filled[:, None] & filled[None, :], (flows > 0) & (flows.T > 0))
    affinities = jnp.where(sound & linked & near, close, far)
    endless = jnp.where(currents == 0, 0.0, jnp.sign(currents) * jnp.inf)
    return currents, jnp.where(both, affinities, endless)


def _unbalance(
    rates: Float[Array, "n n"],
    log_ratios: Float[Array, "n n"],
    weights: Float[Array, " n"],
    drop: Float[Array, "n n"],
) -> Float[Array, "n n"]:
    r"""$W_{ij}\pi_j - W_{ji}\pi_i$ of one bath, pi that of another."""
    forward = rates * weights[None, :]
    balanced = jnp.isfinite(log_ratios)
    excess = jnp.where(balanced, drop - log_ratios, 0.0)
    is_down = excess < 0  # no minimum, whose derivative at 0 is half
    down = -forward * jnp.expm1(jnp.where(is_down, excess, 0.0))
    up = forward.T * jnp.expm1(jnp.where(is_down, 0.0, -excess))
    return jnp.where(balanced, jnp.where(is_down, down, up), forward - forward.T)


def _differences(
    elimination: _Elimination,
    unbalance: Float[Array, "n n"],
    weights: Float[Array, " n"],
    u: Float[Array, " n"],
) -> Float[Array, "n n"]:
    """u_i - u_j."""

    def is_near(column: Array, step: tuple[Array, ...]) -> Array:
        """Whether a link to k is nearly balanced; of others the unbalance is one of two flows."""
        k, outflow, shares, inflows = step
        forth = shares * outflow * weights[k]
        return jnp.abs(column) < 0.5 * jnp.maximum(forth, inflows * weights)

    def take_out(s: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
        k, _, shares, inflows = step
        column = s[:, k]
        near = is_near(column, step)
        there = jnp.where(near[:, None] | near[None, :], -column[None, :], inflows * weights)
        moved = shares[:, None] * there  # s_kj = -s_jk
        return s + moved - moved.T, column

    steps = elimination.state, elimination.outflow, elimination.shares, elimination.inflows
    columns = jax.lax.scan(take_out, unbalance, steps)[1]

    def put_back(d: Array, step: tuple[Array, ...]) -> tuple[Array, None]:
        column, *rest = step
        k, outflow, shares, inflows = rest
        near, scale = is_near(column, tuple(rest)), 1.0 / (outflow * weights[k])
        shared = jnp.where(near, shares, 0.0)
        row = shared @ d - (shares - shared) @ jnp.ones_like(u) * u
        row = row - scale * jnp.sum(jnp.where(near, column * u, -inflows * weights * u))
        return d.at[k, :].set(row).at[:, k].set(-row).at[k, k].set(0.0), None

    n = u.shape[0]
    return jax.lax.scan(put_back, jnp.zeros((n, n)), (columns, *steps), reverse=True)[0]
