"""The junction: its whole ledger against dense twins and outside numbers, and its invariants."""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import fock
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import systems
import textbook
from helpers import check_derivative
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import TIMES, Star, assert_same_ledger, fields, largest, twin_fields

import entropax as ex

Array = np.ndarray
TESTS = str(Path(__file__).parent)

ORDINARY = (
    systems.THERMAL | systems.DIAGONAL | systems.ONE_LEAD | systems.THREE_LEADS | systems.ONE_MODE
)
LIMITS = systems.FROZEN | systems.EDGES
ALL = ORDINARY | LIMITS | systems.NOTHING
LATER = TIMES != 0.0


def solve(star: Star, ts: Array = TIMES) -> ex.Solution:
    """The sizes that most tests have get the optimised program."""
    if star.sizes == [10, 10]:
        return ex.solve(star.model(), ts, save=systems.keep)
    return systems.quick_solve(star.model(), ts)


@functools.cache
def solved(name: str) -> ex.Solution:
    return solve(ALL[name])


def at(found: dict[str, Array], mask: Array) -> dict[str, Array]:
    return {name: value[mask] for name, value in found.items()}


@pytest.mark.parametrize("name", ORDINARY)
def test_every_field_is_that_of_the_dense_twin(name: str) -> None:
    sol = solved(name)
    assert_same_ledger(fields(sol.ledger), twin_fields(ORDINARY[name], TIMES), 1e-9)
    assert not np.any(sol.failed)
    alike = np.array([np.ptp(energies) == 0.0 for energies, *_ in ORDINARY[name].leads])
    hot = np.array([beta == 0.0 for _, _, beta, _ in ORDINARY[name].leads])
    undetermined = alike | (hot & ~LATER[:, None])
    np.testing.assert_array_equal(sol.ledger.determined, ~undetermined)


@pytest.mark.parametrize("name", ALL)
def test_every_entry_of_the_state_is_that_of_the_dense_twin(name: str) -> None:
    star, saved = ALL[name], solved(name).saved
    dense = star.dense()
    for i, t in enumerate(TIMES):
        state = jax.tree.map(lambda x: np.asarray(x)[i], saved)  # noqa: B023 - used at once
        c = textbook.correlation(dense["h"], dense["c0"], t)
        # the phases of the twin and ours are each right to eps of energy times time
        assert_same_state(state, c, dense["baths"], max(1e-9, 4e-15 * abs(t)))


