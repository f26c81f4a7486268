"""Observational entropy and its terms, against density matrices worked out by definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.windows import CANONICAL, COHERENT, KEY, SX, WINDOW, dense, strong_spin, two_baths
from twins import second_law

import entropax as ex
from entropax.entropy import coarse_graining, observational, observe, total_correlation

Array = np.ndarray

TIMES = np.array([0.0, 1.0, 4.0, 20.0])


BASIS = np.linalg.qr(random_hermitian(np.random.default_rng(4), 2))[0]


EDGES = (-0.4, 0.1, 0.75, 1.0, 2.3)  # a level lies on 0.75, and belongs above


OBSERVED = {
    "a window": (strong_spin(WINDOW), ex.Observation()),
    "eigenbasis": (strong_spin(COHERENT), ex.Observation("eigenbasis")),
    "basis, levels": (strong_spin(COHERENT), ex.Observation(BASIS, ["levels"])),
    "edges": (strong_spin(CANONICAL), ex.Observation(windows=[EDGES])),
    "two baths": (
        two_baths(ex.Product(system=[0.3, 0.7], beta=(0.4, 2.0))),
        ex.Observation(BASIS, [0.6, None]),
    ),
}


def where_of(model: ex.OpenSystem, observation: ex.Observation, levels: list[Array]) -> list[Array]:
    out = []
    for i, (bath, e) in enumerate(zip(model.baths, levels, strict=True)):
        windows = None if observation.windows is None else observation.windows[i]
        if windows is None:
            out.append(bath.window_of_level)
        elif isinstance(windows, str):
            out.append(np.arange(len(e)))
        elif np.ndim(windows) == 0:
            out.append(np.floor((e + 0.25) / float(windows)).astype(int))
        else:
            out.append(np.searchsorted(np.asarray(windows), e, side="right") - 1)
    return out


@pytest.mark.parametrize("name", OBSERVED)
def test_observational_entropy_and_its_terms(name: str) -> None:
    model, observation = OBSERVED[name]
    method = ex.Schrodinger(KEY, observation=observation)
    seen = ex.solve(model, TIMES, method).ledger.observed
    assert seen is not None
    draw = dense(model)
    levels, rhos = draw.levels, draw.at(model.energies, TIMES)
    sizes, where = [len(e) for e in levels], where_of(model, observation, levels)
    expected = []
    for rho in rhos:
        basis = np.eye(2)
        if not isinstance(observation.basis, str):
            basis = np.asarray(observation.basis)
        elif observation.basis == "eigenbasis":
            basis = np.linalg.eigh(second_law.reduced(rho, 2, sizes, 0))[1]
        expected.append(second_law.pieces(rho, 2, sizes, basis, where))
    for field in ("system_coherence", "bath_coherence", "ignorance", "coarse_correlation"):
        values = np.array([e[field] for e in expected])
        np.testing.assert_allclose(getattr(seen.terms, field), values, rtol=0, atol=1e-10)
    # at the start the twin's product has no full support: nothing is correlated
    correlation = [0.0, *(e["correlation"] for e in expected[1:])]
    np.testing.assert_allclose(seen.terms.correlation, correlation, rtol=0, atol=1e-8)
    entropy = np.array([e["observational"] for e in expected])
    np.testing.assert_allclose(seen.entropy, entropy, rtol=0, atol=1e-10)
    np.testing.assert_allclose(seen.entropy_production, entropy - entropy[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(seen.residual, 0.0, atol=1e-12)
    assert np.ptp(entropy) > 0.05


def test_a_basis_is_given_as_the_system_is() -> None:
    """The same model turned: Hamiltonian, operator, start and basis."""
    turn = np.linalg.qr(random_hermitian(np.random.default_rng(8), 2))[0]
    rho = np.array([[0.5, 0.3j], [-0.3j, 0.5]])
    bath = ex.WindowBath((0.0, 1.0), (3, 4), width=0.5)
    plain = ex.OpenSystem(
        (0.0, 1.0), (ex.Coupling(SX, bath, 0.2, ex.RandomBands()),), ex.Product(rho, beta=(1.3,))
    )
    turned = ex.OpenSystem(
        hamiltonian=turn @ np.diag([0.0, 1.0]) @ turn.conj().T,
        couplings=(ex.Coupling(turn @ SX @ turn.conj().T, bath, 0.2, ex.RandomBands()),),
        start=ex.Product(turn @ rho @ turn.conj().T, beta=(1.3,)),
    )
    seen = []
    for model, basis in ((plain, BASIS), (turned, turn @ BASIS), (turned, BASIS)):
        method = ex.Schrodinger(KEY, observation=ex.Observation(basis))
        observed = ex.solve(model, TIMES, method).ledger.observed
        assert observed is not None
        seen.append(observed.outcomes)
    np.testing.assert_allclose(seen[0], seen[1], rtol=0, atol=1e-12)
    assert np.abs(seen[0] - seen[2]).max() > 1e-2


def test_observing_the_models_windows_is_the_ledger() -> None:
    method = ex.Schrodinger(KEY, observation=ex.Observation())
    led = ex.solve(strong_spin(WINDOW), TIMES, method).ledger
    assert led.observed is not None
    np.testing.assert_allclose(led.observed.outcomes, led.joint, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.observed.entropy, led.observational_entropy, atol=1e-12)


def test_initial_mismatch_vanishes_with_the_windows_width() -> None:
    """S16 by its formula, over a batch of widths; second order in beta delta (S18)."""
    bath = ex.WindowBath((0.0,), (60,), width=1.0)
    levels, beta = np.asarray(bath.draw_levels()), 0.7
    weights = second_law.gibbs(levels, beta)
    found = []
    for count in (1, 2, 5, 10, 60):
        observation = ex.Observation(windows=[1.0 / count])
        members = observation.fitted(2, [bath]).members(0, bath, jnp.asarray(levels))[0]
        where = np.argmax(np.asarray(members), axis=1)
        share = np.array([weights[where == where[i]].mean() for i in range(60)])
        expected = np.sum(weights * np.log(weights / share))  # S16
        found.append(float(coarse_graining(jnp.diag(weights), members).ignorance))
        np.testing.assert_allclose(found[-1], expected, rtol=0, atol=1e-12)
    assert found[0] > found[1] > found[2] > found[3] > abs(found[4])
    assert abs(found[4]) < 1e-12
    np.testing.assert_allclose(np.log2(found[0] / found[1]), 2.0, atol=0.05)


def test_a_scan_over_widths_is_a_vmap() -> None:
    rng = np.random.default_rng(1)
    rho = random_hermitian(rng, 12)
    rho = rho @ rho / np.trace(rho @ rho).real
    bath = rho.reshape(2, 6, 2, 6).trace(axis1=0, axis2=2)
    conditional = jnp.einsum("kiqi->kqi", rho.reshape(2, 6, 2, 6))
    where = jnp.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5]])

    def entropy(w: jax.Array) -> jax.Array:
        members = jax.nn.one_hot(w, 6)
        total = jnp.asarray(second_law.entropy(rho))
        outcomes, terms, _ = observe(conditional, [jnp.asarray(bath)], total, [members], jnp.eye(2))
        value = observational(outcomes, [members.sum(0)])
        np.testing.assert_equal(value.shape, ())
        return jnp.stack([value, total + terms.total])

    found = np.asarray(jax.vmap(entropy)(where))
    for w, values in zip(np.asarray(where), found, strict=True):
        expected = second_law.pieces(rho, 2, [6], np.eye(2), [w])["observational"]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert found[0, 0] > found[2, 0]


def test_total_correlation_of_independent_variables_is_zero() -> None:
    p, q, r = np.array([0.2, 0.8]), np.array([0.5, 0.5, 0.0]), np.array([0.1, 0.9])
    product = jnp.asarray(np.einsum("i,j,k->ijk", p, q, r))
    np.testing.assert_allclose(total_correlation(product), 0.0, atol=1e-14)
    copies = jnp.zeros((2, 2, 2)).at[[0, 1], [0, 1], [0, 1]].set(0.5)
    np.testing.assert_allclose(total_correlation(copies), 2 * np.log(2), atol=1e-14)


def test_random_pure_states_have_the_known_mean() -> None:
    """<S_obs> = psi(D+1) - sum (V/D) [psi(V+1) - ln V] of Haar-random states."""
    volumes = jnp.array([4.0, 8.0, 20.0])
    parts = jax.random.normal(jax.random.key(2), (20000, 32, 2))
    weight = jnp.sum(parts**2, axis=-1)
    weight /= jnp.sum(weight, axis=1, keepdims=True)
    p = jnp.stack([w.sum(1) for w in jnp.split(weight, [4, 12], axis=1)], axis=1)
    found = jax.vmap(lambda p: observational(p, [volumes]))(p)
    error = float(jnp.std(found)) / np.sqrt(20000)
    assert abs(float(jnp.mean(found)) - 3.435506808872) < 4 * error
