"""The second law of finite baths, against density matrices worked out by definition."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import secondlaw
from helpers import check_derivative, random_hermitian
from test_driving import KEY, SX, dense, driven

import entropax as ex
from entropax.entropy import coarse_graining, observational, observe, total_correlation
from entropax.ledger import NAMES, Identity, identities
from entropax.studies.esposito2010 import fig1

pytestmark = pytest.mark.usefixtures("quick_compilation")
Array = np.ndarray
TIMES = np.array([0.0, 1.0, 4.0, 20.0])


def spin(start: Any, volumes: tuple[int, ...] = (3, 5, 6), strength: float = 0.2) -> ex.OpenSystem:
    bath = ex.WindowBath(range(len(volumes)), volumes, width=0.5)
    link = ex.Coupling(SX, bath, strength, ex.RandomBands())
    return ex.OpenSystem((0.0, 1.0), (link,), start)


def two_baths(start: Any) -> ex.OpenSystem:
    hot = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    cold = ex.WindowBath((-0.2, 0.9), (3, 2), width=0.6, levels=[-0.3, -0.1, 0.0, 0.8, 1.1])
    couplings = (
        ex.Coupling(SX, hot, 0.2, ex.RandomBands()),
        ex.Coupling(np.array([[0.3, 1j], [-1j, 0.1]]), cold, 0.3, ex.GUE(0.5)),
    )
    return ex.OpenSystem((0.0, 1.0), couplings, start)


def states(model: ex.OpenSystem, times: Array) -> tuple[list[Array], list[Array]]:
    """The baths' levels, and the density matrix at each time."""
    if len(model.baths) == 1:
        levels, h, rho = dense(model)
        h = h + np.kron(np.diag(np.asarray(model.energies)), np.eye(len(levels)))
        each = [levels]
    else:
        import riera

        each = [np.asarray(b.draw_levels()) for b in model.baths]
        terms = []
        for i, c in enumerate(model.couplings):
            b = c.matrix.draw(jax.random.fold_in(KEY, 2 + i), model.baths[i], jnp.asarray(each[i]))
            terms.append((float(c.strength), np.asarray(c.operator), np.asarray(b), i))
        h = riera.hamiltonian(np.diag(np.asarray(model.energies)), terms, each)
        start = np.asarray(model.start.on_levels(model, [jnp.asarray(e) for e in each]))
        rho = np.diag(start.ravel()).astype(complex)
    found = []
    for t in times:
        u = scipy.linalg.expm(-1j * h * t)
        found.append(u @ rho @ u.conj().T)
    return each, found


