"""Starts: states of system and baths in both views, and misuse in words."""

import re
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases import ideal
from cases.windows import SX, WINDOW, bath, coupling, model

import entropax as ex

STARTS = {
    "window": WINDOW,
    "populations": ex.Product(system=[0.3, 0.7], windows=([0.2, 0.8],)),
    "matrix": ex.Product(system=[[0.5, 0.5j], [-0.5j, 0.5]], windows=(1,)),
    "canonical": ex.Product(system=0, beta=(2.0,)),
    "half filled": ex.Product(system=1, windows=(0,), filling=0.5),
    "joint": ex.Joint([[0.1, 0.2], [0.3, 0.4]]),
}


@pytest.mark.parametrize("name", STARTS)
def test_starts_are_states_and_agree_in_both_views(name: str) -> None:
    built = model(start=STARTS[name])
    start, one = built.start, built.baths[0]
    windows = np.asarray(start.on_windows(built))
    levels = np.asarray(start.on_levels(built, [one.draw_levels()]))
    trace = windows if start.is_diagonal else np.diagonal(windows).T
    assert trace.sum().real == pytest.approx(1.0, abs=1e-14)
    summed = np.add.reduceat(levels, [0, 4], axis=-1)
    if name == "canonical":  # levels see their own energies, windows their centers
        weights = np.exp(-2.0 * np.asarray(one.draw_levels()))
        np.testing.assert_allclose(levels[0], weights / weights.sum(), rtol=1e-13)
        weights = np.array([4.0, 6.0 * np.exp(-2.0)])
        np.testing.assert_allclose(windows[0], weights / weights.sum(), rtol=1e-13)
    else:
        np.testing.assert_allclose(summed, windows, rtol=0, atol=1e-15)
    if name == "half filled":
        np.testing.assert_allclose(levels[1], [0.5, 0.5] + [0.0] * 8)


def test_the_lowest_levels_are_filled_in_any_order() -> None:
    given = [0.2, 0.1, 0.0, -0.1, *np.linspace(0.8, 1.2, 6)]
    start = ex.Product(system=0, windows=(0,), filling=0.5)
    built = model(couplings=(coupling(bath=bath(levels=given)),), start=start)
    levels = start.on_levels(built, [built.baths[0].draw_levels()])
    np.testing.assert_array_equal(levels[0], [0.0, 0.0, 0.5, 0.5] + [0.0] * 6)


def test_a_level_of_a_matrix_is_its_eigenstate() -> None:
    """`system=1` beside H_S = sigma_x: the state (1, 1) / sqrt 2."""
    bosons = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(1.0))
    built = ex.OpenSystem(hamiltonian=SX, couplings=[ex.Coupling(SX, bosons)], start=ex.Product(1))
    state = built.start.system_state(built)
    np.testing.assert_allclose(state, np.full((2, 2), 0.5), rtol=0, atol=1e-14)


def test_a_gibbs_state_is_that_of_the_whole_hamiltonian() -> None:
    bosons = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(1.0))
    built = ex.OpenSystem(
        (0.0, 1.0), [ex.Coupling(SX, bosons)], ex.Gibbs(beta=0.7), interaction=0.4 * SX
    )
    weights = scipy.linalg.expm(-0.7 * np.array([[0.0, 0.4], [0.4, 1.0]]))
    state = built.start.system_state(built)
    np.testing.assert_allclose(state, weights / np.trace(weights), rtol=0, atol=1e-14)


def test_a_traced_state_is_judged_when_the_program_runs() -> None:
    def trace(rho: jax.Array) -> jax.Array:
        return ex.Product(system=rho, windows=(0,)).on_windows(model()).sum()

    program = eqx.filter_jit(trace)
    assert float(program(jnp.eye(2) / 2).real) == pytest.approx(1.0, abs=1e-15)
    assert np.isnan(program(jnp.eye(2)))


BAD: dict[str, tuple[Callable, str, str]] = {
    "window outside": (
        lambda: model(start=ex.Product(system=0, windows=(2,))),
        "windows[0]",
        "0 to 1, but is 2",
    ),
    "level outside": (
        lambda: model(start=ex.Product(system=2, windows=(0,))),
        "system",
        "0 to 1, but is 2",
    ),
    "windows of another bath": (
        lambda: model(start=ex.Product(system=0, windows=(0, 1))),
        "windows",
        "per bath (1)",
    ),
    "infinite beta": (lambda: ex.Product(system=0, beta=(np.inf,)), "beta", "finite, but has inf"),
    "beta and windows": (
        lambda: ex.Product(system=0, beta=(1.0,), windows=(0,)),
        "windows",
        "exactly one",
    ),
    "filling": (lambda: ex.Product(system=0, windows=(0,), filling=1.5), "filling", "but is 1.5"),
    "rho without trace": (lambda: ex.Product(system=np.eye(2), windows=(0,)), "system", "trace"),
    "rho negative": (
        lambda: ex.Product(system=np.diag([1.5, -0.5]), windows=(0,)),
        "system",
        "positive",
    ),
    "joint not normalised": (lambda: ex.Joint([[0.1, 0.2], [0.3, 0.5]]), "probabilities", "to 1"),
    "joint of another shape": (
        lambda: model(start=ex.Joint([[0.5], [0.5]])),
        "probabilities",
        "(2, 2)",
    ),
    "windows a number": (lambda: ex.Product(system=0, windows=0), "windows", "sequence"),
    "filling a word": (lambda: ex.Product(0, windows=(0,), filling="a"), "filling", "number"),
    "a ket": (
        lambda: ex.Product(np.array([1.0, 1j]) / np.sqrt(2.0), windows=(0,)),
        "system",
        "real, or a density matrix",
    ),
    "a ket as a list": (lambda: ex.Product([1.0, 1j], (0,)), "system", "a density matrix"),
    "system by truth": (lambda: ex.Product(system=True, windows=(0,)), "system", "True"),
    "windows of ideal baths": (
        lambda: ex.OpenSystem(
            (0.0, 1.0),
            [ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0)))],
            WINDOW,
        ),
        "windows",
        "left out for ideal baths",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{re.escape(rule)}"):
        build()


BAD_OF_IDEAL_BATHS: dict[str, tuple[Callable, str]] = {
    "Gibbs with windows": (
        lambda: ideal.qubit(couplings=[ideal.window()]),
        "`start` must be a Product, a Joint or a JointState where baths are made of windows",
    ),
    "windows of ideal baths": (
        lambda: ideal.qubit(start=ex.Product(0, (0,))),
        "must be left out for id",
    ),
    "joint start": (
        lambda: ideal.qubit(start=ex.Joint(np.full((2, 2), 0.25))),
        "`start` must be a Product or a Gibbs where baths are ideal",
    ),
    "no state": (
        lambda: ideal.qubit(start=ex.Product(np.eye(2))),
        "`system` must be of unit trace, but has trace 2.0",
    ),
    "negative state": (
        lambda: ideal.qubit(start=ex.Product(np.diag([1.5, -0.5]))),
        "`system` must be positive, but has the eigenvalue -0.5",
    ),
}


@pytest.mark.parametrize("name", BAD_OF_IDEAL_BATHS)
def test_bad_input_of_ideal_baths(name: str) -> None:
    build, message = BAD_OF_IDEAL_BATHS[name]
    with pytest.raises(ValueError, match=message):
        build()
