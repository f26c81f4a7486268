"""The ledger of free fermions: what a start and a state contribute, the account, its verdict."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import fermions
from cases.fermions import junction, lead
from twins import textbook

import entropax as ex
from entropax.ledger.fermions.account import FermionAccount, Measurement, _with_energy
from entropax.method.fermions.junction_exact import product_state

INF, NAN = np.inf, np.nan


# Compiled as a whole: by single operations it takes longer.
settled, verdict = jax.jit(FermionAccount.settle), jax.jit(FermionAccount.judge)
_opened = jax.jit(lambda model: FermionAccount.open(product_state(model), model))


def start_of(*leads: ex.Lead) -> FermionAccount:
    return _opened(junction(leads=leads or (lead(), lead(beta=2.0, mu=0.5))))


def moved(start: FermionAccount, **by: Any) -> Measurement:
    """Two times: the start itself, and one at which some numbers are others by so much."""
    still = start.start
    later = {name: getattr(still, name) + jnp.asarray(change) for name, change in by.items()}
    names = list(later)
    changed = eqx.tree_at(lambda x: [getattr(x, n) for n in names], still, list(later.values()))
    return jax.tree.map(lambda a, b: jnp.stack([a, b]), still, changed)


def test_a_thermal_start_is_measured_by_its_own_temperatures() -> None:
    start, energies = start_of(), np.arange(3.0)
    for nu, (beta, mu) in enumerate(((1.0, 0.0), (2.0, 0.5))):
        n = textbook.fermi(beta, mu, energies)
        entropy = textbook.binary_entropy(n).sum()
        assert (float(start.start.beta[nu]), float(start.start.mu[nu])) == (beta, mu)
        assert float(start.start.energy[nu]) == pytest.approx(energies @ n, rel=1e-14)
        assert float(start.start.particles[nu]) == pytest.approx(n.sum(), rel=1e-14)
        for field in ("thermal_entropy", "bath_entropy", "mode_entropy"):
            assert float(getattr(start.start, field)[nu]) == pytest.approx(entropy, rel=1e-13)
    for field in ("athermality", "finite_bath"):
        np.testing.assert_allclose(getattr(start.start, field), 0.0, atol=1e-15)
    level = float(textbook.binary_entropy(np.array(0.2)))
    assert float(start.start.system_entropy) == pytest.approx(level, rel=1e-14)
    joint = level + float(start.start.mode_entropy.sum())
    assert float(start.joint_entropy) == pytest.approx(joint, rel=1e-14)
    assert float(start.size) == pytest.approx(2 * (3.0 + 0.6), rel=1e-14)


def test_the_account_is_that_of_the_definitions() -> None:
    """Sigma = dS_S + sum dS*, sigma = dS_S - sum beta Q, Q = -(dE - mu dN); and what it is of."""
    start = start_of()
    led: Any = settled(
        start,
        moved(
            start,
            system_entropy=0.1,
            thermal_entropy=[0.2, -0.05],
            bath_entropy=[0.15, 0.02],
            mode_entropy=[0.18, 0.03],
            environment_entropy=0.16,
            athermality=[0.01, 0.04],
            finite_bath=[0.3, 0.2],
            energy=[0.7, -0.4],
            particles=[0.5, -0.2],
        ),
    )
    assert float(led.entropy_production[1]) == pytest.approx(0.25, abs=1e-15)
    heat = -(np.array([0.7, -0.4]) - np.array([0.0, 0.5]) * [0.5, -0.2])
    np.testing.assert_allclose(led.heat[1], heat, rtol=1e-14)
    assert float(led.chemical_work[1]) == pytest.approx(0.5 * 0.2, rel=1e-14)
    sigma = 0.1 - np.array([1.0, 2.0]) @ heat
    assert float(led.entropy_production_fixed[1]) == pytest.approx(sigma, rel=1e-14)
    assert float(led.terms.system_bath[1]) == pytest.approx(0.26, abs=1e-15)
    assert float(led.terms.inter_bath[1]) == pytest.approx(0.17 - 0.16, abs=1e-15)
    np.testing.assert_allclose(led.terms.intra_bath[1], [0.03, 0.01], rtol=0, atol=1e-15)
    assert float(led.terms.finite_bath[1]) == pytest.approx(0.5, rel=1e-14)
    parts = 0.26 + 0.01 + 0.04 + 0.05
    assert float(led.residual[1]) == pytest.approx(0.25 - parts, abs=1e-15)
    for field in ("entropy_production", "entropy_production_fixed", "residual", "heat"):
        np.testing.assert_allclose(getattr(led, field)[0], 0.0, rtol=0, atol=1e-15)
    distance = 1.0 - led.bath_entropy / led.thermal_entropy
    np.testing.assert_allclose(led.distance_from_thermality, distance, rtol=1e-12, atol=1e-15)


def test_zero_temperature_and_no_chemical_potential() -> None:
    """sigma is infinite where a cold bath's state moved, and heat unknown without a mu."""
    cold = start_of(lead(beta=INF, mu=0.5), lead())
    later = moved(cold, finite_bath=[INF, 0.0], energy=[0.3, -0.3], thermal_entropy=[0.2, 0.0])
    led: Any = settled(cold, later)
    assert led.entropy_production_fixed[0] == pytest.approx(0.0, abs=1e-15)
    assert led.entropy_production_fixed[1] == INF
    assert float(led.entropy_production[1]) == pytest.approx(0.2, abs=1e-15)
    np.testing.assert_array_equal(led.determined[0], [False, True])

    start = start_of()
    hot = eqx.tree_at(lambda r: r.start.mu, start, jnp.array([NAN, 0.5]))
    led = settled(hot, moved(hot, energy=[0.3, -0.1]))
    assert np.all(np.isnan(led.heat[:, 0]))
    np.testing.assert_allclose(led.heat[:, 1], [0.0, 0.1], rtol=1e-14)
    assert np.all(np.isnan(led.chemical_work))


