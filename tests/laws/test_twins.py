"""The twins against each other and against numbers from outside."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from cases import fermions
from cases.matrices import seeded_correlation, seeded_hermitian
from twins import fock, textbook

Array = np.ndarray

PARTITIONS = {
    "two baths": ((2, 5), ((0, 4), (1, 3, 6))),
    "three baths": ((3,), ((0, 5), (1,), (2, 4))),
}
BETAS, MUS = (1.3, -0.4, 0.6), (0.2, -0.3, 0.1)
T = 1.7


def network(name: str, seed: int = 3) -> tuple:
    """A random complex h with the named partition, and its start: baths grand canonical."""
    system, baths = PARTITIONS[name]
    n = len(system) + sum(map(len, baths))
    h = seeded_hermitian(n, seed)
    betas, mus = BETAS[: len(baths)], MUS[: len(baths)]
    c_system = seeded_correlation(len(system), seed + 5)
    c0 = textbook.thermal_product(h, c_system, system, baths, betas, mus)
    return h, c0, system, baths, betas, mus


def block(m: Array, sites: Sequence[int]) -> Array:
    return m[np.ix_(sites, sites)]


@pytest.mark.parametrize(
    "filling", [None, (0.0, 1.0, 0.0, 1.0, 1.0), (0.0, 1.0, 0.3, 0.3, 0.9), (0.0,) * 5, (1.0,) * 5]
)
def test_gaussian_state_has_its_correlation_matrix(filling: tuple | None) -> None:
    c = seeded_correlation(5, 11, filling if filling is None else np.array(filling))
    rho = fock.gaussian_state(c)
    assert np.trace(rho) == pytest.approx(1.0, abs=1e-13)
    assert np.linalg.eigvalsh(rho).min() > -1e-13
    np.testing.assert_allclose(fock.correlation_matrix(rho), c, atol=1e-13)
    assert fock.entropy(rho) == pytest.approx(textbook.gaussian_entropy(c), abs=1e-11)


def test_canonical_anticommutation_and_eight_sites_at_most() -> None:
    c = fock.annihilators(4)
    for i, a in enumerate(c):
        for j, b in enumerate(c):
            np.testing.assert_array_equal(a @ b + b @ a, 0.0)
            np.testing.assert_array_equal(a @ b.T + b.T @ a, np.eye(16) * (i == j))
    with pytest.raises(ValueError, match="at most 8"):
        fock.annihilators(9)


def test_grand_canonical_bath_is_gaussian() -> None:
    h = seeded_hermitian(4, 21)
    rho = fock.grand_canonical(h, 0.9, 0.35)
    c = textbook.thermal_correlation(h, 0.9, 0.35)
    np.testing.assert_allclose(fock.correlation_matrix(rho), c, atol=1e-13)
    np.testing.assert_allclose(fock.gaussian_state(c), rho, atol=1e-13)


def test_correlation_matrix_follows_many_body_evolution() -> None:
    h, c0 = seeded_hermitian(7, 1), seeded_correlation(7, 2)
    rho = fock.evolve(fock.gaussian_state(c0), h, T)
    exact = fock.correlation_matrix(rho)
    np.testing.assert_allclose(textbook.correlation(h, c0, T), exact, atol=1e-12)

    energies, vectors = np.linalg.eigh(h)
    u = (vectors * np.exp(-1j * energies * T)) @ vectors.conj().T
    for wrong in (u @ c0 @ u.conj().T, u.conj().T @ c0 @ u):
        assert np.abs(wrong - exact).max() > 0.1


@pytest.mark.parametrize("n", [6, 7])
def test_entropy_of_every_subset(n: int) -> None:
    h, c0 = seeded_hermitian(n, n), seeded_correlation(n, 2 * n)
    c = textbook.correlation(h, c0, T)
    for size in range(1, n + 1):
        for keep in combinations(range(n), size):
            rho = fock.reduced_state(h, c0, T, keep)
            np.testing.assert_allclose(fock.correlation_matrix(rho), block(c, keep), atol=1e-12)
            gaussian = textbook.gaussian_entropy(block(c, keep))
            assert fock.entropy(rho) == pytest.approx(gaussian, abs=1e-11)


def test_partial_trace_over_a_middle_site_needs_the_reordering() -> None:
    c0 = seeded_correlation(3, 8)
    naive = fock.gaussian_state(c0).reshape((2,) * 6)
    naive = np.einsum("aibcid->abcd", naive).reshape(4, 4)
    right = textbook.gaussian_entropy(block(c0, (0, 2)))
    assert abs(fock.entropy(naive) - right) > 1e-3


@pytest.mark.parametrize("correlated", [False, True], ids=["product start", "correlated start"])
@pytest.mark.parametrize("name", PARTITIONS)
def test_ledger_from_the_definitions_in_fock_space(name: str, correlated: bool) -> None:
    h, c0, system, baths, betas, mus = network(name)
    if correlated:
        c0 = seeded_correlation(len(h), 9)
        led = textbook.ledger(h, c0, system, baths, T)
        start = textbook.ledger(h, c0, system, baths, 0.0)
        betas, mus, alphas = start["beta"], start["mu"], start["alpha"]
    else:
        led = textbook.ledger(h, c0, system, baths, T, betas, mus)
        alphas = np.multiply(betas, mus)
    together = [site for bath in baths for site in bath]
    rho = fock.joint_state(h, c0, T, [*system, *together])
    rho_b = fock.reduced_state(h, c0, T, together)

    assert led["system_bath"] == pytest.approx(fock.mutual_information(rho, len(system)), abs=1e-10)
    product = np.eye(1)
    sigma_running = -fock.entropy(fock.reduced_state(h, c0, 0.0, system))
    sigma_running += fock.entropy(fock.reduced_state(h, c0, T, system))
    sigma_fixed, finite_bath, athermality, athermality_initial = sigma_running, 0.0, 0.0, 0.0
    for nu, bath in enumerate(baths):
        h_nu = block(h, bath)
        # One site leaves beta undetermined: the twin says 0, so that only alpha means something.
        single_site = len(bath) == 1
        rho_nu = fock.reduced_state(h, c0, T, bath)
        rho_nu_0 = fock.reduced_state(h, c0, 0.0, bath)
        product = np.kron(product, rho_nu)
        pi_t = fock.grand_canonical_natural(h_nu, led["beta"][nu], led["alpha"][nu])
        pi_0 = fock.grand_canonical_natural(h_nu, betas[nu], alphas[nu])
        hamiltonian, number = fock.quadratic(h_nu), fock.quadratic(np.eye(len(bath)))
        for operator, key in ((hamiltonian, "energy"), (number, "particles")):
            value = fock.expectation(rho_nu, operator)
            assert led[key][nu] == pytest.approx(value, abs=1e-12)
            assert fock.expectation(pi_t, operator) == pytest.approx(value, abs=1e-11)
        heat = -fock.expectation(rho_nu - rho_nu_0, hamiltonian - mus[nu] * number)
        assert led["heat"][nu] == pytest.approx(heat, abs=1e-12, nan_ok=single_site)
        natural = betas[nu] * hamiltonian - alphas[nu] * number
        sigma_fixed += fock.expectation(rho_nu - rho_nu_0, natural)
        assert led["thermal_entropies"][nu] == pytest.approx(fock.entropy(pi_t), abs=1e-10)
        assert led["bath_entropies"][nu] == pytest.approx(fock.entropy(rho_nu), abs=1e-11)

        alone, alone_0 = fock.modes_apart(rho_nu, h_nu), fock.modes_apart(rho_nu_0, h_nu)
        intra = fock.relative_entropy(rho_nu, alone)
        assert led["intra_bath"][nu] == pytest.approx(intra, abs=1e-10)
        athermality += fock.relative_entropy(alone, pi_t)
        athermality_initial += fock.relative_entropy(alone_0, pi_0)
        finite_bath += fock.relative_entropy(pi_t, pi_0)
        sigma_running += fock.entropy(pi_t) - fock.entropy(pi_0)

    expected = {
        "inter_bath": fock.relative_entropy(rho_b, product),
        "athermality": athermality,
        "athermality_initial": athermality_initial,
        "finite_bath": finite_bath,
        "entropy_production": sigma_running,
        "entropy_production_fixed": sigma_fixed,
        "system_entropy": fock.entropy(fock.reduced_state(h, c0, T, system)),
        "bath_entropy": fock.entropy(rho_b),
        "system_occupation": fock.correlation_matrix(rho)[: len(system), : len(system)].trace(),
        "total_energy": fock.expectation(rho, fock.quadratic(block(h, [*system, *together]))),
        "residual": 0.0,
    }
    for key, value in expected.items():
        assert led[key] == pytest.approx(value, abs=1e-10), key
    between = h.copy()
    for part in (system, *baths):
        between[np.ix_(part, part)] = 0.0
    coupling = fock.quadratic(block(between, [*system, *together]))
    assert led["interaction_energy"] == pytest.approx(fock.expectation(rho, coupling), abs=1e-11)


def test_ledger_at_time_zero_and_identities() -> None:
    h, c0, system, baths, betas, mus = network("two baths")
    led = textbook.ledger(h, c0, system, baths, 0.0, betas, mus)
    np.testing.assert_allclose(led["beta"], betas, rtol=1e-12)
    np.testing.assert_allclose(led["mu"], mus, rtol=1e-12)
    zero = ("entropy_production", "entropy_production_fixed", "athermality_initial", "finite_bath")
    for key in (*zero, "system_bath", "inter_bath", "intra_bath", "athermality", "heat"):
        np.testing.assert_allclose(led[key], 0.0, atol=1e-13, err_msg=key)
    later = textbook.ledger(h, c0, system, baths, 40.0, betas, mus)
    gap = later["entropy_production_fixed"] - later["entropy_production"]
    assert later["finite_bath"] == pytest.approx(gap, abs=1e-12)
    assert later["total_energy"] == pytest.approx(led["total_energy"], abs=1e-12)


def test_ledger_of_a_pure_start_in_real_and_complex_gauge() -> None:
    leads = [textbook.flat_lead(8, 4.0, 0.5), textbook.flat_lead(7, 4.0, 0.5)]
    h = textbook.star(0.1, leads)
    system, baths = (0,), (tuple(range(1, 9)), tuple(range(9, 16)))
    c0 = np.diag([0.0, *(1, 1, 0, 1, 0, 1, 0, 0), *(0, 1, 1, 0, 0, 1, 0)]).astype(float)
    led = textbook.ledger(h, c0, system, baths, 5.0)
    assert abs(led["residual"]) < 1e-12
    assert led["bath_entropy"] == pytest.approx(led["system_entropy"], abs=1e-12)
    phase = np.exp(1j * np.random.default_rng(0).uniform(0, 6, len(h)))
    turned = textbook.ledger(phase[:, None] * h * phase.conj(), c0, system, baths, 5.0)
    for key, value in led.items():
        np.testing.assert_allclose(turned[key], value, atol=1e-10, err_msg=key)


def test_ledger_of_baths_at_zero_temperature() -> None:
    leads = [textbook.flat_lead(9, 4.0, 0.5), textbook.flat_lead(8, 4.0, 0.5)]
    h = textbook.star(0.1, leads)
    system, baths = (0,), (tuple(range(1, 10)), tuple(range(10, 18)))
    cold = ((np.inf, np.inf), (0.5, -0.4))
    c0 = textbook.thermal_product(h, np.zeros((1, 1)), system, baths, *cold)
    led = textbook.ledger(h, c0, system, baths, 3.0, *cold)
    assert led["entropy_production_fixed"] == led["finite_bath"] == np.inf
    assert led["athermality_initial"] == pytest.approx(0.0, abs=1e-13)
    assert abs(led["residual"]) < 1e-12
    with pytest.raises(ValueError, match="no finite beta"):
        textbook.ledger(h, c0, system, baths, 0.0, *cold)


def test_ledger_refuses_a_partition_with_holes() -> None:
    with pytest.raises(ValueError, match="sites once each"):
        textbook.ledger(np.eye(3), 0.5 * np.eye(3), (0,), ((1,),), 1.0)


def test_fermi_at_the_edges() -> None:
    energies = np.array([-1.0, 0.5, 2.0])
    np.testing.assert_array_equal(textbook.fermi(np.inf, 0.5, energies), [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(textbook.fermi(-np.inf, 0.5, energies), [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(textbook.fermi(0.0, 0.5, energies), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(textbook.fermi(700.0, 0.0, [1.0, -1.0]), [np.exp(-700.0), 1.0])
    entropies = textbook.binary_entropy(np.array([-1e-17, 0.0, 0.5, 1.0, 1.0 + 1e-15]))
    np.testing.assert_allclose(entropies, [0.0, 0.0, np.log(2), 0.0, 0.0], atol=1e-16)


@pytest.mark.parametrize("modes", [2, 3, 10, 101])
@pytest.mark.parametrize("beta", [-7.0, -0.3, 0.0, 1e-6, 0.8, 12.0])
@pytest.mark.parametrize("mu", [-0.7, 0.0, 1.1])
def test_effective_finds_its_own_thermal_state(modes: int, beta: float, mu: float) -> None:
    rng = np.random.default_rng(modes)
    energies = np.sort(rng.uniform(-1.0, 1.0, modes)) + 0.2
    n = textbook.fermi(beta, mu, energies)
    found = textbook.effective(energies, energies @ n, n.sum())
    assert found[3] @ energies == pytest.approx(energies @ n, abs=1e-13 * modes)
    assert found[3].sum() == pytest.approx(n.sum(), abs=1e-13 * modes)
    assert found[2] == pytest.approx(np.sum(textbook.binary_entropy(n)), abs=1e-12 * modes)
    # The inverse of the covariance of (E, N) says how far rounding may move (beta, alpha).
    weight = n * (1.0 - n)
    rows = np.stack([energies, np.ones(modes)])
    worst = 1.0 / np.linalg.eigvalsh((rows * weight) @ rows.T)[0]
    np.testing.assert_allclose(found[:2], [beta, beta * mu], atol=1e-12 + 1e-15 * modes * worst)


def test_effective_where_no_finite_beta_exists() -> None:
    energies = np.array([-1.0, 0.0, 2.0])
    edges = ((-1.0, 2.0), (-1.0, 1.5), (2.0, 1.5), (-1.1, 1.0), (0.0, 0.0), (1.0, 3.0))
    for energy, number in edges:
        with pytest.raises(ValueError, match="no finite beta"):
            textbook.effective(energies, energy, number)
    with pytest.raises(ValueError, match="no finite beta"):
        textbook.effective(np.array([0.5, 0.5]), 0.7, 1.0)
    beta, alpha, entropy, n = textbook.effective(np.array([0.5, 0.5]), 0.4, 0.8)
    assert (beta, alpha) == (0.0, pytest.approx(np.log(2 / 3)))
    np.testing.assert_allclose(n, 0.4)
    assert entropy == pytest.approx(2 * textbook.binary_entropy(np.array(0.4)))


def test_flat_lead_and_star() -> None:
    energies, couplings = textbook.flat_lead(5, 2.0, 0.3)
    np.testing.assert_allclose(energies, [-1.0, -0.5, 0.0, 0.5, 1.0], atol=1e-15)
    np.testing.assert_allclose(couplings**2 * 2 * np.pi / 0.5, 0.3)
    single = textbook.flat_lead(1, 2.0, 0.3)
    assert (single[0][0], single[1][0]) == (0.0, pytest.approx(np.sqrt(0.6 / (2 * np.pi))))
    h = textbook.star(0.7, [(energies, couplings), single])
    assert h.shape == (7, 7)
    np.testing.assert_array_equal(np.diag(h), [0.7, *energies, 0.0])
    np.testing.assert_array_equal(h[0, 1:], [*couplings, *single[1]])
    np.testing.assert_array_equal(h, h.T)


@pytest.mark.parametrize("row", fermions.INDEPENDENT, ids=["K=10", "K=100", "K=400"])
def test_junction_against_an_independent_program(row: tuple) -> None:
    modes, width, t, *expected = row
    h = textbook.star(0.5, [textbook.flat_lead(modes, width, 0.1)] * 2)
    system, baths = (0,), (range(1, modes + 1), range(modes + 1, 2 * modes + 1))
    betas, mus = (1.0, 1.0), (0.5, -0.5)
    c0 = textbook.thermal_product(h, np.zeros((1, 1)), system, baths, betas, mus)
    led = textbook.ledger(h, c0, system, baths, t, betas, mus)
    found = [
        led["system_occupation"],
        led["entropy_production_fixed"],
        led["system_bath"],
        led["inter_bath"],
        *led["intra_bath"],
        led["entropy_production"],
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert abs(led["residual"]) < 1e-11
    guessed = textbook.ledger(h, c0, system, baths, t)
    for key, value in led.items():
        np.testing.assert_allclose(guessed[key], value, atol=1e-9, err_msg=key)


def test_landauer_buttiker_finite_and_infinite_band() -> None:
    finite = textbook.landauer_buttiker(0.5, 0.1, 0.1, 0.5, 1.0, -0.5, 1.0, width=20.0)
    expected = (0.0110699304345, 0.00528112695652, 0.388693262082)
    np.testing.assert_allclose(finite, expected, rtol=1e-11)
    for row, wide in (
        ((0.5, 0.1, 0.1, 0.5, 1.0, -0.5, 1.0),
         (0.0110102289346713, 0.00522092288578364, 0.389897710653287)),
        ((1.0, 0.5, 0.5, 0.5, 2.0, -0.5, 0.5),
         (0.0734854508630936, 0.0881234266891338, 0.298365541795441)),
    ):  # fmt: skip
        np.testing.assert_allclose(textbook.landauer_buttiker(*row), wide, rtol=1e-10)
