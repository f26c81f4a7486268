"""Master equations of window baths whose couplings and operators are driven."""

import itertools
import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from cases.matrices import random_hermitian
from cases.windows import SX, TIGHT, large_spin, written
from twins import riera

import entropax as ex

Array = np.ndarray

BATH = ex.WindowBath(centers=(0.0, 0.9), volumes=(4, 6), width=0.5)
START = ex.Product(system=[[0.4, 0.3j], [-0.3j, 0.6]], windows=([0.3, 0.7],))
V = random_hermitian(np.random.default_rng(4), 2)


def spin(strength: Any, **changes: Any) -> ex.OpenSystem:
    link = ex.Coupling(SX + np.diag([0.3, -0.4]), BATH, strength, ex.GOE(variance=0.4))
    fields: dict[str, Any] = {"energies": (0.0, 1.1), "couplings": (link,), "start": START}
    return ex.OpenSystem(**(fields | changes))


def test_markov_rates_follow_the_square_of_a_slow_strength() -> None:
    """One coupling, populations alone: the clock of an undriven model runs as lambda^2."""
    wave = ex.Smooth(lambda t: 3e-3 * (1.0 + 0.5 * jnp.sin(0.02 * t)), width=50.0)
    link = large_spin().couplings[0]
    switched = ex.OpenSystem(
        (0.0, 1.0),
        (ex.Coupling(SX, large_spin().baths[0], wave, link.matrix),),
        large_spin().start,
    )
    ts = np.array([20.0, 100.0])
    passed = ts + 50.0 * (1.0 - np.cos(0.02 * ts)) + 0.125 * (ts - np.sin(0.04 * ts) / 0.04)
    led = ex.solve(switched, ts, ex.EMME()).ledger
    expected = ex.solve(large_spin(), passed, ex.EMME()).ledger.joint
    np.testing.assert_allclose(led.joint, expected, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(led.work, 0.0)  # switching is of second order: not in the EMME


def test_finite_memory_of_a_switched_coupling_is_the_written_equation() -> None:
    """TCL2: lambda(t) int_0^t lambda(t - s) h(s) e^{i Omega s} ds at each time."""
    bends, heights = np.array([0.0, 0.6, 2.0]), np.array([0.02, 0.12, 0.05])
    model = spin(ex.PiecewiseLinear(bends, heights))
    ts, delta = np.array([0.5, 1.5]), 0.5
    led = ex.solve(model, ts, ex.EMME(memory="finite", secular=False, **TIGHT)).ledger
    x, w = np.polynomial.legendre.leggauss(24)

    def strength(t: Array | float) -> Any:
        return np.interp(t, bends, heights)

    def integral(offset: float, t: float) -> complex:
        total, edges = 0.0j, [0.0, t - 0.6, t] if t > 0.6 else [0.0, t]
        for a, b in itertools.pairwise(edges):
            s = 0.5 * (b - a) * (x + 1.0) + a
            h = delta / (2 * np.pi) * np.sinc(delta * s / (2 * np.pi)) ** 2
            total += 0.5 * (b - a) * w @ (strength(t - s) * h * np.exp(1j * offset * delta * s))
        return strength(t) * total

    unit = spin(1.0)

    def field(t: float, y: Array) -> Array:
        return written(unit, shape=lambda offset: integral(offset, t), secular=False) @ y

    y = np.asarray(model.start.on_windows(model)).ravel().astype(complex)
    states = [y.reshape(2, 2, 2) for y in riera.runge_kutta(field, y, ts, 0.025)]
    joint = np.moveaxis(np.diagonal(np.array(states), axis1=1, axis2=2), -1, 1).real
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-8)
    system = np.array(states).sum(-1)
    np.testing.assert_allclose(led.system_state, system, rtol=0, atol=1e-8)


def test_memory_of_a_strength_that_rests_is_the_undriven_one() -> None:
    """By nodes of the triangle, and in closed form."""
    ts = [1.0, 60.0]
    method = ex.EMME(memory="finite", **TIGHT)
    expected = ex.solve(spin(0.01), ts, method).ledger
    led = ex.solve(spin(ex.Constant(0.01)), ts, method).ledger
    np.testing.assert_allclose(led.joint, expected.joint, rtol=0, atol=1e-9)
    np.testing.assert_allclose(led.system_state, expected.system_state, rtol=0, atol=1e-9)


def test_global_dissipators_are_those_of_the_eigenstates_of_all_of_h() -> None:
    """A drive that rests, an interaction, and the same as one Hamiltonian."""
    whole = np.diag([0.0, 1.1]) + 0.1 * V
    vectors = np.linalg.eigh(whole)[1]
    rho = np.asarray(START.system)
    link = spin(0.1).couplings
    turned = ex.OpenSystem(
        hamiltonian=whole, couplings=link, start=ex.Product(rho, windows=([0.3, 0.7],))
    )
    ts = [3.0, 0.0]
    expected = ex.solve(turned, ts, ex.EMME(coherences=True)).ledger
    state = vectors @ np.asarray(expected.system_state) @ vectors.conj().T
    for model in (
        spin(0.1, drives=(ex.Drive(V, ex.Constant(0.1)),)),
        spin(0.1, interaction=0.1 * V),
    ):
        led = ex.solve(model, ts, ex.EMME()).ledger
        np.testing.assert_allclose(led.system_state, state, rtol=0, atol=1e-8)
        np.testing.assert_allclose(led.energy, expected.energy, rtol=0, atol=1e-8)
        np.testing.assert_allclose(led.system_energy, expected.system_energy, rtol=0, atol=1e-8)