def assert_same_state(state: Any, c: Array, baths: list, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(state.system, c[:1, :1], rtol=0, atol=tolerance)
    np.testing.assert_allclose(state.level_row, c[0, 1:], rtol=0, atol=tolerance)
    for nu, bath in enumerate(baths):
        block = c[np.ix_(bath, bath)]
        np.testing.assert_allclose(state.blocks[nu], block, rtol=0, atol=tolerance)
        diagonal = np.diag(block).real
        np.testing.assert_allclose(state.occupations[nu], diagonal, rtol=0, atol=tolerance)


def test_late_times_to_forty_digits() -> None:
    """At Gamma t = 1e6 the dense twin itself is off by 1e-8: phases of |E| t eps."""
    mixed = systems.THERMAL["mixed"]
    (energies, *rest), right = mixed.leads
    star = mixed._replace(leads=((np.where(energies > 1.7, -500.0, energies), *rest), right))
    dense, state = star.dense(), jax.tree.map(lambda x: np.asarray(x)[2], solve(star).saved)
    with mpmath.workdps(40):
        values, vectors = mpmath.eigh(mpmath.matrix(dense["h"].tolist()))
        phases = [mpmath.expj(-x * mpmath.mpf(TIMES[2])) for x in values]
        exact = vectors * mpmath.diag(phases) * vectors.transpose()
        u = np.array(exact.tolist(), dtype=complex)
    c = (u.conj() * star.start) @ u.T
    assert_same_state(state, c, dense["baths"], 1e-10)
    twin = textbook.correlation(dense["h"], dense["c0"], TIMES[2])
    with pytest.raises(AssertionError):
        assert_same_state(state, twin, dense["baths"], 1e-10)


@pytest.mark.parametrize("name", LIMITS)
def test_a_start_without_a_finite_temperature(name: str) -> None:
    """sigma is +inf, all else that has a limit is that limit, and t = 0 is nothing special."""
    star, sol = LIMITS[name], solved(name)
    found, led = fields(sol.ledger), sol.ledger
    # a start that was given no mu may leave heat open
    skip = () if star.thermal else ("heat", "chemical_work")
    expected = twin_fields(star, TIMES[LATER])
    assert_same_ledger(at(found, LATER), expected, 1e-9, skip)
    assert np.all(found["entropy_production_fixed"][LATER] == np.inf)
    assert np.all(np.isfinite(found["entropy_production"]))
    now = at(found, ~LATER)
    for field in ("entropy_production", "entropy_production_fixed", "finite_bath", "system_bath"):
        np.testing.assert_allclose(now[field], 0.0, rtol=0, atol=1e-12, err_msg=field)
    assert not np.any(sol.failed)
    assert np.all((sol.result == ex.RESULTS.successful)[LATER])
    assert np.all((sol.result == ex.RESULTS.undetermined_temperature)[~LATER])
    assert np.all(led.determined[LATER])
    betas = np.array(star.dense()["betas"])
    np.testing.assert_array_equal(led.determined[~LATER][0], np.isfinite(betas))
    empty_or_full = [abs(mu) == 9.0 for mu in star.dense()["mus"]]
    at_start = np.where(empty_or_full, np.nan, betas)
    np.testing.assert_allclose(led.beta[~LATER][0], at_start, rtol=1e-12)
    for nu, (energies, _, _, mu) in enumerate(star.leads):
        filling = star.start[1:][sum(star.sizes[:nu]) :][: len(energies)]
        if np.isinf(at_start[nu]) and not np.any(filling == 0.5):
            full, empty = energies[filling == 1.0], energies[filling == 0.0]
            low, high = (full, empty) if at_start[nu] > 0 else (empty, full)
            mu = (low.max() + high.min()) / 2
        elif np.isnan(at_start[nu]):
            mu = np.nan
        assert float(led.mu[~LATER][0, nu]) == pytest.approx(mu, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", systems.NOTHING)
def test_nothing_happens_where_nothing_can_move(name: str) -> None:
    found, filled = fields(solved(name).ledger), name == "filled"
    for field in ("entropy_production", "entropy_production_fixed", *systems.TERMS):
        np.testing.assert_allclose(found[field], 0.0, rtol=0, atol=1e-11, err_msg=field)
    np.testing.assert_allclose(found["total_particles"], 21.0 * filled, rtol=0, atol=1e-12)
    assert np.all(np.isnan(found["beta"]))
    assert np.all(solved(name).result == ex.RESULTS.undetermined_temperature)


def hot(filling: float) -> ex.Junction:
    """Two leads whose modes are filled alike: beta = 0, and alpha is all there is to a start."""
    leads = tuple(
        ex.Lead(
            energies=np.linspace(-1.0, 2.0, modes),
            couplings=np.full(modes, 0.2),
            beta=0.0,
            mu=0.0,
            occupations=np.full(modes, n),
        )
        for modes, n in ((12, filling), (9, 0.5))
    )
    return ex.Junction(level=0.3, occupation=0.2, leads=leads)


@pytest.mark.parametrize("filling", [0.3, 0.5, 1.0 - 1e-6])
def test_a_start_at_infinite_temperature(filling: float) -> None:
    """sigma = dS_S - sum alpha_nu dN_nu; heat, which needs mu, is unknown rather than huge."""
    sol = systems.quick_solve(hot(filling), np.array([0.0, 0.7, 30.0]))
    led = sol.ledger
    gained = led.particles - led.particles[0]
    alpha = np.log([filling, 0.5]) - np.log1p([-filling, -0.5])
    sigma = led.system_entropy - led.system_entropy[0] - gained @ alpha
    np.testing.assert_allclose(led.entropy_production_fixed, sigma, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(led.residual, 0.0, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(led.beta[0], 0.0)
    for field in (led.heat, led.chemical_work, led.mu[0]):
        assert np.all(np.isnan(field))
    undetermined = sol.result == ex.RESULTS.undetermined_temperature
    np.testing.assert_array_equal(undetermined, [True, False, False])
    assert not np.any(sol.failed)


@pytest.mark.parametrize("which", ["entropy_production", "entropy_production_fixed"])
def test_gradients_from_infinite_temperature(which: str) -> None:
    """With respect to the fillings of a lead whose modes are filled alike."""
    model = hot(0.3)
    start = model.leads[0].initial_occupations
    direction = np.random.default_rng(0).normal(size=start.shape)

    def produced(filling: jax.Array) -> jax.Array:
        lead = eqx.tree_at(lambda x: x.occupations, model.leads[0], filling)
        changed = eqx.tree_at(lambda m: m.leads[0], model, lead)
        return getattr(ex.solve(changed, jnp.array([3.0])).ledger, which)[0]

    check_derivative(produced, (start,), (direction,), step=1e-3, tolerance=1e-8)


def test_no_coupling_no_entropy_production() -> None:
    found = fields(solved("no coupling").ledger)
    for field in ("entropy_production", "entropy_production_fixed", "heat", *systems.TERMS):
        np.testing.assert_allclose(found[field], 0.0, rtol=0, atol=1e-13, err_msg=field)
    untouched = fields(solved("one lead uncoupled").ledger)
    np.testing.assert_allclose(untouched["heat"][:, 1], 0.0, rtol=0, atol=1e-13)
    assert np.all(np.abs(untouched["heat"][LATER, 0]) > 1e-5)


def test_the_comparison_can_fail() -> None:
    """Swapped temperatures, another start or a wrong time are seen at once."""
    mixed = systems.THERMAL["mixed"]
    (energies, couplings, beta, mu), right = mixed.leads
    swapped = mixed._replace(
        leads=((energies, couplings, right[2], mu), (right[0], right[1], beta, right[3]))
    )
    other, sigma = solve(swapped).ledger.entropy_production, solved("mixed").ledger
    assert np.all(np.abs(other - sigma.entropy_production)[LATER] > 1e-5)
    expected = twin_fields(mixed, TIMES)
    for wrong in (solve(swapped), solve(mixed, TIMES + 1e-6), solved("level empty")):
        with pytest.raises(AssertionError):
            assert_same_ledger(fields(wrong.ledger), expected, 1e-9)


# K, W, t, then n_d, sigma, I(S:B), I(L:R), I_L, I_R, Sigma (independent dense program).
JUNCTIONS = [
    (10, 4.0, 1.0, 0.0553667219845, 0.247233619516, 0.237974875405, 0.00437913143492,
     0.00301018631898, 0.00128193929521, 0.246658153190),
    (100, 10.0, 10.0, 0.336711425413, 0.682342249752, 0.269007364742, 0.234086112401,
     0.128713724217, 0.0356194157952, 0.678246186775),
    (400, 20.0, 50.0, 0.388679707826, 1.16893575275, 0.121986610379, 0.575130490533,
     0.24036317358, 0.127081663577, 1.150662551105),
]  # fmt: skip


def flat_junction(
    modes: int, width: float, coupling: Any, beta: tuple, mu: tuple, level: float = 0.0
) -> ex.Junction:
    leads = (
        ex.Lead.flat(modes=modes, width=width, coupling=coupling, beta=b, mu=m)
        for b, m in zip(beta, mu, strict=True)
    )
    return ex.Junction(level, 0.0, tuple(leads))


@pytest.mark.parametrize("row", JUNCTIONS, ids=["K=10", "K=100", "K=400"])
def test_junction_against_an_independent_program(row: tuple) -> None:
    modes, width, t, *expected = row
    model = flat_junction(modes, width, 0.1, (1.0, 1.0), (0.5, -0.5), 0.5)
    if modes == 10:
        led = ex.solve(model, np.full(len(TIMES), t), save=systems.keep).ledger
    else:
        led = systems.quick_solve(model, np.array([t])).ledger
    found = [
        led.system_occupation[0],
        led.entropy_production_fixed[0],
        led.terms.system_bath[0],
        led.terms.inter_bath[0],
        *led.terms.intra_bath[0],
        led.entropy_production[0],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert abs(led.residual[0]) < 1e-11


PUBLISHED = np.array([0.1, 1e3, 1e6]) / 3.0

# One BLAS thread: two thrash when this shares the cores with the compilation beside it.
DENSE = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import textbook

leads = [textbook.flat_lead(1000, 10.0, 3.0)] * 2
betas, mus = (10.0, 2.0), (1.0, -1.0)
h = textbook.star(0.0, leads)
filling = [textbook.fermi(b, m, lead[0]) for lead, b, m in zip(leads, betas, mus)]
c0 = np.diag([0.0, *filling[0], *filling[1]])
baths = (range(1, 1001), range(1001, 2001))
original, states = textbook.correlation, []
textbook.correlation = lambda *arguments: states.append(original(*arguments)) or states[-1]
for i, t in enumerate(map(float, sys.argv[3:])):
    led = textbook.ledger(h, c0, (0,), baths, t, betas, mus)
    np.savez(f"{sys.argv[2]}/{i}.npz", c=states.pop(), **led)
"""


MEMORY = """
import resource
import sys
import entropax as ex, jax, numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def junction(beta):
    lead = ex.Lead.flat(modes=300, width=10.0, coupling=3.0, beta=beta, mu=1.0)
    return ex.Junction(0.0, 0.0, (lead, lead))

run = jax.jit(lambda beta, ts: ex.solve(junction(beta), ts).ledger.entropy_production)
ts = np.logspace(-1, 6, 60)
compiled = run.lower(2.0, ts).compile()
before = peak()
jax.block_until_ready(compiled(2.0, ts))
open(sys.argv[2] + "/memory", "w").write(str(peak() - before))
"""


@pytest.fixture(scope="module", autouse=True)
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """The dense twin of Usui's case (a) and the look at memory, beside the tests from the first."""
    folder = tmp_path_factory.mktemp("beside")
    commands = [sys.executable, "-c", f"{MEMORY}\n{DENSE}", TESTS, str(folder)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*commands, *map(str, PUBLISHED)], env=environment, stderr=subprocess.PIPE
    )
    yield folder, process
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def beside(processes: tuple[Path, Any]) -> Path:
    """Where what the other process found is, once it is there."""
    folder, process = processes
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors.decode()
    return folder


@pytest.fixture(scope="module")
def published() -> ex.Solution:
    """Usui's case (a) at the published size."""
    model = flat_junction(1000, 10.0, 3.0, (10.0, 2.0), (1.0, -1.0))
    return ex.solve(model, PUBLISHED, save=systems.keep)


def test_published_size_against_printed_numbers(published: ex.Solution) -> None:
    """Independent dense program, the row Gamma t = 1e3, to its six digits."""
    led = jax.tree.map(lambda x: x[1] if x.ndim else x, published.ledger)
    found = [*led.beta, *led.mu, led.entropy_production, led.entropy_production_fixed]
    found += [led.terms.system_bath, led.terms.inter_bath, *led.terms.intra_bath]
    found += [led.terms.athermality]
    expected = [1.52169, 1.48272, -0.0347284, 0.0298799, 239.928, 1397.56]
    expected += [1.23213, 14.1446, 97.7593, 95.1027, 31.6889]
    np.testing.assert_allclose(found, expected, rtol=5e-6)


def test_steady_currents_of_a_finite_band(published: ex.Solution) -> None:
    """Landauer-Buettiker in the finite band: slopes between t = 60 and 120 at K = 1000, W = 20."""
    del published  # the same program, compiled once
    model = flat_junction(1000, 20.0, 0.1, (1.0, 1.0), (0.5, -0.5), 0.5)
    led = ex.solve(model, np.array([60.0, 90.0, 120.0]), save=systems.keep).ledger

    def slope(x: Array) -> float:
        return float(x[2] - x[0]) / 60.0

    current, energy_current = 0.0110699304345, 0.00528112695652
    assert slope(led.particles[:, 1]) == pytest.approx(current, rel=1e-4)
    assert slope(led.particles[:, 0]) == pytest.approx(-current, rel=1e-4)
    assert slope(led.energy[:, 1]) == pytest.approx(energy_current, rel=1e-4)
    # both baths at T = 1: the rate is (mu_L - mu_R) I / T
    assert slope(led.entropy_production_fixed) == pytest.approx(current, rel=1e-4)
    assert float(led.system_occupation[2]) == pytest.approx(0.388693262082, rel=1e-4)
    # the infinite band is another number
    assert slope(led.particles[:, 1]) != pytest.approx(0.0110102289346713, rel=1e-3)


def test_invariants_at_the_published_size(published: ex.Solution) -> None:
    assert_invariants(fields(published.ledger), thermal=True)


def slice_list(start: int) -> list[int]:
    return list(range(start, start + 1000))


def test_three_leads_in_fock_space() -> None:
    star = systems.THREE_LEADS["three leads"]
    expected = systems.fock_fields(star, 2.0)
    found = at(fields(solved("three leads").ledger), TIMES == 2.0)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name][0], value, rtol=0, atol=1e-10, err_msg=name)
    dense = star.dense()
    rho = fock.reduced_state(dense["h"], dense["c0"], 2.0, (0,))
    assert float(found["system_entropy"][0]) == pytest.approx(fock.entropy(rho), abs=1e-11)


def assert_invariants(found: dict[str, Array], *, thermal: bool) -> None:
    """What holds at every time, from every start; the two second laws from thermal ones."""
    assert np.max(np.abs(found["residual"])) < 1e-11
    if thermal:
        assert np.min(found["entropy_production"]) >= -1e-10
        assert np.min(found["entropy_production_fixed"]) >= -1e-10
    assert np.min(found["finite_bath"]) >= -1e-10
    with np.errstate(invalid="ignore"):
        gap = found["entropy_production_fixed"] - found["entropy_production"]
    # heats are known to rounding, and count beta times: much where modes are a hair apart
    steepest = np.max(np.abs(found["beta"]), initial=0.0, where=np.isfinite(found["beta"]))
    assert np.min(gap) >= -1e-10 - 1e-13 * steepest
    for name in ("system_bath", "inter_bath", "intra_bath", "athermality"):
        assert np.min(found[name]) >= -1e-10, name
    # no correlation with a single level exceeds 2 ln 2, and none is shared by less than two
    assert np.max(found["system_bath"]) <= 2 * np.log(2) + 1e-10
    for name, size in (("total_energy", found["energy"]), ("total_particles", found["particles"])):
        scale = max(1.0, float(np.max(np.sum(np.abs(size), axis=-1))))
        np.testing.assert_allclose(found[name], found[name][0], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ALL)
def test_invariants(name: str) -> None:
    assert_invariants(fields(solved(name).ledger), thermal=ALL[name].thermal)


@pytest.mark.parametrize("name", ALL)
def test_distance_from_thermality_is_a_share(name: str) -> None:
    """Within [0, 1]; 0 where the effective state is pure."""
    found = fields(solved(name).ledger)
    distance, alive = found["distance_from_thermality"], found["thermal_entropy"] > 1e-10
    assert np.all((distance[alive] >= -1e-10) & (distance[alive] <= 1 + 1e-10))
    np.testing.assert_array_equal(distance[~alive], 0.0)


def numbers(low: float, high: float, count: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, high), min_size=count, max_size=count)


@settings(max_examples=40)
@given(
    energies=numbers(-3, 3, 21),
    couplings=numbers(-1, 1, 20),
    betas=numbers(-20, 20, 2),
    mus=numbers(-3, 3, 2),
    occupation=st.floats(0, 1),
)
def test_invariants_of_whatever_is_drawn(
    energies: list, couplings: list, betas: list, mus: list, occupation: float
) -> None:
    """Equal, nearly equal and tiny numbers are what hypothesis likes to draw."""
    e, t = np.array(energies), np.array(couplings)
    leads = ((e[1:11], t[:10], betas[0], mus[0]), (e[11:], t[10:], betas[1], mus[1]))
    sol = solve(Star(e[0], occupation, leads))
    assert not np.any(sol.failed)
    assert_invariants(fields(sol.ledger), thermal=True)


@settings(max_examples=40)
@given(
    energies=numbers(-3, 3, 21),
    couplings=numbers(-1, 1, 20),
    filling=st.lists(st.sampled_from([0.0, 1.0, 0.5]) | st.floats(0, 1), min_size=21, max_size=21),
)
def test_invariants_from_whatever_filling(energies: list, couplings: list, filling: list) -> None:
    e, t, n = np.array(energies), np.array(couplings), np.array(filling)
    sol = solve(whatever(e, t, n))
    assert not np.any(sol.failed)
    assert_invariants(fields(sol.ledger), thermal=False)


def whatever(e: Array, t: Array, n: Array) -> Star:
    return Star(e[0], n[0], ((e[1:11], t[:10], 1.0, 0.0), (e[11:], t[10:], 1.0, 0.0)), n[1:])


def test_a_bath_at_one_energy_but_for_a_hair_and_one_mode() -> None:
    """Nine modes within 3e-6, one at 1: the lead is next to the edge of what its number allows."""
    e = np.array([0.0] * 18 + [1.0, 0.0, 2.5206449428846457e-06])
    t = np.array([0.0] * 18 + [1.0, 0.25])
    sol = solve(whatever(e, t, np.array([0.0] * 19 + [1.0, 0.0])))
    assert_invariants(fields(sol.ledger), thermal=False)


@pytest.mark.parametrize("name", ["mixed", "equal energies within a lead", "pure", "cold"])
def test_the_level_is_a_mixture_of_the_initial_modes(name: str) -> None:
    """n_d(t) = sum |U_da|^2 n_a(0), with weights that add up to 1."""
    star, sol = ALL[name], solved(name)
    dense = star.dense()
    for i, t in enumerate(TIMES):
        c = textbook.correlation(dense["h"], dense["c0"], t)
        weights = np.asarray(sol.saved.amplitudes)[i]
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert weights @ star.start == pytest.approx(c[0, 0].real, abs=1e-9)


@pytest.mark.parametrize("name", ORDINARY)
def test_first_law(name: str) -> None:
    """Delta(system and interaction energy) = chemical work + heat; the other sign fails."""
    star, found = ORDINARY[name], fields(solved(name).ledger)
    gained = found["system_energy"] + found["interaction_energy"] - star.level * star.occupation
    heat = found["heat"].sum(axis=-1)
    scale = max(1.0, float(np.abs(found["energy"]).max()))
    given_by = found["work"] + found["chemical_work"]
    np.testing.assert_allclose(gained, given_by + heat, rtol=0, atol=1e-12 * scale)
    if np.any(np.abs(heat) > 1e-3):
        assert np.max(np.abs(gained - given_by + heat)) > 1e-4


def _mapped(star: Star, **changes: Any) -> dict[str, Array]:
    return fields(solve(star._replace(**changes)).ledger)


SAME_ENTROPIES = ("entropy_production", "entropy_production_fixed", *systems.TERMS)


@pytest.mark.parametrize("name", ["mixed", "negative temperature", "equal energies within a lead"])
def test_symmetries(name: str) -> None:
    """Order of modes, sign of couplings, direction of time, particles against holes, units."""
    star, found = systems.THERMAL[name], fields(solved(name).ledger)
    order = [3, 0, 5, 9, 1, 4, 7, 2, 6, 8], [4, 2, 0, 8, 1, 3, 9, 5, 7, 6]
    shuffled = tuple((e[o], t[o], b, m) for (e, t, b, m), o in zip(star.leads, order, strict=True))
    signs = tuple((e, t * (-1.0) ** np.arange(len(t)), b, m) for e, t, b, m in star.leads)
    holes = tuple((-e, t, b, -m) for e, t, b, m in star.leads)
    units = tuple((2 * e, 2 * t, b / 2, 2 * m) for e, t, b, m in star.leads)
    others = {
        "order": _mapped(star, leads=shuffled),
        "signs": _mapped(star, leads=signs),
        "holes": _mapped(star, level=-star.level, occupation=1 - star.occupation, leads=holes),
        "time": fields(solve(star, -TIMES).ledger),
        "units": fields(solve(star._replace(level=2 * star.level, leads=units), TIMES / 2).ledger),
    }
    for which, other in others.items():
        for field in SAME_ENTROPIES:
            np.testing.assert_allclose(
                other[field], found[field], rtol=0, atol=2e-9, err_msg=f"{which}: {field}"
            )
    np.testing.assert_allclose(others["holes"]["heat"], found["heat"], rtol=0, atol=2e-9)
    np.testing.assert_allclose(others["units"]["heat"], 2 * found["heat"], rtol=0, atol=4e-9)


def test_progress_and_throw_change_no_number(capfd: pytest.CaptureFixture) -> None:
    net = systems.NETWORKS["complex"].model()
    silent = jax.block_until_ready(ex.solve(net, TIMES, save=systems.keep))
    shown = capfd.readouterr()
    assert shown.out == shown.err == ""
    loud = ex.solve(net, TIMES, save=systems.keep, progress=True, throw=False)
    jax.block_until_ready(loud)
    jax.effects_barrier()
    shown = capfd.readouterr()
    assert "100%" in shown.out + shown.err
    before, after = fields(silent.ledger), fields(loud.ledger)
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-13, err_msg=name)


