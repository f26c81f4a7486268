r"""Optima that are known in closed form.

A level with $\dot p = f(\epsilon) - p$ in units of its rate and of T (Esposito, Kawai, Lindenberg,
Van den Broeck, EPL 89, 20003, 2010): optimal drives obey $\dot p^2 = K u(1-u)$, $u = p + \dot p$
and $\epsilon = \ln[(1-u)/u]$, with one K for all of a drive.
"""

from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Float

_TIMES = 101


class Drive(NamedTuple):
    r"""A drive of one K: `final` occupation, `heat` given to the bath, $-\int\epsilon\,dp$, and
    the `energies` at `times`, between the jumps.
    """

    final: Float[Array, ""]
    heat: Float[Array, ""]
    times: Float[Array, " times"]
    energies: Float[Array, " times"]


def _rate(p: Array, k: Array, sign: Array) -> Array:
    root = jnp.sqrt(k**2 + 4.0 * k * p * (1.0 - p))
    return (k * (1.0 - 2.0 * p) + sign * root) / (2.0 * (1.0 + k))


def _energy(p: Array, k: Array, sign: Array) -> Array:
    u = p + _rate(p, k, sign)
    return jnp.log1p(-u) - jnp.log(u)


def drive(k: Array, begin: Array, duration: Array, sign: Array) -> Drive:
    """The optimal drive of a given K; `sign`: 1 where the level fills, -1 where it empties."""

    def field(time, y, args):
        del time, args
        rate = _rate(y[0], k, sign)
        return jnp.stack([rate, -_energy(y[0], k, sign) * rate])

    times = jnp.linspace(0.0, duration, _TIMES)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Dopri8(),
        t0=0.0,
        t1=duration,
        dt0=None,
        y0=jnp.stack([begin, jnp.zeros(())]),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=1e-12, atol=1e-13),
        adjoint=diffrax.DirectAdjoint(),
        throw=False,
    )
    assert solution.ys is not None
    p, heat = solution.ys.T
    return Drive(p[-1], heat[-1], times, _energy(p, k, sign))


@jax.jit
def least_work(first: Array, last: Array, duration: Array) -> tuple[Array, Drive]:
    """Least work from equilibrium at one energy to another, any final occupation; and its drive."""
    begin = jax.nn.sigmoid(-first)
    sign = jnp.sign(first - last)

    def work(log_k, args):
        del args
        path = drive(jnp.exp(log_k), begin, duration, sign)
        return last * path.final - first * begin + path.heat

    newton = optimistix.Newton(rtol=1e-12, atol=1e-12)
    descent = optimistix.BFGS(rtol=1e-6, atol=1e-6)
    guess = jnp.log(jnp.minimum(0.5, 4.0 / duration**2))
    near = optimistix.minimise(work, descent, guess, max_steps=200, throw=False).value
    slope = jax.jacfwd(work)
    log_k = optimistix.root_find(slope, newton, near, max_steps=20, throw=False).value
    return work(log_k, None), drive(jnp.exp(log_k), begin, duration, sign)


@jax.jit
def least_heat(begin: Array, end: Array, duration: Array) -> Drive:
    """The drive of least heat from one occupation to another."""
    sign = jnp.sign(end - begin)

    def missed(log_k, args):
        del args
        return drive(jnp.exp(log_k), begin, duration, sign).final - end

    length = 2.0 * (jnp.arcsin(jnp.sqrt(begin)) - jnp.arcsin(jnp.sqrt(end)))
    guess = jnp.log((length / duration) ** 2)
    newton = optimistix.Newton(rtol=1e-12, atol=1e-13)
    log_k = optimistix.root_find(missed, newton, guess, max_steps=50, throw=False).value
    return drive(jnp.exp(log_k), begin, duration, sign)
