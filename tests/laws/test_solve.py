"""The one door: programs that can be kept, what they leave out, and times that they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.solve import raise_failures, solve_plan

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
LEAD = ex.Lead.flat(modes=3, width=1.0, coupling=0.1, beta=1.0, mu=0.0)
JUNCTION = ex.Junction(0.0, 0.5, (LEAD,))
RAMP = ex.PiecewiseLinear((0.0, 1.0), (0.0, 1.0))
WINDOWS = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)


def driven(level: Any = RAMP) -> ex.Junction:
    return ex.Junction(level, 0.5, (LEAD,))


def spin(energy: Any = 1.0) -> ex.OpenSystem:
    link = ex.Coupling(SX, WINDOWS, 0.1, ex.RandomBands())
    return ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=(0,)))


def calls_host(model: Any, method: ex.AbstractMethod) -> bool:
    plan = method.plan(model, jnp.array([0.0, 0.5]))
    return "callback" in solve_plan.lower(method, plan).as_text()


KEPT: dict[str, tuple[Any, ex.AbstractMethod]] = {
    "junction": (JUNCTION, ex.Exact()),
    "driven junction": (driven(), ex.SplitStep(steps=2)),
    "network": (ex.FermionNetwork.from_junction(JUNCTION), ex.Exact()),
    "driven network": (ex.FermionNetwork.from_junction(JUNCTION), ex.Magnus(steps=2)),
    "windows": (spin(), ex.Schrodinger(key=jax.random.key(0))),
    "driven windows": (spin(RAMP), ex.Schrodinger(key=jax.random.key(0), steps=2)),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_program_can_be_kept_between_runs(name: str) -> None:
    """JAX keeps none that calls the host, as one that raises by itself does, where asked to."""
    model, method = KEPT[name]
    assert not calls_host(model, method)

    def text(throw: bool | None) -> str:
        program = jax.jit(lambda ts: ex.solve(model, ts, method, throw=throw).ledger)
        return program.lower(jnp.zeros(1)).as_text()

    assert "callback" not in text(None)
    assert "callback" in text(True)


def test_a_derivative_outside_of_jit_decides_as_its_value_does() -> None:
    seen = []

    def f(width: Any) -> Any:
        lead = ex.Lead.flat(modes=3, width=width, coupling=0.1, beta=1.0, mu=0.0)
        model = ex.Junction(0.0, 0.5, (lead,))
        seen.append(ex.Exact().plan(model, jnp.ones(1)).decided.is_crowded)
        return ex.solve(model, [1.0]).ledger.entropy_production[0]

    jax.grad(f)(1.0)
    jax.jvp(f, (1.0,), (1.0,))
    jax.eval_shape(jax.grad(f), 1.0)
    assert seen == [False, False, None]


@pytest.mark.parametrize("name", ["junction", "windows"])
def test_times_where_a_model_is_not_defined(name: str) -> None:
    known = {"junction": (driven(), ex.SplitStep()), "windows": (spin(RAMP), ex.EMME())}
    model, method = known[name]
    run = jax.jit(lambda ts: ex.solve(model, ts, method))
    for ts in ([0.5, 1.5], [-0.5, 0.5]):
        with pytest.raises(ValueError, match="`ts` must be"):
            ex.solve(model, ts, method)
        with pytest.raises(ValueError, match="`ts` must be"):  # known to a derivative
            jax.jvp(lambda ts: ex.solve(model, ts, method).ledger.work, *[(jnp.array(ts),)] * 2)
        found = run(jnp.array(ts))
        assert np.all(found.result == ex.RESULTS.invalid)
        assert np.all(np.isnan(found.ledger.work))
        with pytest.raises(RuntimeError, match="`ts` must be"):
            raise_failures(found)


@pytest.mark.parametrize("name", ["driven junction", "windows", "junction"])
def test_one_time_is_as_one_of_many(name: str) -> None:
    """It is made without the loop that several go by."""
    model, method = KEPT[name]
    many = ex.solve(model, [0.25, 0.75], method, throw=False).ledger
    one = ex.solve(model, [0.25], method, throw=False).ledger
    for several, alone in zip(*map(jax.tree.leaves, (many, one)), strict=True):
        first = several[:1] if np.ndim(several) else several
        np.testing.assert_allclose(first, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("throw", [True, False])
def test_entropy_production_alone_needs_no_eigenproblem(throw: bool) -> None:
    def program(of: Any) -> str:
        run = jax.jit(lambda ts: of(ex.solve(JUNCTION, ts, throw=throw).ledger))
        return run.lower(jnp.ones(1)).compile().as_text()

    assert "heevd" in program(lambda ledger: ledger.bath_entropy)
    assert "heevd" not in program(lambda ledger: ledger.entropy_production)
