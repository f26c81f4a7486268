"""Driven energies, operators and couplings of window models, against a propagated state."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.windows import KEY, SX, Pieces, pieces
from derivatives import check_derivative
from twins import riera

import entropax as ex

Array = np.ndarray

BATH = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(2, 3, 4), width=0.5)
CANONICAL = ex.Product(system=[[0.5, 0.3j], [-0.3j, 0.5]], beta=(1.3,))
TS = np.array([4.0, 0.0, 2.0])
RNG = np.random.default_rng(8)
SECOND, DRIVEN, MATRIX = (
    random_hermitian(RNG, 2),
    random_hermitian(RNG, 2),
    random_hermitian(RNG, 9),
)


class Sine(eqx.Module):
    """height sin(rate t + phase) + mean."""

    height: Any
    rate: Any
    phase: Any = 0.3
    mean: Any = 0.0

    def __call__(self, time: jax.Array) -> jax.Array:
        return self.mean + self.height * jnp.sin(self.rate * time + self.phase)


def everything_driven(start: Any = CANONICAL, height: Any = 1.0) -> ex.OpenSystem:
    """Energies, two operators, and the first of two couplings, with a bend and a smooth course."""
    switch = ex.PiecewiseLinear((0.0, 1.0, 5.0), height * jnp.array([0.0, 0.2, 0.1]))
    couplings = (
        ex.Coupling(SX, BATH, switch, MATRIX),
        ex.Coupling(SECOND, BATH, ex.Smooth(Sine(0.1 * height, 0.8), width=1.0), ex.GUE(0.3)),
    )
    drives = (
        ex.Drive(DRIVEN, ex.Smooth(Sine(0.3 * height, 1.1), width=1.0)),
        ex.Drive(np.diag([0.2, -0.1]), ex.PiecewiseConstant((1.5,), (0.0, 1.0))),
    )
    energies = (0.0, ex.Smooth(Sine(0.2 * height, 0.5, 0.0, 1.0), width=1.0))
    return ex.OpenSystem(energies, couplings, start, interaction=0.2 * SX, drives=drives)


BREAKS = (1.0, 1.5)


@functools.cache
def propagated(model_of: Any) -> tuple[Pieces, list[Array]]:
    parts = pieces(model_of())
    return parts, parts.at(sorted(TS), BREAKS)


def assert_same_as(led: ex.WindowLedger, parts: Pieces, states: list[Array], atol: float) -> None:
    model, where = parts.model, BATH.window_of_level
    for i, t in enumerate(sorted(TS)):
        row, rho = int(np.argsort(TS)[i]), states[i]
        blocks = rho.reshape(2, parts.size, 2, parts.size)
        populations = np.diagonal(rho).real.reshape(2, parts.size)
        joint = np.stack([populations[:, where == w].sum(1) for w in range(3)], axis=1)
        np.testing.assert_allclose(led.joint[row], joint, rtol=0, atol=atol)
        system = np.einsum("kaqa->kq", blocks)
        np.testing.assert_allclose(led.system_state[row], system, rtol=0, atol=atol)
        total = np.trace(rho @ parts.hamiltonian(t)).real
        np.testing.assert_allclose(led.total_energy[row], total, rtol=0, atol=atol)
        energy = np.trace(rho @ parts.baths).real
        np.testing.assert_allclose(led.energy[row, 0], energy, rtol=0, atol=atol)
        own = np.trace(system @ np.asarray(model.at(jnp.array(t)).between_eigenstates())).real
        np.testing.assert_allclose(led.system_energy[row], own, rtol=0, atol=atol)
        np.testing.assert_allclose(
            led.system_entropy[row], riera.entropy(system), rtol=0, atol=1e-8
        )


def test_all_that_can_be_driven_at_once() -> None:
    """And the first law: work is the change of the total energy since before the start."""
    parts, states = propagated(everything_driven)
    led = ex.solve(everything_driven(), TS, ex.Schrodinger(KEY, steps=64)).ledger
    assert_same_as(led, parts, states, 1e-9)
    before = np.trace(parts.start @ parts.hamiltonian(0.0)).real
    np.testing.assert_allclose(led.total_energy - before, led.work, rtol=0, atol=1e-8)
    assert abs(float(led.work[0])) > 0.01


@pytest.mark.parametrize("order", [2, 4])
def test_orders_of_the_steps(order: int) -> None:
    _, states = propagated(everything_driven)
    final = np.einsum("kaqa->kq", states[-1].reshape(2, 9, 2, 9))
    errors = []
    for steps in (8, 16):
        method = ex.Schrodinger(KEY, steps=steps, order=order)  # pyright: ignore[reportArgumentType]
        led = ex.solve(everything_driven(), [2.5, 4.0], method, throw=False).ledger
        errors.append(np.abs(led.system_state[-1] - final).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


STARTS = {
    "ket of everything": ex.JointState(np.sqrt(np.arange(1.0, 19.0) / 171.0) * 1j ** np.arange(18)),
    "kets of baths": ex.Product([[0.6, 0.2j], [-0.2j, 0.4]], states=(np.full(9, 1 / 3),)),
    "drawn": ex.Product(1, windows=([0.5, 0.5, 0.0],), pure=True),
    "drawn, canonical": ex.Product([0.3, 0.7], beta=(0.8,), pure=True),
}


def undriven(start: Any) -> ex.OpenSystem:
    couplings = (ex.Coupling(SX, BATH, 0.2, MATRIX), ex.Coupling(SECOND, BATH, 0.1, ex.GUE(0.3)))
    return ex.OpenSystem((0.0, 1.0), couplings, start, interaction=0.3 * DRIVEN)


@pytest.mark.parametrize("name", STARTS)
def test_starts_that_are_coherent_in_the_baths(name: str) -> None:
    """By eigenvectors; and by steps, whose exponentials are as exact."""
    parts = pieces(undriven(STARTS[name]))
    states = parts.at(sorted(TS))
    led = ex.solve(undriven(STARTS[name]), TS, ex.Schrodinger(KEY)).ledger
    assert_same_as(led, parts, states, 1e-9)
    if name != "drawn":
        steps = ex.Schrodinger(KEY, propagation="chebyshev", steps=2)
        other = ex.solve(undriven(STARTS[name]), TS, steps).ledger
        for field in ("joint", "joint_rate", "system_state", "energy", "interaction_energy"):
            np.testing.assert_allclose(
                getattr(other, field), getattr(led, field), rtol=0, atol=1e-11, err_msg=field
            )


def test_a_density_matrix_of_everything_and_its_entropy() -> None:
    rng = np.random.default_rng(3)
    rho = random_hermitian(rng, 18)
    rho = rho @ rho / np.trace(rho @ rho).real
    model = undriven(ex.JointState(rho))
    method = ex.Schrodinger(KEY, mutual_information=True)
    led = ex.solve(model, TS, method).ledger
    parts = pieces(model)
    states = parts.at(sorted(TS))
    assert_same_as(led, parts, states, 1e-9)
    of_bath = np.einsum("kakb->ab", states[-1].reshape(2, 9, 2, 9))
    of_system = np.einsum("kaqa->kq", states[-1].reshape(2, 9, 2, 9))
    expected = riera.entropy(of_bath) + riera.entropy(of_system) - riera.entropy(rho)
    assert led.mutual_information is not None
    np.testing.assert_allclose(led.mutual_information[0], expected, rtol=0, atol=1e-9)


def test_strengths_that_jump_are_exact() -> None:
    """One eigenproblem a stretch; each jump does the work of the coupling's mean."""
    switch = ex.PiecewiseConstant((1.0, 1.5), (0.2, 0.0, 0.1))
    drive = ex.Drive(DRIVEN, ex.PiecewiseConstant((1.5,), (0.3, 0.0)))

    def built() -> ex.OpenSystem:
        couplings = (
            ex.Coupling(SX, BATH, switch, MATRIX),
            ex.Coupling(SECOND, BATH, 0.1, ex.GUE(0.3)),
        )
        return ex.OpenSystem((0.0, 1.0), couplings, CANONICAL, drives=(drive,))

    parts = pieces(built())
    led = ex.solve(built(), TS, ex.Schrodinger(KEY)).ledger
    assert_same_as(led, parts, parts.at(sorted(TS), BREAKS), 1e-9)
    before = np.trace(parts.start @ parts.hamiltonian(0.0)).real
    np.testing.assert_allclose(led.total_energy - before, led.work, rtol=0, atol=1e-11)


