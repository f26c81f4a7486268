r"""$e^{t\mathcal L}y$ and its time integral at many times: no steps, and no tolerance.

Times are counted in units $h = 2^{-62}\,t_{max}$; the binary digits of a count choose among the
powers $E(2^k h)$, each the square of the one before. Of populations E is a matrix of probabilities:
its square is a sum of what is not negative, so that what leaves a state keeps all its digits
however slow it is beside the fastest rate. Of density matrices the change alone is
squared, without the phases U of a Hamiltonian, so that damping is not lost beside these:

$$ Z(t) = U(-t)\,E(t) - 1, \qquad Z(2t) = Z' + Z + Z'Z, \quad Z' = U(-t)\,Z(t)\,U(t). $$
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_DIGITS = 62

_MOST, _MOST_WITH_PHASES = 2.0**50, 1e7
"""The largest product of rate and latest time: for populations, so that short times need a few
terms of a series; beside phases, where rounding grows with it, for 1e-9."""

_NODES, _WEIGHTS = (0.5 - 3**0.5 / 6, 0.5 + 3**0.5 / 6), (0.5, 0.5)
"""The nodes and weights of the Gauss rule of two points on [0, 1]."""

Phases = Callable[[Float[Array, " n"], Float[Array, ""]], Float[Array, " n"]]
"""U(t) y: orthogonal, and U(-t) is its transpose."""


class _Power(NamedTuple):
    r"""The `change` over one length of time, E of populations, else Z; and $\int E$."""

    change: Float[Array, "n n"]
    integral: Float[Array, "n n"]


def evolve(
    rates: Float[Array, "n n"],
    start: Float[Array, " n"],
    ts: Float[Array, " times"],
    *,
    trace: Float[Array, " n"],
    phases: Phases | None = None,
) -> tuple[Float[Array, "times n"], Float[Array, "times n"]]:
    r"""$y(t)$ and $\int_0^t y$ of $\dot y = \mathcal L y$, at times in any order, none negative.

    **Arguments:** `rates`: all of $\mathcal L$ for populations (not negative off the diagonal);
    where `phases` are given, $\mathcal L$ without them; `trace`: w, of zeros and ones, with
    $w\cdot y$ conserved.

    Populations keep their relative accuracy; integrals are off by rounding of rate times time, as
    are density matrices: infinite where a rate times the latest time is above 1e7 beside phases,
    1e15 for populations. Derivatives, forward and reverse, are those of the formula, also by times.
    Cost: O(n^3) once and O(n^2) a time, each 62 times; reverse mode keeps all of that.
    """
    is_stochastic = phases is None
    turned: Phases = (lambda y, _: y) if phases is None else phases
    unit_matrix = jnp.eye(start.shape[0])
    latest = jax.lax.stop_gradient(jnp.max(ts, initial=0.0))
    unit = jnp.where(latest > 0, latest, 1.0) * 2.0**-_DIGITS
    counts = jnp.floor(jax.lax.stop_gradient(ts) / unit).astype(int)
    digits = (counts >> jnp.arange(_DIGITS + 1)[:, None]) & 1 == 1
    lengths = unit * 2.0 ** jnp.arange(_DIGITS + 1)

    def both(matrix: Array, length: Array) -> Array:
        """U(-t) Z U(t)."""
        turn = jax.vmap(turned, in_axes=(0, None))
        return turn(turn(matrix.T, -length).T, -length)

    def doubled(power: _Power, length: Array) -> _Power:
        change, integral = power
        if is_stochastic:
            return _Power(_stochastic(change @ change), integral + integral @ change)
        later = both(change, length)
        whole = jax.vmap(turned, in_axes=(1, None), out_axes=1)(unit_matrix + change, length)
        squared = _traceless(later + change + later @ change, trace)
        return _Power(squared, integral + integral @ whole)

    def step(carry, digit):
        power, states, integrals = carry
        length, is_set = digit
        later = states @ power.change.T
        if not is_stochastic:
            later = jax.vmap(turned, in_axes=(0, None))(states + later, length)
        passed = integrals + states @ power.integral.T
        states = jnp.asarray(jnp.where(is_set[:, None], later, states))
        integrals = jnp.asarray(jnp.where(is_set[:, None], passed, integrals))
        return (doubled(power, length), states, integrals), None

    def briefly(y: Array, length: Array) -> tuple[Array, Array]:
        """Z y, and the integral of E y, over a short time."""

        def at(share: Array) -> tuple[Array, Array]:
            change = _change(rates, y, share * length, turned)
            return change, turned(y + change, share * length)

        changes, states = jax.vmap(at)(jnp.array([1.0, *_NODES]))
        return changes[0], length * (jnp.array(_WEIGHTS) @ states[1:])

    # what is left of a time is below its rounding; derivatives by it go through this
    rest = ts - counts * unit
    n = start.shape[0]
    many = jnp.concatenate([unit_matrix, jnp.broadcast_to(start, (ts.shape[0], n))])
    lengths_of_all = jnp.concatenate([jnp.broadcast_to(unit, n), rest])
    changes, integrals = jax.vmap(briefly)(many, lengths_of_all)
    change, integral = changes[:n].T, integrals[:n].T
    change = _stochastic(unit_matrix + change) if is_stochastic else _traceless(change, trace)
    states = jax.vmap(turned)(start + changes[n:], rest)
    carry = _Power(change, integral), states, integrals[n:]
    (_, states, integrals), _ = jax.lax.scan(step, carry, (lengths, digits))
    fastest = jax.lax.stop_gradient(jnp.max(jnp.abs(rates), initial=0.0))
    most = _MOST if is_stochastic else _MOST_WITH_PHASES
    excess = jnp.asarray(jnp.where(fastest * latest >= most, jnp.inf, 0.0))
    return states + excess, integrals + excess


def _change(
    rates: Float[Array, "n n"], y: Float[Array, " n"], length: Float[Array, ""], turned: Phases
) -> Float[Array, " n"]:
    """Z(t) y of a short time, to the third order in the rates."""
    half = 0.5 * length

    def kicked(y: Array) -> Array:
        return length * turned(rates @ turned(y, half), -half)

    return kicked(y + 0.5 * kicked(y + kicked(y) / 3.0))


def _stochastic(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The matrix with columns scaled to sum to 1: else rounding would double at each squaring."""
    return matrix / jnp.sum(matrix, axis=0)


def _traceless(matrix: Float[Array, "n n"], trace: Float[Array, " n"]) -> Float[Array, "n n"]:
    """The matrix of a change, corrected so that it keeps the trace, which rounding does not."""
    excess = trace @ matrix
    spread = jnp.where(trace > 0, 0.0, excess) / jnp.sum(trace)
    return matrix - jnp.diag(trace * excess) - trace[:, None] * spread[None, :]
