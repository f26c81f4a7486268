"""Thermal machines: systems between ideal baths that the field knows by name.

Each function returns an `OpenSystem`; numbers may be traced, so that couplings, gaps and
temperatures are differentiated and mapped over. Qubits count states (ground, excited), the first
one slowest.
"""

import jax.numpy as jnp
import numpy as np

from entropax._checks import Numbers
from entropax.model.coupling import Coupling
from entropax.model.ideal.bath import ThermalBath
from entropax.model.ideal.spectral_densities import FlatSpectrum
from entropax.model.open_system import OpenSystem
from entropax.model.starts import Gibbs, Product
from entropax.protocol import AbstractProtocol, PiecewiseConstant, PiecewiseLinear

SIGMA_X = np.array([[0.0, 1.0], [1.0, 0.0]])
LOWERING = np.array([[0.0, 1.0], [0.0, 0.0]])


def on_site(operator: np.ndarray, site: int, sites: int) -> np.ndarray:
    """An operator of one qubit among several."""
    before, after = np.eye(2**site), np.eye(2 ** (sites - 1 - site))
    return np.kron(np.kron(before, operator), after)


def _excited(sites: int) -> np.ndarray:
    """Whether each qubit is excited in each basis state, shape (sites, 2**sites)."""
    states = np.arange(2**sites)
    return np.array([(states >> (sites - 1 - site)) & 1 for site in range(sites)], dtype=float)


def _bath(temperature: Numbers, rate: Numbers) -> ThermalBath:
    return ThermalBath(beta=1.0 / jnp.asarray(temperature), spectrum=FlatSpectrum(rate))


def two_level_engine(
    gaps: tuple[float, float] = (2.0, 1.0),
    temperatures: tuple[Numbers, Numbers] = (4.0, 0.5),
    rates: tuple[Numbers, Numbers] = (0.5, 0.5),
    stroke: float = 6.0,
    ramp: float = 1.0,
    cycles: int = 6,
) -> OpenSystem:
    r"""A qubit on an Otto cycle: heated at the wide gap, cooled at the narrow one.

    A cycle is a stroke with the hot bath, a ramp to the narrow gap, a stroke with the cold bath
    and a ramp back; baths are coupled in their strokes alone. The energies commute with each other
    at all times, so ramps exchange no heat and the efficiency is $1 - \omega_c/\omega_h$ (Kieu
    2004; Quan et al. 2007) at any speed.

    **Arguments:** `gaps`, `temperatures`, `rates`: hot, cold; `stroke`, `ramp`: durations;
    `cycles`: how many follow each other, from the cold bath's thermal state.
    """
    wide, narrow = gaps
    period = 2.0 * (stroke + ramp)
    times, values, turns = [0.0], [wide], []
    for cycle in range(cycles):
        ends = cycle * period + np.cumsum([stroke, ramp, stroke, ramp])
        times += list(ends)
        values += [wide, narrow, narrow, wide]
        turns += list(ends)
    pattern = {"hot": (1.0, 0.0, 0.0, 0.0), "cold": (0.0, 0.0, 1.0, 0.0)}
    couplings = []
    for name, temperature, rate in zip(pattern, temperatures, rates, strict=True):
        switch = PiecewiseConstant(times=turns[:-1], values=pattern[name] * cycles)
        couplings.append(Coupling(SIGMA_X, _bath(temperature, rate), strength=switch))
    excited = 1.0 / (1.0 + jnp.exp(narrow / jnp.asarray(temperatures[1])))
    start = Product(system=jnp.stack([1.0 - excited, excited]))
    gap = PiecewiseLinear(times=times, values=values)
    return OpenSystem(energies=(0.0, gap), couplings=couplings, start=start)


def two_stroke_dot(
    levels: tuple[Numbers, Numbers] = (2.5, 1.0),
    temperatures: tuple[Numbers, Numbers] = (2.0, 0.5),
    rate: Numbers = 1.0,
    strokes: tuple[Numbers, Numbers] = (1.0, 1.0),
) -> OpenSystem:
    r"""A single level that exchanges electrons with a hot lead, then with a cold one.

    In each stroke the level rests at another energy, over the chemical potential, beside its lead
    alone; jumps between them do the work. One cycle, for `limit_cycle` with a period of both
    strokes.

    **Arguments:** `levels`, `temperatures`, `strokes`: energies, leads and durations, hot, then
    cold; `rate`: of either lead.
    """
    end, root = jnp.reshape(jnp.asarray(strokes[0], float), 1), jnp.sqrt(jnp.asarray(rate, float))
    nothing = jnp.zeros_like(root)
    couplings = []
    for place, temperature in enumerate(temperatures):
        switch = jnp.stack([root, nothing][:: -1 if place else 1])
        beta, spectrum = 1.0 / jnp.asarray(temperature), FlatSpectrum(1.0)
        lead = ThermalBath(beta=beta, spectrum=spectrum, statistics="fermi")
        couplings.append(Coupling(LOWERING, lead, PiecewiseConstant(end, switch)))
    level = PiecewiseConstant(end, jnp.stack([jnp.asarray(energy, float) for energy in levels]))
    return OpenSystem((0.0, level), couplings, Gibbs(0.0))


