"""Fluctuations of free fermions against every configuration, published numbers, and theorems."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from twins import two_measurements as twin

import entropax as ex
from entropax.counting import of_fermions

TS = np.array([0.0, 1.3, 6.0])
LEFT = {"modes": 5, "width": 6.0, "coupling": 0.5, "beta": 2.0, "mu": 0.6}
RIGHT = {"modes": 4, "width": 6.0, "coupling": 0.7, "beta": 0.8, "mu": -0.3}
UNITS = (0.3, -0.7, 0.4 + 0.9j)


def small(occupation: Any = 0.3, level: Any = 0.2) -> ex.Junction:
    """That of Levitov and Lesovik's formula, small."""
    return ex.Junction(level, occupation, (ex.Lead.flat(**LEFT), ex.Lead.flat(**RIGHT)))


def network(start: Any = None) -> ex.FermionNetwork:
    """Two sites between baths of two and three, complex, whose blocks are not diagonal."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=(7, 7)) + 1j * rng.normal(size=(7, 7))
    h = 0.4 * (a + a.conj().T)
    return ex.FermionNetwork(h, (0, 3), ((1, 2), (4, 5, 6)), (1.2, 0.5), (0.3, -0.2), start=start)


def propagators(h: np.ndarray) -> list[np.ndarray]:
    values, vectors = np.linalg.eigh(h)
    return [(vectors * np.exp(-1j * values * t)) @ vectors.conj().T for t in TS]


def holds(count: Any, twins: list[twin.Counted], atol: float = 1e-11) -> None:
    """Cumulants and generating functions at all times."""
    expected = np.array([case.cumulants() for case in twins]).T
    np.testing.assert_allclose(count.cumulants(4), expected, rtol=1e-11, atol=atol)
    for u in UNITS:
        values = [case.generating(u) for case in twins]
        np.testing.assert_allclose(count.generating(u), values, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("of", "bath"), [("particles", 1), ("energy", 0), ("heat", 1)])
def test_a_junction_against_every_configuration(of: str, bath: int) -> None:
    junction = small()
    us = propagators(np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian))
    weights = np.zeros(10)
    lead, where = junction.leads[bath], junction.lead_slices[bath]
    modes = np.arange(1 + where.start, 1 + where.stop)
    each = {"particles": 1.0, "energy": lead.energies, "heat": lead.energies - RIGHT["mu"]}
    weights[modes] = each[of]
    n = np.asarray(junction.initial_occupations)
    count = ex.counting(junction, TS, of, bath=bath)
    twins = [twin.gained(u, n, weights, weights) for u in us]
    holds(count, twins)
    same = ex.counting(junction, TS, jnp.asarray(weights))
    np.testing.assert_allclose(same.variance, count.variance, rtol=0, atol=1e-13)
    ledger = ex.solve(junction, TS).ledger
    gained = {
        "particles": ledger.particles - ledger.particles[0],
        "energy": ledger.energy - ledger.energy[0],
        "heat": -ledger.heat,
    }[of]
    np.testing.assert_allclose(count.mean, gained[:, bath], rtol=0, atol=1e-13)


@pytest.mark.parametrize("occupation", [0.3, 0.0, 1.0])
def test_entropy_production_against_every_configuration(occupation: float) -> None:
    junction = small(occupation)
    us = propagators(np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian))
    n = np.asarray(junction.initial_occupations)
    ledger = ex.solve(junction, TS).ledger
    count = ex.counting(junction, TS, "entropy_production")
    np.testing.assert_allclose(count.generating(-1.0), 1.0, rtol=0, atol=1e-11)
    np.testing.assert_allclose(count.mean, ledger.entropy_production_fixed, rtol=0, atol=1e-12)
    twins = []
    for u, level in zip(us, np.asarray(ledger.system_occupation), strict=True):
        m = np.concatenate([[level], n[1:]])
        twins.append(twin.produced(u, n, m))
    # of a pure start the logarithm of nothing is left out, here as there
    later = slice(1, None)
    expected = np.array([case.cumulants() for case in twins]).T
    np.testing.assert_allclose(
        count.cumulants(4)[:, later], expected[:, later], rtol=1e-9, atol=2e-9
    )
    for u in (0.3, -0.7):
        values = [case.generating(u) for case in twins]
        np.testing.assert_allclose(count.generating(u), values, rtol=1e-11, atol=1e-13)


def measured_basis(model: ex.FermionNetwork) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenmodes of the parts, their energies and occupations."""
    h = np.asarray(model.hamiltonian)
    w, energies, n = np.zeros((7, 7), complex), np.zeros(7), np.zeros(7)
    for number, bath in enumerate(model.baths):
        place = np.array(bath)
        e, v = np.linalg.eigh(h[np.ix_(place, place)])
        w[np.ix_(place, place)], energies[place] = v, e
        n[place] = 1.0 / (np.exp(float(model.beta[number]) * (e - float(model.mu[number]))) + 1)
    place = np.array(model.system)
    filled, v = np.linalg.eigh(np.asarray(model.initial_correlation)[np.ix_(place, place)].T)
    w[np.ix_(place, place)], n[place] = v, filled
    return w, energies, n