def test_numerical_trouble_is_a_code_or_an_error() -> None:
    """A state that overflows is `not_finite`: masked without `throw`, an error with it."""
    net = systems.NETWORKS["complex"]
    broken = net._replace(h=net.h * (1e308 / np.abs(net.h).max())).model()
    options = {"save": systems.keep, "progress": True}
    sol = ex.solve(broken, TIMES, throw=False, **options)
    assert np.all((sol.result == ex.RESULTS.not_finite) | (sol.result == ex.RESULTS.unmatched))
    assert np.all(sol.failed)
    with pytest.raises(RuntimeError, match=r"NaN or infinite|No grand canonical state"):
        jax.block_until_ready(ex.solve(broken, TIMES, save=systems.keep))
    good = ex.solve(net.model(), TIMES, throw=False, **options)
    assert np.all(good.result == ex.RESULTS.successful)
    assert not np.any(good.failed)


def test_times_come_back_as_given() -> None:
    sol = solved("mixed")
    np.testing.assert_array_equal(sol.ts, TIMES)
    assert sol.ts.dtype == jnp.float64
    assert (sol.stats["times"], sol.stats["sites"]) == (6, 21)
    order = np.argsort(TIMES)
    found, ordered = fields(sol.ledger), fields(solve(ALL["mixed"], TIMES[order]).ledger)
    for name, value in found.items():
        np.testing.assert_allclose(ordered[name], value[order], rtol=0, atol=1e-13, err_msg=name)
    again = fields(solve(ALL["mixed"], list(map(float, TIMES))).ledger)
    np.testing.assert_array_equal(again["entropy_production"], found["entropy_production"])


