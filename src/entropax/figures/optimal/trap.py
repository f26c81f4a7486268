r"""A Brownian particle in a trap that is moved or stiffened: Schmiedl and Seifert's optima.

Overdamped, mobility and temperature 1, $V = \frac k2(x-\lambda)^2$: the mean u and the variance s
obey $\dot u = -(u-\lambda)$ (k = 1) and $\dot s = 2 - 2ks$, and the work is
$\int\dot\lambda(\lambda-u)\,dt$ or $\int\frac12\dot k s\,dt$.
"""

from collections.abc import Callable
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.control import Optimised, optimise
from entropax.figures.base import Claim, Figure, Options
from entropax.plot import subplots
from entropax.protocol import CubicSpline, Held

PIECES = 16
DISTANCE, DURATION = 5.0, 3.0
STIFF, STIFF_DURATION = 2.0, 1.0
CITED = {"W*": 0.40291836112539, "k(0+)": 1.190983006, "k(t-)": 1.763932023}


class Traps(NamedTuple):
    """Work of the optimised protocols of a moved and of a stiffened trap, and their values."""

    moved: float
    moved_values: np.ndarray
    stiffened: float
    stiffened_values: np.ndarray


def _work(
    protocol: Held,
    begin: float,
    rate: Callable[[Array, Array], Array],
    energy: Callable[[Array, Array], Array],
) -> Float[Array, ""]:
    r"""Work of a protocol u on a moment y, $\dot y$ = rate(y, u), V's mean = energy(y, u)."""
    edges = jnp.concatenate([jnp.zeros(1), protocol.breaks])
    force = jax.grad(energy, argnums=1)

    def stretch(carry, ends):
        y, work, before = carry
        start, stop = ends

        def field(time, y, args):
            del args
            value, slope = protocol.within(time, ends), protocol.slope(time, ends)
            return jnp.stack([rate(y[0], value), slope * force(y[0], value)])

        first = protocol.within(start, ends)
        work = work + energy(y, first) - energy(y, before)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Dopri8(),
            t0=start,
            t1=stop,
            dt0=None,
            y0=jnp.stack([y, work]),
            stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-12),
        )
        assert solution.ys is not None
        return (*solution.ys[0], protocol.within(stop, ends)), None

    carry = (jnp.asarray(begin), jnp.zeros(()), protocol.start)
    (y, work, last), _ = jax.lax.scan(stretch, carry, (edges[:-1], edges[1:]))
    return work + energy(y, protocol.end) - energy(y, last)


def moving(protocol: Held) -> Float[Array, ""]:
    """Work of moving a trap of stiffness 1."""
    return _work(protocol, 0.0, lambda u, x: x - u, lambda u, x: 0.5 * (x - u) ** 2)


def stiffening(protocol: Held) -> Float[Array, ""]:
    """Work of stiffening a trap at rest, from equilibrium at stiffness 1."""
    return _work(protocol, 1.0, lambda s, k: 2.0 - 2.0 * k * s, lambda s, k: 0.5 * k * s)


def _run(options: Options) -> Traps:
    pieces = min(PIECES, options.times_or(PIECES))

    steps = options.times_or(100)

    def best(work: Callable[[Held], Array], line: Held) -> Optimised[Held]:
        return optimise(work, line, steps=steps, tolerance=1e-8, progress=options.progress)

    line = CubicSpline.ramp(0.0, DISTANCE, duration=DURATION, pieces=pieces)
    moved = best(moving, line)
    line = CubicSpline.ramp(1.0, STIFF, duration=STIFF_DURATION, pieces=pieces)
    stiffened = best(stiffening, line)
    values = [np.asarray(optimum.value.protocol.values) for optimum in (moved, stiffened)]
    return Traps(float(moved.loss), values[0], float(stiffened.loss), values[1])


def known_path(count: int) -> np.ndarray:
    """The optimal path between its jumps, l (t+1)/(T+2)."""
    return DISTANCE * (np.linspace(0.0, DURATION, count) + 1.0) / (DURATION + 2.0)


def known_stiffness(count: int) -> np.ndarray:
    """The optimal stiffness k = (1 - c sqrt(s)) / s: sqrt(s) moves at the speed c of least work."""
    t = STIFF_DURATION
    # W = c^2 t + k_f r^2 / 2 - 1/2 - ln r with r = sqrt(s_f) = 1 + c t is least where
    # (2/t + k_f) r^2 - (2/t) r - 1 = 0
    a = 1.0 / t
    speed = a * ((a + np.sqrt(a**2 + 2.0 * a + STIFF)) / (2.0 * a + STIFF) - 1.0)
    width = 1.0 + speed * np.linspace(0.0, t, count)
    return (1.0 - speed * width) / width**2


def _claims(data: Traps) -> list[Claim]:
    least = DISTANCE**2 / (DURATION + 2.0)
    path = known_path(data.moved_values.size)
    off = np.max(np.abs(data.moved_values - path))
    ends = data.stiffened_values[[0, -1]]
    cited = np.array([CITED["k(0+)"], CITED["k(t-)"]])
    jumps = np.abs((ends - [1.0, STIFF]) / (cited - [1.0, STIFF]) - 1.0)
    return [
        Claim(
            "moving: W* = l^2/(t+2), within 1%",
            f"{data.moved:.8f}, W* = {least:.8f}",
            bool(abs(data.moved / least - 1.0) < 0.01),
        ),
        Claim(
            "moving: lambda = l (tau+1)/(t+2), with equal jumps at both ends",
            f"off by {off:.1e}",
            bool(off < 0.01 * DISTANCE),
        ),
        Claim(
            "stiffening from 1 to 2 in t = 1: W*, within 1%",
            f"{data.stiffened:.8f}, W* = {CITED['W*']:.8f}",
            bool(abs(data.stiffened / CITED["W*"] - 1.0) < 0.01),
        ),
        Claim(
            "stiffening: jumps at both ends, within 5%",
            f"to {ends[0]:.5f} and from {ends[1]:.5f}; {cited[0]:.5f} and {cited[1]:.5f}",
            bool(np.max(jumps) < 0.05),
        ),
    ]


def _plot(data: Traps):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for axis, duration, values, closed_form, ends, label in (
        (left, DURATION, data.moved_values, known_path, (0.0, DISTANCE), r"centre $\lambda$"),
        (right, STIFF_DURATION, data.stiffened_values, known_stiffness, (1.0, STIFF), "k"),
    ):
        axis.plot(np.linspace(0.0, duration, values.size), values, "o", color="#0f62a8", ms=4)
        axis.plot(np.linspace(0.0, duration, 101), closed_form(101), color="#c1272d")
        for when, x in zip((0.0, duration), ends, strict=True):
            axis.plot(when, x, "s", color="#222222", ms=5)
        axis.set(xlabel="time", ylabel=label)
    left.legend(("found by gradient", "closed form", "start and end"), frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="trap",
    title="A Brownian particle in a trap that is moved or stiffened",
    citation="Schmiedl, Seifert, Phys. Rev. Lett. 98, 108301 (2007)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
