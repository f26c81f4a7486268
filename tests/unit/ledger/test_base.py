"""What all ledgers share: heat over a temperature that may be zero, and dispatch by model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.ledger.base import judge, measure, over_temperature, reference, settle

INF = np.inf


def test_heat_over_temperature() -> None:
    beta = jnp.array([2.0, 0.0, -1.0, INF, INF, INF, -INF])
    energy = jnp.array([[1.5, 1e300, 3.0, 1.0, -1.0, 1e-12, 1.0]])
    found = over_temperature(beta, energy, 1e-11)
    np.testing.assert_array_equal(found, [[3.0, 0.0, -3.0, INF, -INF, 0.0, -INF]])


def test_what_flows_from_a_bath_at_zero_temperature_leaves_other_slopes_alone() -> None:
    """No infinity times zero: the bath beside it keeps its derivative."""

    def total(energy: jax.Array) -> jax.Array:
        return over_temperature(jnp.array([2.0, INF]), energy, 1e-11)[0]

    slope = jax.grad(total)(jnp.array([1.5, 1.0]))
    np.testing.assert_array_equal(slope, [2.0, 0.0])


@pytest.mark.misuse
@pytest.mark.misuse
@pytest.mark.parametrize("function", [reference, measure, settle, judge])
def test_what_has_no_ledger_is_not_guessed(function) -> None:
    arguments = (object(),) * (3 if function is judge else 2)
    with pytest.raises(NotImplementedError):
        function(*arguments)