def test_one_trace_for_calls_of_equal_shapes() -> None:
    solved("mixed")
    before = len(systems.TRACES)
    assert before > 0
    for name in ("cold", "no coupling", "equal energies within a lead", "zero temperature"):
        solve(ALL[name], TIMES + 0.5)
    assert len(systems.TRACES) == before
    model = systems.THERMAL["mixed"].model()
    eqx.filter_eval_shape(lambda ts: ex.solve(model, ts, save=systems.keep).ts, np.arange(9.0))
    assert len(systems.TRACES) > before


def test_batch_over_gamma_is_a_loop() -> None:
    def ledger(gamma: Any) -> ex.FermionLedger:
        leads = (
            ex.Lead.flat(modes=10, width=4.0, coupling=gamma, beta=1.0, mu=0.5),
            ex.Lead.flat(modes=10, width=3.0, coupling=0.3, beta=0.7, mu=-0.5),
        )
        return ex.solve(ex.Junction(0.5, 0.2, leads), TIMES, save=systems.keep).ledger

    gammas = jnp.array([0.0, 0.1, 2.0])
    batch = systems.quickly(jax.vmap(ledger))(gammas)
    assert batch.terms.intra_bath.shape == (3, 6, 2)
    assert np.ptp(batch.entropy_production[:, 0]) > 0.1
    for i, gamma in enumerate(gammas):
        assert_same_members(jax.tree.map(lambda x: x[i], batch), ledger(gamma))  # noqa: B023