def test_local_dissipators_leave_the_drive_to_the_commutator() -> None:
    push = ex.Smooth(lambda t: 0.3 * jnp.sin(0.7 * t), width=1.0)
    model = spin(0.1, drives=(ex.Drive(V, push),))
    generator = written(spin(0.1))

    def right(t: float, y: Array) -> Array:
        rho = y[:-1].reshape(2, 2, 2)
        pushed = np.einsum("kj,jqe->kqe", V, rho) - np.einsum("kje,jq->kqe", rho, V)
        change = generator @ y[:-1] - 1j * 0.3 * np.sin(0.7 * t) * pushed.ravel()
        power = 0.21 * np.cos(0.7 * t) * np.trace(V @ rho.sum(-1))
        return np.append(change, power)

    start = np.append(np.asarray(START.on_windows(model)).ravel(), 0.0).astype(complex)
    ts = np.array([1.0, 6.0])
    found = scipy.integrate.solve_ivp(right, (0, 6), start, t_eval=ts, rtol=1e-10, atol=1e-12)
    led = ex.solve(model, ts, ex.EMME(dissipators="local")).ledger
    states = found.y[:-1].T.reshape(2, 2, 2, 2)
    np.testing.assert_allclose(led.system_state, states.sum(-1), rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.work, found.y[-1].real, rtol=0, atol=1e-8)
    joint = np.moveaxis(np.diagonal(states, axis1=1, axis2=2), -1, 1).real
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-8)


def test_a_frozen_bath_beside_a_driven_operator() -> None:
    """Populations of `BornMarkovSecular` beside a drive that is off are those without one."""
    off = spin(0.1, drives=(ex.Drive(V, ex.Constant(0.0)),))
    led = ex.solve(off, [2.0], ex.BornMarkovSecular()).ledger
    expected = ex.solve(spin(0.1), [2.0], ex.BornMarkovSecular()).ledger
    np.testing.assert_allclose(led.system_state, expected.system_state, rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.heat, expected.heat, rtol=0, atol=1e-8)


def test_what_the_equation_assumes_is_said_with_numbers() -> None:
    fast = spin(ex.PiecewiseLinear((0.0, 1.0), (0.0, 0.1)), start=ex.Product(1, windows=(0,)))
    text = r"`couplings\[0\].strength` changes by 13 times its largest value .*memory 2 pi"
    with pytest.warns(UserWarning, match=text):
        ex.EMME().plan(fast, jnp.array([1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ex.EMME(memory="finite").plan(fast, jnp.array([1.0]))


BAD = {
    "global, finite memory": (
        lambda: ex.EMME(memory="finite").plan(spin(0.1, interaction=0.1 * V), jnp.zeros(1)),
        '`dissipators` must be "local" for finite memory',
    ),
    "unknown dissipators": (
        lambda: ex.EMME(dissipators="both"),  # pyright: ignore[reportArgumentType]
        '`dissipators` must be "global" or "local", but is \'both\'',
    ),
    "populations alone": (
        lambda: ex.EMME(coherences=False).plan(spin(0.1, interaction=0.1 * V), jnp.zeros(1)),
        "`coherences` must be True or None where .* mixes these",
    ),
    "a strength beyond its points": (
        lambda: ex.EMME().plan(spin(ex.PiecewiseLinear((0.0, 1.0), (0.0, 1.0))), jnp.array([2.0])),
        r"`ts` must be where `couplings\[0\].strength` is defined",
    ),
    "a drive of another size": (
        lambda: spin(0.1, drives=(ex.Drive(np.eye(3), jnp.sin),)),
        r"`drives\[0\].operator` must have the system's dimension \(2\)",
    ),
    "a drive that is not Hermitian": (
        lambda: ex.Drive([[0.0, 1.0], [0.0, 0.0]], jnp.sin),
        "`operator` must be Hermitian",
    ),
    "smooth by eigenvectors": (
        lambda: ex.Schrodinger(propagation="eigenbasis").plan(
            spin(ex.PiecewiseLinear((0.0, 1.0), (0.0, 1.0)), start=START), jnp.array([1.0])
        ),
        '`key` must be given|`propagation` must be "chebyshev" or None',
    ),
    "a ket of another size": (
        lambda: spin(0.1, start=ex.JointState(np.ones(4) / 2.0)),
        r"`state` must have one entry per level of everything \(20\), but has 4",
    ),
    "a ket of another norm": (lambda: ex.JointState(np.ones(4)), "`state` must be of norm 1"),
    "a bath's state of another size": (
        lambda: spin(0.1, start=ex.Product(1, states=(np.ones(4) / 2.0,))),
        r"`states\[0\]` must have one entry per level of its bath \(10\), but has 4",
    ),
    "two starts of a bath": (
        lambda: ex.Product(1, windows=(0,), states=(np.ones(1),)),
        "`windows`, `beta` or `states` must be given, exactly one",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    build, text = BAD[name]
    with pytest.raises(ValueError, match=text):
        build()
