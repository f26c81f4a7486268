"""Methods of ideal baths: what they plan and refuse, their start, runs and steady states."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method import AbstractIdealBathEquation
from entropax.method.ideal.davies import DaviesEquation
from entropax.method.ideal.equation import AbstractEquation
from entropax.method.ideal.local import LindbladEquation, LocalEquation
from entropax.method.ideal.redfield import RedfieldEquation

AT = jnp.zeros(1)
SILENT = diffrax.NoProgressMeter()

JUMPS = ideal.qubit(couplings=[ex.Jump(twin.LOWER, ideal.BATH, 0.3)])
METHODS: dict[str, tuple[AbstractIdealBathEquation, ex.OpenSystem, type[AbstractEquation]]] = {
    "Davies": (ex.Davies(), ideal.qubit(), DaviesEquation),
    "Local": (ex.Local(), ideal.qubit(), LocalEquation),
    "Redfield": (ex.Redfield(), ideal.qubit(), RedfieldEquation),
    "Lindblad": (ex.Lindblad(), JUMPS, LindbladEquation),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_plan_holds_the_times_in_order_and_an_equation(name: str) -> None:
    method, model, kind = METHODS[name]
    plan = method.plan(model, jnp.array([2.0, 0.0, 1.0]))
    np.testing.assert_array_equal(plan.ts, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(plan.as_asked(plan.ts), [2.0, 0.0, 1.0])
    assert isinstance(plan.decided, kind)
    steady = method.plan_steady(model)
    assert steady.asked == 0
    assert isinstance(steady.decided, kind)


def test_the_plan_of_a_steady_state_does_not_ask_for_the_start() -> None:
    tilted = ideal.qubit(start=ex.Product(np.array([[0.5, 0.3], [0.3, 0.5]])))
    assert ex.Davies().plan(tilted, AT).decided.pairs is None
    assert ex.Davies().plan_steady(tilted).decided.pairs == ((0, 0), (1, 1))


def test_the_start_is_that_before_a_jump_at_time_0() -> None:
    """And the run begins with the jump's work."""
    gap = ex.PiecewiseConstant((0.0,), (1.0, 3.0))
    model, method = ideal.qubit(energies=(0.0, gap), start=ex.Product(system=1)), ex.Davies()
    plan = method.plan(model, AT)
    start = method.initial(plan)
    np.testing.assert_array_equal(start.hamiltonian, np.diag([0.0, 1.0]))
    np.testing.assert_array_equal(start.state, np.diag([0.0, 1.0]))
    assert start.log_stationary is None
    assert not np.any(start.faults.present)
    run = jax.jit(lambda plan: method.run(plan, lambda state: (state.work, state.energy), SILENT))
    (work,), (energy,) = run(plan)
    assert float(work) == pytest.approx(2.0, rel=1e-15)
    np.testing.assert_array_equal(energy, [0.0])


def test_a_start_tells_its_faults() -> None:
    tilted = ideal.qubit(start=ex.Product(np.array([[0.5, 0.3], [0.3, 0.5]])))
    method = ex.Davies(coherences=False)
    faults = method.initial(method.plan(tilted, AT)).faults
    both = zip(faults.messages, faults.present, strict=True)
    (message,) = [message for message, present in both if present]
    assert message == "`coherences` must be True or None for a start with coherences."


@pytest.mark.parametrize("name", METHODS)
def test_what_is_stationary_does_not_change(name: str) -> None:
    """A Gibbs state of the bath's temperature, or the ground state where jumps lead down alone."""
    method, model, _ = METHODS[name]
    state, steady = jax.jit(method.stationary)(method.plan_steady(model))
    assert bool(steady.unique)
    assert bool(steady.converged)
    excited = 0.0 if name == "Lindblad" else 1.0 / (1.0 + np.e)
    np.testing.assert_allclose(state.state, np.diag([1 - excited, excited]), rtol=0, atol=1e-15)
    np.testing.assert_allclose(state.rate, 0.0, atol=1e-16)
    np.testing.assert_allclose(state.energy_current, 0.0, atol=1e-16)
    np.testing.assert_array_equal(state.energy, [0.0])
    assert float(state.work) == float(state.power) == 0.0


BAD = {
    "method of windows": (
        lambda: ex.solve(ideal.qubit(), [0.0], ex.EMME()),
        "`model` must have window baths for the method EMME, but has ideal ones",
    ),
    "method of ideal baths": (
        lambda: ex.solve(
            ideal.qubit(couplings=[ideal.window()], start=ex.Product(0, (0,))), [0.0], ex.Davies()
        ),
        "`model` must have ideal baths for the method Davies",
    ),
    "frame for Davies": (
        lambda: ex.steady_state(ideal.qubit(frame=np.diag([0.0, 1.0])), ex.Davies()),
        "`frame` must be None for Davies",
    ),
    "times before the start": (
        lambda: ex.Davies().plan(ideal.qubit(), jnp.array([0.0, -1.0])),
        "`ts` must be non-negative for a master equation, but has -1.0 at index 1",
    ),
    "another model": (
        lambda: ex.Davies().plan(ex.Junction(0.0, 0.0, (ex.Lead([0.1], [0.1], 1.0, 0.0),)), AT),
        "`model` must be an OpenSystem for the method Davies, but is Junction",
    ),
    "another model's steady state": (
        lambda: ex.Local().plan_steady(ex.Junction(0.0, 0.0, (ex.Lead([0.1], [0.1], 1.0, 0.0),))),
        "`model` must be an OpenSystem for the method Local, but is Junction",
    ),
    "driven steady state": (
        lambda: ex.Local().plan_steady(ideal.qubit(drives=[ex.Drive(twin.SX, jnp.sin)])),
        r"`model` must not be driven for a steady state, but is by drives\[0\].protocol",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
