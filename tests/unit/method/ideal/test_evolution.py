"""How states evolve in a stretch: their start, what is told of them, exponential and solver."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal

import entropax as ex
from entropax._checks import Faults
from entropax._crossovers import HOUSEKEEPING
from entropax.method.ideal.evolution import Evolution, as_matrix, begin, system_state
from entropax.method.ideal.generators import MatrixGenerator, SecularGenerator
from entropax.method.ideal.interaction_picture import Flow
from entropax.state import SystemState

AT = jnp.zeros(1)
SILENT = diffrax.NoProgressMeter()


def tilted(coherence: float) -> np.ndarray:
    return np.array([[0.5, coherence], [coherence, 0.5]])


def started(coherence: float, *, coherences: bool | None) -> tuple[jax.Array, Flow, Faults]:
    """The matrix that a start is packed as, the start, and its faults."""
    model = ideal.qubit(start=ex.Product(tilted(coherence)))
    equation = ex.Davies(coherences=coherences).equation(model, AT)
    start, faults = begin(equation, model)
    return equation.generator(model).unpack(start.y), start, faults


def test_a_start_is_the_models_and_nothing_has_flowed() -> None:
    state, start, faults = started(0.3, coherences=None)
    np.testing.assert_allclose(state, tilted(0.3), rtol=0, atol=1e-16)
    for flowed in start[1:]:
        assert not np.any(flowed)
    assert start.energy.shape == start.particles.shape == (1,)
    assert not np.any(faults.present)


def test_a_start_that_a_generator_cannot_hold_is_a_fault() -> None:
    """Coherences beside populations alone, but for some below 1e-9."""
    _, start, faults = started(0.3, coherences=False)
    assert np.all(np.isnan(start.y))
    both = zip(faults.messages, faults.present, strict=True)
    assert [message for message, present in both if present] == [
        "`coherences` must be True or None for a start with coherences."
    ]
    state, _, faults = started(5e-10, coherences=False)
    np.testing.assert_allclose(state, np.eye(2) / 2, rtol=0, atol=1e-16)
    assert not np.any(faults.present)


def test_faults_of_rates_are_those_of_the_start() -> None:
    """What a program traces is judged as it runs."""

    @jax.jit
    def present(scale: jax.Array) -> jax.Array:
        model = ideal.qubit_at(ex.ThermalBath(1.0, ex.CustomSpectrum(lambda w: scale * w)))
        return begin(ex.Davies().equation(model, AT), model)[1].present

    assert not np.any(present(jnp.array(1.0)))
    assert np.any(present(jnp.array(-1.0)))


def test_all_of_a_matrix_is_asked_for() -> None:
    model = ideal.qubit()
    whole = ex.Davies(coherences=True).equation(model, AT).generator(model)
    assert isinstance(whole, MatrixGenerator)
    assert as_matrix(whole) is whole
    few = ex.Davies().equation(model, AT).generator(model)
    assert isinstance(few, SecularGenerator)
    with pytest.raises(TypeError, match="all of a density matrix is asked for, not SecularGen"):
        as_matrix(few)


def rates() -> tuple[float, float]:
    """Up and down of the qubit at `ideal.BATH`."""
    n = 1.0 / np.expm1(1.0)
    return 0.1 * n, 0.1 * (1.0 + n)


def test_a_state_tells_what_flows() -> None:
    """Out of the ground state, with work done before and a Hamiltonian that moves."""
    model = ideal.qubit(start=ex.Product(system=0))
    equation = ex.Davies().equation(model, AT)
    generator = equation.generator(model)
    start, _ = begin(equation, model)
    y = start._replace(energy=jnp.array([0.3]), particles=jnp.array([0.2]), work=jnp.array(0.7))
    slope = jnp.array([[0.4, 1.0], [1.0, 0.0]])
    log = jnp.diag(jnp.array([-1.0, -2.0]))
    state = system_state(equation, model, generator, y, log, slope)
    up, down = rates()
    np.testing.assert_array_equal(state.state, np.diag([1.0, 0.0]))
    np.testing.assert_array_equal(state.hamiltonian, np.diag([0.0, 1.0]))
    np.testing.assert_allclose(state.rate, np.diag([-up, up]), rtol=1e-13)
    np.testing.assert_allclose(state.dissipated, [np.diag([-up, up])], rtol=1e-13)
    np.testing.assert_allclose(state.energy_current, [up], rtol=1e-13)
    np.testing.assert_array_equal(state.particle_current, [0.0])
    assert float(state.power) == pytest.approx(0.4, rel=1e-15)
    assert float(state.speed) == pytest.approx(down, rel=1e-13)
    assert (float(state.energy[0]), float(state.particles[0]), float(state.work)) == (0.3, 0.2, 0.7)
    assert state.log_stationary is log
    assert state.secular


def seen(state: SystemState) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    return state.state, state.energy, state.log_stationary


def evolution(
    model: ex.OpenSystem, *, by_exponential: bool = True, housekeeping: bool | None = None
) -> Evolution:
    method = ex.Davies()
    return Evolution(
        method.equation(model, AT),
        seen,
        method.integrator,
        by_exponential=by_exponential,
        housekeeping=housekeeping,
    )


@eqx.filter_jit
def advanced(evolution: Evolution, model: ex.OpenSystem, ts: jax.Array) -> Any:
    """From the start to the last of the times, and what is seen at each."""
    start, _ = begin(evolution.equation, model)
    return evolution.advance(model, start, (jnp.zeros(()), ts[-1]), ts, SILENT)


@pytest.mark.parametrize("start", [0, tilted(0.4)], ids=["populations", "coherences"])
@pytest.mark.parametrize("by_exponential", [True, False], ids=["exponential", "solver"])
def test_a_qubit_relaxes(by_exponential: bool, start: Any) -> None:
    """Populations and coherences as the Bloch equations have them, energy as the gap rises."""
    model = ideal.qubit(start=ex.Product(start))
    ts = np.array([0.0, 0.8, 5.0])
    _, (states, energy, log) = advanced(
        evolution(model, by_exponential=by_exponential), model, jnp.asarray(ts)
    )
    up, down = rates()
    first, coherence = (0.0, 0.0) if isinstance(start, int) else (0.5, 0.4)
    last = up / (up + down)
    excited = last + (first - last) * np.exp(-(up + down) * ts)
    # the solver keeps to 1e-9 a step, and less between steps
    bound = 1e-13 if by_exponential else 1e-8
    np.testing.assert_allclose(states[:, 1, 1], excited, rtol=0, atol=bound)
    turned = coherence * np.exp((1j - (up + down) / 2) * ts)
    np.testing.assert_allclose(states[:, 0, 1], turned, rtol=0, atol=bound)
    np.testing.assert_allclose(energy[:, 0], excited - first, rtol=0, atol=bound)
    # the steady state of the moment, unasked
    steady = np.diag(np.log([1.0 - last, last]))
    np.testing.assert_allclose(log, [steady] * 3, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("more", "housekeeping", "asked"),
    [(0, None, True), (1, None, False), (1, True, True), (0, False, False)],
)
def test_the_steady_state_of_the_moment_is_found_where_asked(
    more: int, housekeeping: bool | None, asked: bool
) -> None:
    """Unasked, up to so many levels."""
    levels = HOUSEKEEPING.here + more
    chain = np.eye(levels, k=1) + np.eye(levels, k=-1)
    couplings = [ex.Coupling(chain, ideal.BATH)]
    model = ideal.qubit(energies=np.arange(float(levels)), couplings=couplings)
    made = evolution(model, housekeeping=housekeeping)
    _, (_, _, log) = eqx.filter_eval_shape(advanced, made, model, jnp.ones(1))
    assert (log is not None) is asked


def test_a_jump_of_the_energy_does_work() -> None:
    """tr of the change with the state, which stays."""
    model = ideal.qubit(start=ex.Product(tilted(0.3)))
    made = evolution(model)
    np.testing.assert_array_equal(made.energy(model), np.diag([0.0, 1.0]))
    start, _ = begin(made.equation, model)
    change = jnp.array([[1.0, 0.5], [0.5, -0.2]])
    after = made.jump(model, start._replace(work=jnp.array(2.0)), change)
    assert float(after.work) == pytest.approx(2.0 + 0.5 - 0.1 + 0.3, rel=1e-15)
    np.testing.assert_array_equal(after.y, start.y)