SYSTEM = np.array([[0.4, 0.1 + 0.2j], [0.1 - 0.2j, 0.7]])


def test_a_network_against_every_configuration() -> None:
    model = network(SYSTEM)
    w, energies, n = measured_basis(model)
    us = [w.conj().T @ u @ w for u in propagators(np.asarray(model.hamiltonian))]
    bath = np.isin(np.arange(7), model.baths[1])
    count = ex.counting(model, TS, "heat", bath=1)
    weights = bath * (energies + 0.2)
    holds(count, [twin.gained(u, n, weights, weights) for u in us])
    # the system is measured in the eigenbasis of what it is in then
    count, twins = ex.counting(model, TS, "entropy_production"), []
    ledger = ex.solve(model, TS).ledger
    np.testing.assert_allclose(count.mean, ledger.entropy_production_fixed, rtol=0, atol=1e-12)
    for u in us:
        later = u @ np.diag(n) @ u.conj().T
        place = np.array(model.system)
        filled, v = np.linalg.eigh(later[np.ix_(place, place)])
        turn, m = np.eye(7, dtype=complex), n.copy()
        turn[np.ix_(place, place)], m[place] = v, filled
        twins.append(twin.produced(turn.conj().T @ u, n, m))
    holds(count, twins, atol=1e-10)


def test_several_counts_at_once() -> None:
    junction = small()
    both = ex.counting(junction, TS, ("particles", "energy"), bath=(0, 1))
    n = np.asarray(junction.initial_occupations)
    weights = np.zeros((2, 10))
    weights[0, 1:6], weights[1, 6:] = 1.0, junction.leads[1].energies
    us = propagators(np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian))
    for time, u in enumerate(us):
        first, second = (twin.gained(u, n, w, w) for w in weights)
        mean = [np.sum(c.p * c.x) for c in (first, second)]
        np.testing.assert_allclose(both.means[time], mean, rtol=0, atol=1e-12)
        mixed = np.sum(first.p * (first.x - mean[0]) * (second.x - mean[1]))
        np.testing.assert_allclose(both.covariance[time, 0, 1], mixed, rtol=0, atol=1e-12)
        joint = np.sum(first.p * np.exp(0.3 * first.x - 0.2 * second.x))
        np.testing.assert_allclose(both.generating([0.3, -0.2])[time], joint, rtol=1e-12)
    with pytest.raises(ValueError, match="`of` must be one count for this; several have `means`"):
        _ = both.mean
    with pytest.raises(ValueError, match=r"`u` must have one entry a count .*\(2\)"):
        both.generating(0.3)


def test_the_law_of_particles() -> None:
    """Every probability, against the sum over configurations."""
    junction = small()
    n, weights = np.asarray(junction.initial_occupations), np.zeros(10)
    weights[6:] = 1.0
    law = ex.counting(junction, TS, "particles", bath=1).distribution()
    np.testing.assert_allclose(law.probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-13)
    us = propagators(np.asarray(ex.FermionNetwork.from_junction(junction).hamiltonian))
    for row, u in zip(law.probabilities, us, strict=True):
        case = twin.gained(u, n, weights, weights)
        for value, p in zip(law.values, row, strict=True):
            expected = np.sum(case.p[np.abs(case.x - value) < 0.5])
            np.testing.assert_allclose(p, expected, rtol=0, atol=1e-14)
    assert law.width is None


