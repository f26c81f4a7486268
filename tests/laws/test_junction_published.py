"""The junction at the published size, against a dense twin and numbers from outside."""

import jax
import numpy as np
import pytest
from cases import fermions
from twins import ledgers, textbook
from twins.ledgers import (
    assert_invariants,
    assert_same_state,
    fields,
    independent_numbers,
    largest,
)

import entropax as ex

Array = np.ndarray

PUBLISHED = np.array([0.1, 1e3, 1e6]) / 3.0


@pytest.fixture(scope="module")
def published() -> ex.Solution:
    """Usui's case (a) at the published size."""
    model = fermions.flat_junction(1000, 10.0, 3.0, (10.0, 2.0), (1.0, -1.0))
    return ex.solve(model, PUBLISHED, save=fermions.keep)


@pytest.mark.parametrize("row", fermions.INDEPENDENT[1:], ids=["K=100", "K=400"])
def test_junction_against_an_independent_program(row: tuple) -> None:
    model, t, expected = fermions.independent(row)
    led = ex.solve(model, [t]).ledger
    np.testing.assert_allclose(independent_numbers(led), expected, rtol=1e-9)
    assert abs(led.residual[0]) < 1e-11


@pytest.mark.optimised
def test_published_size_against_printed_numbers(published: ex.Solution) -> None:
    """Independent dense program, the row Gamma t = 1e3, to its six digits."""
    led = jax.tree.map(lambda x: x[1] if x.ndim else x, published.ledger)
    found = [*led.beta, *led.mu, led.entropy_production, led.entropy_production_fixed]
    found += [led.terms.system_bath, led.terms.inter_bath, *led.terms.intra_bath]
    found += [led.terms.athermality]
    expected = [1.52169, 1.48272, -0.0347284, 0.0298799, 239.928, 1397.56]
    expected += [1.23213, 14.1446, 97.7593, 95.1027, 31.6889]
    np.testing.assert_allclose(found, expected, rtol=5e-6)


@pytest.mark.optimised
def test_steady_currents_of_a_finite_band(published: ex.Solution) -> None:
    """Landauer-Buettiker in the finite band: slopes between t = 60 and 120 at K = 1000, W = 20."""
    del published  # the same program, compiled once
    model = fermions.flat_junction(1000, 20.0, 0.1, (1.0, 1.0), (0.5, -0.5), 0.5)
    led = ex.solve(model, np.array([60.0, 90.0, 120.0]), save=fermions.keep).ledger

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


@pytest.mark.optimised
def test_invariants_at_the_published_size(published: ex.Solution) -> None:
    assert_invariants(fields(published.ledger), thermal=True)


@pytest.mark.optimised
def test_published_size_against_the_dense_twin(published: ex.Solution) -> None:
    """Every field, blocks, level row and occupations to 1e-9, early and late."""
    leads = [textbook.flat_lead(1000, 10.0, 3.0)] * 2
    betas, mus = (10.0, 2.0), (1.0, -1.0)
    h = textbook.star(0.0, leads)
    filling = [textbook.fermi(b, m, lead[0]) for lead, b, m in zip(leads, betas, mus, strict=True)]
    c0 = np.diag([0.0, *filling[0], *filling[1]])
    baths = [list(range(1, 1001)), list(range(1001, 2001))]
    state = textbook.evolution(h, c0)
    # the evolution is unitary: sum n and sum n^2 stay, and so does the entropy of everything
    account = textbook.account(h, c0, (0,), baths, betas, mus, conserved=True)
    found, scale = fields(published.ledger), largest(fields(published.ledger))
    assert scale > 100
    for i, t in enumerate(PUBLISHED):
        c = state(t)
        for power, trace in ((1, np.trace(c).real), (2, np.linalg.norm(c) ** 2)):
            assert trace == pytest.approx(np.sum(np.diag(c0) ** power), rel=1e-11)
        twin = account(c)
        for name in (*ledgers.PER_TIME, *ledgers.TERMS):
            expected = np.array(twin[ledgers.TEXTBOOK_NAMES.get(name, name)])
            bound = 1e-9 * (1.0 if name in ("beta", "mu", "residual") else scale)
            np.testing.assert_allclose(found[name][i], expected, rtol=0, atol=bound, err_msg=name)
        ours = jax.tree.map(lambda x: np.asarray(x)[i], published.saved)  # noqa: B023
        assert_same_state(ours, c, baths)