def test_the_verdict() -> None:
    start, gap = start_of(), 1e-4
    later = moved(start, energy=[0.3, -0.3 + gap])
    judged = verdict(start, later, settled(start, later))
    np.testing.assert_array_equal(judged.closed, [True, False])
    assert np.all(judged.sound & judged.physical & judged.converged & judged.determined)
    assert np.all(judged.reached)  # no integrator gives up
    later = moved(start, energy=[0.3, -0.3 + gap], work=gap)
    assert np.all(verdict(start, later, settled(start, later)).closed)
    later = moved(start, energy=[NAN, 0.0])
    np.testing.assert_array_equal(verdict(start, later, settled(start, later)).sound, [True, False])
    unmatched = eqx.tree_at(lambda r: r.start.converged, start, jnp.array([True, False]))
    assert not np.any(verdict(unmatched, later, settled(unmatched, later)).converged)


def test_a_first_law_that_is_open_is_told_in_numbers() -> None:
    start = start_of()
    ledger = settled(start, moved(start, energy=[0.3, -0.2], work=0.25))
    total = float(ledger.total_energy[1])
    words = f"There `total_energy` is {total:.6g} and `work` 0.25."
    assert ledger.in_words(1) == words


def test_occupations_move_with_a_given_energy_and_with_their_number() -> None:
    """Their values stay; sums over modes have the derivatives of what was given."""
    energies, n = jnp.array([-1.0, 0.5, 2.0]), jnp.array([0.9, 0.4, 0.2])

    def sums(shift: jax.Array, extra: jax.Array) -> jax.Array:
        given = _with_energy(n + extra, energies, jnp.sum(energies * n) + shift)
        return jnp.stack([energies @ given, jnp.sum(given), given[1]])

    at = jnp.zeros(()), jnp.zeros(())
    np.testing.assert_allclose(sums(*at), [energies @ n, 1.5, 0.4], rtol=1e-14)
    by_energy, by_number = jax.jacfwd(sums, argnums=(0, 1))(*at)
    np.testing.assert_allclose(by_energy[:2], [1.0, 0.0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(by_number[:2], [0.0, 3.0], rtol=0, atol=1e-14)
    # modes of one energy have no other: theirs stay as they are
    level = jnp.full(3, 0.7)
    for derivative in (jax.jacfwd, jax.jacrev):
        slope = derivative(lambda e: _with_energy(n, level, e))(jnp.array(1.05))
        np.testing.assert_array_equal(slope, 0.0)


@pytest.mark.parametrize("name", ["mixed", "negative temperature", "equal energies across leads"])
def test_global_equilibrium_of_a_junction(name: str) -> None:
    star = fermions.THERMAL[name]
    dense = star.dense()
    energies = np.linalg.eigvalsh(dense["h"])
    energy, number = np.sum(dense["h"] * dense["c0"]), np.trace(dense["c0"])
    beta, alpha, entropy, _ = textbook.effective(energies, energy, number)
    found = ex.global_equilibrium(star.model())
    assert float(found.beta) == pytest.approx(beta, rel=1e-10)
    assert float(found.mu) == pytest.approx(alpha / beta, rel=1e-10)
    assert float(found.entropy) == pytest.approx(entropy, rel=1e-12)
    assert bool(found.converged)
    c = textbook.thermal_correlation(dense["h"], float(found.beta), float(found.mu))
    assert np.sum(dense["h"] * c) == pytest.approx(energy, abs=1e-11)
    assert np.trace(c) == pytest.approx(number, abs=1e-11)
    # the interaction counts: without it the reference is another one
    bare = textbook.effective(np.diag(dense["h"]), energy, number)
    assert abs(bare[0] - beta) > 1e-3


def test_global_equilibrium_of_a_network() -> None:
    net = fermions.NETWORKS["correlated"]
    h, c0 = net.h, net.start
    assert c0 is not None
    energy, number = np.sum(h * c0).real, np.trace(c0).real
    beta, alpha, *_ = textbook.effective(np.linalg.eigvalsh(h), energy, number)
    found = ex.global_equilibrium(net.model())
    assert float(found.beta) == pytest.approx(beta, rel=1e-10)
    assert float(found.mu) == pytest.approx(alpha / beta, rel=1e-10)


@pytest.mark.misuse
@pytest.mark.misuse
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lead(), "`model` must be a Junction or a FermionNetwork, but is Lead"),
        (fermions.driven_junction(modes=2), "`model` must not be driven"),
    ],
    ids=["a lead", "driven"],
)
def test_no_equilibrium(model: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ex.global_equilibrium(model)
