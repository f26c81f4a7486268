"""Exact dynamics in steps: the state and the work that they carry, and their unitarity."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import KEY, SX

import entropax as ex
from entropax.method.stepping import step_through
from entropax.method.windows.driven import ChebyshevSteps, DrivenWindows
from entropax.method.windows.everything import Everything
from entropax.method.windows.sectors import find_sectors

BATH = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)


def stepped(model: ex.OpenSystem, ts: jax.Array, steps: int, terms: int) -> tuple:
    sectors = find_sectors(model)

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple:
        everything = Everything.draw(model, sectors, KEY)
        propagator = ChebyshevSteps(DrivenWindows(model), everything, 4, terms, is_traced=True)

        def show(x, time, work):
            norms = jnp.sum(x.x**2, axis=(0, 1, 2))
            return (
                work,
                norms,
                propagator.state(x, time, work)[1].matrix,
                propagator.faults(x).present,
            )

        return step_through(
            propagator.driven, propagator, ts, steps, show, diffrax.NoProgressMeter()
        )

    return program(model)


def test_simpsons_rule_does_the_work_of_a_ramp() -> None:
    """Of a spin that its bath does not touch: W = int (d epsilon / dt) p dt."""
    link = ex.Coupling(np.diag([0.3, -0.2]), BATH, 0.2, ex.GOE(1.0))
    start = ex.Product(system=[0.3, 0.7], windows=(0,))
    model = ex.OpenSystem((0.0, lambda t: 1.0 + 0.1 * t**3), (link,), start)
    work, norms, hamiltonian, faults = stepped(model, jnp.array([2.0]), 2, 24)
    np.testing.assert_allclose(work, [0.7 * 0.8], rtol=1e-13)
    np.testing.assert_allclose(norms, 1.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(hamiltonian, [np.diag([0.0, 1.8])], rtol=0, atol=1e-15)
    assert not np.any(faults)


def test_ten_thousand_steps_are_unitary() -> None:
    wave = ex.Smooth(lambda t: 0.3 * jnp.sin(t), width=1.0)
    link = ex.Coupling(SX, BATH, wave, ex.GOE(1.0))
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))
    _, norms, *_ = stepped(model, jnp.array([2000.0]), 10_000, 24)
    np.testing.assert_allclose(norms, 1.0, rtol=0, atol=1e-12)


def test_steps_too_long_for_their_terms_are_told() -> None:
    link = ex.Coupling(SX, BATH, ex.Constant(0.1), ex.GOE(1.0))
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))
    *_, faults = stepped(model, jnp.array([0.5, 40.0]), 2, 16)
    np.testing.assert_array_equal(faults[:, 0], [False, True])


def test_controls_come_back_as_they_were_given() -> None:
    drive = ex.Drive(SX, ex.Constant(0.4))
    couplings = (ex.Coupling(SX, BATH, ex.Constant(0.1), ex.GOE(1.0)),)
    start = ex.Product(system=1, windows=(0,))
    model = ex.OpenSystem((0.0, ex.Constant(1.5)), couplings, start, drives=(drive,))
    driven = DrivenWindows(model)
    values = driven.controls_at(jnp.zeros(()))
    np.testing.assert_array_equal(values, [0.0, 1.5, 0.4, 0.1])
    controls = driven.apart(values)
    np.testing.assert_array_equal(controls.matrix, [[0.0, 0.4], [0.4, 1.5]])
    np.testing.assert_array_equal(controls.strengths, [0.1])
