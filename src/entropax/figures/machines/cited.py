"""Numbers from outside for ideal baths, beside our own."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from entropax.cycle import limit_cycle
from entropax.equilibrium import ergotropy
from entropax.figures.base import Row
from entropax.figures.machines.thermoelectric_dot import CITED, optimum
from entropax.method import Davies, Local
from entropax.method.ideal.rates import transitions
from entropax.model import (
    Coupling,
    DrudeLorentzSpectrum,
    FlatSpectrum,
    OpenSystem,
    Product,
    ThermalBath,
)
from entropax.model.ideal import machines
from entropax.protocol import PiecewiseLinear
from entropax.solve import solve
from entropax.steady import steady_state


def qubit() -> Iterator[Row]:
    """A qubit between two baths: its steady state, and its way there."""
    baths = [ThermalBath(1 / t, FlatSpectrum(g)) for t, g in ((3.0, 0.3), (0.5, 0.7))]
    couplings = [Coupling(machines.SIGMA_X, bath) for bath in baths]
    model = OpenSystem((0.0, 1.0), couplings, Product(system=0))
    steady = steady_state(model, Davies())
    source = "w g_h g_c (n_h - n_c)/[g_h(1+2n_h) + g_c(1+2n_c)]"
    current, rate = steady.heat_currents[0], steady.entropy_production_rate
    yield Row("heat current through a qubit", source, 0.182016605306935, float(current), 1e-9)
    yield Row("its entropy production rate", source, 0.303361008844892, float(rate), 1e-9)
    # p = p_inf (1 - exp(-rate t)) with all rates added
    up = sum(g / np.expm1(1 / t) for t, g in ((3.0, 0.3), (0.5, 0.7)))
    total = 2 * up + 1.0
    closed = up / total * (1 - np.exp(-total * 0.8))
    state = solve(model, [0.8], Davies()).ledger.state
    yield Row("its excitation at t = 0.8", "exponential relaxation", closed, _excited(state), 1e-9)


def _excited(state) -> float:
    return float(state[0, 1, 1].real)


def cycle() -> Iterator[Row]:
    """The limit cycle of a dot with two strokes."""
    engine = limit_cycle(machines.two_stroke_dot(), 2.0, Davies(), times=2)
    source = "closed form, eps = 2.5, 1, T = 2, 0.5, Gamma tau = 1"
    for name, cited, value in (
        ("p after the hot stroke", 0.19486545023, engine.ledger.state[1, 1, 1].real),
        ("p after the cold stroke", 0.147037610617, engine.state[1, 1].real),
        ("work drawn", 0.0717417594201, -engine.work),
        ("heat of the hot lead", 0.119569599034, engine.heat[0]),
        ("power", 0.0358708797101, -engine.power),
    ):
        yield Row(f"two-stroke dot, {name}", source, cited, float(value), 1e-10)


def chain() -> Iterator[Row]:
    """Heat along chains of qubits, by local and by global jumps."""
    source = "independent program; the same for every length (Karevski, Platini 2009)"
    for sites in (2, 4, 6):
        current = steady_state(machines.spin_chain(sites), Local()).heat_currents[0]
        label = f"heat current along {sites} sites, XX, local"
        yield Row(label, source, 0.0447507595079696, float(current), 1e-9)
    current = steady_state(machines.spin_chain(6), Davies()).heat_currents[0]
    label, source = "heat current along 6 sites, XX, global", "qthermo 0.7"
    yield Row(label, source, 0.185013631698599, float(current), 1e-9)


def refrigerator() -> Iterator[Row]:
    """Three qubits that cool: currents, entropy and performance."""
    model = machines.absorption_refrigerator()
    steady = steady_state(model, Davies())
    source = "independent program, model of Linden et al. 2010"
    cited = (0.000753795715964, 0.00227304374764, -0.0030268394636)
    for name, value, current in zip(("c", "h", "r"), cited, steady.heat_currents, strict=True):
        yield Row(f"refrigerator, global, J_{name}", source, value, float(current), 1e-9)
    rate = float(steady.entropy_production_rate)
    yield Row("refrigerator, global, entropy rate", source, 0.000885256635165, rate, 1e-9)
    local = steady_state(model, Local())
    rate = float(local.entropy_production_rate)
    yield Row("refrigerator, local, entropy rate", source, 0.00081237652687, rate, 1e-9)
    performance = float(local.heat_currents[0] / local.heat_currents[1])
    yield Row("refrigerator, local, performance", "w_c/w_h", 1 / 3, performance, 1e-9)


def maser() -> Iterator[Row]:
    """The efficiency of the three-level engine."""
    steady = steady_state(machines.three_level_engine(), Local())
    source = "1 - w_c/w_h (Scovil, Schulz-DuBois 1959)"
    efficiency = float(-steady.power / steady.heat_currents[0])
    yield Row("three-level engine, efficiency", source, 2 / 3, efficiency, 1e-9)


def otto() -> Iterator[Row]:
    """Efficiency and work of a qubit on an Otto cycle."""
    stroke, ramp, cycles = 40.0, 1.0, 2
    engine = machines.two_level_engine(stroke=stroke, ramp=ramp, cycles=cycles)
    ends = 2 * (stroke + ramp) * np.array([cycles - 1, cycles])
    ledger = solve(engine, ends, Davies(housekeeping=False)).ledger
    work = float(ledger.work[0] - ledger.work[1])
    heat = float(ledger.heat[1, 0] - ledger.heat[0, 0])
    yield Row("Otto engine, efficiency", "1 - w_c/w_h (Kieu 2004)", 0.5, work / heat, 1e-8)
    closed = 1 / (1 + np.exp(0.5)) - 1 / (1 + np.exp(2.0))
    yield Row("Otto engine, work a cycle", "(w_h - w_c)(p_h - p_c)", closed, work, 1e-8)


def dot() -> Iterator[Row]:
    """A quantum dot at maximum power."""
    source = "Esposito, Lindenberg, Van den Broeck 2009"
    for carnot, cited in CITED.items():
        best = optimum(jnp.array(carnot))
        values = {"P/T_h": best[0], "eta*": best[1], "x_h": best[2][0], "x_c": best[2][1]}
        for name, value in cited.items():
            label = f"dot at maximum power, eta_C = {carnot:g}, {name}"
            yield Row(label, source, value, float(values[name]), 1e-9)


def ramps() -> Iterator[Row]:
    """Work of a level's linear ramp, dp/dt = f(eps) - p from equilibrium."""
    source = "Esposito et al. 2010 (optimal drive), linear ramp by independent program"
    for first, last, duration, cited in (
        (3.0, -3.0, 1.0, -0.9476753621),
        (3.0, -3.0, 10.0, -2.4860393287),
        (2.0, 0.5, 1.0, -0.2203430061),
    ):
        lead = ThermalBath(1.0, FlatSpectrum(1.0), "fermi")
        filled = 1 / (1 + np.exp(first))
        model = OpenSystem(
            energies=(0.0, PiecewiseLinear((0.0, duration), (first, last))),
            couplings=[Coupling(machines.LOWERING, lead)],
            start=Product(system=(1 - filled, filled)),
        )
        work = solve(model, [duration], Davies(housekeeping=False)).ledger.work[0]
        label = f"work of a level's ramp, {first:g} to {last:g} in t = {duration:g}"
        yield Row(label, source, cited, float(work), 1e-9)


def bath() -> Iterator[Row]:
    """Rates and level shifts by a bath, and what can be drawn from a state."""
    drude = ThermalBath(0.9, DrudeLorentzSpectrum(0.2, 3.0))
    rates = drude.rate(jnp.array([1.3, -1.3]))
    ratio = float(rates[1] / rates[0])
    yield Row("rate up over rate down", "exp(-beta w)", float(np.exp(-0.9 * 1.3)), ratio, 1e-12)
    model = OpenSystem((0.0, 0.7), [Coupling(machines.SIGMA_X, drude)], Product(system=0))
    shift = transitions(model, (jnp.array([0.0, 0.7]), jnp.eye(2)), lamb_shift=True)[0].shift
    assert shift is not None
    source = "principal value of gamma(v)/(w - v)/2 pi by QUADPACK"
    yield Row("Lamb shift S(0.7), Drude-Lorentz", source, -0.085966349812, float(shift[0, 1]), 1e-7)
    inverted, energies = jnp.diag(jnp.array([0.2, 0.8])), jnp.diag(jnp.array([0.0, 1.5]))
    drawn = float(ergotropy(inverted, energies))
    yield Row("ergotropy of an inverted qubit", "w (1 - 2 p_0)", 0.9, drawn, 1e-14)
