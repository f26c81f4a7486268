"""The exact method of free fermions: what it knows, decides and refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import junction, lead, network

import entropax as ex
from entropax.method import Plan
from entropax.method.fermions.junction_exact import StarEvolution
from entropax.method.fermions.network_exact import DenseEvolution
from entropax.state import DenseState, ProductState

TS = jnp.zeros(1)


def evolution(model: ex.Junction | ex.FermionNetwork) -> StarEvolution | DenseEvolution:
    """What a plan decides."""
    return ex.Exact().plan(model, TS).decided


def test_a_plan_decides_what_is_known() -> None:
    apart = junction(leads=(lead(),))
    crowded = junction(leads=(lead(energies=[0.0, 1.0, 1.0]),))
    assert evolution(apart).is_crowded is False
    assert evolution(crowded).is_crowded is True
    assert isinstance(evolution(network()), DenseEvolution)


def test_a_plan_leaves_open_what_a_program_traces() -> None:
    decided = []

    @jax.jit
    def program(energies: jax.Array) -> jax.Array:
        decided.append(evolution(junction(leads=(lead(energies=energies),))).is_crowded)
        return energies

    jax.eval_shape(program, jnp.arange(3.0))
    assert decided == [None]


def test_couplings_that_a_program_traces_tell_their_rounding() -> None:
    decided = []

    @jax.jit
    def program(couplings: jax.Array) -> jax.Array:
        model = junction(leads=(lead(energies=[0.0, 1.0, 2.0], couplings=couplings),))
        decided.append(evolution(model))
        return couplings

    jax.eval_shape(program, jnp.ones(3))
    assert [(star.is_crowded, star.tells_rounding) for star in decided] == [(False, True)]


def test_the_start_is_the_models() -> None:
    method = ex.Exact()
    crowded = Plan(junction(), TS, None, StarEvolution(is_crowded=True))
    start = jax.jit(method.initial)(crowded)
    assert isinstance(start, ProductState)
    np.testing.assert_array_equal(start.system, [[0.2]])
    dense = jax.jit(method.initial)(method.plan(network(start=np.eye(4) / 4), TS))
    assert isinstance(dense, DenseState)
    np.testing.assert_array_equal(dense.correlation, np.eye(4) / 4)


def test_what_is_driven_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`level` must not be driven .* SplitStep\(steps"):
        ex.solve(junction(level=jnp.sin), [1.0])
    border = np.zeros((4, 4))
    border[0, 1] = border[1, 0] = 1.0
    with pytest.raises(ValueError, match=r"`drives\[0\].* must not be driven .* Magnus\(steps"):
        ex.solve(network(drives=(ex.Drive(border, jnp.sin),)), [1.0])


@pytest.mark.misuse
def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`model` must be a Junction or a FermionNetwork.*Lead"):
        ex.solve(lead(), [1.0])