def three_level_engine(
    gaps: tuple[Numbers, Numbers] = (3.0, 1.0),
    temperatures: tuple[Numbers, Numbers] = (10.0, 1.0),
    rates: tuple[Numbers, Numbers] = (0.02, 0.02),
    drive: Numbers = 0.05,
) -> OpenSystem:
    r"""The three-level maser: heat from 0 to 2, to the cold bath from 1 to 0, work from 2 to 1.

    A resonant field, $V = g(|1\rangle\langle 2| + h.c.)$ in the frame that rotates with it, draws
    the work. For `Local`, by which its efficiency is $1 - \omega_c/\omega_h$ exactly (Scovil,
    Schulz-DuBois 1959; Geva, Kosloff 1996).

    **Arguments:** `gaps`: energies of levels 2 and 1 above 0; `temperatures`, `rates`: hot, cold;
    `drive`: g.
    """
    hot, cold = jnp.asarray(gaps[0]), jnp.asarray(gaps[1])
    zero = jnp.zeros_like(hot)
    unit = np.eye(3)
    operators = [np.outer(unit[0], unit[2]), np.outer(unit[0], unit[1])]
    field = np.outer(unit[1], unit[2])
    couplings = [
        Coupling(operator + operator.T, _bath(temperature, rate))
        for operator, temperature, rate in zip(operators, temperatures, rates, strict=True)
    ]
    return OpenSystem(
        energies=jnp.stack([zero, cold, hot]),
        couplings=couplings,
        interaction=jnp.asarray(drive) * (field + field.T),
        frame=jnp.diag(jnp.stack([zero, zero, hot - cold])),
        start=Product(system=0),
    )


def absorption_refrigerator(
    gaps: tuple[Numbers, Numbers] = (1.0, 3.0),
    temperatures: tuple[Numbers, Numbers, Numbers] = (1.0, 6.0, 1.5),
    coupling: Numbers = 0.05,
    rates: tuple[Numbers, Numbers, Numbers] = (0.01, 0.01, 0.01),
) -> OpenSystem:
    r"""Three qubits that cool without work (Linden, Popescu, Skrzypczyk 2010).

    The interaction $g(|110\rangle\langle 001| + h.c.)$ of the cold, hot and room qubits trades a
    quantum of the room's, $\omega_r = \omega_c + \omega_h$, for one of each of the others. Under
    `Local` currents are as 1 : 3 : -4 for these gaps, so the coefficient of performance is
    $\omega_c/\omega_h$ exactly; right while g is small beside the rates (else `Redfield`).

    **Arguments:** `gaps`: cold, hot; `temperatures`, `rates`: cold, hot, room; `coupling`: g.
    """
    cold, hot = jnp.asarray(gaps[0]), jnp.asarray(gaps[1])
    energies = jnp.stack([cold, hot, cold + hot]) @ _excited(3)
    swap = np.zeros((8, 8))
    swap[0b110, 0b001] = swap[0b001, 0b110] = 1.0
    couplings = [
        Coupling(on_site(SIGMA_X, site, 3), _bath(temperature, rate))
        for site, (temperature, rate) in enumerate(zip(temperatures, rates, strict=True))
    ]
    return OpenSystem(
        energies=energies,
        couplings=couplings,
        interaction=jnp.asarray(coupling) * swap,
        start=Product(system=0),
    )


