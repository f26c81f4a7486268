"""What all methods share: plans, times one by one, and the models that they know."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import junction

import entropax as ex
from entropax.method.base import Plan, in_turn, require_model, scan_times


class Recorder(diffrax.AbstractProgressMeter):
    """Notes down what it is told."""

    told: list[float]

    def init(self) -> Any:
        return jnp.zeros(())

    def step(self, state: Any, progress: Any) -> Any:
        jax.debug.callback(lambda x: self.told.append(float(x)), progress, ordered=True)
        return state

    def close(self, state: Any) -> None:
        del state
        jax.debug.callback(lambda: self.told.append(-1.0), ordered=True)


def test_times_are_taken_as_they_come() -> None:
    ts, meter = jnp.array([2.0, 0.0, -1.5, 2.0]), Recorder([])
    squares = scan_times(lambda t: {"square": t**2, "pair": jnp.stack([t, -t])}, ts, meter)
    np.testing.assert_array_equal(squares["square"], np.square(ts))
    np.testing.assert_array_equal(squares["pair"], np.stack([ts, -ts], axis=1))
    jax.effects_barrier()
    assert meter.told == [0.25, 0.5, 0.75, 1.0, -1.0]


def test_no_times_are_no_results() -> None:
    results = scan_times(lambda t: t**2, jnp.zeros(0), diffrax.NoProgressMeter())
    assert results.shape == (0,)


@pytest.mark.parametrize("count", [1, 3])
def test_in_turn_is_a_loop_with_its_derivative(count: int) -> None:
    """One step is made without the loop of several."""
    xs = np.array([0.3, -1.2, 2.0])[:count]

    def total(scale: Any) -> Any:
        def step(carry: Any, x: Any) -> tuple[Any, Any]:
            carry = jnp.sin(scale * carry + x)
            return carry, carry**2

        last, squares = in_turn(step, scale, jnp.asarray(xs))
        return last + jnp.sum(squares)

    def plain(scale: float) -> tuple[float, float]:
        carry, slope, value, change = scale, 1.0, 0.0, 0.0
        for x in xs:
            angle = scale * carry + x
            carry, slope = np.sin(angle), np.cos(angle) * (carry + scale * slope)
            value, change = value + carry**2, change + 2 * carry * slope
        return value + carry, change + slope

    found = jax.value_and_grad(total)(0.7)
    np.testing.assert_allclose(found, plain(0.7), rtol=1e-14)


def test_a_method_refuses_models_it_does_not_know() -> None:
    star = junction()
    require_model(ex.SplitStep(), star, ex.Junction)
    require_model(ex.Exact(), star, (ex.Junction, ex.FermionNetwork))
    with pytest.raises(ValueError, match="a FermionNetwork for the method Magnus, but is Junction"):
        require_model(ex.Magnus(), star, ex.FermionNetwork)
    message = "`model` must be a Junction or a FermionNetwork for the method Exact, but is Lead; so"
    with pytest.raises(ValueError, match=message):
        require_model(ex.Exact(), star.leads[0], (ex.Junction, ex.FermionNetwork), "; so it is")


def test_by_itself_a_method_takes_any_times() -> None:
    ts, model = jnp.array([-1.0]), junction()
    plan = ex.Exact().plan(model, ts)
    assert plan.model is model
    assert plan.ts is ts
    assert plan.order is None


ASKED = np.array([2.0, 0.5, 3.0, 0.5, -1.0])


def test_a_plan_sorts_its_times_and_gives_results_back_as_they_were_asked_for() -> None:
    plan = Plan.of("model", jnp.asarray(ASKED), "decided")
    assert (plan.model, plan.decided, plan.asked) == ("model", "decided", 5)
    np.testing.assert_array_equal(plan.ts, [-1.0, 0.5, 0.5, 2.0, 3.0])
    results = plan.as_asked({"time": plan.ts, "pair": jnp.stack([plan.ts, -plan.ts], axis=1)})
    np.testing.assert_array_equal(results["time"], ASKED)
    np.testing.assert_array_equal(results["pair"], np.stack([ASKED, -ASKED], axis=1))
    # two of one time stay in their order
    np.testing.assert_array_equal(plan.order, [3, 1, 4, 2, 0])


def test_sorted_times_stay_as_they_are() -> None:
    ts = jnp.array([0.0, 1.0, 1.0, 4.0])
    plan = Plan.of("model", ts, None)
    assert plan.ts is ts
    assert plan.order is None
    assert plan.asked == 4
    results = {"square": ts**2}
    assert plan.as_asked(results) is results


def test_traced_times_are_sorted_by_the_program() -> None:
    """Whatever they are: sorted ones too. Derivatives go where each time was asked for."""

    @jax.jit
    def program(ts: Any) -> Any:
        plan = Plan.of("model", ts, None)
        assert plan.order is not None
        assert plan.asked == 5
        return plan.ts, plan.as_asked(plan.ts**2)

    for asked in (ASKED, np.sort(ASKED)):
        ts, squares = program(jnp.asarray(asked))
        np.testing.assert_array_equal(ts, np.sort(ASKED))
        np.testing.assert_array_equal(squares, asked**2)
    slopes = jax.jacrev(lambda ts: program(ts)[1])(jnp.asarray(ASKED))
    np.testing.assert_array_equal(slopes, np.diag(2.0 * ASKED))


def test_one_time_stands_in_for_none() -> None:
    plan = Plan.of("model", jnp.zeros(0), None)
    np.testing.assert_array_equal(plan.ts, [0.0])
    assert plan.asked == 0
    results = plan.as_asked({"one": plan.ts, "many": jnp.ones((1, 2, 3), bool)})
    assert results["one"].shape == (0,)
    assert results["many"].shape == (0, 2, 3)
    assert results["many"].dtype == bool


def test_plans_are_pytrees() -> None:
    """So a program is given one, and a batch of plans is made of their arrays."""
    plan = Plan.of(junction(), jnp.asarray(ASKED), None)
    again = eqx.filter_jit(lambda plan: plan)(plan)
    assert eqx.tree_equal(again, plan)
    twice = jax.tree.map(lambda x: jnp.stack([x, x]), plan)
    results = jax.vmap(lambda plan: plan.as_asked(plan.ts))(twice)
    np.testing.assert_array_equal(results, np.stack([ASKED, ASKED]))
