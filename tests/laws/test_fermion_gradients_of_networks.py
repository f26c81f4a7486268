"""Derivatives of networks, of closed forms and at the published size; second derivatives."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import fermions
from cases.fermions import Net, Star
from cases.matrices import seeded_hermitian
from derivatives import difference
from twins import ledgers
from twins.slopes import (
    TS,
    Slopes,
    assert_derivatives,
    direction_in,
    labels,
    network_of,
    only,
    parameters,
    vector,
)

import entropax as ex
from entropax.solve import solve_plan

Array = np.ndarray


def test_closed_forms_have_these_gradients() -> None:
    """Rabi oscillations: of six modes of one energy, and of one mode beside uncoupled ones."""
    jacobian = jax.jit(jax.jacfwd(vector, argnums=(0, 1)))

    def slopes(star: Star) -> dict[str, Array]:
        by_model, by_times = jacobian(star.model(), TS)
        (lead,) = by_model.leads
        rows = {name: getattr(by_model, name) for name in ("level", "occupation")}
        rows |= {name: getattr(lead, name) for name in ("energies", "couplings", "beta", "mu")}
        return {name: np.asarray(value) for name, value in (rows | {"ts": by_times}).items()}

    names = labels(1)
    for name in ("six modes of one energy", "six resonant modes", "six modes, three uncoupled"):
        rabi = fermions.RABI[name]
        found = slopes(fermions.star_of(rabi))
        for i, t in enumerate(TS):
            occupation = rabi.system_occupation(t)
            row = np.flatnonzero(names == "system_occupation")[i]
            assert_slopes(found, row, occupation.slope, i)
            row = np.flatnonzero(names == "entropy_production")[i]
            assert_slopes(found, row, rabi.entropy_production(t).slope, i)

    rabi = fermions.RABI["one mode"]
    aside = np.array([0.7, -0.9, 1.3, -1.6, 2.1])
    lead = (
        np.array([rabi.energy, *aside]),
        np.array([rabi.couplings[0], *[0.0] * 5]),
        rabi.beta,
        rabi.mu,
    )
    found = slopes(Star(rabi.level, rabi.occupation, (lead,)))
    for i, t in enumerate(TS):
        slope = dict(rabi.system_occupation(t).slope)
        row = np.flatnonzero(names == "system_occupation")[i]
        energies = found["energies"][row]
        assert float(energies[0]) == pytest.approx(slope.pop("energy"), abs=1e-11)
        np.testing.assert_allclose(energies[1:], 0.0, rtol=0, atol=1e-12)
        assert_slopes(found, row, slope, i)


def assert_slopes(jacobian: Any, row: int, slope: dict[str, float], time: int) -> None:
    rows = {name: value[row] for name, value in jacobian.items()}
    found = {name: float(rows[name]) for name in ("level", "occupation", "beta", "mu")}
    found |= {"energy": rows["energies"].sum(), "t": float(rows["ts"][time])}
    found |= {f"coupling {k}": float(x) for k, x in enumerate(rows["couplings"])}
    for name, expected in slope.items():
        bound = 1e-10 * max(1.0, abs(expected))
        assert found[name] == pytest.approx(expected, abs=bound), name


@pytest.mark.optimised
def test_every_coupling_at_the_published_size() -> None:
    """All 2000 couplings at once by reverse mode, held against a random direction."""

    def sigma(couplings: Any) -> Any:
        leads = (
            ex.Lead(np.linspace(-5.0, 5.0, 1000), couplings[nu], beta, mu)
            for nu, (beta, mu) in enumerate(((10.0, 1.0), (2.0, -1.0)))
        )
        sol = ex.solve(ex.Junction(0.0, 0.0, tuple(leads)), [10.0])
        return sol.ledger.entropy_production[0]

    start = np.full((2, 1000), np.sqrt(3.0 * 10.0 / 999 / (2 * np.pi)))
    both = jax.jit(jax.value_and_grad(sigma))
    gradient = np.asarray(both(start)[1])
    assert gradient.shape == (2, 1000)
    assert np.all(np.isfinite(gradient))
    d = start * np.random.default_rng(0).normal(size=(2, 1000))
    expected = float(difference(lambda x: both(x)[0], (start,), (d,), 3e-3))
    assert np.sum(gradient * d) == pytest.approx(expected, rel=1e-6)
    assert abs(expected) > 0.01


def test_networks_in_reverse() -> None:
    """Thermal baths: all of a complex h, temperatures, times."""
    pull = Slopes(network_of(fermions.NETWORKS["complex"])).pull
    for name in ("complex", "ring with flux"):
        assert_derivatives(fermions.NETWORKS[name], pull=pull)


def test_networks_forward() -> None:
    """Correlated starts, and the ring whose occupation is a sum of plane waves."""
    push = Slopes(network_of(fermions.NETWORKS["correlated"])).push
    for name in ("correlated", "correlated, some of it pure"):
        # beta near zero and a bath of one site leave mu no digits, or no meaning
        fixed = ("start",) if "pure" in name else ()
        skip = ("mu", "beta", "heat")
        assert_derivatives(fermions.NETWORKS[name], push=push, fixed=fixed, skip=skip)

    ring, parts = fermions.RING, fermions.SCATTERED
    net = Net(ring.h(), *parts, start=np.diag(ring.filling) + 0j)
    p, row = parameters(net), labels(3) == "system_occupation"
    for i, t in enumerate(TS):
        exact = [ring.occupation(site, t).slope for site in parts[0]]
        moves = {by: only(p, "h", ring.by(by)) for by in ("hopping", "flux")}
        moves["t"] = only(p, "ts", np.eye(len(TS))[i])
        found = {by: push(p, d)[row][i] for by, d in moves.items()}
        for by, value in found.items():
            assert float(value) == pytest.approx(sum(x[by] for x in exact), abs=1e-10), by


def test_second_derivatives() -> None:
    """A junction's raise and name the dense network, whose Hessian is right."""

    def junction(x: Any) -> Any:
        lead = ex.Lead([-0.4, 0.5], [0.3, 0.4], 1.2, x[1])
        sol = ex.solve(ex.Junction(x[0], 0.3, (lead,)), [2.0])
        return sol.ledger.entropy_production[0]

    with pytest.raises(NotImplementedError, match=r"FermionNetwork\.from_junction"):
        jax.eval_shape(jax.hessian(junction), jnp.array([0.1, 0.2]))

    net = Net(seeded_hermitian(4, 2), (0,), ((1, 2), (3,)), betas=(1.3, 0.4), mus=(0.2, -0.3))
    bend = [direction_in("h", net.h, np.random.default_rng(seed)) for seed in range(2)]

    built, method = net.model(), ex.Exact()

    def network(x: Any) -> Any:
        """Of a model that is checked beforehand, so that JAX can keep the program between runs."""
        h = net.h + x[0] * bend[0] + x[1] * bend[1]
        model = eqx.tree_at(lambda m: (m.hamiltonian, m.beta), built, (h, x[2:4]))
        led = solve_plan(method, method.plan(model, x[4:])).ledger
        return led.entropy_production[0]

    x = np.array([0.1, -0.2, 1.3, 0.4, 2.0])
    hessian = np.asarray(jax.jit(jax.hessian(network))(jnp.array(x)))
    np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=1e-9)

    def dense(y: Array) -> float:
        h = net.h + y[0] * bend[0] + y[1] * bend[1]
        other = net._replace(h=h, betas=tuple(y[2:4]))
        return ledgers.twin_fields(other, y[4:])["entropy_production"][0]

    rng = np.random.default_rng(1)
    for _ in range(4):
        a, b = rng.normal(size=(2, 5))
        slope = lambda y: difference(dense, (y,), (b,), 1e-3)  # noqa: B023, E731
        expected = difference(slope, (x,), (a,), 1e-3)
        assert a @ hessian @ b == pytest.approx(float(expected), rel=1e-6, abs=1e-6)
