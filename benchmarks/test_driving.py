"""Driven window baths and limit cycles, against plain propagation and against many periods.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed

FAMILY = "Driving"
REPEAT = 1 if SMALL else 3
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
KEY = jax.random.key(0)
PIECES, LEVELS, END, LARGEST = (4, 12, 2.0, 0.08) if SMALL else (64, 300, 30.0, 0.08)


def switched(values: Any) -> ex.OpenSystem:
    """A spin whose coupling to a random-matrix bath goes through given values."""
    bath = ex.WindowBath((0.0, 1.0), (LEVELS // 3, LEVELS - LEVELS // 3), width=1.0)
    switch = ex.PiecewiseLinear(np.linspace(0.0, END, PIECES + 1), values)
    link = ex.Coupling(SX, bath, switch, ex.GOE(1.0 / (8.0 * LEVELS)))
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))


def test_switched_coupling(benchmark, capsys) -> None:
    """A coupling protocol of 64 pieces, exactly: entropy production, and its gradient.

    The rival multiplies midpoint exponentials of the dense H by NumPy's eigh, as many steps as ours
    takes; three are timed and scaled. Excitations of a run with all of them, small, agree to 1e-4.
    """
    shape = LARGEST * np.sin(np.pi * np.linspace(0.0, 1.0, PIECES + 1)) ** 2
    values, ts, method = jnp.asarray(shape), jnp.array([END]), ex.Schrodinger(KEY, steps=2)

    def produced(values: jax.Array) -> jax.Array:
        led = ex.solve(switched(values), ts, method, throw=False).ledger
        assert led.entropy_production is not None
        return led.entropy_production[0]

    value, gradient = jax.jit(produced), jax.jit(jax.grad(produced))
    first, _ = timed(value, values)
    model = switched(values)
    levels = np.asarray(model.baths[0].draw_levels())
    matrix = np.asarray(
        model.couplings[0].matrix.draw(jax.random.fold_in(KEY, 1), model.baths[0], levels)
    )
    bare = np.add.outer([0.0, 1.0], levels).ravel()
    steps = 2 * PIECES
    knots = np.linspace(0.0, END, PIECES + 1)

    def turned(psi: np.ndarray, number: int) -> np.ndarray:
        strength = np.interp((number + 0.5) * END / steps, knots, shape)
        energies, vectors = np.linalg.eigh(np.diag(bare) + strength * np.kron(SX, matrix))
        phases = np.exp(-1j * energies * END / steps)[:, None]
        return vectors @ (phases * (vectors.T @ psi))

    filled = LEVELS // 3
    psi = np.zeros((2 * LEVELS, filled), complex)
    psi[LEVELS + np.arange(filled), np.arange(filled)] = 1.0
    error = 0.0
    if SMALL:
        for number in range(steps):
            psi = turned(psi, number)
        excited = float(np.sum(np.abs(psi[LEVELS:]) ** 2)) / filled
        found = ex.solve(model, ts, method, throw=False).ledger.system_state[0, 1, 1].real
        error = agreement(found, excited, atol=1e-4)
    rival = median_seconds(turned, psi, steps // 2, repeat=3) * steps
    slope, _ = timed(gradient, values)
    again = median_seconds(gradient, values, repeat=REPEAT)
    ours, _ = measured(benchmark, value, values, rounds=REPEAT)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"a coupling of {PIECES} pieces, D = {2 * LEVELS}, value",
        ours=ours,
        rivals={"NumPy": rival},
        beside={"gradient": again},
        first_call=first + slope,
        errors={"difference": error},
        bars=[("gradient of a coupling protocol, in values", "at most", 5.0, again / ours)],
    )


LADDER = np.array([0.0, 1.0, 1.7, 2.9])


def engine(rate: Any, cycles: int) -> ex.OpenSystem:
    """Four levels that are hot at one scale of energies, and cold at another."""
    couplings = []
    for place, temperature in enumerate((3.0, 0.5)):
        operator = np.ones((4, 4)) - np.eye(4)
        switch = jnp.stack([jnp.sqrt(rate), jnp.zeros(())][:: -1 if place else 1])
        protocol = ex.Periodic(ex.PiecewiseConstant((1.0,), switch), 2.0, cycles)
        bath = ex.ThermalBath(1.0 / temperature, ex.FlatSpectrum(0.3))
        couplings.append(ex.Coupling(operator, bath, protocol))
    energies = [0.0]
    for energy in LADDER[1:]:
        scales = ex.PiecewiseConstant((1.0,), (1.5 * energy, energy))
        energies.append(ex.Periodic(scales, 2.0, cycles))  # pyright: ignore[reportArgumentType]
    return ex.OpenSystem(energies, couplings, ex.Gibbs(1.0))


def test_limit_cycles(benchmark, capsys) -> None:
    """Work of 4-level engines in their limit cycles, in one `vmap`.

    The other way is a loop over runs of 30 periods each, compiled once, of which 20 are timed and
    scaled; work of the last of them agrees to 1e-6.
    """
    count, some = (3, 2) if SMALL else (1000, 20)
    rates, method = jnp.linspace(1.0, 3.0, count), ex.Davies(housekeeping=False)

    def work(rate: jax.Array) -> jax.Array:
        return ex.limit_cycle(engine(rate, 1), 2.0, method, times=1, throw=False).work

    @jax.jit
    def by_periods(rate: jax.Array) -> jax.Array:
        led = ex.solve(engine(rate, 30), jnp.array([58.0, 60.0]), method, throw=False).ledger
        return led.work[1] - led.work[0]

    together = jax.jit(jax.vmap(work))
    first, found = timed(together, rates)
    expected = [float(by_periods(rate)) for rate in rates[:some]]
    error = agreement(found[:some], expected, atol=1e-6)

    def loop() -> None:
        for rate in rates[:some]:
            jax.block_until_ready(by_periods(rate))

    rival = median_seconds(loop, repeat=REPEAT) * count / some
    ours, _ = measured(benchmark, together, rates, rounds=REPEAT)
    task = f"{count} limit cycles of 4 levels"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"30 periods each": rival},
        first_call=first,
        errors={"difference": error},
        bars=[(task, "at least", 50.0, rival / ours)],
    )