def test_a_law_on_a_continuum_is_smoothed() -> None:
    junction = small()
    count = ex.counting(junction, TS[1:], "energy", bath=0)
    law = count.distribution()
    x, p = law.values, law.probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(p @ x, count.mean, rtol=0, atol=1e-10)
    spread = p @ x**2 - (p @ x) ** 2
    np.testing.assert_allclose(spread, count.variance + law.width**2, rtol=1e-10)
    assert float(jnp.min(p)) > -1e-13


def driven_network() -> ex.FermionNetwork:
    """A chain of six in one thermal state of all of it; a drive of the first two sites."""
    h = np.diag(np.linspace(-0.5, 0.8, 6)) + 0.6 * (np.eye(6, k=1) + np.eye(6, k=-1))
    values, vectors = np.linalg.eigh(h)
    start = (vectors / (1 + np.exp(1.4 * (values - 0.1)))) @ vectors.T
    v = np.zeros((6, 6))
    v[0, 0], v[0, 1], v[1, 0] = 1.0, 0.3, 0.3
    ramp = ex.PiecewiseLinear((0.0, 3.0), (0.0, 1.1))
    return ex.FermionNetwork(h, (0, 1), ((2, 3, 4, 5),), start=start, drives=(ex.Drive(v, ramp),))


def test_jarzynski_and_crooks() -> None:
    """<e^{-beta W}> is the ratio of grand partition functions; the law of the way back mirrors."""
    model = driven_network()
    work = ex.counting(model, [3.0], "work", method=ex.Magnus(400))
    h0 = np.asarray(model.hamiltonian)
    h1 = h0 + 1.1 * np.asarray(model.drives[0].operator)

    def log_z(h: np.ndarray) -> float:
        return float(np.sum(np.logaddexp(0.0, -1.4 * (np.linalg.eigvalsh(h) - 0.1))))

    ratio = np.exp(log_z(h1) - log_z(h0))
    np.testing.assert_allclose(work.generating(-1.4), ratio, rtol=1e-10)
    ledger = ex.solve(model, [3.0], ex.Magnus(400)).ledger
    np.testing.assert_allclose(work.mean, ledger.work, rtol=0, atol=1e-9)
    values, vectors = np.linalg.eigh(h1)
    start = (vectors / (1 + np.exp(1.4 * (values - 0.1)))) @ vectors.T
    v = model.drives[0].operator
    back = ex.FermionNetwork(
        h1, (0, 1), ((2, 3, 4, 5),), start=start,
        drives=(ex.Drive(v, ex.PiecewiseLinear((0.0, 3.0), (0.0, -1.1))),),
    )  # fmt: skip
    returned = ex.counting(back, [3.0], "work", method=ex.Magnus(400))
    for u in (0.3, 0.2 + 1.1j):  # h is real: the way back needs no reversed field
        forth = work.generating(u - 1.4) / ratio
        np.testing.assert_allclose(forth, returned.generating(-u), rtol=1e-9)


def test_a_driven_junction_and_its_network() -> None:
    ramp = ex.PiecewiseLinear((0.0, 1.0, 6.0), (0.2, 1.4, -0.6))
    junction = small(level=ramp)
    steps = ex.counting(junction, TS, "particles", bath=0, method=ex.SplitStep(400))
    dense = ex.counting(
        ex.FermionNetwork.from_junction(junction), TS, "particles", bath=0, method=ex.Magnus(300)
    )
    np.testing.assert_allclose(steps.cumulants(3), dense.cumulants(3), rtol=0, atol=1e-8)
    produced = ex.counting(junction, TS, "entropy_production", method=ex.SplitStep(400))
    np.testing.assert_allclose(produced.generating(-1.0), 1.0, rtol=0, atol=1e-10)


