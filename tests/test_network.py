"""Any network of free fermions: against dense NumPy, many-body states, closed forms, junctions."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
import systems
import textbook
from systems import TIMES, assert_same_ledger, fields, twin_fields

import entropax as ex

Array = np.ndarray
NETWORKS = systems.NETWORKS


@functools.cache
def solved(name: str) -> ex.Solution:
    if name in ("complex", "ring with flux"):
        return ex.solve(NETWORKS[name].model(), TIMES, save=systems.keep)
    return systems.quick_solve(NETWORKS[name].model(), TIMES)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_field_is_that_of_the_dense_twin(name: str) -> None:
    sol, expected = solved(name), twin_fields(NETWORKS[name], TIMES)
    assert_same_ledger(fields(sol.ledger), expected, 1e-9)
    assert not np.any(sol.failed)
    single = [len(bath) == 1 for bath in NETWORKS[name].baths]
    np.testing.assert_array_equal(sol.ledger.determined, [~np.array(single)] * len(TIMES))
    # C(t) here is C(t)^T with the other sign of i: complex numbers tell them apart
    h, c0 = NETWORKS[name].h, np.asarray(NETWORKS[name].dense()["c0"])
    for i, t in enumerate(TIMES):
        c = textbook.correlation(h, c0, t)
        np.testing.assert_allclose(sol.saved.correlation[i], c, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_entropy_is_that_of_the_many_body_state(name: str) -> None:
    found = fields(solved(name).ledger)
    which = int(np.flatnonzero(TIMES == 2.0)[0])
    for field, value in systems.fock_fields(NETWORKS[name], 2.0).items():
        np.testing.assert_allclose(found[field][which], value, rtol=0, atol=1e-10, err_msg=field)


@pytest.mark.parametrize("name", NETWORKS)
def test_invariants(name: str) -> None:
    net, sol = NETWORKS[name], solved(name)
    found = fields(sol.ledger)
    assert np.max(np.abs(found["residual"])) < 1e-11
    for conserved in ("total_energy", "total_particles"):
        start = found[conserved][0]
        np.testing.assert_allclose(found[conserved], start, rtol=1e-11, atol=1e-11)
    if net.thermal:
        assert np.min(found["entropy_production"]) >= -1e-10
        np.testing.assert_allclose(found["correlation_initial"], 0.0, rtol=0, atol=1e-12)
    for term in systems.TERMS:
        assert np.min(found[term]) >= -1e-10, term
    gap = found["entropy_production_fixed"] - found["entropy_production"]
    np.testing.assert_allclose(gap, found["finite_bath"], rtol=0, atol=1e-10)
    before = np.linalg.eigvalsh(net.dense()["c0"])
    for c in np.asarray(sol.saved.correlation):
        np.testing.assert_allclose(c, c.conj().T, rtol=0, atol=1e-13)
        np.testing.assert_allclose(np.linalg.eigvalsh(c), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_first_law(name: str) -> None:
    """Delta(system and interaction energy) = chemical work + heat; the other sign fails."""
    net, found = NETWORKS[name], fields(solved(name).ledger)
    parts = [np.ix_(bath, bath) for bath in net.baths]
    flow = (net.h * np.asarray(net.dense()["c0"])).real
    inner = found["system_energy"] + found["interaction_energy"]
    gained = inner - (flow.sum() - sum(flow[part].sum() for part in parts))
    given = found["energy"] - [flow[part].sum() for part in parts]
    np.testing.assert_allclose(gained, -given.sum(axis=-1), rtol=0, atol=1e-12)
    heat, work = found["heat"].sum(axis=-1), found["work"] + found["chemical_work"]
    if net.thermal:
        np.testing.assert_allclose(gained, work + heat, rtol=0, atol=1e-12)
        assert np.max(np.abs(gained - work + heat)) > 1e-3
    else:
        # a bath of one site has no temperature, so its start has no mu to count particles by
        assert np.all(np.isnan(found["heat"][:, 1]))
        assert np.all(np.isfinite(found["heat"][:, ::2]))


def test_correlated_start_is_counted() -> None:
    """Without the initial correlations the sum of the terms would not close."""
    led = solved("correlated").ledger
    initial = float(led.terms.correlation_initial)
    assert initial > 0.1
    assert np.min(np.abs(led.residual - initial)) > 0.1


def test_the_comparison_can_fail() -> None:
    """The conjugate h runs backwards in time, and differs; so do swapped temperatures."""
    net = NETWORKS["complex"]
    expected = twin_fields(net, TIMES)
    others = (net._replace(h=net.h.conj()), net._replace(betas=net.betas[::-1]))  # type: ignore
    for other in others:
        sol = ex.solve(other.model(), TIMES, save=systems.keep)
        with pytest.raises(AssertionError):
            assert_same_ledger(fields(sol.ledger), expected, 1e-3)


def test_gauge_and_order_of_sites_are_names() -> None:
    net, ts = NETWORKS["complex"], np.where(TIMES > 100, 100.0, TIMES)
    found = fields(ex.solve(net.model(), ts, save=systems.keep).ledger)
    rng = np.random.default_rng(2)
    phase = np.exp(1j * rng.uniform(0, 6, 7))
    gauged = net._replace(h=phase[:, None] * net.h * phase.conj())
    order = np.array([0, 3, 1, 2, 6, 4, 5])
    ordered = net._replace(h=net.h[np.ix_(order, order)])
    for other in (gauged, ordered):
        same = fields(ex.solve(other.model(), ts, save=systems.keep).ledger)
        for field, value in found.items():
            np.testing.assert_allclose(same[field], value, rtol=1e-9, atol=1e-9, err_msg=field)
    # the flux through a loop is no gauge
    turned = net.h.copy()
    turned[0, 1] *= 1j
    turned[1, 0] *= -1j
    other = ex.solve(net._replace(h=turned).model(), ts, save=systems.keep).ledger
    assert np.max(np.abs(other.entropy_production - found["entropy_production"])) > 1e-3


def test_ring_threaded_by_a_flux() -> None:
    ring, system = systems.RING, systems.SCATTERED[0]
    ts = np.where(TIMES > 100, 11.0, TIMES)
    net = systems.Net(ring.h(), *systems.SCATTERED, start=np.diag(ring.filling) + 0j)
    led = systems.quick_solve(net.model(), ts).ledger

    def occupation(flux: float) -> Array:
        bent = ring._replace(flux=flux)
        return np.array([sum(bent.occupation(j, t).value for j in system) for t in ts])

    expected = occupation(ring.flux)
    np.testing.assert_allclose(led.system_occupation, expected, rtol=0, atol=1e-12)
    assert np.max(np.abs(occupation(0.0) - expected)) > 1e-3
    # a flux quantum is no flux
    np.testing.assert_allclose(occupation(ring.flux + 2 * np.pi), expected, rtol=0, atol=1e-12)


STARS = {
    name: (systems.THERMAL | systems.FROZEN | systems.DIAGONAL | systems.EDGES)[name]
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
    star = systems.quick_solve(model, ts)
    dense = systems.quick_solve(ex.FermionNetwork.from_junction(model), ts)
    found, expected = fields(dense.ledger), fields(star.ledger)
    skip = {"beta", "mu"} if name == "cold" else set()
    if "within" in name:
        # inside a degenerate level LAPACK chooses the modes, and only the sum has a meaning
        skip |= {"intra_bath", "athermality"}
        assert_same_sum(found, expected)
    # at t = 0 some entropies are 0, and have no ratio
    skip |= {"distance_from_thermality"}
    for field in set(expected) - skip:
        np.testing.assert_allclose(
            found[field], expected[field], rtol=1e-8, atol=1e-9, err_msg=field
        )
    for result in (ex.RESULTS.successful, ex.RESULTS.undetermined_temperature):
        np.testing.assert_array_equal(star.result == result, dense.result == result)


def assert_same_sum(found: dict[str, Array], expected: dict[str, Array]) -> None:
    left, right = (x["intra_bath"].sum(axis=-1) + x["athermality"] for x in (found, expected))
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-9)


def test_bath_of_equal_energies() -> None:
    """Sigma rests on entropies, whatever modes LAPACK picks inside a degenerate level."""
    h = systems.random_hermitian(7, 12)
    for bath in systems.SEVEN[1]:
        h[np.ix_(bath, bath)] = 0.4 * np.eye(3)
    net = systems.Net(h, *systems.SEVEN, **systems.THERMAL_BATHS)
    sol = ex.solve(net.model(), TIMES, save=systems.keep)
    found, expected = fields(sol.ledger), twin_fields(net, TIMES)
    assert np.all(sol.result == ex.RESULTS.undetermined_temperature)
    assert np.all(np.isnan(found["beta"]))
    for field in ("entropy_production", "system_bath", "inter_bath", "finite_bath", "energy"):
        np.testing.assert_allclose(found[field], expected[field], rtol=0, atol=1e-9, err_msg=field)
    assert_same_sum(found, expected)
    assert np.max(np.abs(found["residual"])) < 1e-11


def test_real_networks_stay_real_where_they_can() -> None:
    assert NETWORKS["real chain"].model().hamiltonian.dtype == np.float64
    real, complex_ = (fields(solved_in(dtype).ledger) for dtype in (float, complex))
    for field, value in real.items():
        np.testing.assert_allclose(complex_[field], value, rtol=1e-9, atol=1e-9, err_msg=field)


def solved_in(dtype: Any) -> ex.Solution:
    net = NETWORKS["real chain"]
    return ex.solve(net._replace(h=net.h.astype(dtype)).model(), TIMES, save=systems.keep)


def test_network_in_a_batch_is_a_loop() -> None:
    net = NETWORKS["complex"]

    def ledger(scale: Any) -> ex.FermionLedger:
        model = ex.FermionNetwork(scale * net.h, net.system, net.baths, net.betas, net.mus)
        return ex.solve(model, TIMES, save=systems.keep).ledger

    scales = np.array([0.0, 0.5, 1.0])
    batch = systems.quickly(jax.vmap(ledger))(scales)
    for i, scale in enumerate(scales):
        member = fields(jax.tree.map(lambda x: x[i], batch))  # noqa: B023
        for name, value in fields(ledger(scale)).items():
            np.testing.assert_allclose(member[name], value, rtol=1e-8, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(batch.entropy_production[0], 0.0, rtol=0, atol=1e-12)
    assert np.ptp(batch.entropy_production[1:, 0]) > 1e-2