def spin_chain(
    sites: int = 4,
    gap: Numbers = 1.0,
    exchange: Numbers = 0.5,
    anisotropy: Numbers = 0.0,
    temperatures: tuple[Numbers, Numbers] = (5.0, 0.5),
    rates: tuple[Numbers, Numbers] = (0.5, 0.5),
) -> OpenSystem:
    r"""A chain of qubits with a bath at each end.

    $H = \sum_i\omega |1\rangle\langle 1|_i + \frac J2\sum_i (\sigma_x\sigma_x + \sigma_y\sigma_y
    + \Delta\sigma_z\sigma_z)$: the XX chain for $\Delta = 0$, along which under `Local` the heat
    current does not depend on the length (Karevski, Platini 2009).

    **Arguments:** `sites`: at least 2; `gap`: $\omega$; `exchange`: J; `anisotropy`: $\Delta$;
    `temperatures`, `rates`: left, right.
    """
    if sites < 2:
        raise ValueError(f"`sites` must be at least 2, but is {sites}.")
    excited = _excited(sites)
    signs = 1.0 - 2.0 * excited
    hop = np.zeros((2**sites, 2**sites))
    for site in range(sites - 1):
        step = on_site(LOWERING, site, sites) @ on_site(LOWERING.T, site + 1, sites)
        hop += step + step.T
    ising = np.diag(np.sum(signs[:-1] * signs[1:], axis=0))
    interaction = jnp.asarray(exchange) * (hop + 0.5 * jnp.asarray(anisotropy) * ising)
    ends = (on_site(SIGMA_X, 0, sites), on_site(SIGMA_X, sites - 1, sites))
    couplings = [
        Coupling(operator, _bath(temperature, rate))
        for operator, temperature, rate in zip(ends, temperatures, rates, strict=True)
    ]
    return OpenSystem(
        energies=jnp.asarray(gap) * np.sum(excited, axis=0),
        couplings=couplings,
        interaction=interaction,
        start=Product(system=0),
    )


def heat_valve(
    gaps: tuple[Numbers, Numbers] = (1.0, 0.6),
    coupling: Numbers = 0.6,
    temperatures: tuple[Numbers, Numbers] = (2.0, 1.0),
    rates: tuple[Numbers, Numbers] = (0.1, 0.1),
) -> OpenSystem:
    r"""Two detuned qubits coupled by $g\,\sigma_x\sigma_x$, a bath at each (Levy, Kosloff 2014).

    The smallest system in which `Local` lets heat seem to flow from cold to hot.

    **Arguments:** `gaps`, `temperatures`, `rates`: of the hot and the cold qubit; `coupling`: g.
    """
    energies = jnp.stack([jnp.asarray(gap) for gap in gaps]) @ _excited(2)
    couplings = [
        Coupling(on_site(SIGMA_X, site, 2), _bath(temperature, rate))
        for site, (temperature, rate) in enumerate(zip(temperatures, rates, strict=True))
    ]
    both = on_site(SIGMA_X, 0, 2) @ on_site(SIGMA_X, 1, 2)
    return OpenSystem(
        energies=energies,
        couplings=couplings,
        interaction=jnp.asarray(coupling) * both,
        start=Product(system=0),
    )


def thermoelectric_dot(
    level: Numbers = 0.0,
    temperatures: tuple[Numbers, Numbers] = (1.0, 0.5),
    potentials: tuple[Numbers, Numbers] = (-2.0, -1.4),
    rates: tuple[Numbers, Numbers] = (2.0, 2.0),
) -> OpenSystem:
    r"""One level between two leads, driving particles up the bias by heat.

    The particle current is $\Gamma_h\Gamma_c/(\Gamma_h+\Gamma_c)\,(f_h - f_c)$, and every particle
    carries one energy, so that the machine reaches Carnot's efficiency where it stops (Esposito,
    Lindenberg, Van den Broeck 2009).

    **Arguments:** `level`: its energy; `temperatures`, `potentials`, `rates`: hot, cold.
    """
    energy = jnp.asarray(level, dtype=float)
    leads = [
        ThermalBath(1.0 / jnp.asarray(temperature), FlatSpectrum(rate), "fermi", mu)
        for temperature, mu, rate in zip(temperatures, potentials, rates, strict=True)
    ]
    return OpenSystem(
        energies=jnp.stack([jnp.zeros_like(energy), energy]),
        couplings=[Coupling(LOWERING, lead) for lead in leads],
        start=Product(system=0),
    )


def erasure(
    gap: AbstractProtocol | None = None,
    duration: float = 20.0,
    depth: float = 5.0,
    temperature: Numbers = 1.0,
    rate: Numbers = 1.0,
) -> OpenSystem:
    r"""A qubit whose levels are drawn apart until it is in the lower one: its bit is erased.

    **Arguments:** `gap`: a protocol; None for a straight ramp from 0 to `depth` (in units of the
    temperature) in `duration`. The bath is of fermions, with rates $\Gamma f$ and $\Gamma(1-f)$
    that stay finite where the gap closes; the start is the mixture of both levels.
    """
    if gap is None:
        zero = jnp.zeros(())
        gap = PiecewiseLinear(
            times=(0.0, duration), values=jnp.stack([zero, depth * jnp.asarray(temperature)])
        )
    bath = ThermalBath(1.0 / jnp.asarray(temperature), FlatSpectrum(rate), "fermi")
    return OpenSystem(
        energies=(0.0, gap), couplings=[Coupling(LOWERING, bath)], start=Gibbs(beta=0.0)
    )