@pytest.mark.parametrize("occupation", [0.3, 0.0])
def test_structure_and_matrices_agree(occupation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elimination, where both leads share energies and where they do not."""
    left = ex.Lead.flat(modes=40, width=8.0, coupling=0.5, beta=2.0, mu=0.6)
    for modes in (40, 39):
        right = ex.Lead.flat(modes=modes, width=8.0, coupling=0.7, beta=0.8, mu=-0.3)
        junction = ex.Junction(0.2, occupation, (left, right))
        for of, bath in (("particles", 1), ("entropy_production", None)):
            plain = ex.counting(junction, [3.0, 40.0], of, bath=bath)
            assert plain.level is None
            monkeypatch.setattr(
                of_fermions,
                "DETERMINANTS_WRITTEN_OUT",
                of_fermions.DETERMINANTS_WRITTEN_OUT._replace(cpu=1),
            )
            fast = ex.counting(junction, [3.0, 40.0], of, bath=bath)
            monkeypatch.undo()
            assert fast.level is not None
            np.testing.assert_allclose(fast.mean, plain.mean, rtol=0, atol=1e-12)
            np.testing.assert_allclose(fast.variance, plain.variance, rtol=0, atol=1e-11)
            for u in UNITS:
                a, b = fast.generating(u), plain.generating(u)
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("occupation", [0.3, 0.0, 1.0])
def test_gradients(occupation: float) -> None:
    """Reverse mode against central differences, at a pure level too."""

    def precision(x: jax.Array, of: str, bath: int | None) -> jax.Array:
        right = ex.Lead.flat(modes=4, width=6.0, coupling=x[0], beta=x[1], mu=-0.3)
        junction = ex.Junction(x[2], occupation, (ex.Lead.flat(**LEFT), right))
        count = ex.counting(junction, [3.0], of, bath=bath)
        return jnp.sum(count.cumulants(3)[:, 0] * jnp.array([0.3, 1.0, 0.2]))

    x = jnp.array([0.7, 0.8, 0.2])
    for of, bath in (("particles", 1), ("entropy_production", None)):
        slopes = jax.grad(precision)(x, of, bath)
        for i in range(3):
            h = 1e-4 * np.eye(3)[i]
            central = (precision(x + h, of, bath) - precision(x - h, of, bath)) / 2e-4
            np.testing.assert_allclose(slopes[i], central, rtol=2e-6, atol=1e-7)


def test_a_batch_is_a_loop() -> None:
    def variance(coupling: jax.Array) -> jax.Array:
        right = ex.Lead.flat(modes=4, width=6.0, coupling=coupling, beta=0.8, mu=-0.3)
        junction = ex.Junction(0.2, 0.3, (ex.Lead.flat(**LEFT), right))
        return ex.counting(junction, TS, "heat", bath=1).variance

    couplings = jnp.array([0.3, 0.7])
    together = jax.vmap(variance)(couplings)
    alone = jnp.stack([variance(c) for c in couplings])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-13)


COHERENT = np.diag(np.full(7, 0.5)) + 0.1 * (np.eye(7, k=1) + np.eye(7, k=-1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ex.counting(small(), TS, "charge", bath=0), "`of` must be particles, energy"),
        (lambda: ex.counting(small(), TS, "particles"), "`bath` must be a number from 0 to 1"),
        (lambda: ex.counting(small(), TS, "heat", bath=2), "`bath` must be a number from 0 to 1"),
        (
            lambda: ex.counting(small(), TS, "entropy_production", bath=0),
            "`bath` must be left out for 'entropy_production'",
        ),
        (
            lambda: ex.counting(small(), TS, "work", method=ex.SplitStep(200)),
            '`of` must commute with the start, .* "work" does not',
        ),
        (
            lambda: ex.counting(network(COHERENT), TS, "energy", bath=0),
            '`of` must commute with the start, .* "energy" does not',
        ),
        (
            lambda: ex.counting(small(), TS, np.ones(3)),
            r"`of` must have one entry a site, .*\(10\), but has shape \(3,\)",
        ),
        (
            lambda: ex.counting(small(), TS, ("particles", "energy"), bath=(0,)),
            r"`bath` must be one number a count \(2\)",
        ),
        (
            lambda: ex.counting(small(), TS, "energy", bath=0).generating(1e4),
            "`u` must be smaller in size",
        ),
        (
            lambda: ex.counting(small(), TS, "particles", bath=0).cumulants(0),
            "`order` must be a positive integer",
        ),
        (
            lambda: ex.counting(small(), TS, "particles", bath=0).cumulants(17),
            "`order` must be at most 16",
        ),
        (
            lambda: ex.counting(small(), TS, "entropy_production").cumulants(12),
            "`order` must be lower than 12: .* digits",
        ),
        (lambda: ex.counting(3, TS, "particles", bath=0), "`model` must be a Junction, a Fermion"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
