"""Smoothly driven energies: the state and the work that steps carry."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import KEY, Wave, driven

import entropax as ex
from entropax.method.stepping import step_through
from entropax.method.windows.driven import DrivenEnergies, Splitting, middle_energies
from entropax.method.windows.propagation import WindowHamiltonian
from entropax.method.windows.sectors import find_sectors


def test_energies_of_half_the_time() -> None:
    model = driven(Wave(jnp.array(0.4)))
    energies = middle_energies(model, jnp.array([1.0, 6.0]))
    np.testing.assert_allclose(energies, [0.0, 1.0 + 0.4 * np.sin(0.7 * 3.0)], rtol=1e-15)


def test_steps_are_unitary_and_simpsons_rule_does_the_work_of_a_ramp() -> None:
    """Of a spin that its bath does not touch: W = int (d epsilon / dt) p dt."""
    bath = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    link = ex.Coupling(np.diag([0.3, -0.2]), bath, 0.2, ex.GOE(1.0))
    start = ex.Product(system=[0.3, 0.7], windows=(0,))
    model = ex.OpenSystem((0.0, lambda t: 1.0 + 0.1 * t**3), (link,), start)
    ts = jnp.array([2.0])
    sectors = find_sectors(model)

    def program(model):
        setting = WindowHamiltonian.draw(model, sectors, KEY)
        resting = setting.begin(middle_energies(model, ts))
        splitting = Splitting(DrivenEnergies(model), resting, order=4)

        def show(amplitudes, time, work):
            norms = [jnp.sum(jnp.abs(x) ** 2, axis=0) for x in amplitudes]
            return work, jnp.concatenate(norms), splitting.state(amplitudes, time, work).energies

        return step_through(splitting.driven, splitting, ts, 2, show, diffrax.NoProgressMeter())

    work, norms, energies = jax.jit(program)(model)
    np.testing.assert_allclose(work, [0.7 * 0.8], rtol=1e-13)
    np.testing.assert_allclose(norms, 1.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(energies, [[0.0, 1.8]], rtol=1e-15)
