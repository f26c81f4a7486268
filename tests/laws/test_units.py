"""Physics knows no unit and no zero of energy: E -> cE, t -> t/c, beta -> beta/c, and E -> E + s.

Allowed: 1e-8, the solvers' tolerances and their interpolation between steps (others: 1e-11 and
better), and what rounding of the shifted energies leaves.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX

import entropax as ex

ENERGIES = np.array([-1.0, -0.3, 0.4, 1.0])
TUNNEL = np.array([0.2, 0.25, 0.15, 0.3])
TS = np.array([0.0, 0.7, 3.0])
KEY = jax.random.key(3)
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
CHANGES = {
    "in units of 1e-24": (1e-24, 0.0),
    "in units of 1e-19": (1e-19, 0.0),
    "in units of 1e4": (1e4, 0.0),
    "in units of 1e12": (1e12, 0.0),
    "shifted by 300": (1.0, 300.0),
    "shifted by 1e6": (1.0, 1e6),
}


class Turning(eqx.Module):
    """middle + height cos(speed t), whose numbers a compiled program takes."""

    middle: Any
    height: Any
    speed: Any

    def __call__(self, time: Any) -> Any:
        return self.middle + self.height * jnp.cos(self.speed * time)


def junction(c: float, s: float, *, driven: bool = False) -> ex.Junction:
    leads = [
        ex.Lead(c * (ENERGIES + s), c * TUNNEL, 2.0 / c, c * (0.1 + s)),
        ex.Lead(c * (0.9 * ENERGIES + 0.03 + s), c * TUNNEL[::-1], 0.7 / c, c * (s - 0.1)),
    ]
    level = Turning(*map(jnp.asarray, (c * (0.1 + s), 0.3 * c, c)))
    return ex.Junction(level if driven else c * (0.1 + s), 0.8, leads)


def network(c: float, s: float, *, driven: bool = False) -> ex.FermionNetwork:
    h = np.diag([0.1, 0.3, *ENERGIES, *(0.9 * ENERGIES + 0.03)]) + s * np.eye(10)
    for site, coupled in ((0, range(2, 6)), (1, range(6, 10))):
        h[site, coupled] = h[coupled, site] = TUNNEL
    h[0, 1] = h[1, 0] = 0.4
    turning = Turning(*map(jnp.asarray, (0.0, 0.3 * c, c)))
    drives = (ex.Drive(np.diag([1.0, *[0.0] * 9]), turning),) if driven else ()
    start = [[0.9, 0.2], [0.2, 0.3]]
    baths = (tuple(range(2, 6)), tuple(range(6, 10)))
    beta, mu = [2.0 / c, 0.7 / c], [c * (0.1 + s), c * (s - 0.1)]
    return ex.FermionNetwork(c * h, (0, 1), baths, beta, mu, start, drives=drives)


def windows(c: float, s: float, *, driven: bool = False) -> ex.OpenSystem:
    bath = ex.WindowBath(centers=c * np.arange(3.0), volumes=(8, 14, 10), width=c)
    link = ex.Coupling(SX, bath, strength=0.05 * c, matrix=ex.RandomBands(variance=1.0))
    gap = Turning(*map(jnp.asarray, (c * (s + 1.0), 0.02 * c, c))) if driven else c * (s + 1.0)
    return ex.OpenSystem((c * s, gap), (link,), ex.Product(system=1, windows=(1,)))


def ideal(c: float, s: float, *, driven: bool = False, jumps: bool = False) -> ex.OpenSystem:
    cold, hot = (ex.ThermalBath(b / c, ex.OhmicSpectrum(0.05, 5.0 * c)) for b in (1.0, 0.4))
    links: Any = (ex.Coupling(SX + 0.3 * np.diag([1.0, -1.0]), cold), ex.Coupling(SX, hot))
    if jumps:
        links = (ex.Jump(LOWER, cold, 0.3 * c), ex.Jump(LOWER.T, cold, 0.3 * c * np.exp(-1.0)))
    drives = (ex.Drive(SX, Turning(*map(jnp.asarray, (0.0, 0.3 * c, c)))),) if driven else ()
    start = ex.Product(system=[[0.3, 0.2], [0.2, 0.7]])
    return ex.OpenSystem((c * s, c * (s + 1.0)), links, start, drives=drives)


def driven(make: Callable[..., Any], **given: Any) -> Callable[[float, float], Any]:
    return lambda c, s: make(c, s, driven=True, **given)


CASES: dict[str, tuple[Callable[[float, float], Any], Any]] = {
    "junction": (junction, ex.Exact()),
    "driven junction": (driven(junction), ex.SplitStep(steps=100)),
    "network": (network, ex.Exact()),
    "driven network": (driven(network), ex.Magnus(steps=40)),
    "EMME": (windows, ex.EMME()),
    "driven EMME": (driven(windows), ex.EMME(coherences=False)),
    "Schrodinger": (windows, ex.Schrodinger(KEY)),
    "driven Schrodinger": (driven(windows), ex.Schrodinger(KEY, steps=32)),
    "Davies with a shift": (ideal, ex.Davies(lamb_shift=True)),
    "Redfield with a shift": (ideal, ex.Redfield(lamb_shift=True)),
    "driven Davies": (driven(ideal), ex.Davies(housekeeping=False)),
    "driven Local": (driven(ideal), ex.Local(housekeeping=False)),
    "Lindblad": (lambda c, s: ideal(c, s, jumps=True), ex.Lindblad(housekeeping=False)),
}


EXACT = ("junction", "driven junction", "network", "driven network", "EMME", "Schrodinger")


@pytest.mark.parametrize("name", CASES)
def test_units_and_the_zero_of_energy_change_nothing(name: str) -> None:
    make, method = CASES[name]
    first = ex.solve(make(1.0, 0.0), TS, method).ledger
    assert abs(float(first.entropy_production[-1])) > 1e-3
    for what, (c, s) in CHANGES.items():
        sol = ex.solve(make(c, s), TS / c, method, throw=False)
        assert not np.any(np.asarray(sol.failed)), what
        tight = name in EXACT
        allowed = (1e-11 if tight else 1e-8) + 1e-15 * s
        for field, unit in (("entropy_production", 1.0), ("work", c)):
            found, expected = (np.asarray(getattr(x, field)) for x in (sol.ledger, first))
            np.testing.assert_allclose(found / unit, expected, rtol=0, atol=allowed, err_msg=what)
