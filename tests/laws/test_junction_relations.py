"""Junctions of whatever numbers, mapped onto each other, as dense networks, and in batches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import fermions
from cases.fermions import TIMES, Star, solve, solved
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import ledgers
from twins.ledgers import assert_invariants, fields

import entropax as ex

Array = np.ndarray


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


def _mapped(star: Star, **changes: Any) -> dict[str, Array]:
    return fields(solve(star._replace(**changes)).ledger)


SAME_ENTROPIES = ("entropy_production", "entropy_production_fixed", *ledgers.TERMS)


@pytest.mark.parametrize("name", ["mixed", "negative temperature", "equal energies within a lead"])
def test_symmetries(name: str) -> None:
    """Order of modes, sign of couplings, direction of time, particles against holes, units."""
    star, found = fermions.THERMAL[name], fields(solved(name).ledger)
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


def test_batch_over_gamma_is_a_loop() -> None:
    def ledger(gamma: Any) -> ex.FermionLedger:
        leads = (
            ex.Lead.flat(modes=10, width=4.0, coupling=gamma, beta=1.0, mu=0.5),
            ex.Lead.flat(modes=10, width=3.0, coupling=0.3, beta=0.7, mu=-0.5),
        )
        return ex.solve(ex.Junction(0.5, 0.2, leads), TIMES, save=fermions.keep).ledger

    gammas = jnp.array([0.0, 0.1, 2.0])
    batch = jax.vmap(ledger)(gammas)
    assert batch.terms.intra_bath.shape == (3, 6, 2)
    assert np.ptp(batch.entropy_production[:, 0]) > 0.1
    for i, gamma in enumerate(gammas):
        assert_same_members(jax.tree.map(lambda x: x[i], batch), ledger(gamma))  # noqa: B023


def test_batch_over_keys_of_a_pure_start_is_a_loop() -> None:
    model = fermions.THERMAL["mixed"].model()

    def ledger(key: Array) -> ex.FermionLedger:
        return ex.solve(ex.pure_start(model, key), TIMES, save=fermions.keep).ledger

    keys = jax.random.split(jax.random.key(4), 4)
    batch = jax.vmap(ledger)(keys)
    assert np.ptp(batch.entropy_production[:, 0]) > 1e-3
    assert np.max(np.abs(batch.residual)) < 1e-11
    for i, key in enumerate(keys):
        assert_same_members(jax.tree.map(lambda x: x[i], batch), ledger(key))  # noqa: B023


def assert_same_members(left: ex.FermionLedger, right: ex.FermionLedger) -> None:
    a, b = fields(left), fields(right)
    for name, value in b.items():
        if name != "distance_from_thermality":  # entropies that are 0 at the start have no ratio
            np.testing.assert_allclose(a[name], value, rtol=1e-8, atol=1e-9, err_msg=name)


STARS = {
    name: fermions.JUNCTIONS[name]
    for name in (
        "mixed",
        "negative temperature",
        "cold",
        "uncoupled modes",
        "equal energies within a lead",
        "equal energies within and across",
        "zero temperature",
        "zero temperature, mu at a mode",
        "pure",
        "random filling",
        "pure, equal energies across leads",
        "one lead empty, one filled",
        "ground states",
    )
}


@pytest.mark.parametrize("name", STARS)
def test_network_from_a_junction_has_its_ledger(name: str) -> None:
    model = STARS[name].model()
    ts = np.where(TIMES > 100, 100.0, TIMES)
    star = ex.solve(model, ts, save=fermions.keep)
    dense = ex.solve(fermions.as_network(model), ts, save=fermions.keep)
    found, expected = fields(dense.ledger), fields(star.ledger)
    skip = {"beta", "mu"} if name == "cold" else set()
    if "within" in name:
        # inside a degenerate level LAPACK chooses the modes, and only the sum has a meaning
        skip |= {"intra_bath", "athermality"}
        ledgers.assert_same_sum(found, expected)
    # at t = 0 some entropies are 0, and have no ratio
    skip |= {"distance_from_thermality"}
    for field in set(expected) - skip:
        np.testing.assert_allclose(
            found[field], expected[field], rtol=1e-8, atol=1e-9, err_msg=field
        )
    for result in (ex.RESULTS.successful, ex.RESULTS.undetermined_temperature):
        np.testing.assert_array_equal(star.result == result, dense.result == result)