def test_gradients_by_all_that_is_driven() -> None:
    def observed(height: jax.Array) -> jax.Array:
        led = ex.solve(
            everything_driven(height=height),
            jnp.array([2.0]),
            ex.Schrodinger(KEY, steps=4),
            throw=False,
        ).ledger
        assert led.entropy_production is not None
        return led.entropy_production[0] + led.work[0] + led.system_state[0, 0, 1].real

    check_derivative(observed, (np.array(0.9),), (np.array(1.0),), tolerance=1e-7)


def test_identities_hold_under_every_drive() -> None:
    """(E10)-(E24) and Strasberg's, from a canonical start, with W other than 0."""
    observation = ex.Observation()
    method = ex.Schrodinger(KEY, steps=64, mutual_information=True, observation=observation)
    model = everything_driven()
    solution = ex.solve(model, [0.0, 1.3, 4.0], method)
    relations = {r.name: r for r in ex.identities(model, method, solution)}
    for name in ("free energy", "fixed temperature", "above correlations", "weak coupling"):
        assert name in relations
    for relation in relations.values():
        assert relation.violation < 1e-8, relation.name
    assert abs(float(solution.ledger.work[-1])) > 0.01


def test_entropy_production_of_many_driven_models_is_not_negative() -> None:
    """Exact, from even windows and a diagonal system: Sigma >= 0 at any strength and drive."""
    start = ex.Product(1, windows=(0,))

    def produced(key: jax.Array) -> jax.Array:
        model = everything_driven(start, height=jax.random.uniform(key, minval=0.2, maxval=4.0))
        method = ex.Schrodinger(key, steps=8)
        led = ex.solve(model, jnp.array([1.7]), method, throw=False).ledger
        assert led.entropy_production is not None
        return led.entropy_production

    keys = jax.random.split(KEY, 200)
    least = float(jax.jit(lambda keys: jax.lax.map(produced, keys))(keys).min())
    assert least > -1e-10
