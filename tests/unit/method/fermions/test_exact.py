"""The exact method of free fermions: what it knows, decides and refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import junction, lead, network

import entropax as ex
from entropax.state import DenseState, ProductState

TS = jnp.zeros(1)


def test_prepare_decides_what_is_known() -> None:
    apart = junction(leads=(lead(),))
    crowded = junction(leads=(lead(energies=[0.0, 1.0, 1.0]),))
    assert ex.Exact().prepare(apart, TS).crowded is False
    assert ex.Exact().prepare(crowded, TS).crowded is True
    assert ex.Exact().prepare(network(), TS).crowded is None


def test_prepare_leaves_open_what_a_program_traces() -> None:
    decided = []

    @jax.jit
    def program(energies: jax.Array) -> jax.Array:
        decided.append(ex.Exact().prepare(junction(leads=(lead(energies=energies),)), TS).crowded)
        return energies

    jax.eval_shape(program, jnp.arange(3.0))
    assert decided == [None]


def test_couplings_that_a_program_traces_tell_their_rounding() -> None:
    decided = []

    @jax.jit
    def program(couplings: jax.Array) -> jax.Array:
        model = junction(leads=(lead(energies=[0.0, 1.0, 2.0], couplings=couplings),))
        decided.append(ex.Exact().prepare(model, TS))
        return couplings

    jax.eval_shape(program, jnp.ones(3))
    assert [(method.crowded, method.tells_rounding) for method in decided] == [(False, True)]


def test_the_start_is_the_models() -> None:
    start = jax.jit(ex.Exact(crowded=True).initial)(junction())
    assert isinstance(start, ProductState)
    np.testing.assert_array_equal(start.system, [[0.2]])
    dense = jax.jit(ex.Exact().initial)(network(start=np.eye(4) / 4))
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
