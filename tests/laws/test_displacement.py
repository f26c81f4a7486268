"""Entropies by elimination against the eigenvalues of the matrix written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import check_derivative, forward_and_reverse

import entropax as ex
from entropax.linalg import Displaced, displaced_entropy
from entropax.linalg.low_displacement_rank import log_determinant
from entropax.method.fermions.junction_exact import StarEvolution

by_elimination = jax.jit(functools.partial(displaced_entropy, dense=0))
written_out = jax.jit(Displaced.matrix)
determinant = jax.jit(log_determinant)


@jax.jit
def blocks(junction: ex.Junction, time: jax.Array) -> tuple[Displaced, ...]:
    return StarEvolution().states(junction)(time).leads


MODES = 131


def leads(time: float, start: str = "thermal") -> tuple[Displaced, ...]:
    """The blocks of a junction, whose matrices a dense exponential confirms (test_junction)."""
    both = [
        ex.Lead.flat(modes=MODES, width=10.0, coupling=3.0, beta=beta, mu=mu)
        for beta, mu in ((10.0, 1.0), (2.0, -1.0))
    ]
    junction = ex.Junction(level=0.3, occupation=0.0, leads=both)
    if start == "pure":
        junction = ex.pure_start(junction, jax.random.key(0))
    if start in ("empty", "filled"):
        n = np.full(2 * MODES + 1, float(start == "filled"))
        junction = ex.with_occupations(junction, n)
    return blocks(junction, time)


def dense(lead: Displaced) -> np.ndarray:
    return np.asarray(written_out(lead))


def entropy(matrix: np.ndarray) -> float:
    values = np.clip(np.linalg.eigvalsh(matrix), 1e-300, 1.0 - 1e-16)
    return float(-np.sum(values * np.log(values) + (1.0 - values) * np.log1p(-values)))


@pytest.mark.parametrize("start", ["thermal", "pure", "empty", "filled"])
@pytest.mark.parametrize("time", [0.0, 0.02, 1.0, 1e5])
def test_entropy_is_that_of_the_eigenvalues(time: float, start: str) -> None:
    for lead in leads(time, start=start):
        expected = entropy(dense(lead))
        np.testing.assert_allclose(by_elimination(lead), expected, rtol=0, atol=3e-11)


def part(lead: Displaced, modes: int) -> Displaced:
    """The first modes of a lead: a state again, known by the same displacement."""
    return Displaced(lead.energies[:modes], lead.diagonal[:modes], lead.generators[:, :modes])


@pytest.mark.parametrize("modes", [1, 2, 64, 65, 131])
def test_any_size(modes: int) -> None:
    for whole in leads(3.0):
        lead = part(whole, modes)
        expected = entropy(dense(lead))
        np.testing.assert_allclose(by_elimination(lead), expected, rtol=0, atol=3e-11)


def test_log_determinants() -> None:
    """With the error that the module promises: rounding over the shift."""
    lead = leads(1.0)[1]
    values = np.linalg.eigvalsh(dense(lead))
    for shift in (1e3, 1.0, 1e-2, 1e-5, 1e-8):
        found = determinant(lead, jnp.array(shift))
        expected = np.sum(np.log((values + shift) / (shift + 0.5)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 + 1e-13 / shift)


def test_batch_is_a_loop_and_both_routes_have_one_derivative() -> None:
    pair = [part(lead, 40) for lead in leads(2.0)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *pair)
    batch = jax.jit(jax.vmap(by_elimination))(stacked)
    np.testing.assert_allclose(batch, [by_elimination(x) for x in pair], rtol=0, atol=1e-12)

    def along(route: int, coupling: jax.Array) -> jax.Array:
        lead = ex.Lead.flat(modes=40, width=10.0, coupling=coupling, beta=1.0, mu=0.5)
        at = StarEvolution().states(ex.Junction(level=0.3, occupation=0.2, leads=[lead]))
        return displaced_entropy(at(jnp.array(2.0)).leads[0], dense=route)

    def by_one_route(coupling: jax.Array) -> jax.Array:
        return along(0, coupling)

    at, forwards = (jnp.array(1.0),), (jnp.array(1.0),)
    check_derivative(by_one_route, at, forwards)
    slope = forward_and_reverse(by_one_route, at, forwards)[1]
    other = jax.jit(jax.grad(functools.partial(along, 1000)))(1.0)
    np.testing.assert_allclose(slope, other, rtol=1e-12)
