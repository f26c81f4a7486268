"""The junction: its whole ledger against dense twins and outside numbers, and its invariants."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases import fermions
from cases.fermions import JUNCTIONS, LIMITS, ORDINARY, TIMES, solve, solved
from twins import fock, ledgers, textbook
from twins.ledgers import (
    assert_invariants,
    assert_same_ledger,
    assert_same_state,
    fields,
    independent_numbers,
    twin_fields,
)

import entropax as ex

Array = np.ndarray

LATER = TIMES != 0.0


@functools.cache
def numbers(name: str) -> dict[str, Array]:
    """The ledger of a named junction, as arrays."""
    return fields(solved(name).ledger)


def at(found: dict[str, Array], mask: Array) -> dict[str, Array]:
    return {name: value[mask] for name, value in found.items()}


@pytest.mark.parametrize("name", ORDINARY)
def test_every_field_is_that_of_the_dense_twin(name: str) -> None:
    sol = solved(name)
    assert_same_ledger(numbers(name), twin_fields(ORDINARY[name], TIMES), 1e-9)
    assert not np.any(sol.failed)
    alike = np.array([np.ptp(energies) == 0.0 for energies, *_ in ORDINARY[name].leads])
    hot = np.array([beta == 0.0 for _, _, beta, _ in ORDINARY[name].leads])
    undetermined = alike | (hot & ~LATER[:, None])
    np.testing.assert_array_equal(sol.ledger.determined, ~undetermined)


@pytest.mark.parametrize("name", JUNCTIONS)
def test_every_entry_of_the_state_is_that_of_the_dense_twin(name: str) -> None:
    dense, saved = JUNCTIONS[name].dense(), jax.tree.map(np.asarray, solved(name).saved)
    at_time = textbook.evolution(dense["h"], dense["c0"])
    for i, t in enumerate(TIMES):
        state = jax.tree.map(lambda x: x[i], saved)  # noqa: B023 - used at once
        c = at_time(t)
        # the phases of the twin and ours are each right to eps of energy times time
        assert_same_state(state, c, dense["baths"], max(1e-9, 4e-15 * abs(t)))


def to_forty_digits(star: fermions.Star, time: float) -> Array:
    """The correlation matrix, its eigenproblem solved to 40 digits."""
    with mpmath.workdps(40):
        values, vectors = mpmath.eigh(mpmath.matrix(star.dense()["h"].tolist()))
        phases = [mpmath.expj(-x * mpmath.mpf(time)) for x in values]
        exact = vectors * mpmath.diag(phases) * vectors.transpose()
        u = np.array(exact.tolist(), dtype=complex)
    return (u.conj() * star.start) @ u.T


def narrow(band: float) -> fermions.Star:
    """Energies of two leads within a band about 0.4, and couplings that sum up to about 1."""
    leads = [
        (0.4 + band * energies, couplings / np.linalg.norm(couplings), beta / band, 0.4 + mu * band)
        for energies, couplings, beta, mu in fermions.THERMAL["mixed"].leads
    ]
    return fermions.THERMAL["mixed"]._replace(leads=tuple(leads), level=0.4)


@pytest.mark.parametrize("band", [1e-2, 1e-4, 1e-6, 1e-8])
def test_a_band_far_narrower_than_couplings(band: float) -> None:
    """Entries of the leads are then quotients of what nearly cancels: off by (1/band)^2 rounding,
    in 1e-8 of everything, where the structure of the star is taken."""
    star = narrow(band)
    sol = solve(star)
    for i, t in enumerate(TIMES):
        c, baths = to_forty_digits(star, t), star.dense()["baths"]
        # the phases of the level are right to rounding of the given couplings, times time
        bound = max(1e-12, 4e-16 * abs(t))
        assert_same_state(jax.tree.map(lambda x: np.asarray(x)[i], sol.saved), c, baths, bound)  # noqa: B023
        exact = [textbook.gaussian_entropy(c[np.ix_(bath, bath)]) for bath in baths]
        np.testing.assert_allclose(sol.ledger.bath_entropy[i], exact, rtol=0, atol=30 * bound)
    assert not np.any(sol.failed)


def test_couplings_that_a_program_traces_are_judged_when_it_runs() -> None:
    """Which way to go is decided beforehand; where it cannot be, the result tells."""

    leads = narrow(1e-3).leads

    @jax.jit
    def results(scale: jax.Array) -> ex.RESULTS:
        scaled = [ex.Lead(e, scale * t, beta, mu) for e, t, beta, mu in leads]
        return ex.solve(ex.Junction(0.4, 0.3, scaled), jnp.ones(2), throw=False).result

    assert np.all(results(jnp.asarray(1e-2)) == ex.RESULTS.successful)
    assert np.all(results(jnp.asarray(1e4)) == ex.RESULTS.unresolved)


def test_late_times_to_forty_digits() -> None:
    """At Gamma t = 1e6 the dense twin itself is off by 1e-8: phases of |E| t eps."""
    mixed = fermions.THERMAL["mixed"]
    (energies, *rest), right = mixed.leads
    star = mixed._replace(leads=((np.where(energies > 1.7, -500.0, energies), *rest), right))
    dense, state = star.dense(), jax.tree.map(lambda x: np.asarray(x)[2], solve(star).saved)
    c = to_forty_digits(star, TIMES[2])
    assert_same_state(state, c, dense["baths"], 1e-10)
    twin = textbook.correlation(dense["h"], dense["c0"], TIMES[2])
    with pytest.raises(AssertionError):
        assert_same_state(state, twin, dense["baths"], 1e-10)


@pytest.mark.parametrize("name", LIMITS)
def test_a_start_without_a_finite_temperature(name: str) -> None:
    """sigma is +inf, all else that has a limit is that limit, and t = 0 is nothing special."""
    star, sol = LIMITS[name], solved(name)
    found, led = numbers(name), sol.ledger
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


@pytest.mark.parametrize("name", fermions.NOTHING)
def test_nothing_happens_where_nothing_can_move(name: str) -> None:
    found, filled = numbers(name), name == "filled"
    for field in ("entropy_production", "entropy_production_fixed", *ledgers.TERMS):
        np.testing.assert_allclose(found[field], 0.0, rtol=0, atol=1e-11, err_msg=field)
    np.testing.assert_allclose(found["total_particles"], 21.0 * filled, rtol=0, atol=1e-12)
    assert np.all(np.isnan(found["beta"]))
    assert np.all(solved(name).result == ex.RESULTS.undetermined_temperature)


@pytest.mark.parametrize("filling", [0.3, 0.5, 1.0 - 1e-6])
def test_a_start_at_infinite_temperature(filling: float) -> None:
    """sigma = dS_S - sum alpha_nu dN_nu; heat, which needs mu, is unknown rather than huge."""
    sol = solve(fermions.hot(filling))
    led = sol.ledger
    gained = led.particles - led.particles[~LATER]
    alpha = np.log([filling, 0.5]) - np.log1p([-filling, -0.5])
    sigma = led.system_entropy - led.system_entropy[~LATER] - gained @ alpha
    np.testing.assert_allclose(led.entropy_production_fixed, sigma, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(led.residual, 0.0, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(led.beta[~LATER], 0.0)
    for field in (led.heat, led.chemical_work, led.mu[~LATER]):
        assert np.all(np.isnan(field))
    undetermined = sol.result == ex.RESULTS.undetermined_temperature
    np.testing.assert_array_equal(undetermined, ~LATER)
    assert not np.any(sol.failed)


def test_no_coupling_no_entropy_production() -> None:
    found = numbers("no coupling")
    for field in ("entropy_production", "entropy_production_fixed", "heat", *ledgers.TERMS):
        np.testing.assert_allclose(found[field], 0.0, rtol=0, atol=1e-13, err_msg=field)
    untouched = numbers("one lead uncoupled")
    np.testing.assert_allclose(untouched["heat"][:, 1], 0.0, rtol=0, atol=1e-13)
    assert np.all(np.abs(untouched["heat"][LATER, 0]) > 1e-5)


def test_the_comparison_can_fail() -> None:
    """Swapped temperatures, another start or a wrong time are seen at once."""
    mixed = fermions.THERMAL["mixed"]
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


def test_ten_modes_against_an_independent_program() -> None:
    model, t, expected = fermions.independent(fermions.INDEPENDENT[0])
    led = ex.solve(model, np.full(len(TIMES), t), save=fermions.keep).ledger
    np.testing.assert_allclose(independent_numbers(led), expected, rtol=1e-9)
    assert abs(led.residual[0]) < 1e-11


def test_three_leads_in_fock_space() -> None:
    star = fermions.THREE_LEADS["three leads"]
    expected = ledgers.fock_fields(star, 2.0)
    found = at(numbers("three leads"), TIMES == 2.0)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name][0], value, rtol=0, atol=1e-10, err_msg=name)
    dense = star.dense()
    rho = fock.reduced_state(dense["h"], dense["c0"], 2.0, (0,))
    assert float(found["system_entropy"][0]) == pytest.approx(fock.entropy(rho), abs=1e-11)


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


@pytest.mark.parametrize("name", JUNCTIONS)
def test_invariants(name: str) -> None:
    assert_invariants(numbers(name), thermal=JUNCTIONS[name].thermal)


@pytest.mark.parametrize("name", JUNCTIONS)
def test_distance_from_thermality_is_a_share(name: str) -> None:
    """Within [0, 1]; 0 where the effective state is pure."""
    found = numbers(name)
    distance, alive = found["distance_from_thermality"], found["thermal_entropy"] > 1e-10
    assert np.all((distance[alive] >= -1e-10) & (distance[alive] <= 1 + 1e-10))
    np.testing.assert_array_equal(distance[~alive], 0.0)


@pytest.mark.parametrize("name", ["mixed", "equal energies within a lead", "pure", "cold"])
def test_the_level_is_a_mixture_of_the_initial_modes(name: str) -> None:
    """n_d(t) = sum |U_da|^2 n_a(0), with weights that add up to 1."""
    star, sol = JUNCTIONS[name], solved(name)
    dense = star.dense()
    for i, t in enumerate(TIMES):
        c = textbook.correlation(dense["h"], dense["c0"], t)
        weights = np.asarray(sol.saved.amplitudes)[i]
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert weights @ star.start == pytest.approx(c[0, 0].real, abs=1e-9)


@pytest.mark.parametrize("name", ORDINARY)
def test_first_law(name: str) -> None:
    """Delta(system and interaction energy) = chemical work + heat; the other sign fails."""
    star, found = ORDINARY[name], numbers(name)
    gained = found["system_energy"] + found["interaction_energy"] - star.level * star.occupation
    heat = found["heat"].sum(axis=-1)
    scale = max(1.0, float(np.abs(found["energy"]).max()))
    given_by = found["work"] + found["chemical_work"]
    np.testing.assert_allclose(gained, given_by + heat, rtol=0, atol=1e-12 * scale)
    if np.any(np.abs(heat) > 1e-3):
        assert np.max(np.abs(gained - given_by + heat)) > 1e-4


def test_times_come_back_as_given() -> None:
    sol = solved("mixed")
    np.testing.assert_array_equal(sol.ts, TIMES)
    assert sol.ts.dtype == jnp.float64
    assert (sol.stats["times"], sol.stats["sites"]) == (6, 21)
    order = np.argsort(TIMES)
    found, ordered = fields(sol.ledger), fields(solve(JUNCTIONS["mixed"], TIMES[order]).ledger)
    for name, value in found.items():
        np.testing.assert_allclose(ordered[name], value[order], rtol=0, atol=1e-13, err_msg=name)
    again = fields(solve(JUNCTIONS["mixed"], list(map(float, TIMES))).ledger)
    np.testing.assert_array_equal(again["entropy_production"], found["entropy_production"])


def test_one_trace_for_calls_of_equal_shapes() -> None:
    names = ("cold", "no coupling", "equal energies within a lead", "zero temperature")
    for name in names:  # anew: programs of other files are forgotten, solutions are not
        solve(JUNCTIONS[name])
    before = len(fermions.TRACES)
    assert before > 0
    for name in names:
        solve(JUNCTIONS[name], TIMES + 0.5)
    assert len(fermions.TRACES) == before
    model = fermions.THERMAL["mixed"].model()
    eqx.filter_eval_shape(lambda ts: ex.solve(model, ts, save=fermions.keep).ts, np.arange(9.0))
    assert len(fermions.TRACES) > before
