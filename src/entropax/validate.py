"""Numbers from the literature beside our own.

Every cited number was computed without this library: a closed form, a quadrature, or an
independent program.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from entropax.entropy import gaussian_entropy, observational, von_neumann
from entropax.equilibrium import match_canonical
from entropax.figures.base import Options
from entropax.figures.base import Row as Row
from entropax.figures.esposito2010 import fig1
from entropax.figures.fluctuations import cited as fluctuations
from entropax.figures.machines import cited as machines
from entropax.figures.optimal import cited as optimal
from entropax.figures.strasberg2020 import identities
from entropax.ledger import FermionLedger
from entropax.linalg import eigenvalues
from entropax.method import EMME, BornMarkovSecular, Schrodinger
from entropax.method.windows.memory_kernels import finite_memory, long_memory
from entropax.model import Coupling, Junction, Lead, OpenSystem, Product, RandomBands, WindowBath
from entropax.solve import solve


def _biased(modes: int, width: float) -> Junction:
    leads = [
        Lead.flat(modes=modes, width=width, coupling=0.1, beta=1.0, mu=mu) for mu in (0.5, -0.5)
    ]
    return Junction(level=0.5, occupation=0.0, leads=leads)


def _steady_state(modes: int = 1000) -> Iterator[Row]:
    source = f"Landauer-Buettiker, flat band W = 20, K = {modes}"
    junction = _biased(modes, 20.0)
    # averages between two times past the transient and before the recurrence, which is at 314 for
    # 1000 modes; for 400, at 125, they are off by 3e-5 of their values
    ledger = solve(junction, [60.0, 120.0]).ledger

    def rate(values: Array) -> float:
        return float((values[1] - values[0]) / 60.0)

    current, heat_rate = rate(ledger.particles[:, 1]), rate(ledger.energy[:, 1])
    entropy_rate = rate(ledger.entropy_production_fixed)
    yield Row("steady particle current", source, 0.0110699304345, current, 1e-4 * 0.011)
    yield Row("steady energy current", source, 0.00528112695652, heat_rate, 1e-4 * 0.00528)
    yield Row("steady rate of sigma", source, 0.0110699304345, entropy_rate, 1e-4 * 0.011)
    occupation = float(ledger.system_occupation[1])
    yield Row("steady occupation of the level", source, 0.388693262082, occupation, 1e-4 * 0.389)


def _named(ledger: FermionLedger, index: int = 0) -> dict[str, float]:
    terms = ledger.terms
    values = {
        "n_d": ledger.system_occupation,
        "Sigma": ledger.entropy_production,
        "sigma": ledger.entropy_production_fixed,
        "I(S:B)": terms.system_bath,
        "I(L:R)": terms.inter_bath,
        "I_L": terms.intra_bath[:, 0],
        "I_R": terms.intra_bath[:, 1],
        "D*": terms.athermality,
        "beta_L": ledger.beta[:, 0],
        "beta_R": ledger.beta[:, 1],
        "mu_L": ledger.mu[:, 0],
        "mu_R": ledger.mu[:, 1],
    }
    return {name: float(value[index]) for name, value in values.items()}


def _compare(
    label: str, source: str, ledger: FermionLedger, index: int, names: str, cited: str, allowed: str
) -> Iterator[Row]:
    quantities = _named(ledger, index)
    for name, value in zip(names.split(), cited.split(), strict=True):
        yield Row(f"{name}, {label}", source, float(value), quantities[name], float(allowed))


def _junction_terms(sizes: Sequence[int] = (10, 100, 400)) -> Iterator[Row]:
    names = "n_d sigma I(S:B) I(L:R) I_L I_R Sigma"
    table = {
        (10, 4.0, 1.0): "0.0553667219845 0.247233619516 0.237974875405 0.00437913143492 "
        "0.00301018631898 0.00128193929521 0.246658153190",
        (100, 10.0, 10.0): "0.336711425413 0.682342249752 0.269007364742 0.234086112401 "
        "0.128713724217 0.0356194157952 0.678246186775",
        (400, 20.0, 50.0): "0.388679707826 1.16893575275 0.121986610379 0.575130490533 "
        "0.24036317358 0.127081663577 1.150662551105",
    }
    for (modes, width, time), cited in table.items():
        if modes not in sizes:
            continue
        # two times, as in the steady state: one program for both where K is the same
        ledger = solve(_biased(modes, width), [time, 2.0 * time]).ledger
        label = f"K = {modes}, W = {width:g}, t = {time:g}"
        yield from _compare(label, "independent dense program", ledger, 0, names, cited, "1e-9")


def _usui() -> Iterator[Row]:
    names = "beta_L beta_R mu_L mu_R Sigma sigma I(S:B) I(L:R) I_L I_R D*"
    cited = {
        1e3: "1.52169 1.48272 -0.0347284 0.0298799 239.928 1397.56 1.23213 14.1446 97.7593 "
        "95.1027 31.6889",
        1e5: "1.50353 1.49902 -0.0021448 -0.00267715 240.127 1371.55 1.23271 111.193 15.6009 "
        "15.5344 96.5655",
    }
    leads = [
        Lead.flat(modes=1000, width=10.0, coupling=3.0, beta=beta, mu=mu)
        for beta, mu in ((10.0, 1.0), (2.0, -1.0))
    ]
    times = jnp.array(list(cited)) / 3.0
    ledger = solve(Junction(level=0.0, occupation=0.0, leads=leads), times).ledger
    source = "Usui 2024, case (a); independent dense program"
    for index, (gamma_t, values) in enumerate(cited.items()):
        # the cited numbers have six digits
        label = f"Gamma t = {gamma_t:.0e}"
        yield from _compare(label, source, ledger, index, names, values, "5e-6")


def _rabi() -> Iterator[Row]:
    coupling, detuning, time = 0.7, 0.4, 2.3
    lead = Lead(energies=[detuning], couplings=[coupling], beta=jnp.inf, mu=1.0)
    ledger = solve(Junction(level=0.0, occupation=0.0, leads=[lead]), [time]).ledger
    frequency = np.sqrt(detuning**2 + 4 * coupling**2)
    exact = (2 * coupling / frequency * np.sin(frequency * time / 2)) ** 2
    occupation = float(ledger.system_occupation[0])
    yield Row(
        "n_d, level and one full mode", "Rabi oscillation, closed form", exact, occupation, 1e-13
    )


def _random_states() -> Iterator[Row]:
    samples, small, large = 20000, 4, 8
    parts = jax.random.normal(jax.random.key(0), (samples, small, large, 2))
    states = parts[..., 0] + 1j * parts[..., 1]
    states /= jnp.sqrt(jnp.sum(jnp.abs(states) ** 2, axis=(1, 2), keepdims=True))
    entropies = jax.vmap(lambda psi: von_neumann(psi @ psi.conj().T))(states)
    error = float(jnp.std(entropies)) / np.sqrt(samples)
    yield Row(
        f"mean entropy of {samples} random states (4 x 8)",
        "Page 1993; 4 standard errors",
        1.15313805257937725,
        float(jnp.mean(entropies)),
        4 * error,
    )


def _level_statistics() -> Iterator[Row]:
    samples, size = 60, 200
    keys = jax.random.split(jax.random.key(1), samples)

    def gap_ratio(values: Array) -> Array:
        bulk = values[size // 4 : 3 * size // 4]
        gaps = jnp.diff(bulk)
        return jnp.mean(jnp.minimum(gaps[1:], gaps[:-1]) / jnp.maximum(gaps[1:], gaps[:-1]))

    def orthogonal(key: Array) -> Array:
        x = jax.random.normal(key, (size, size))
        return eigenvalues(x + x.T)

    def unitary(key: Array) -> Array:
        x = jax.random.normal(key, (2, size, size))
        z = x[0] + 1j * x[1]
        return eigenvalues(z + z.conj().T)

    for name, draw, cited in (
        ("GOE", orthogonal, 0.5307),
        ("GUE", unitary, 0.5996),
    ):
        ratios = jax.lax.map(lambda key, draw=draw: gap_ratio(draw(key)), keys)
        error = float(jnp.std(ratios)) / np.sqrt(samples)
        source = "Atas et al. 2013; 4 standard errors"
        yield Row(f"mean gap ratio, {name}", source, cited, float(jnp.mean(ratios)), 4 * error)


def _chain() -> Iterator[Row]:
    for length, cited in ((10, 1.493424238191), (100, 2.261122029898)):
        distance = np.arange(length)[:, None] - np.arange(length)[None, :]
        # half-filled infinite chain: C_ij = sin(pi (i-j)/2) / (pi (i-j))
        correlation = 0.5 * np.sinc(0.5 * distance)
        entropy = float(gaussian_entropy(jnp.array(correlation)))
        source = "infinite half-filled chain, C_ij = sin(pi(i-j)/2)/(pi(i-j))"
        yield Row(f"entropy of a block of {length} sites", source, cited, entropy, 1e-10)


def _windows(volumes: tuple[int, int], strength: float) -> OpenSystem:
    bath = WindowBath(centers=(0.0, 1.0), volumes=volumes, width=0.5)
    link = Coupling(jnp.array([[0.0, 1.0], [1.0, 0.0]]), bath, strength, RandomBands(variance=1.0))
    start = Product(system=1, windows=(0,))
    return OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


_PHASES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
"""Times, in units of the relaxation time of two windows of 500 levels."""


def _equal_windows() -> tuple[OpenSystem, np.ndarray]:
    return _windows((500, 500), 5e-4), _PHASES / (2.0 * np.pi * 5e-4**2 * 1000 / 0.5)


def _exact_windows() -> Iterator[Row]:
    cited = (0.89790, 0.81122, 0.68930, 0.56929, 0.50921)
    model, ts = _equal_windows()
    keys = jax.random.split(jax.random.key(0), 3)
    draws = [solve(model, ts, Schrodinger(key)).ledger.joint[:, 1, 0] for key in keys]
    exact = np.mean(np.array(draws), axis=0)
    source = "independent program, mean of 3 draws"
    for phase, value, population in zip(_PHASES, cited, exact, strict=True):
        label = f"exact, 500 + 500 levels, {phase:g} relaxation times"
        yield Row(label, source, value, float(population), 3e-3)


def _two_windows() -> Iterator[Row]:
    # p_e = g1/(g1+g2) + g2/(g1+g2) exp(-(g1+g2) t) at (g1+g2) t = 0.25, 0.5, 1, 2, 4
    cited = (0.889400, 0.803265, 0.683940, 0.567668, 0.509158)
    model, ts = _equal_windows()
    markov = solve(model, ts, EMME()).ledger.joint[:, 1, 0]
    source = "Breuer, Gemmer, Michel 2006, closed form"
    for phase, value, population in zip(_PHASES, cited, markov, strict=True):
        label = f"EMME, 500 + 500 levels, {phase:g} relaxation times"
        yield Row(label, source, value, float(population), 5e-7)
    # Riera Eq. E7: p = 1 - g/V0 [1 - exp(-s Xi)]/s, Xi the integral of zeta; by quadrature
    time, closed = 10.0, 0.7068546563
    excited = solve(_windows((400, 600), 3e-3), [time], EMME(memory="finite")).ledger.joint[0, 1, 0]
    yield Row(
        "finite-time EMME, 400 + 600 levels", "Riera 2021, Eq. E7", closed, float(excited), 1e-8
    )
    late = solve(_windows((400, 600), 3e-3), [1e5], EMME()).ledger.joint[0]
    yield Row("steady state V0/(V0+V1)", "Riera 2021, Eq. 36", 0.4, float(late[1, 0]), 1e-12)
    ratio = float(late[1, 0] / late[0, 1])
    yield Row("detailed balance V0/V1", "Riera 2021, Eq. 33", 400 / 600, ratio, 1e-12)


def _memory_integrals() -> Iterator[Row]:
    # int_0^t h exp(i Omega tau), by 20-digit quadrature
    source = "quadrature of h(tau)"
    offset, reduced = jnp.array(0.3), jnp.array(5.0)
    value, limit = complex(finite_memory(offset, reduced)), complex(long_memory(offset))
    yield Row("Re H_t, xi = 0.3, delta t = 5", source, 0.36867311895179, value.real, 1e-12)
    yield Row("Im H_t, xi = 0.3, delta t = 5", source, 0.20254124372382, value.imag, 1e-12)
    yield Row("Re H, xi = 0.3", "Riera 2021, Eq. B12", 0.35, limit.real, 1e-14)
    yield Row("Im H, xi = 0.3", source, 0.20899108063229, limit.imag, 1e-12)


def _observational_entropy() -> Iterator[Row]:
    # <S_obs> = psi(D+1) - sum (V/D) [psi(V+1) - ln V] over Haar-random pure states
    samples, volumes = 20000, np.array([4, 8, 20])
    weight = jnp.sum(jax.random.normal(jax.random.key(2), (samples, 32, 2)) ** 2, axis=-1)
    weight /= jnp.sum(weight, axis=1, keepdims=True)
    parts = jnp.split(weight, np.cumsum(volumes)[:-1], axis=1)
    outcomes = jnp.stack([part.sum(1) for part in parts], axis=1)
    entropies = jax.vmap(lambda p: observational(p, [jnp.asarray(volumes, float)]))(outcomes)
    error = float(jnp.std(entropies)) / np.sqrt(samples)
    yield Row(
        f"mean S_obs of {samples} random states, V = 4, 8, 20",
        "Haar average, closed form; 4 standard errors",
        3.435506808872,
        float(jnp.mean(entropies)),
        4 * error,
    )
    # two windows: beta* = ln(V1 p0 / (V0 p1))
    beta = match_canonical(jnp.array([0.0, 1.0]), jnp.array([400.0, 600.0]), jnp.array(0.7)).beta
    closed = float(np.log(600 * 0.3 / (400 * 0.7)))
    source = "Riera 2021, Eq. 62, closed form"
    yield Row("beta* of two windows, negative", source, closed, float(beta), 1e-13)


def _random_matrix_reservoir() -> Iterator[Row]:
    model, late = fig1.model(500, 50), [1e4]
    emme = solve(model, late, EMME()).ledger.system_state[0, 1, 1].real
    frozen = solve(model, late, BornMarkovSecular()).ledger.system_state[0, 1, 1].real
    source = "(1/2)(exp(-beta Delta) - exp(-beta))/(1 - exp(-beta))"
    yield Row("spin in a random-matrix reservoir, EMME", source, 0.18392537082, float(emme), 1e-7)
    source = "1/(1 + exp(beta Delta))"
    yield Row("the same, Redfield", source, 0.2689414214, float(frozen), 1e-7)


def _identities(
    cases: Sequence[str] = ("exact, canonical", "EMME, canonical"),
) -> Iterator[Row]:
    data = identities.run(Options(modes=40, times=5), cases)
    worst: dict[str, tuple[str, float]] = {}
    for case in data.solved.values():
        for identity in case.table:
            name, source = f"{identity.name} {identity.relation}", identity.source
            before = worst.get(name, (source, 0.0))[1]
            worst[name] = (source, float(np.maximum(before, identity.violation)))
    for name, (source, violation) in worst.items():
        yield Row(f"{name}, largest violation", source, 0.0, violation, identities.EXACT)


class Group(NamedTuple):
    """Rows of one source, at full size and at a small one (None where there is no small one)."""

    full: Callable[[], Iterator[Row]]
    quick: Callable[[], Iterator[Row]] | None


def _either(rows: Callable[[], Iterator[Row]]) -> Group:
    return Group(rows, rows)


def _full_only(rows: Callable[[], Iterator[Row]]) -> Group:
    return Group(rows, None)


GROUPS = {
    "steady": Group(_steady_state, functools.partial(_steady_state, 400)),
    "junction": Group(_junction_terms, functools.partial(_junction_terms, (400,))),
    "usui": _full_only(_usui),
    "rabi": _either(_rabi),
    "random-states": _either(_random_states),
    "level-statistics": _either(_level_statistics),
    "chain": _either(_chain),
    "windows": _either(_two_windows),
    "exact-windows": _full_only(_exact_windows),
    "memory": _either(_memory_integrals),
    "observational": _either(_observational_entropy),
    "reservoir": _either(_random_matrix_reservoir),
    "identities": Group(_identities, functools.partial(_identities, ("exact, canonical",))),
    "machines-qubit": _either(machines.qubit),
    "machines-chain": _full_only(machines.chain),
    "machines-refrigerator": _full_only(machines.refrigerator),
    "machines-maser": _either(machines.maser),
    "machines-otto": _full_only(machines.otto),
    "machines-dot": _full_only(machines.dot),
    "machines-ramps": _full_only(machines.ramps),
    "machines-bath": _either(machines.bath),
    "machines-cycle": _either(machines.cycle),
    "fluctuations-measured": _full_only(fluctuations.measured),
    "fluctuations-jumps": _either(fluctuations.jumps),
    "optimal-drive": _full_only(optimal.drives),
    "optimal-erasure": _full_only(optimal.erasures),
    "optimal-trap": _either(optimal.traps),
    "optimal-slow": _either(optimal.slow),
}
"""All rows by what they are about, in the order of the table."""


def find(names: Sequence[str] = ()) -> list[str]:
    """The groups named, all for no name; `machines` stands for all that begin with it."""
    matching = {
        name: [key for key in GROUPS if key == name or key.startswith(f"{name}-")] for name in names
    }
    for name, keys in matching.items():
        if not keys:
            raise ValueError(f"no rows named `{name}`; there are: {', '.join(GROUPS)}.")
    chosen = {key for keys in matching.values() for key in keys} if names else GROUPS
    return [key for key in GROUPS if key in chosen]


def rows(names: Sequence[str], *, quick: bool = False) -> Iterator[Row]:
    """The rows of these groups, computed as they are asked for; `quick` leaves some out."""
    for name in names:
        compute = GROUPS[name].quick if quick else GROUPS[name].full
        if compute is not None:
            yield from compute()