BASIS = np.linalg.qr(random_hermitian(np.random.default_rng(4), 2))[0]
COHERENT = ex.Product(system=[[0.5, 0.3j], [-0.3j, 0.5]], beta=(1.3,))
CANONICAL = ex.Product(system=[0.3, 0.7], beta=(1.3,))
WINDOW = ex.Product(system=1, windows=(0,))
EDGES = (-0.4, 0.1, 0.75, 1.0, 2.3)  # a level lies on 0.75, and belongs above
OBSERVED = {
    "a window": (spin(WINDOW), ex.Observation()),
    "eigenbasis": (spin(COHERENT), ex.Observation("eigenbasis")),
    "basis, levels": (spin(COHERENT), ex.Observation(BASIS, ["levels"])),
    "edges": (spin(CANONICAL), ex.Observation(windows=[EDGES])),
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
    levels, rhos = states(model, TIMES)
    sizes, where = [len(e) for e in levels], where_of(model, observation, levels)
    expected = []
    for rho in rhos:
        basis = np.eye(2)
        if not isinstance(observation.basis, str):
            basis = np.asarray(observation.basis)
        elif observation.basis == "eigenbasis":
            basis = np.linalg.eigh(secondlaw.reduced(rho, 2, sizes, 0))[1]
        expected.append(secondlaw.pieces(rho, 2, sizes, basis, where))
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
    led = ex.solve(spin(WINDOW), TIMES, method).ledger
    assert led.observed is not None
    np.testing.assert_allclose(led.observed.outcomes, led.joint, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.observed.entropy, led.observational_entropy, atol=1e-12)


def test_entropy_production_at_fixed_and_weak_coupling() -> None:
    """E10 as a relative entropy, E25 as a difference of two, for coherent starts too."""
    model = spin(COHERENT)
    led = ex.solve(model, TIMES, ex.Schrodinger(KEY)).ledger
    levels, rhos = states(model, TIMES)
    fixed = [secondlaw.fixed(rho, 2, levels, [1.3]) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_fixed, fixed, rtol=0, atol=1e-9)
    sizes, energies = [14], np.array([0.0, 1.0])
    weak = [secondlaw.weak(rhos[0], rho, 2, sizes, energies, 1.3) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_weak, weak, rtol=0, atol=1e-9)
    assert fixed[-1] > 0.1
    two = two_baths(ex.Product(system=[0.3, 0.7], beta=(0.4, 2.0)))
    led = ex.solve(two, TIMES, ex.Schrodinger(KEY)).ledger
    levels, rhos = states(two, TIMES)
    fixed = [secondlaw.fixed(rho, 2, levels, [0.4, 2.0]) for rho in rhos]
    np.testing.assert_allclose(led.entropy_production_fixed, fixed, rtol=0, atol=1e-9)
    assert led.entropy_production_weak is None


def test_initial_mismatch_vanishes_with_the_windows_width() -> None:
    """S16 by its formula, over a batch of widths; second order in beta delta (S18)."""
    bath = ex.WindowBath((0.0,), (60,), width=1.0)
    levels, beta = np.asarray(bath.draw_levels()), 0.7
    weights = secondlaw.gibbs(levels, beta)
    found = []
    for count in (1, 2, 5, 10, 60):
        observation = ex.Observation(windows=[1.0 / count])
        members = observation.fitted(2, [bath]).members(0, bath, jnp.asarray(levels))
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
        total = jnp.asarray(secondlaw.entropy(rho))
        outcomes, terms, _ = observe(conditional, [jnp.asarray(bath)], total, [members], jnp.eye(2))
        value = observational(outcomes, [members.sum(0)])
        np.testing.assert_equal(value.shape, ())
        return jnp.stack([value, total + terms.total])

    found = np.asarray(jax.vmap(entropy)(where))
    for w, values in zip(np.asarray(where), found, strict=True):
        expected = secondlaw.pieces(rho, 2, [6], np.eye(2), [w])["observational"]
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


GRID = 40.0 * np.linspace(0.0, 1.0, 801) ** 2


@pytest.mark.parametrize("name", ["EMME", "exact", "quenched"])
def test_clausius_integral_is_an_entropy_difference(name: str) -> None:
    """-int dQ/T* by quadrature along the solution (R65)."""
    model = spin(ex.Product(system=[0.3, 0.7], beta=(1.3,)), strength=0.1)
    method: Any = ex.EMME() if name == "EMME" else ex.Schrodinger(KEY)
    if name == "quenched":
        energy = ex.PiecewiseConstant(times=(10.0, 20.0), values=(1.0, 2.0, 1.0))
        start = ex.Product(system=[0.3, 0.7], beta=(0.8,))
        model, method = driven(energy, start), ex.EMME(coherences=False)
    led = ex.solve(model, GRID, method).ledger
    energy, beta = np.asarray(led.window_energy[:, 0]), np.asarray(led.beta[:, 0])
    integral = np.append(0.0, np.cumsum(0.5 * (beta[1:] + beta[:-1]) * np.diff(energy)))
    assert led.clausius is not None
    gained = led.system_observational_entropy - led.system_observational_entropy[0]
    np.testing.assert_allclose(led.clausius - gained, integral, rtol=0, atol=3e-5)
    assert np.ptp(integral) > 0.02


def test_effective_temperature_starts_at_zero_without_nan() -> None:
    model = spin(WINDOW, (100, 200, 400), 3e-3)
    led = ex.solve(model, [0.0, 1.0, 60.0], ex.EMME()).ledger
    assert led.beta[0, 0] == jnp.inf
    assert not led.determined[0, 0]
    assert np.all(led.determined[1:, 0])
    for field in ("clausius", "entropy_production_local", "entropy_production", "thermal_entropy"):
        assert np.all(np.isfinite(getattr(led, field)))
    sol = ex.solve(model, [0.0, 1.0], ex.EMME())
    expected = [True, False]
    np.testing.assert_array_equal(sol.result == ex.RESULTS.undetermined_temperature, expected)
    assert not np.any(sol.failed)


def named(model: ex.OpenSystem, method: Any, times: Array = TIMES) -> dict[str, Identity]:
    solution = ex.solve(model, times, method)
    return {found.name: found for found in identities(model, method, solution)}


CASES = {
    "exact, a window": (
        spin(WINDOW),
        ex.Schrodinger(KEY, mutual_information=True, observation=ex.Observation()),
        11,
    ),
    "exact, canonical": (
        spin(CANONICAL),
        ex.Schrodinger(
            KEY, mutual_information=True, observation=ex.Observation(windows=["levels"])
        ),
        15,
    ),
    "exact, two baths": (
        two_baths(ex.Product(system=[0.3, 0.7], beta=(0.4, 2.0))),
        ex.Schrodinger(KEY, observation=ex.Observation(windows=["levels", "levels"])),
        12,
    ),
    "EMME, canonical": (spin(CANONICAL), ex.EMME(), 10),
    "EMME, quenched": (
        driven(ex.PiecewiseConstant((2.0, 9.0), (1.0, 2.0, 1.0)), WINDOW),
        ex.EMME(coherences=False),
        7,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_identities_close(name: str) -> None:
    model, method, count = CASES[name]
    found = named(model, method)
    assert len(found) == count
    for identity in found.values():
        assert identity.violation < 1e-10, identity
        assert identity.residual.shape == TIMES.shape


def _scaled(field: str, by: float = 1.01) -> Any:
    return lambda led: eqx.tree_at(lambda x: getattr(x, field), led, replace_fn=lambda x: by * x)


def _seen(field: str, change: Any) -> Any:
    return lambda led: eqx.tree_at(lambda x: getattr(x.observed, field), led, replace_fn=change)


def _term(field: str, change: Any) -> Any:
    return lambda led: eqx.tree_at(
        lambda x: getattr(x.observed.terms, field), led, replace_fn=change
    )


CORRUPTIONS = {
    "splitting": _scaled("bath_observational_entropy"),
    "local": _scaled("coarse_correlation"),
    "clausius-local": _scaled("clausius", 0.0),
    "local-production": _scaled("entropy_production", 2.0),
    "second law": _scaled("entropy_production", -1.0),
    "rate": _scaled("entropy_production_rate", -1.0),
    "spohn": _scaled("entropy_production_rate"),
    "first law": _scaled("system_energy"),
    "total energy": lambda led: eqx.tree_at(
        lambda x: x.joint, led, led.joint.at[2:].multiply(1.01)
    ),
    "mutual information": _scaled("coarse_mutual_information", 1e3),
    "fixed temperature, master equation": _scaled("heat"),
    "fixed temperature": _scaled("entropy_production_fixed", -1.0),
    "above correlations": _scaled("mutual_information", 10.0),
    "weak coupling": _scaled("interaction_energy", 2.0),
    "free energy": _scaled("system_entropy"),
    "bath under measurement": _seen("bath_entropy", lambda x: 1.01 * x),
    "terms": _seen("residual", lambda x: x + 1e-3),
    "terms are positive": _term("ignorance", lambda x: x - 1e-3),
    "ignorance": _term("ignorance", lambda x: x + 1.0),
    "correlation and divergence": _term("correlation", lambda x: 1.01 * x),
    "fixed temperature, exact": _scaled("entropy_production_fixed"),
}


@pytest.fixture(scope="module")
def solved() -> dict[str, Any]:
    return {name: ex.solve(*case_of(name)) for name in ("exact, canonical", "EMME, one window")} | {
        "EMME, canonical": ex.solve(*case_of("EMME, canonical"))
    }


def case_of(name: str) -> tuple:
    model, method = CASES[name][:2] if name in CASES else (spin(WINDOW), ex.EMME())
    return model, TIMES, method


@pytest.mark.parametrize("name", NAMES)
def test_every_identity_can_fail(name: str, solved: dict[str, Any]) -> None:
    """One number of the ledger changed: seen by the identity, which held before."""
    noticed = False
    for case, solution in solved.items():
        model, _, method = case_of(case)
        if name not in {found.name for found in identities(model, method, solution)}:
            continue
        wrong = eqx.tree_at(lambda s: s.ledger, solution, CORRUPTIONS[name](solution.ledger))
        (good,), (bad,) = (identities(model, method, s, [name]) for s in (solution, wrong))
        assert good.violation < 1e-10
        assert bad.violation > 1e-5
        noticed = True
    assert noticed
    assert len(NAMES) == len(set(NAMES)) == 21


def test_nan_is_a_violation() -> None:
    identity = Identity("x", "y", "=", jnp.array([0.0, jnp.nan]))
    assert not identity.violation <= 1e-9
    assert not identity._replace(relation=">=").violation <= 1e-9


PREMISES = {
    "local": (ex.Joint([[0.1, 0.2, 0.3], [0.2, 0.1, 0.1]]), "R66.*a product start, but .* Joint"),
    "clausius-local": (
        ex.Product(system=1, windows=(1,)),
        "R67, R74.*canonical over their windows, but",
    ),
    "fixed temperature, master equation": (WINDOW, "S60.*a product start with canonical baths"),
    "terms": (WINDOW, r"S22, S39.*needs `Schrodinger\(observation=\.\.\.\)`"),
    "fixed temperature": (CANONICAL, r"E10, S5.*exact dynamics"),
}


@pytest.mark.parametrize("name", PREMISES)
def test_identities_say_what_they_need(name: str) -> None:
    start, message = PREMISES[name]
    model, method = spin(start), ex.EMME()
    solution = ex.solve(model, TIMES, method)
    with pytest.raises(ValueError, match=rf"`{name}` \({message}"):
        identities(model, method, solution, [name])
    assert name not in {found.name for found in identities(model, method, solution)}


def test_identities_know_their_limits() -> None:
    between, method = driven(1.3), ex.EMME(coherences=False)
    solution = ex.solve(between, TIMES, method)
    with pytest.raises(ValueError, match=r"`first law` \(R49.*needs windows on resonance"):
        identities(between, method, solution, ["first law"])
    with pytest.raises(ValueError, match=r"`names` must be of splitting, .* but has 'x'"):
        identities(between, method, solution, ["x"])
    slow = ex.EMME(coherences=False, memory="finite")
    with pytest.raises(ValueError, match=r"`second law` .*needs `EMME\(\)` with infinite memory"):
        identities(between, slow, solution, ["second law"])
    late = eqx.tree_at(lambda s: s.ts, solution, solution.ts + 1.0)
    with pytest.raises(ValueError, match="`solution` must begin at time 0"):
        identities(between, method, late)


def test_start_at_zero_temperature_is_infinitely_far_from_it() -> None:
    """Sigma~ of a bath at T* = 0: nothing while nothing flows, then +inf, exact and EMME."""
    for method in (ex.EMME(), ex.Schrodinger(KEY)):
        led = ex.solve(spin(WINDOW), [0.0, 3.0], method).ledger
        np.testing.assert_allclose(led.entropy_production_fixed[0], 0.0, atol=1e-12)
        assert led.entropy_production_fixed[1] == jnp.inf


def random_model(seed: int) -> tuple[ex.OpenSystem, ex.Observation]:
    """Any operator, matrix, strength and allowed start: 2 x 6 levels, one shape for all."""
    rng = np.random.default_rng(seed)
    bath = ex.WindowBath((0.0, 1.0), (2, 4), width=rng.uniform(0.2, 1.0))
    link = ex.Coupling(
        random_hermitian(rng, 2), bath, rng.uniform(0.0, 1.0), random_hermitian(rng, 6)
    )
    weights = rng.dirichlet(np.ones(4)).reshape(2, 2)
    energies = (0.0, rng.uniform(0.5, 1.5))
    return ex.OpenSystem(energies, (link,), ex.Joint(weights)), ex.Observation()


def test_second_law_of_200_random_models() -> None:
    models = [random_model(seed)[0] for seed in range(200)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *models)
    ts = jnp.array([0.1, 1.0, 7.0, 50.0, 1e3])
    led = jax.jit(jax.vmap(lambda m: ex.solve(m, ts, ex.Schrodinger()).ledger))(stacked)
    production = np.asarray(led.entropy_production)
    # correlated starts too: what is diagonal and even in each window has S_obs = S
    assert np.min(production) >= -1e-10
    assert np.max(production) > 0.5
    rate = np.asarray(led.entropy_production_rate)
    assert np.min(rate) < -1e-2  # exact rates may be negative, and are


def test_rate_of_the_emme_is_never_negative() -> None:
    def rates(energy: jax.Array, weights: jax.Array) -> jax.Array:
        bath = ex.WindowBath((0.0, 0.5, 1.0), (20, 10, 40), width=0.5)
        link = ex.Coupling(SX, bath, 0.05, ex.RandomBands())
        model = ex.OpenSystem(jnp.stack([0.0 * energy, energy]), (link,), ex.Joint(weights))
        led = ex.solve(model, jnp.linspace(0.0, 40.0, 9), ex.EMME(coherences=False)).ledger
        assert led.entropy_production_rate is not None
        return led.entropy_production_rate

    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(6, 0.3), size=60).reshape(60, 2, 3)
    found = jax.jit(jax.vmap(rates))(jnp.asarray(rng.uniform(0.1, 1.2, 60)), jnp.asarray(weights))
    assert np.min(found) >= -1e-9


def test_gradients_of_the_second_law() -> None:
    def observed(x: jax.Array) -> jax.Array:
        bath = ex.WindowBath(jnp.stack([0.0 * x, x, 2.0 * x]), (2, 3, 4), width=0.5)
        link = ex.Coupling(SX, bath, 0.3 * x, ex.RandomBands())
        start = ex.Product(system=[[0.6, 0.2], [0.2, 0.4]], beta=jnp.stack([1.3 * x]))
        model = ex.OpenSystem(jnp.stack([0.0 * x, x]), (link,), start)
        method = ex.Schrodinger(KEY, observation=ex.Observation("eigenbasis"))
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        assert led.observed is not None
        assert led.clausius is not None
        assert led.entropy_production_rate is not None
        terms = led.observed.terms
        parts = jnp.sum(terms.ignorance + terms.bath_coherence) + jnp.sum(terms.correlation)
        whole = led.clausius[0] + led.entropy_production_fixed[0] + led.entropy_production_rate[0]
        return parts + whole + led.observed.entropy[0] + led.beta[0, 0]

    check_derivative(observed, (np.array(1.1),), (np.array(1.0),), tolerance=1e-6)


def test_heat_flows_from_hot_to_cold() -> None:
    """Exact and EMME, two baths at one mean energy of the system."""
    hot = ex.WindowBath((0.0, 1.0, 2.0), (2, 4, 8), width=0.5)
    cold = ex.WindowBath((0.0, 1.0, 2.0), (2, 4, 8), width=0.5)
    couplings = tuple(ex.Coupling(SX, b, 0.06, ex.RandomBands()) for b in (hot, cold))
    start = ex.Product(system=[0.6, 0.4], beta=(0.1, 3.0))
    model = ex.OpenSystem((0.0, 1.0), couplings, start)
    times = np.array([0.0, 100.0, 200.0])
    for method in (ex.EMME(), ex.Schrodinger(KEY)):
        led = ex.solve(model, times, method).ledger
        heat = np.asarray(led.heat)[-1]
        assert heat[0] > 0.1
        assert heat[1] < -0.1
        beta = np.asarray(led.beta)
        assert beta[0, 0] < beta[-1, 0] < beta[-1, 1] < beta[0, 1]


def explicit(rng: np.random.Generator) -> tuple[ex.OpenSystem, list[tuple]]:
    bath = ex.WindowBath((0.0, 1.0, 2.0), (3, 2, 4), width=0.5)
    terms = [(0.2, random_hermitian(rng, 3), random_hermitian(rng, 9)) for _ in range(2)]
    couplings = tuple(ex.Coupling(s, bath, g, b) for g, s, b in terms)
    start = ex.Product(system=[0.2, 0.3, 0.5], beta=(0.7,))
    return ex.OpenSystem((0.0, 1.0, 2.0), couplings, start), terms


def test_microcanonical_master_equation_and_its_pauli_limit(rng: np.random.Generator) -> None:
    model, terms = explicit(rng)
    bath = model.baths[0]
    energies = np.asarray(model.energies)
    rates = secondlaw.mme(terms, energies, bath, bath.window_of_level)
    p = np.asarray(model.start.on_windows(model))
    method = ex.microcanonical_master_equation()
    led = ex.solve(model, TIMES, method).ledger
    expected = np.array([scipy.linalg.expm(rates * t) @ p.ravel() for t in TIMES])
    np.testing.assert_allclose(led.joint, expected.reshape(4, 3, 3), rtol=0, atol=1e-10)
    # S44: the rates of a bath held canonical
    thermal = p.sum(0)
    tensor = rates.reshape(3, 3, 3, 3)
    pauli = np.einsum("sEqF,F->sq", tensor, thermal)
    frozen = ex.solve(model, TIMES, ex.BornMarkovSecular(lamb_shift=False)).ledger
    populations = np.array([scipy.linalg.expm(pauli * t) @ p.sum(1) for t in TIMES])
    found = np.diagonal(np.asarray(frozen.system_state), axis1=1, axis2=2).real
    np.testing.assert_allclose(found, populations, rtol=0, atol=1e-8)
    # S55: entropy production of Pauli's equation grows
    assert np.all(np.diff(frozen.entropy_production_fixed) > 0)


def test_spin_in_a_random_matrix_reservoir() -> None:
    """The study's model against dense matrices; its closed forms against the equations solved."""
    model, times = fig1.model(8), np.array([0.0, 3.0, 40.0, 700.0])
    method = ex.Schrodinger(KEY, mutual_information=True)
    led = ex.solve(model, times, method).ledger
    levels = np.linspace(-0.5, 0.5, 8)
    x = np.asarray(
        model.couplings[0].matrix.draw(jax.random.fold_in(KEY, 1), model.baths[0], levels)
    )
    assert np.isrealobj(x)
    h = 0.1 * np.kron(SX, x) + np.diag(np.add.outer([-0.05, 0.05], levels).ravel())
    start = np.diag(np.append(secondlaw.gibbs(levels, 10.0), np.zeros(8))).astype(complex)
    assert led.mutual_information is not None
    for i, t in enumerate(times):
        u = scipy.linalg.expm(-1j * h * t)
        rho = u @ start @ u.conj().T
        parts = [secondlaw.reduced(rho, 2, [8], keep) for keep in (0, 1)]
        information = sum(map(secondlaw.entropy, parts)) - secondlaw.entropy(rho)
        np.testing.assert_allclose(led.mutual_information[i], information, rtol=0, atol=1e-9)
        fixed = secondlaw.fixed(rho, 2, [levels], [10.0])
        np.testing.assert_allclose(led.entropy_production_fixed[i], fixed, rtol=0, atol=1e-8)
        weak = secondlaw.weak(start, rho, 2, [8], np.array([-0.05, 0.05]), 10.0)
        np.testing.assert_allclose(led.entropy_production_weak[i], weak, rtol=0, atol=1e-9)
    tiled = fig1.model(200, 50)
    frozen = ex.solve(tiled, times, ex.BornMarkovSecular()).ledger.system_state[:, 1, 1].real
    np.testing.assert_allclose(frozen, fig1.redfield_excited(times), rtol=0, atol=1e-4)
    late = ex.solve(tiled, [1e4], ex.EMME()).ledger.system_state[0, 1, 1].real
    np.testing.assert_allclose(late, fig1.emme_excited(), rtol=0, atol=1e-7)


BAD = {
    "not orthonormal": (
        lambda: ex.Observation(basis=[[1.0, 1.0], [0.0, 1.0]]),
        "`basis` must be orthonormal vectors as columns, but their overlaps are off by up to 1",
    ),
    "not square": (lambda: ex.Observation(basis=[[1.0, 0.0]]), "`basis` must be a square matrix"),
    "no basis": (lambda: ex.Observation(basis="x"), '`basis` must be "energy"'),  # pyright: ignore[reportArgumentType]
    "other system": (
        lambda: solve_observed(ex.Observation(basis=np.eye(3))),
        r"`basis` must have the system's dimension \(2\)",
    ),
    "uncovered": (
        lambda: solve_observed(ex.Observation(windows=[(0.0, 1.0, 2.3)])),
        r"`levels` must be within `windows\[0\]`, which must cover the spectrum, but has -0.25",
    ),
    "unordered": (
        lambda: ex.Observation(windows=[(0.0, 2.0, 1.0)]),
        r"`windows\[0\]` must be ascending, but has 1.0 at index 2",
    ),
    "one edge": (lambda: ex.Observation(windows=[(0.0,)]), "must hold two edges at least"),
    "no width": (lambda: ex.Observation(windows=[0.0]), r"`windows\[0\]` must be positive"),
    "word": (lambda: ex.Observation(windows=["window"]), r'`windows\[0\]` must be None, "levels"'),
    "no sequence": (lambda: ex.Observation(windows="levels"), "`windows` must be a sequence"),
    "baths": (
        lambda: solve_observed(ex.Observation(windows=[None, None])),
        r"`windows` must have one entry per bath \(1\), but has 2",
    ),
    "type": (lambda: ex.Schrodinger(KEY, observation="energy"), "must be an Observation"),  # pyright: ignore[reportArgumentType]
}


def solve_observed(observation: ex.Observation) -> Any:
    return ex.solve(spin(WINDOW), TIMES, ex.Schrodinger(KEY, observation=observation))


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
