"""Optima of the literature beside those found by gradient."""

from collections.abc import Iterator

import jax.numpy as jnp

from entropax.control import optimise
from entropax.protocol import CubicSpline, PiecewiseLinear
from entropax.studies.base import Row
from entropax.studies.optimal import dot, trap
from entropax.studies.optimal.known import least_heat, least_work

PIECES = 16
WORK = {
    (3.0, -3.0, 1.0): (-1.2343036892921, 0.246403768, -1.153386248),
    (3.0, -3.0, 10.0): (-2.5724394989808, 2.137236284, -2.333694972),
    (2.0, 0.5, 1.0): (-0.23175482543147, 1.423998999, 0.919136043),
}
"""From, to, duration: W*, and the energies that the drive jumps to and from."""

HEAT = {(0.1, 10.0): 0.45909888292832, (0.01, 20.0): 0.73998511613767}
"""What is left of a mixed bit, duration: least heat."""


def rows() -> Iterator[Row]:
    """All rows of optimal protocols."""
    source = "Esposito et al., EPL 89, 20003 (2010)"
    for (first, last, duration), cited in WORK.items():
        label = f"optimal drive, {first:g} to {last:g} in t = {duration:g}"
        known, drive = least_work(*map(jnp.asarray, (first, last, duration)))
        ours = (known, drive.energies[0], drive.energies[-1])
        for name, value, wanted in zip(("W*", "eps(0+)", "eps(t-)"), ours, cited, strict=True):
            yield Row(f"{label}, {name}", source, wanted, float(value), 1e-8)
        ramp = PiecewiseLinear.ramp(first, last, duration=duration, pieces=PIECES)
        found = optimise(dot.work_of, ramp, steps=dot.STEPS, tolerance=1e-6)
        name = f"{label}, W by gradient, {PIECES} pieces"
        yield Row(name, source, cited[0], float(found.loss), 2e-3)
    for (left, duration), cited in HEAT.items():
        heat = least_heat(*map(jnp.asarray, (0.5, left, duration))).heat
        label = f"least heat of erasing a bit to {left:g} in t = {duration:g}"
        yield Row(label, source, cited, float(heat), 1e-9)
    source = "Schmiedl, Seifert, PRL 98, 108301 (2007)"
    line = CubicSpline.ramp(1.0, 2.0, duration=1.0, pieces=PIECES)
    found = optimise(trap.stiffening, line, steps=100, tolerance=1e-7)
    label = f"stiffening a trap, W by gradient, {PIECES} pieces"
    yield Row(label, source, 0.40291836112539, float(found.loss), 1e-6)
    values = found.value.protocol.values
    ends = (("k(0+)", values[0], 1.190983006), ("k(t-)", values[-1], 1.763932023))
    for name, value, cited in ends:
        yield Row(f"stiffening a trap, {name}", source, cited, float(value), 1e-3)