def test_batch_over_keys_of_a_pure_start_is_a_loop() -> None:
    model = systems.THERMAL["mixed"].model()

    def ledger(key: Array) -> ex.FermionLedger:
        return ex.solve(ex.pure_start(model, key), TIMES, save=systems.keep).ledger

    keys = jax.random.split(jax.random.key(4), 4)
    batch = systems.quickly(jax.vmap(ledger))(keys)
    assert np.ptp(batch.entropy_production[:, 0]) > 1e-3
    assert np.max(np.abs(batch.residual)) < 1e-11
    for i, key in enumerate(keys):
        assert_same_members(jax.tree.map(lambda x: x[i], batch), ledger(key))  # noqa: B023


def assert_same_members(left: ex.FermionLedger, right: ex.FermionLedger) -> None:
    a, b = fields(left), fields(right)
    for name, value in b.items():
        if name != "distance_from_thermality":  # entropies that are 0 at the start have no ratio
            np.testing.assert_allclose(a[name], value, rtol=1e-8, atol=1e-9, err_msg=name)


def test_a_lead_cut_in_three() -> None:
    """The dynamics is the same, the account is kept apart, and more temperatures are followed."""
    whole, cut = solved("one lead").ledger, solved("cut lead").ledger
    for name in ("system_occupation", "system_entropy", "environment_entropy", "total_energy"):
        left, right = getattr(whole, name), getattr(cut, name)
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-10, err_msg=name)
    fixed = whole.entropy_production_fixed
    np.testing.assert_allclose(cut.entropy_production_fixed, fixed, rtol=0, atol=1e-10)
    assert np.all(cut.terms.finite_bath >= whole.terms.finite_bath - 1e-10)
    assert np.all(whole.terms.inter_bath == 0.0) or np.max(np.abs(whole.terms.inter_bath)) < 1e-12
    assert np.max(cut.terms.inter_bath) > 1e-3


def test_published_size_against_the_dense_twin(published: ex.Solution, beside: Path) -> None:
    """Every field, blocks, level row and occupations to 1e-9, early and late."""
    twins = [dict(np.load(beside / f"{i}.npz")) for i in range(len(PUBLISHED))]
    found, scale = fields(published.ledger), largest(fields(published.ledger))
    assert scale > 100
    for name in (*systems.PER_TIME, *systems.TERMS):
        expected = np.array([twin[systems.TEXTBOOK_NAMES.get(name, name)] for twin in twins])
        bound = 1e-9 * (1.0 if name in ("beta", "mu", "residual") else max(1.0, scale))
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=bound, err_msg=name)
    for i, twin in enumerate(twins):
        state = jax.tree.map(lambda x: np.asarray(x)[i], published.saved)  # noqa: B023
        assert_same_state(state, twin["c"], [slice_list(1), slice_list(1001)])


def test_memory_does_not_grow_with_the_number_of_times(beside: Path) -> None:
    """Sixty states at K = 300 would be 170 MB in their two blocks alone."""
    assert float((beside / "memory").read_text()) < 80.0
