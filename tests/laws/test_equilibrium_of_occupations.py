"""Matching states from occupations, however close to an edge, and their slopes."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases.baths import HAIRS, SMALL, STATES, cluster, recover, recover_from, sums
from derivatives import difference
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import textbook

from entropax.entropy import binary_relative_entropy
from entropax.equilibrium import Equilibrium, match, match_occupations

Array = np.ndarray


def exact(energies: Array, n: Array, found: Equilibrium) -> tuple[mpmath.mpf, list, mpmath.mpf]:
    """beta, log odds and entropy to 40 digits by the definition.

    The search starts from what was found; as the dual is convex, what it ends at is the answer.
    """
    with mpmath.workdps(100):
        e, n = ([mpmath.mpf(float(y)) for y in x] for x in (energies, n))
        energy, number = mpmath.fdot(e, n), mpmath.fsum(n)
        middle = int(np.argmin(np.abs(found.log_odds)))
        beta = mpmath.mpf(float(found.beta))
        alpha = beta * e[middle] - mpmath.mpf(float(found.log_odds[middle]))
        for _ in range(8):
            x = [beta * y - alpha for y in e]
            filling = [1 / (1 + mpmath.exp(y)) for y in x]
            miss = mpmath.matrix([energy - mpmath.fdot(e, filling), mpmath.fsum(filling) - number])
            bend = [y * (1 - y) for y in filling]
            first, second = (mpmath.fdot(bend, [y**p for y in e]) for p in (1, 2))
            down = mpmath.matrix([[second, -first], [-first, mpmath.fsum(bend)]])
            step = mpmath.lu_solve(down, -miss)
            beta, alpha = beta + step[0], alpha + step[1]
        assert abs(step[0]) < 1e-40 * abs(beta)
        surprise = mpmath.fsum(mpmath.log1p(mpmath.exp(-y)) for y in x)
        return beta, x, surprise + beta * energy - alpha * number


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", HAIRS)
def test_occupations_find_their_state_to_all_digits(name: str, *, holes: bool, sign: float) -> None:
    """Also with energies reversed, and with particles for holes."""
    energies, n = sign * HAIRS[name][0], HAIRS[name][1]
    n = 1.0 - n if holes else n
    found = recover_from(energies, n)
    beta, x, entropy = exact(energies, n, found)
    assert found.converged
    assert found.determined
    assert found.beta == pytest.approx(float(beta), rel=1e-13)
    np.testing.assert_allclose(found.log_odds, np.array(x, float), rtol=1e-13, atol=2e-13)
    assert found.entropy == pytest.approx(float(entropy), rel=1e-13)
    np.testing.assert_allclose(found.beta * (energies - found.mu), found.log_odds, atol=1e-6)


def test_energy_and_number_do_not_tell_a_hair() -> None:
    """Negative control: of two floats the same bath is in its ground state."""
    energies, n = HAIRS["a hair"]
    found, blurred = recover_from(energies, n), recover(energies, *sums(energies, n))
    assert 1e5 < found.beta < 1e8
    assert blurred.beta == np.inf
    assert np.isinf(blurred.log_odds[3])


filling = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0)
tiny = st.builds(lambda size, digit: digit * 10.0**-size, st.floats(0.0, 22.0), st.floats(0.1, 1.0))
hair = st.sampled_from([-1.0, 0.0, 0.3]).flatmap(lambda x: tiny.map(lambda y: x + y) | st.just(x))
nearly = filling | tiny | tiny.map(lambda y: 1.0 - y)


@jax.jit
def pythagoras(energies: jax.Array, n: jax.Array) -> tuple:
    found = match_occupations(energies, n)
    distance = jnp.sum(binary_relative_entropy(n, found.log_odds))
    own = jnp.sum(binary_relative_entropy(n, jnp.zeros_like(n)))
    slopes = jax.grad(lambda *args: match_occupations(*args).entropy, argnums=(0, 1))(energies, n)
    return found, distance, found.entropy + own - jnp.log(2.0) * n.size - distance, slopes


@settings(max_examples=200)
@given(
    levels=st.lists(hair, min_size=4, max_size=4),
    which=st.lists(st.integers(0, 3), min_size=10, max_size=10),
    n=st.lists(nearly, min_size=10, max_size=10),
)
def test_the_state_found_has_all_that_is_filled(levels: list, which: list, n: list) -> None:
    """D[n || n*] is finite, and S* - S: true of the matching thermal state alone."""
    found, distance, off, slopes = pythagoras(np.array(levels)[which], np.array(n))
    assert found.converged
    assert np.isfinite(distance)
    assert abs(off) < 1e-11
    assert all(np.all(np.isfinite(slope)) for slope in slopes)


@pytest.mark.parametrize("name", HAIRS)
def test_gradient_of_the_entropy_of_occupations(name: str) -> None:
    """dS = sum_k x_k dn_k + beta sum_k (n_k - n*_k) deps_k."""
    energies, n = HAIRS[name]
    found, _, _, (by_energies, by_occupations) = pythagoras(energies, n)
    clipped = np.clip(found.log_odds, -36.0, 36.0)
    here = np.abs(found.log_odds) < 36.0
    np.testing.assert_allclose(by_occupations[here], clipped[here], rtol=1e-9, atol=1e-9)
    expected = found.beta * (n - found.occupations)
    np.testing.assert_allclose(by_energies, expected, rtol=1e-9, atol=1e-9 * abs(found.beta))


@jax.jit
def fields_from(energies: jax.Array, n: jax.Array) -> jax.Array:
    found = match_occupations(energies, n)
    return jnp.stack([found.beta, found.mu, found.entropy, *found.occupations])


@jax.jit
def slopes_from(arguments: tuple, direction: tuple) -> tuple:
    """Of these fields along `direction`, forward and reverse."""
    forward = jax.jvp(fields_from, arguments, direction)[1]
    rows = jax.jacrev(fields_from, argnums=(0, 1))(*arguments)
    return forward, sum(row @ d for row, d in zip(rows, direction, strict=True))


@pytest.mark.parametrize("name", ["a hair", "three sizes of hairs", "half a hair", *STATES])
def test_derivatives_by_occupations_and_energies(name: str) -> None:
    """Energies move by parts of what tells them apart, occupations of what they have to an edge."""
    if name in STATES:
        energies, n = SMALL, textbook.fermi(*STATES[name], SMALL)
        moved = 0.1 * np.cos(np.arange(6))
    elif name == "half a hair":
        energies, n = cluster(2.5e-6, 0.5, 0.25, 0.3, 0.1, 0.0)
        moved = 1e-7 * np.cos(np.arange(5))
    else:
        energies, n = HAIRS[name]
        moved = np.zeros(len(n))
    arguments = energies, n
    direction = moved, 0.1 * np.minimum(n, 1.0 - n) * np.sin(1.0 + np.arange(len(n)))
    forward, reverse = slopes_from(arguments, direction)
    expected = difference(fields_from, arguments, direction)
    size = np.maximum(np.abs(fields_from(*arguments)), np.abs(expected))
    size[3:] = 1.0
    np.testing.assert_allclose(forward / size, expected / size, rtol=0, atol=1e-9)
    np.testing.assert_allclose(reverse / size, forward / size, rtol=0, atol=1e-12)


def test_second_derivative_by_occupations() -> None:
    n = textbook.fermi(1.3, 0.4, SMALL)
    curvature = jax.jit(jax.hessian(lambda n: match_occupations(SMALL, n).entropy))(n)
    slope = jax.jit(jax.grad(lambda n: match_occupations(SMALL, n).entropy))
    for k, row in enumerate(np.eye(6)):
        expected = difference(slope, (n,), (0.1 * row,)) / 0.1
        np.testing.assert_allclose(
            curvature[k], expected, rtol=0, atol=1e-10 * np.abs(expected).max()
        )


def test_derivatives_keep_the_digits_of_holes() -> None:
    """Beside both edges of a gap, against the implicit function theorem in 60 digits."""
    energies = np.array([-1.3, -1.0, 1.0, 1.4])
    n = np.array([1.0 - 3e-12, 1.0 - 1e-12, 2e-12, 1.5e-13])
    found = recover_from(energies, n)
    slopes = jax.jit(jax.jacrev(lambda n: match_occupations(energies, n).beta))(n)
    with mpmath.workdps(60):
        e, given = [mpmath.mpf(x) for x in energies], [mpmath.mpf(x) for x in n]
        level = [mpmath.fsum(given), mpmath.fdot(e, given)]

        def miss(beta: mpmath.mpf, alpha: mpmath.mpf) -> list:
            own = [1 / (mpmath.exp(beta * x - alpha) + 1) for x in e]
            return [mpmath.fsum(own) - level[0], mpmath.fdot(e, own) - level[1]]

        begin = (float(found.beta), float(found.beta * found.mu))
        beta, alpha = mpmath.findroot(miss, begin, tol=1e-80)
        own = [1 / (mpmath.exp(beta * x - alpha) + 1) for x in e]
        w = [x * (1 - x) for x in own]
        squares = mpmath.fsum(a * x * x for a, x in zip(w, e, strict=True))
        jacobian = mpmath.matrix(
            [[-mpmath.fdot(w, e), mpmath.fsum(w)], [-squares, mpmath.fdot(w, e)]]
        )
        expected = [mpmath.lu_solve(jacobian, mpmath.matrix([1, x]))[0] for x in e]
    np.testing.assert_allclose(found.beta, float(beta), rtol=1e-12)
    np.testing.assert_allclose(slopes, [float(x) for x in expected], rtol=1e-10)


def test_second_derivatives_along_two_directions() -> None:
    """Of every field, by energies and what is matched, in both forms of the problem."""
    n = textbook.fermi(1.3, 0.4, SMALL)
    first = (0.1 * np.cos(np.arange(6)), 0.02 * np.sin(1.0 + np.arange(6)))
    other = (0.1 * np.sin(2.0 * np.arange(6)), 0.03 * np.cos(3.0 + np.arange(6)))

    def by_sums(energies: jax.Array, n: jax.Array) -> jax.Array:
        found = match(energies, jnp.sum(energies * n), jnp.sum(n))
        return jnp.stack([found.beta, found.mu, found.entropy, *found.occupations])

    for fields in (fields_from, by_sums):
        slope = jax.jit(lambda *x, fields=fields: jax.jvp(fields, x, first)[1])
        twice = jax.jvp(slope, (SMALL, n), other)[1]
        np.testing.assert_allclose(twice, difference(slope, (SMALL, n), other), rtol=0, atol=1e-10)


def test_whole_numbers_are_energies_too() -> None:
    n = np.array([0.9, 0.6, 0.3, 0.2])
    slope = jax.grad(lambda n, e: match_occupations(e, n).entropy)
    whole, real = np.arange(4), np.arange(4.0)
    np.testing.assert_array_equal(slope(n, whole), slope(n, real))


def test_vmap_of_occupations_equals_loop() -> None:
    rows = [cluster(hair, 0.5, 0.25, 0.0, 1e-9, 0.0) for hair in (0.0, 1e-12, 1e-6, 0.1)]
    rows += [cluster(0.1, *filling) for filling in np.eye(5)]
    rows += [cluster(0.1, *[filling] * 5) for filling in (0.0, 0.3, 1.0, np.nan)]
    batch = tuple(np.array(column) for column in zip(*rows, strict=True))
    together = jax.jit(jax.vmap(match_occupations))(*batch)
    for i, row in enumerate(rows):
        alone = recover_from(*row)
        for found, expected in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(found[i], expected, rtol=1e-12, atol=1e-14)
