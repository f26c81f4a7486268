"""Optima of the literature, and what their protocols cost by our programs.

The studies find the same by gradient.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from entropax.figures.base import Row
from entropax.figures.optimal import dot, erasure, trap
from entropax.figures.optimal.known import least_heat, least_work
from entropax.protocol import CubicSpline, Held, PiecewiseLinear
from entropax.slow_driving import geodesic, resonant_level_metric

WORK = {
    (3.0, -3.0, 1.0): (-1.2343036892921, 0.246403768, -1.153386248),
    (3.0, -3.0, 10.0): (-2.5724394989808, 2.137236284, -2.333694972),
    (2.0, 0.5, 1.0): (-0.23175482543147, 1.423998999, 0.919136043),
}
"""From, to, duration: W*, and the energies that the drive jumps to and from."""


def drives() -> Iterator[Row]:
    """The optimal drives of a level, and what they cost by `Davies`."""
    source = "Esposito et al., EPL 89, 20003 (2010)"
    work = jax.jit(dot.work_of)
    for (first, last, duration), cited in WORK.items():
        label = f"optimal drive, {first:g} to {last:g} in t = {duration:g}"
        least, drive = least_work(*map(jnp.asarray, (first, last, duration)))
        ours = (least, drive.energies[0], drive.energies[-1])
        for name, value, wanted in zip(("W*", "eps(0+)", "eps(t-)"), ours, cited, strict=True):
            yield Row(f"{label}, {name}", source, wanted, float(value), 1e-8)
        protocol = Held(PiecewiseLinear(drive.times, drive.energies), first, last, duration)
        # the optimum is flat: a hundred straight pieces cost 1e-8 more
        yield Row(f"{label}, W by Davies", source, cited[0], float(work(protocol)), 1e-7)


def erasures() -> Iterator[Row]:
    """The least heat of erasing a bit."""
    source = "Esposito et al., EPL 89, 20003 (2010)"
    for left, duration, cited in erasure.CITED:
        heat = least_heat(*map(jnp.asarray, (0.5, left, duration))).heat
        label = f"least heat of erasing a bit to {left:g} in t = {duration:g}"
        yield Row(label, source, cited, float(heat), 1e-9)


def slow() -> Iterator[Row]:
    """Slow driving of a resonant level."""
    source = "quadrature, Gamma = 0.5, T = 1, mu = 0"

    def metric(level):
        return resonant_level_metric(level, 0.5, 1.0)

    for level, cited in ((0.0, 0.493612440252), (1.0, 0.391100034695)):
        yield Row(
            f"metric of a resonant level at {level:g}", source, cited, float(metric(level)), 1e-9
        )
    way = geodesic(metric, -1.0, 1.0, duration=1.0)
    yield Row("its squared length from -1 to 1", source, 1.82716025742, float(way.length**2), 1e-9)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    line = 2.0 * float(jnp.asarray(weights) @ jax.vmap(metric)(jnp.asarray(nodes)))
    yield Row("what a line wastes, times its duration", source, 1.82933540376, line, 1e-9)


def traps() -> Iterator[Row]:
    """The optimal protocols of a trap."""
    source = "Schmiedl, Seifert, PRL 98, 108301 (2007)"
    times = jnp.linspace(0.0, trap.STIFF_DURATION, 17)
    stiffness = trap.known_stiffness(17)
    protocol = Held(CubicSpline(times, stiffness), 1.0, trap.STIFF, trap.STIFF_DURATION)
    cited = trap.CITED["W*"]
    yield Row("stiffening a trap, W*", source, cited, float(trap.stiffening(protocol)), 1e-6)
    for name, value in (("k(0+)", stiffness[0]), ("k(t-)", stiffness[-1])):
        yield Row(f"stiffening a trap, {name}", source, trap.CITED[name], float(value), 1e-6)
    times = jnp.linspace(0.0, trap.DURATION, 3)
    path = Held(CubicSpline(times, trap.known_path(3)), 0.0, trap.DISTANCE, trap.DURATION)
    least = trap.DISTANCE**2 / (trap.DURATION + 2.0)
    yield Row("moving a trap, l^2/(t+2)", source, least, float(trap.moving(path)), 1e-9)
