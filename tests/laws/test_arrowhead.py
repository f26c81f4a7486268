"""Slopes of arrowhead spectra against dense twins, any arrowhead matrix, and large ones."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.arrowheads import (
    CASES,
    MODES,
    ORDINARY,
    TIME,
    dense,
    dense_evolution,
    evolution,
    masks,
    one,
    spectrum_rounding,
)
from derivatives import difference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from entropax.linalg import (
    arrowhead_eigenvalues,
    arrowhead_spectrum,
    level_response,
)


@pytest.mark.kernels
def test_two_thousand_modes_early_and_late() -> None:
    """Two flat bands of 1000 modes with equal energies (as in Usui's junction), against `eigh`."""
    band = np.linspace(-5.0, 5.0, 1000)
    energies = np.concatenate([band, band])
    couplings = np.full(2000, np.sqrt(3.0 * 10.0 / 999 / (2.0 * np.pi)))
    level, times = 0.013, np.array([0.1, 1e3, 1e6]) / 3.0
    values, vectors = np.linalg.eigh(dense(level, energies, couplings))

    @jax.jit
    def at_all_times(*arguments):
        spectrum = arrowhead_spectrum(*arguments)
        response = jax.vmap(level_response, in_axes=(None, 0))(spectrum, jnp.asarray(times))
        return arrowhead_eigenvalues(*arguments), spectrum.nodes, spectrum.weights, response

    found, nodes, weights, responses = at_all_times(level, energies, couplings)
    # LAPACK's bound is 2e-12 at this size, but of thousands of roundings most cancel
    assert_allclose(found, values, rtol=0, atol=4e-14)
    assert weights.sum() == pytest.approx(1.0, abs=2e-14)
    assert np.count_nonzero(weights) == 1001
    assert weights @ nodes**2 == pytest.approx(level**2 + couplings @ couplings, rel=1e-13)
    for time, corner, y, z in zip(times, *responses, strict=True):
        phases = np.exp(-1j * time * values)
        parts = np.stack([phases.real, phases.imag], axis=1)
        row = vectors @ (vectors[0][:, None] * parts) @ [1.0, 1j]
        diagonal = (vectors[1:] ** 2 @ parts) @ [1.0, 1j] - np.exp(-1j * time * energies)
        # the twin's eigenvalues are right to 1e-15 of the band, its phases to that times t
        tolerance = 2e-13 + 5e-15 * time * 5.0
        assert_allclose(corner, row[0], rtol=0, atol=tolerance)
        assert_allclose(couplings * y, row[1:], rtol=0, atol=tolerance)
        assert_allclose(couplings**2 * z, diagonal, rtol=0, atol=tolerance)


def direction_for(seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    return rng.normal(), rng.normal(size=MODES), rng.normal(size=MODES), rng.normal()


def physical(level, energies, couplings, time, weights) -> jax.Array:
    """A number made of <d|U|d>, <d|U|j> and <j|U|k>, as real as a derivative wants it."""
    response = level_response(arrowhead_spectrum(level, energies, couplings), time)
    parts = evolution(level, energies, couplings, response)
    return sum(jnp.sum(w * part).real for w, part in zip(weights, parts, strict=True))


@functools.cache
def weights_of(name: str) -> tuple:
    rng = np.random.default_rng(3)
    known = np.any(masks(CASES[name][1], 1.0), axis=0)
    shapes = ((), (MODES,), (MODES, MODES))
    corner, border, block = (rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes)
    # entries of equal energies stay with equal energies: the twin must not leave that set
    return corner, border, block * known


@jax.jit
def slopes(arguments: tuple, direction: tuple, weights: tuple) -> tuple:
    def f(*args):
        return physical(*args, weights)

    forward = jax.jvp(f, arguments, direction)[1]
    gradient = jax.grad(f, argnums=(0, 1, 2, 3))(*arguments)
    return forward, sum(jnp.sum(g * d) for g, d in zip(gradient, direction, strict=True)), gradient


def frechet(arguments: tuple, direction: tuple, weights: tuple) -> float:
    """The same derivative from SciPy's expm_frechet of the dense matrix: nothing is divided."""
    level, energies, couplings, time = arguments
    h, change = dense(level, energies, couplings), dense(*direction[:3])
    u, du = scipy.linalg.expm_frechet(-1j * time * h, -1j * time * change)
    du = du - 1j * direction[3] * (h @ u)
    free = -1j * (direction[1] * time + energies * direction[3]) * np.exp(-1j * time * energies)
    parts = du[0, 0], du[0, 1:], du[1:, 1:] - np.diag(free)
    return sum(np.sum(w * part).real for w, part in zip(weights, parts, strict=True))


def without_splitting(name: str, direction: tuple) -> tuple:
    """The direction with equal changes for equal energies: U_jk = t_j t_k z holds only there."""
    energies = CASES[name][1]
    _, group = np.unique(np.round(energies, 13), return_inverse=True)
    mean = np.bincount(group, direction[1]) / np.bincount(group)
    return direction[0], mean[group], *direction[2:]


@pytest.mark.parametrize("name", ORDINARY)
def test_derivatives_of_the_level_response(name: str) -> None:
    """In level, energies, couplings and time, at tiny and vanishing couplings too."""
    direction = without_splitting(name, direction_for(1))
    arguments, weights = (*CASES[name], TIME), weights_of(name)
    forward, reverse, gradient = slopes(arguments, direction, weights)
    expected = frechet(arguments, direction, weights)
    size = max(1.0, abs(expected))
    assert all(np.all(np.isfinite(g)) for g in gradient)
    # slopes of weights are right to eps over the distance of nodes, which here is 2e-9
    tolerance = 3e-7 if name == "resonance within a band" else 1e-11
    assert forward == pytest.approx(expected, abs=tolerance * size)
    assert reverse == pytest.approx(float(forward), abs=tolerance * size)
    # the reference itself, against the central difference of the dense exponential

    def twin(*args):
        parts = dense_evolution(*args)
        return sum(np.sum(w * part).real for w, part in zip(weights, parts, strict=True))

    assert expected == pytest.approx(difference(twin, arguments, direction), abs=1e-8 * size)


@pytest.mark.parametrize("name", ["equal energies", "all at zero", "equal, one uncoupled"])
def test_derivatives_where_the_direction_splits_equal_energies(name: str) -> None:
    """<d|U|d>, <d|U|j> and <j|U|j> do not mind that equal energies become different."""
    corner, border, block = weights_of(name)
    weights = corner, border, np.diag(np.diag(block))
    arguments, direction = (*CASES[name], TIME), direction_for(2)
    forward, reverse, _ = slopes(arguments, direction, weights)
    expected = frechet(arguments, direction, weights)
    assert forward == pytest.approx(expected, abs=1e-11 * max(1.0, abs(expected)))
    assert reverse == pytest.approx(float(forward), abs=1e-11)


@pytest.mark.parametrize("coupling", [0.0, 1e-14, 1e-10, 1e-9, 1e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("time", [0.0, 0.5, 40.0, 1e4])
def test_derivatives_at_every_product_of_coupling_and_time(coupling: float, time: float) -> None:
    """Where the formulas change hands, at coupling * time = 1, and far on both sides of it."""
    level, energies, couplings = CASES["resonance, all couple"]
    couplings = couplings.copy()
    couplings[:2] = coupling, -0.5 * coupling
    arguments, weights = (level, energies, couplings, time), weights_of("resonance, all couple")
    direction = direction_for(4)
    forward, reverse, _ = slopes(arguments, direction, weights)
    # the exponential of a matrix of norm 1e4 must be had from its eigenvectors
    h, change = dense(level, energies, couplings), dense(*direction[:3])
    values, vectors = np.linalg.eigh(h)
    mean, gap = np.add.outer(values, values) / 2, np.subtract.outer(values, values) / 2
    table = -1j * time * np.exp(-1j * time * mean) * np.sinc(gap * time / np.pi)
    du = vectors @ (table * (vectors.T @ change @ vectors)) @ vectors.T
    u = (vectors * np.exp(-1j * time * values)) @ vectors.T
    du = du - 1j * direction[3] * (h @ u)
    free = -1j * (direction[1] * time + energies * direction[3]) * np.exp(-1j * time * energies)
    parts = du[0, 0], du[0, 1:], du[1:, 1:] - np.diag(free)
    expected = sum(np.sum(w * part).real for w, part in zip(weights, parts, strict=True))
    # slopes grow like t, and each phase is right to eps t
    tolerance = 1e-12 * (1.0 + time) + 2e-14 * time**2
    assert forward == pytest.approx(expected, abs=tolerance)
    assert reverse == pytest.approx(float(forward), abs=tolerance)


@pytest.mark.parametrize("turns", [1e-6, 1e-3, 0.25])
@pytest.mark.parametrize("coupling", [1e-5, 1e-8, 1e-10])
def test_derivatives_during_a_slow_rabi_oscillation(coupling: float, turns: float) -> None:
    """On resonance with one mode, dressed by two others that leave the resonance where it is."""
    energies = np.array([0.0, -1.0, 1.0, 2.0, -2.0, 3.0])
    couplings = np.array([coupling, 0.3, 0.3, 0.0, 0.0, 0.0])
    time = 2.0 * np.pi * turns / coupling
    h = dense(0.0, energies, couplings)
    values, vectors = np.linalg.eigh(h)
    # the slope of e^{-iht} at <d|..|d>, of order t
    mean, gap = np.add.outer(values, values) / 2, np.subtract.outer(values, values) / 2
    table = -1j * np.exp(-1j * time * mean) * np.sinc(gap * time / np.pi)
    expected = np.sum(np.outer(vectors[0] ** 2, vectors[0] ** 2) * table)

    found = slope_of_corner(0.0, energies, couplings, time) / time
    # the twin's phases, and slopes of weights, are right to eps of the level over the coupling
    assert_allclose(found, expected, rtol=0, atol=1e-10 + 1e-15 / coupling)


@jax.jit
def slope_of_corner(level, energies, couplings, time) -> jax.Array:
    def corner(x):
        spectrum = arrowhead_spectrum(x, energies, couplings, horizon=time)
        return level_response(spectrum, time).level

    return jax.jvp(corner, (level,), (1.0,))[1]


# phi, and the derivative of <d|phi(h)|d> along dh
SUMS: dict[str, tuple[Callable, Callable]] = {
    "x": (lambda x: x, lambda h, dh: dh[0, 0]),
    "x^2": (lambda x: x**2, lambda h, dh: (h @ dh + dh @ h)[0, 0]),
    "x^3": (lambda x: x**3, lambda h, dh: (h @ h @ dh + h @ dh @ h + dh @ h @ h)[0, 0]),
    "exp": (jnp.exp, lambda h, dh: scipy.linalg.expm_frechet(h, dh, compute_expm=False)[0, 0]),
}


@jax.jit
def measure_slopes(arguments: tuple, direction: tuple) -> tuple:
    def sums(*args):
        spectrum = arrowhead_spectrum(*args)
        return jnp.stack([spectrum.weights @ phi(spectrum.nodes) for phi, _ in SUMS.values()])

    forward = jax.jvp(sums, arguments, direction)[1]
    rows = jax.jacrev(sums, argnums=(0, 1, 2))(*arguments)
    reverse = sum(
        jnp.tensordot(row, d, jnp.ndim(d)) for row, d in zip(rows, direction, strict=True)
    )
    return forward, reverse


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("seed", [5, 6])
def test_derivatives_of_sums_over_the_spectral_measure(name: str, seed: int) -> None:
    """At generic points, at equal energies (split by the direction) and at tiny couplings."""
    arguments = tuple(map(jnp.asarray, CASES[name]))
    direction = direction_for(seed)[:3]
    forward, reverse = measure_slopes(arguments, tuple(map(jnp.asarray, direction)))
    h, change = dense(*CASES[name]), dense(*direction)
    expected = np.array([slope(h, change) for _, slope in SUMS.values()])
    size = np.maximum(1.0, np.abs(expected))
    # slopes of weights are right to eps over the distance of nodes, which here is 2e-9
    tolerance = 3e-7 if name == "resonance within a band" else 2e-13
    assert_allclose(forward / size, expected / size, rtol=0, atol=tolerance)
    assert_allclose(reverse / size, expected / size, rtol=0, atol=tolerance)


# or each of twenty derivatives traces them
TRACED_ONCE = jax.jit(arrowhead_spectrum), jax.jit(level_response)


@pytest.mark.parametrize("of", ["level", "energies", "couplings", "level, time", "time"])
def test_second_derivatives_raise(of: str) -> None:
    arguments = CASES["generic"]
    arrowhead_spectrum, level_response = TRACED_ONCE

    def measure(x, place):
        moved = (a + x if i == place else a for i, a in enumerate(arguments))
        spectrum = arrowhead_spectrum(*moved)
        return spectrum.weights @ jnp.exp(spectrum.nodes)

    def response(x):
        spectrum = arrowhead_spectrum(x, *arguments[1:])
        return jnp.sum(jnp.abs(level_response(spectrum, 2.0 * x).y) ** 2)

    def time_alone(x):
        return jnp.sum(jnp.abs(level_response(arrowhead_spectrum(*arguments), x).y) ** 2)

    f = {
        "level": lambda x: measure(x, 0),
        "energies": lambda x: measure(x, 1),
        "couplings": lambda x: measure(x, 2),
        "level, time": response,
        "time": time_alone,
    }[of]
    jax.eval_shape(jax.grad(f), 0.3)
    for outer in (jax.grad, jax.jacfwd):
        for inner in (jax.grad, jax.jacfwd):
            with pytest.raises(NotImplementedError, match="differentiable once"):
                jax.eval_shape(outer(inner(f)), 0.3)


def test_derivative_through_dense_eigenvectors_is_nan_where_energies_are_equal() -> None:
    """The negative control: what the plain way gives where the tests above want a number."""
    level, energies, _ = CASES["all at zero"]

    def plain(couplings):
        h = jnp.diag(jnp.concatenate([jnp.array([level]), energies]))
        h = h.at[0, 1:].set(couplings).at[1:, 0].set(couplings)
        values, vectors = jnp.linalg.eigh(h)
        return vectors[0] ** 2 @ jnp.exp(values)

    assert not np.all(np.isfinite(jax.jit(jax.grad(plain))(jnp.zeros(MODES))))
    gradient = jax.jit(jax.grad(_exponential_sum))(jnp.zeros(MODES), level, energies)
    assert_allclose(gradient, 0.0, atol=1e-15)


def _exponential_sum(couplings, level, energies) -> jax.Array:
    spectrum = arrowhead_spectrum(level, energies, couplings)
    return spectrum.weights @ jnp.exp(spectrum.nodes)


energy_values = st.sampled_from([-1.0, 0.0, 0.25, 0.25 + 1e-10, 2.0]) | st.floats(-3.0, 3.0)
coupling_values = st.sampled_from([0.0, 1e-50, 1e-13, 1e-8, -1.0]) | st.floats(1e-50, 2.0)


@given(
    level=energy_values,
    energies=st.lists(energy_values, min_size=MODES, max_size=MODES),
    couplings=st.lists(coupling_values, min_size=MODES, max_size=MODES),
)
def test_any_arrowhead_matrix(level: float, energies: list, couplings: list) -> None:
    arguments = level, np.array(energies), np.array(couplings)
    values, nodes, weights, response = one(*arguments, TIME)
    h = dense(*arguments)
    scale = max(1.0, np.abs(h).max())
    assert_allclose(values, np.linalg.eigvalsh(h), rtol=0, atol=spectrum_rounding(h))
    assert weights.sum() == pytest.approx(1.0, abs=4e-15)
    assert weights @ nodes**3 == pytest.approx((h @ h @ h)[0, 0], abs=2e-13 * scale**3)
    corner, border, block = dense_evolution(*arguments, TIME)
    tolerance = 1e-13 * scale
    assert_allclose(response.level, corner, rtol=0, atol=tolerance)
    assert_allclose(arguments[2] * response.y, border, rtol=0, atol=tolerance)
    assert_allclose(arguments[2] ** 2 * response.z, np.diag(block), rtol=0, atol=tolerance)
    gradient = slopes((*arguments, TIME), direction_for(1), unit_weights())[2]
    assert all(np.all(np.isfinite(g)) for g in gradient)


def unit_weights() -> tuple:
    return np.array(1.0 + 0j), np.ones(MODES, complex), np.eye(MODES, dtype=complex)


@pytest.mark.optimised
def test_values_take_little_memory() -> None:
    """O(n) numbers: four times as many modes take about four times as much, not sixteen."""

    def temporary(n: int) -> int:
        def response(level, energies, couplings, time):
            return level_response(arrowhead_spectrum(level, energies, couplings), time)

        modes = jnp.zeros(n)
        program = jax.jit(response).lower(jnp.zeros(()), modes, modes, jnp.zeros(()))
        memory = program.compile().memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    assert temporary(800) < 5 * temporary(200)
