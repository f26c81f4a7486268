"""Any network of free fermions: against dense NumPy, many-body states, closed forms, junctions."""

from typing import Any

import jax
import numpy as np
import pytest
from cases import fermions
from cases.fermions import NETWORKS, TIMES, solve, solved
from cases.matrices import seeded_hermitian
from twins import ledgers, textbook
from twins.ledgers import assert_same_ledger, fields, twin_fields

import entropax as ex

Array = np.ndarray


def test_starts_in_textbook_order() -> None:
    start = jax.jit(lambda model: model.initial_correlation)
    for name, system in NETWORKS.items():
        found, expected = start(system.model()), system.dense()["c0"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14, err_msg=name)


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
    for field, value in ledgers.fock_fields(NETWORKS[name], 2.0).items():
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
    for term in ledgers.TERMS:
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
        sol = solve(other)
        with pytest.raises(AssertionError):
            assert_same_ledger(fields(sol.ledger), expected, 1e-3)


def test_gauge_and_order_of_sites_are_names() -> None:
    net, ts = NETWORKS["complex"], np.where(TIMES > 100, 100.0, TIMES)
    found = fields(solve(net, ts).ledger)
    rng = np.random.default_rng(2)
    phase = np.exp(1j * rng.uniform(0, 6, 7))
    gauged = net._replace(h=phase[:, None] * net.h * phase.conj())
    order = np.array([0, 3, 1, 2, 6, 4, 5])
    ordered = net._replace(h=net.h[np.ix_(order, order)])
    for other in (gauged, ordered):
        same = fields(solve(other, ts).ledger)
        for field, value in found.items():
            np.testing.assert_allclose(same[field], value, rtol=1e-9, atol=1e-9, err_msg=field)
    # the flux through a loop is no gauge
    turned = net.h.copy()
    turned[0, 1] *= 1j
    turned[1, 0] *= -1j
    other = solve(net._replace(h=turned), ts).ledger
    assert np.max(np.abs(other.entropy_production - found["entropy_production"])) > 1e-3


def test_ring_threaded_by_a_flux() -> None:
    ring, system = fermions.RING, fermions.SCATTERED[0]
    ts = np.where(TIMES > 100, 11.0, TIMES)
    net = fermions.Net(ring.h(), *fermions.SCATTERED, start=np.diag(ring.filling) + 0j)
    led = solve(net, ts).ledger

    def occupation(flux: float) -> Array:
        bent = ring._replace(flux=flux)
        return np.array([sum(bent.occupation(j, t).value for j in system) for t in ts])

    expected = occupation(ring.flux)
    np.testing.assert_allclose(led.system_occupation, expected, rtol=0, atol=1e-12)
    assert np.max(np.abs(occupation(0.0) - expected)) > 1e-3
    # a flux quantum is no flux
    np.testing.assert_allclose(occupation(ring.flux + 2 * np.pi), expected, rtol=0, atol=1e-12)


def test_bath_of_equal_energies() -> None:
    """Sigma rests on entropies, whatever modes LAPACK picks inside a degenerate level."""
    h = seeded_hermitian(7, 12)
    for bath in fermions.SEVEN[1]:
        h[np.ix_(bath, bath)] = 0.4 * np.eye(3)
    net = fermions.Net(h, *fermions.SEVEN, **fermions.THERMAL_BATHS)
    sol = solve(net)
    found, expected = fields(sol.ledger), twin_fields(net, TIMES)
    assert np.all(sol.result == ex.RESULTS.undetermined_temperature)
    assert np.all(np.isnan(found["beta"]))
    for field in ("entropy_production", "system_bath", "inter_bath", "finite_bath", "energy"):
        np.testing.assert_allclose(found[field], expected[field], rtol=0, atol=1e-9, err_msg=field)
    ledgers.assert_same_sum(found, expected)
    assert np.max(np.abs(found["residual"])) < 1e-11


def test_real_networks_stay_real_where_they_can() -> None:
    assert NETWORKS["real chain"].model().hamiltonian.dtype == np.float64
    real, complex_ = (fields(solved_in(dtype).ledger) for dtype in (float, complex))
    for field, value in real.items():
        np.testing.assert_allclose(complex_[field], value, rtol=1e-9, atol=1e-9, err_msg=field)


def solved_in(dtype: Any) -> ex.Solution:
    net = NETWORKS["real chain"]
    return solve(net._replace(h=net.h.astype(dtype)))


def test_network_in_a_batch_is_a_loop() -> None:
    net = NETWORKS["complex"]

    def ledger(scale: Any) -> ex.FermionLedger:
        model = ex.FermionNetwork(scale * net.h, net.system, net.baths, net.betas, net.mus)
        return ex.solve(model, TIMES, save=fermions.keep).ledger

    scales = np.array([0.0, 0.5, 1.0])
    batch = jax.vmap(ledger)(scales)
    for i, scale in enumerate(scales):
        member = fields(jax.tree.map(lambda x: x[i], batch))  # noqa: B023
        for name, value in fields(ledger(scale)).items():
            np.testing.assert_allclose(member[name], value, rtol=1e-8, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(batch.entropy_production[0], 0.0, rtol=0, atol=1e-12)
    assert np.ptp(batch.entropy_production[1:, 0]) > 1e-2


def test_progress_and_throw_change_no_number(capfd: pytest.CaptureFixture) -> None:
    net = fermions.NETWORKS["complex"].model()
    silent = jax.block_until_ready(ex.solve(net, TIMES, save=fermions.keep))
    shown = capfd.readouterr()
    assert shown.out == shown.err == ""
    loud = ex.solve(net, TIMES, save=fermions.keep, progress=True, throw=False)
    jax.block_until_ready(loud)
    jax.effects_barrier()
    shown = capfd.readouterr()
    assert "100%" in shown.out + shown.err
    before, after = fields(silent.ledger), fields(loud.ledger)
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=1e-13, err_msg=name)


def test_numerical_trouble_is_a_code_or_an_error() -> None:
    """A state that overflows is `not_finite`: masked without `throw`, an error with it."""
    net = fermions.NETWORKS["complex"]
    broken = net._replace(h=net.h * (1e308 / np.abs(net.h).max())).model()
    options = {"save": fermions.keep, "progress": True}
    sol = ex.solve(broken, TIMES, throw=False, **options)
    assert np.all((sol.result == ex.RESULTS.not_finite) | (sol.result == ex.RESULTS.unmatched))
    assert np.all(sol.failed)
    with pytest.raises(RuntimeError, match=r"NaN or infinite|No grand canonical state"):
        jax.block_until_ready(ex.solve(broken, TIMES, save=fermions.keep))
    good = ex.solve(net.model(), TIMES, throw=False, **options)
    assert np.all(good.result == ex.RESULTS.successful)
    assert not np.any(good.failed)
