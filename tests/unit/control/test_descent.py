"""Steps of descent: what a line search promises, and what a loss must be."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import entropax as ex
from entropax.control.descent import Problem, descent_of


def test_a_search_never_ends_higher_than_it_began() -> None:
    """Also where the loss falls for a long way, and then rises at once."""

    def cliff(x: jax.Array) -> jax.Array:
        return jnp.where(x[0] > 7e5, 1e9, -x[0])

    best = ex.optimise(cliff, jnp.zeros(1), steps=4)
    assert np.all(np.diff(best.history) <= 0)


@pytest.mark.parametrize("optimiser", [None, optax.sgd(0.25)])
def test_a_step_lowers_a_loss_and_tells_what_it_was(optimiser) -> None:
    problem = Problem(lambda x: jnp.sum(x**2), None, None, ())
    descent, x = descent_of(optimiser), jnp.array([1.0, -2.0])
    there, _, loss, steepest = descent.step(problem, x, descent.init(x))
    assert (loss, steepest) == (5.0, 4.0)
    assert float(jnp.sum(there**2)) < 5.0
