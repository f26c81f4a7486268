"""Functions of Hermitian matrices, their derivatives to second order, and eigenvalues alone."""

import functools
import importlib
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import (
    check_derivative,
    difference,
    forward_and_reverse,
    random_hermitian,
    with_eigenvalues,
)

from entropax.linalg import (
    BinaryEntropy,
    Exponential,
    Logarithm,
    LogOdds,
    ShannonTerm,
    SpectralFunction,
    eigenvalues,
    eigh,
    matfn,
    matfn_times,
    modes,
    trace_fn,
)

Array = np.ndarray

REAL_SCALE, TIME = 0.7, 1.9


def binary_entropy(x: Array) -> Array:
    return -x * np.log(x) - (1 - x) * np.log(1 - x)


# The library's function, and the same in NumPy.
FUNCTIONS: dict[str, tuple[SpectralFunction | Callable, Callable]] = {
    "exponential": (
        Exponential(np.array(REAL_SCALE), np.array(1.3)),
        lambda x: 1.3 * np.exp(REAL_SCALE * x),
    ),
    "evolution": (Exponential(np.array(-1j * TIME)), lambda x: np.exp(-1j * TIME * x)),
    "binary entropy": (BinaryEntropy(), binary_entropy),
    "log odds": (LogOdds(), lambda x: np.log((1 - x) / x)),
    "Shannon": (ShannonTerm(), lambda x: -x * np.log(x)),
    "logarithm": (Logarithm(), np.log),
    "callable": (lambda x: jnp.tanh(3.0 * x), lambda x: np.tanh(3.0 * x)),
}
REAL_FUNCTIONS = [name for name in FUNCTIONS if name != "evolution"]
SPECTRA = {
    "generic": (0.2, 0.35, 0.55, 0.8),
    "two pairs": (0.2, 0.2, 0.7, 0.7),
    "nearly two pairs": (0.3, 0.3 + 1e-9, 0.7, 0.7 + 1e-6),
    "all equal": (0.4, 0.4, 0.4, 0.4),
}
DTYPES = {"real": float, "complex": complex}
STEP = 2e-4

over_dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


def dense(f: Callable, matrix: Array) -> Array:
    """V f(lambda) V^dagger in NumPy."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * f(values)[..., None, :]) @ np.swapaxes(vectors.conj(), -1, -2)


def dense_trace(f: Callable, matrix: Array) -> Array:
    return np.sum(f(np.linalg.eigvalsh(matrix)), axis=-1)


@functools.cache
def cases(dtype: type) -> tuple[Array, Array, Array]:
    """For each spectrum a matrix, three Hermitian directions, and weights of a matrix's entries."""
    rng = np.random.default_rng(5)
    matrices = np.array([with_eigenvalues(rng, s, dtype) for s in SPECTRA.values()])
    directions = np.array([[random_hermitian(rng, 4, dtype) for _ in range(3)] for _ in SPECTRA])
    weights = rng.normal(size=(4, 4, 4)) + 1j * rng.normal(size=(4, 4, 4))
    return matrices, directions, weights


def along(matrix: jax.Array, directions: jax.Array, x: jax.Array) -> jax.Array:
    return matrix + jnp.einsum("k,kij->ij", x, directions)


# matfn


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, complex) for name in FUNCTIONS]
    + [(name, float) for name in ("evolution", "binary entropy", "callable")],
)
def test_value_and_first_derivative(name: str, dtype: type) -> None:
    """Of matfn and trace_fn, forward and reverse, at every spectrum."""
    fn, twin = FUNCTIONS[name]
    matrices, directions, weights = cases(dtype)

    def both(a):
        return matfn(fn, a), trace_fn(fn, a)

    @jax.jit
    @jax.vmap
    def derivatives(a, d, w):
        def scalar(a):
            return jnp.sum(w * matfn(fn, a)).real

        values, forward = jax.jvp(both, (a,), (d,))
        gradients = jax.grad(scalar)(a), jax.grad(lambda a: trace_fn(fn, a).real)(a)
        return trace_fn(fn, a), values, forward, [jnp.sum(g * d).real for g in gradients]

    alone, values, forward, reverse = derivatives(matrices, directions[:, 0], weights)
    np.testing.assert_allclose(values[0], dense(twin, matrices), rtol=0, atol=1e-14)
    for value in (alone, values[1]):
        np.testing.assert_allclose(value, dense_trace(twin, matrices), rtol=0, atol=1e-13)

    def expected(f: Callable) -> Array:
        return difference(lambda a: f(twin, a), (matrices,), (directions[:, 0],), STEP)

    np.testing.assert_allclose(forward[0], expected(dense), rtol=0, atol=2e-10)
    paired = np.sum(weights * np.asarray(forward[0]), axis=(1, 2)).real
    np.testing.assert_allclose(reverse[0], paired, rtol=0, atol=1e-12)
    if name in REAL_FUNCTIONS:
        np.testing.assert_allclose(forward[1], expected(dense_trace), rtol=0, atol=2e-10)
        np.testing.assert_allclose(reverse[1], forward[1], rtol=0, atol=1e-13)


ORDERS = {
    "forward over forward": (jax.jacfwd, jax.jacfwd),
    "forward over reverse": (jax.jacfwd, jax.jacrev),
    "reverse over forward": (jax.jacrev, jax.jacfwd),
    "reverse over reverse": (jax.jacrev, jax.jacrev),
}
HESSIAN = "forward over reverse"  # as `jax.hessian` has it


@pytest.mark.parametrize(
    ("name", "order", "dtype"),
    [(name, HESSIAN, complex) for name in FUNCTIONS if name not in ("exponential", "evolution")]
    + [("evolution", order, complex) for order in ORDERS]
    + [("evolution", HESSIAN, float)],
)
def test_matfn_second_derivative(name: str, order: str, dtype: type) -> None:
    fn, _ = FUNCTIONS[name]
    check_hessian(lambda a, d, w, x: jnp.sum(w * matfn(fn, along(a, d, x))).real, dtype, order)


def test_matfn_second_derivative_from_values_alone() -> None:
    """Less sharply, but with nothing of this library's in the reference."""
    fn, twin = FUNCTIONS["evolution"]
    matrices, directions, weights = cases(complex)

    def forward(a, d):
        return jax.jvp(lambda a: matfn(fn, a), (a,), (d[1],))[1]

    @jax.jit
    @jax.vmap
    def second(a, d, w):
        return jnp.sum(w * jax.jvp(lambda a: forward(a, d), (a,), (d[0],))[1]).real

    def value(a: Array) -> Array:
        return np.sum(weights * dense(twin, a), axis=(1, 2)).real

    def slope(a: Array) -> Array:
        return difference(value, (a,), (directions[:, 1],), 2e-3)

    mixed = difference(slope, (matrices,), (directions[:, 0],), 2e-3)
    np.testing.assert_allclose(second(matrices, directions, weights), mixed, rtol=0, atol=1e-7)


def check_hessian(scalar: Callable, dtype: type, order: str, tolerance: float = 1e-8) -> None:
    """The Hessian in three directions at each spectrum against the gradient's difference."""
    cases_of_dtype = cases(dtype)
    outer, inner = ORDERS[order]
    over_cases = functools.partial(jax.vmap, in_axes=(0, 0, 0, None))
    gradient = jax.jit(over_cases(jax.grad(scalar, argnums=3)))
    hessian = jax.jit(over_cases(outer(inner(scalar, argnums=3), argnums=3)))
    zero = np.zeros(3)

    def at(x: Array) -> Array:
        return gradient(*cases_of_dtype, x)

    expected = np.stack([difference(at, (zero,), (unit,), STEP) for unit in np.eye(3)], axis=2)
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert np.all(size > 1e-2)
    found = np.asarray(hessian(*cases_of_dtype, zero))
    worst = float(np.max(np.abs(found - expected) / size))
    assert worst < tolerance
    np.testing.assert_allclose(found / size, np.swapaxes(found, 1, 2) / size, rtol=0, atol=1e-9)


@jax.jit
def second_derivative_of_a_cube(a, b, c):
    def slope(a):
        return jax.jvp(lambda a: matfn(lambda x: x**3, a), (a,), (b,))[1]

    return jax.jvp(slope, (a,), (c,))[1]


def test_second_derivative_of_a_cube_is_exact_at_every_degeneracy() -> None:
    for matrix, (b, c, _), _ in zip(*cases(complex), strict=True):
        found = second_derivative_of_a_cube(matrix, b, c)
        orders = ((matrix, b, c), (b, matrix, c), (b, c, matrix))
        expected = sum(p @ q @ r for p, q, r in orders) + sum(r @ q @ p for p, q, r in orders)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("function", [jnp.log, jnp.sqrt])
def test_derivative_of_any_function_at_small_eigenvalues(function: Callable) -> None:
    """Eigenvalues of 1e-6 and 3e-6 are far apart for a function with an edge at 0."""
    a, b = 1e-6, 3e-6
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    change = jax.jvp(lambda m: matfn(function, m), (jnp.diag(jnp.array([a, b])),), (flip,))[1]
    assert change[0, 1] == pytest.approx(float((function(a) - function(b)) / (a - b)), rel=1e-12)


def test_parameters_of_a_function_are_numbers() -> None:
    class Line(SpectralFunction):
        slope: jax.Array

        def value(self, x: jax.Array) -> jax.Array:
            return self.slope[0] + self.slope[1] * x

        def derivative(self) -> SpectralFunction:
            raise NotImplementedError

    with pytest.raises(ValueError, match="must be numbers, not arrays"):
        jax.jacfwd(lambda c: matfn(Line(c), jnp.eye(2)))(jnp.ones(2))


@over_dtypes
def test_matfn_times_is_the_matrix_times_the_vector(dtype: type, rng: np.random.Generator) -> None:
    """With its derivatives by matrix, vector and parameter, at a degenerate spectrum."""
    a = with_eigenvalues(rng, [-1.0, 0.5, 0.5, 2.0], dtype)
    v = rng.normal(size=4)

    def scalar(times: Callable) -> Callable:
        return lambda a, v, t: jnp.sum(times(a, v, t) * jnp.arange(4.0)).real

    fast = scalar(lambda a, v, t: matfn_times(Exponential(t), a, v))
    slow = scalar(lambda a, v, t: matfn(Exponential(t), a) @ v)
    args = (a, v, np.array(0.7))
    assert fast(*args) == pytest.approx(float(slow(*args)), rel=1e-13)
    directions = (random_hermitian(rng, 4, dtype), rng.normal(size=4), np.array(0.3))
    _, expected, _ = forward_and_reverse(slow, args, directions)
    check_derivative(fast, args, directions, reference=expected, tolerance=1e-12)
    known = matfn_times(Exponential(0.7), a, v, spectrum=eigh(a))
    np.testing.assert_allclose(known, matfn(Exponential(0.7), a) @ v, rtol=0, atol=1e-14)


def test_derivative_with_respect_to_the_functions_parameter() -> None:
    matrices, directions, weights = cases(complex)

    def scalar(x, a, d, w):
        evolution = Exponential(-1j * x[0])
        return jnp.sum(w * matfn(evolution, a + x[1] * d)).real

    start = np.array([TIME, 0.0])
    gradient = jax.jit(jax.vmap(jax.grad(scalar), in_axes=(None, 0, 0, 0)))
    forward = jax.jit(jax.vmap(jax.jacfwd(scalar), in_axes=(None, 0, 0, 0)))
    hessian = jax.jit(jax.vmap(jax.hessian(scalar), in_axes=(None, 0, 0, 0)))
    rest = (matrices, directions[:, 0], weights)
    # dU/dt = -i A U
    slope = -1j * matrices @ dense(lambda x: np.exp(-1j * TIME * x), matrices)
    expected = np.sum(weights * slope, axis=(1, 2)).real
    np.testing.assert_allclose(gradient(start, *rest)[:, 0], expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(forward(start, *rest), gradient(start, *rest), rtol=0, atol=1e-12)
    rows = [difference(lambda x: gradient(x, *rest), (start,), (u,), 1e-3) for u in np.eye(2)]
    np.testing.assert_allclose(hessian(start, *rest), np.stack(rows, 1), rtol=0, atol=1e-8)

    def trace(scale, a):
        return trace_fn(Exponential(scale, 1.3), a)

    found = jax.jit(jax.vmap(jax.grad(trace), in_axes=(None, 0)))(REAL_SCALE, matrices)
    expected = dense_trace(lambda x: 1.3 * x * np.exp(REAL_SCALE * x), matrices)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["binary entropy", "evolution", "callable"])
def test_third_derivative_of_matfn_raises(name: str) -> None:
    fn, _ = FUNCTIONS[name]
    matrices, directions, _ = cases(complex)

    def scalar(x):
        return jnp.sum(matfn(fn, matrices[0] + x * directions[0, 0]).real)

    jax.eval_shape(jax.grad(jax.grad(scalar)), 0.1)
    for derivative in (jax.grad, jax.jacfwd):
        with pytest.raises(NotImplementedError, match="third derivatives of `matfn`"):
            jax.eval_shape(derivative(derivative(derivative(scalar))), 0.1)


def test_known_spectrum_is_reused_and_gives_the_same() -> None:
    fn, _ = FUNCTIONS["evolution"]
    matrices, directions, _ = map(jnp.asarray, cases(complex))
    spectrum = eigh(matrices[1])
    for known in (None, spectrum):

        def derivative(a, known=known):
            return jax.jvp(lambda a: matfn(fn, a, spectrum=known), (a,), (directions[1, 0],))

        value, forward = derivative(matrices[1])
        second = jax.jvp(lambda a: derivative(a)[1], (matrices[1],), (directions[1, 1],))[1]
        if known is None:
            expected = (value, forward, second)
    for found, wanted in zip((value, forward, second), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    # it is used indeed: with another matrix's spectrum the answer is that matrix's
    other = matfn(fn, matrices[1], spectrum=eigh(matrices[0]))
    np.testing.assert_allclose(other, matfn(fn, matrices[0]), rtol=0, atol=1e-14)
    assert np.abs(other - value).max() > 0.1


@pytest.mark.parametrize("name", ["evolution", "binary entropy"])
def test_vmap_equals_loop(name: str) -> None:
    fn, _ = FUNCTIONS[name]
    matrices, directions, weights = map(jnp.asarray, cases(complex))

    def slope(a, d, w):
        scalar = jax.value_and_grad(lambda a: jnp.sum(w * matfn(fn, a)).real)
        return scalar(a), jax.jvp(jax.grad(lambda a: trace_fn(fn, a).real), (a,), (d,))

    once, batched = jax.jit(slope), jax.jit(jax.vmap(slope))
    together = batched(matrices, directions[:, 0], weights)
    for i, row in enumerate(zip(matrices, directions[:, 0], weights, strict=True)):
        for one, all_ in zip(jax.tree.leaves(once(*row)), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(all_[i], one, rtol=0, atol=1e-12)


def test_compiled_once_for_equal_shapes() -> None:
    matrices, _, weights = cases(complex)

    def slope(time, a, w):
        evolved = jax.grad(lambda a: jnp.sum(w * matfn(Exponential(-1j * time), a)).real)(a)
        return evolved, jax.grad(lambda a: trace_fn(BinaryEntropy(), a))(a)

    slope = jax.jit(eqx.debug.assert_max_traces(slope, max_traces=1))
    results = [slope(0.3 * i, a, weights[0]) for i, a in enumerate(matrices)]
    assert np.abs(results[0][0] - results[1][0]).max() > 1e-3


# trace_fn


@pytest.mark.parametrize(
    ("name", "order", "dtype"),
    [(name, HESSIAN, complex) for name in ("exponential", "log odds", "Shannon", "callable")]
    + [("binary entropy", order, complex) for order in ORDERS]
    + [("binary entropy", HESSIAN, float)],
)
def test_trace_fn_second_derivative(name: str, order: str, dtype: type) -> None:
    fn, _ = FUNCTIONS[name]
    check_hessian(lambda a, d, w, x: trace_fn(fn, along(a, d, x)), dtype, order)


def test_third_derivative_of_trace_fn_exists_and_the_fourth_raises() -> None:
    matrices, directions, _ = cases(complex)
    matrix, direction = matrices[1], directions[1, 0]

    def scalar(x):
        return trace_fn(BinaryEntropy(), matrix + x * direction)

    curvature = jax.jit(jax.grad(jax.grad(scalar)))
    found = jax.jit(jax.grad(jax.grad(jax.grad(scalar))))(0.0)
    np.testing.assert_allclose(found, difference(curvature, (0.0,), (1.0,), 2e-4), rtol=1e-7)
    with pytest.raises(NotImplementedError, match="third derivatives of `matfn`"):
        jax.eval_shape(jax.grad(jax.grad(jax.grad(jax.grad(scalar)))), 0.0)


def test_trace_fn_of_a_complex_function_has_a_right_derivative_or_none() -> None:
    matrices, directions, _ = map(jnp.asarray, cases(complex))
    fn = Exponential(jnp.array(-1j * TIME))

    def derivative():
        return jax.jvp(lambda a: trace_fn(fn, a), (matrices[0],), (directions[0, 0],))[1]

    slope = -1j * TIME * dense(lambda x: np.exp(-1j * TIME * x), np.asarray(matrices[0]))
    expected = np.trace(slope @ np.asarray(directions[0, 0]))
    try:
        found = derivative()
    except (NotImplementedError, TypeError, ValueError):
        return
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# Edges: empty, filled and nearly so


EDGE_SPECTRA = {
    "empty and filled": (0.0, 0.0, 1.0, 0.3),
    "pure": (0.0, 1.0, 0.0, 1.0),
    "empty": (0.0, 0.0, 0.0, 0.0),
    "filled": (1.0, 1.0, 1.0, 1.0),
    "beyond by rounding": (-5e-18, 1.0 + 2e-16, 0.3, -1e-16),
}


@over_dtypes
@pytest.mark.parametrize("spectrum", EDGE_SPECTRA.values(), ids=EDGE_SPECTRA)
@pytest.mark.parametrize("fn", [BinaryEntropy(), LogOdds(), ShannonTerm()])
def test_derivatives_are_finite_at_empty_and_filled(
    fn: SpectralFunction, spectrum: tuple, dtype: type, rng: np.random.Generator
) -> None:
    basis = np.linalg.eigh(random_hermitian(rng, 4, dtype))[1]
    for vectors in (basis, np.eye(4)):
        matrix = jnp.asarray((vectors * np.array(spectrum)) @ vectors.conj().T, dtype)
        directions = jnp.asarray([random_hermitian(rng, 4, dtype) for _ in range(2)])
        first, hessian = edge_derivatives(fn)(matrix, directions)
        assert np.all(np.isfinite(first))
        assert np.all(np.isfinite(hessian))


@functools.cache
def edge_derivatives(fn: SpectralFunction) -> Callable:
    def scalar(x, a, d):
        moved = along(a, d, x)
        return trace_fn(fn, moved) + jnp.sum(matfn(fn, moved)).real

    def derivatives(a, d):
        return jax.grad(scalar)(jnp.zeros(2), a, d), jax.hessian(scalar)(jnp.zeros(2), a, d)

    return jax.jit(derivatives)


def test_entropy_slope_at_the_edges() -> None:
    n = jnp.diag(jnp.array([0.0, 1.0, 0.5, 0.25]))
    slope = jax.grad(lambda a: trace_fn(BinaryEntropy(), a))(n)
    largest = 53 * np.log(2.0)  # ln(1 / rounding)
    np.testing.assert_allclose(
        slope, np.diag([largest, -largest, 0.0, np.log(3.0)]), rtol=0, atol=1e-13
    )
    # An empty mode mixed with one of occupation x: the change is s(x)/x, which is not clipped.
    direction = jnp.zeros((4, 4)).at[0, 3].set(1.0).at[3, 0].set(1.0)
    change = jax.jvp(lambda a: matfn(BinaryEntropy(), a), (n,), (direction,))[1]
    assert change[0, 3] == pytest.approx(binary_entropy(0.25) / 0.25, abs=1e-13)
    direction = jnp.zeros((4, 4)).at[0, 1].set(1.0).at[1, 0].set(1.0)
    change = jax.jvp(lambda a: matfn(BinaryEntropy(), a), (n,), (direction,))[1]
    np.testing.assert_allclose(change, 0.0, atol=1e-13)


# Divided differences


def clipped(x: float) -> mpmath.mpf:
    return min(max(mpmath.mpf(x), mpmath.mpf(2) ** -53), 1 - mpmath.mpf(2) ** -53)


def raised(x: float) -> mpmath.mpf:
    return max(mpmath.mpf(x), mpmath.mpf(2) ** -53)


# The function, where it clips its argument, the function in mpmath.
EXACT = {
    "exponential": (
        FUNCTIONS["exponential"][0],
        mpmath.mpf,
        lambda x: mpmath.mpf(1.3) * mpmath.exp(mpmath.mpf(REAL_SCALE) * x),
    ),
    "evolution": (
        FUNCTIONS["evolution"][0],
        mpmath.mpf,
        lambda x: mpmath.exp(-1j * mpmath.mpf(TIME) * x),
    ),
    "binary entropy": (
        BinaryEntropy(),
        clipped,
        lambda x: -x * mpmath.log(x) - (1 - x) * mpmath.log(1 - x),
    ),
    "log odds": (LogOdds(), clipped, lambda x: mpmath.log((1 - x) / x)),
    "Shannon": (ShannonTerm(), raised, lambda x: -x * mpmath.log(x)),
    "Shannon slope": (ShannonTerm().derivative(), raised, lambda x: -mpmath.log(x) - 1),
    "logarithm": (Logarithm(), lambda x: max(mpmath.mpf(x), mpmath.mpf(2) ** -1022), mpmath.log),
}
POINTS = (0.0, 1e-12, 1e-10, 2e-10, 3e-7, 1e-6, 9e-6, 1e-3, 0.2, 0.2 + 1e-10, 0.2 + 3e-5, 0.5, 0.7)
POINTS += tuple(1.0 - x for x in POINTS[:8])


def exact_divided_difference(f: Callable, *points: mpmath.mpf) -> mpmath.mpf:
    """f[x, y, ...] at 80 digits; coinciding points are moved apart by 1e-30 and less of their size.

    The nearest end of the interval is at least 1e-16 away after clipping.
    """
    points = tuple(sorted(points))
    apart = []
    for i, x in enumerate(points):
        room = min(x, 1 - x) if 0 < x < 1 else max(x, mpmath.mpf(1))
        apart.append(x + i * room * mpmath.mpf(10) ** -30)
    table = [f(x) for x in apart]
    for order in range(1, len(apart)):
        table = [
            (table[i + 1] - table[i]) / (apart[i + order] - apart[i]) for i in range(len(table) - 1)
        ]
    return table[0]


@pytest.mark.parametrize("name", EXACT)
def test_divided_difference_at_close_equal_and_edge_arguments(name: str) -> None:
    fn, clip, exact = EXACT[name]
    x, y = (np.ravel(grid) for grid in np.meshgrid(POINTS, POINTS))
    if name == "logarithm":
        x, y = x[x * y > 0], y[x * y > 0]  # at 0 the exact value is not a float64
    found = np.asarray(jax.jit(lambda x, y: fn.divided_difference(x, y))(x, y))
    with mpmath.workdps(80):
        expected = [
            complex(exact_divided_difference(exact, clip(a), clip(b)))
            for a, b in zip(x, y, strict=True)
        ]
    # XLA's log1p is right to 3e-14 only
    np.testing.assert_allclose(found, expected, rtol=5e-14, atol=5e-14)
    np.testing.assert_allclose(fn.divided_difference(y, x), found, rtol=5e-15, atol=5e-15)


@pytest.mark.parametrize("name", EXACT)
def test_second_divided_difference(name: str) -> None:
    """Also among small occupations, where second derivatives of entropies are largest."""
    fn, clip, exact = EXACT[name]
    points = (1e-6, 9e-6, 4e-5, 1e-3, 0.2, 0.2 + 1e-10, 0.2 + 3e-5, 1.0 - 2e-6)
    if name not in ("Shannon slope", "logarithm", "log odds", "Shannon", "binary entropy"):
        points += (0.0, 1.0)
    x, y, z = (np.ravel(grid) for grid in np.meshgrid(points, points, points))
    found = np.asarray(jax.jit(lambda x, y, z: fn.second_divided_difference(x, y, z))(x, y, z))
    with mpmath.workdps(80):
        expected = np.array(
            [
                complex(exact_divided_difference(exact, clip(a), clip(b), clip(c)))
                for a, b, c in zip(x, y, z, strict=True)
            ]
        )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("fn", "slope"),
    [(BinaryEntropy(), EXACT["log odds"][2]), (ShannonTerm(), EXACT["Shannon slope"][2])],
    ids=["fermions", "density matrix"],
)
def test_hessian_of_entropies_of_nearly_empty_states(
    fn: SpectralFunction, slope: Callable, rng: np.random.Generator
) -> None:
    """tr f has the second derivative f'[x, y] |d_xy|^2, whatever the size of x and y."""
    small = np.array([1e-6, 9e-6, 4e-5, 0.3])
    direction = random_hermitian(rng, 4)

    def scalar(x):
        return trace_fn(fn, jnp.diag(jnp.asarray(small, complex)) + x * direction)

    with mpmath.workdps(80):
        pairs = [
            [exact_divided_difference(slope, raised(a), raised(b)) for a in small] for b in small
        ]
    expected = np.sum(np.array(pairs, float) * np.abs(direction) ** 2)
    found = jax.jit(jax.grad(jax.grad(scalar)))(0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


# modes


@over_dtypes
def test_modes_derivative_of_what_no_gauge_changes(dtype: type) -> None:
    matrices, directions, weights = cases(dtype)
    level = slice(0, 2)  # as a whole: the lower pair, where the spectrum has pairs

    @jax.jit
    @jax.vmap
    def derivatives(a, d, w):
        def observables(a):
            values, vectors = modes(a)
            projector = vectors[:, level] @ vectors[:, level].conj().T
            return jnp.sum(values[level]), jnp.sum(w * projector).real

        _, forward = jax.jvp(observables, (a,), (d,))
        gradients = (jax.grad(lambda a, i=i: observables(a)[i])(a) for i in range(2))
        return forward, [jnp.sum(g * d).real for g in gradients]

    def twin(a: Array) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(a)
        low = vectors[..., level]
        projector = low @ np.swapaxes(low.conj(), -1, -2)
        return np.stack([values[:, level].sum(-1), np.sum(weights * projector, axis=(1, 2)).real])

    forward, reverse = derivatives(matrices, directions[:, 0], weights)
    expected = difference(twin, (matrices,), (directions[:, 0],), STEP)
    # "all equal" has no lower pair to speak of: there the derivative is only finite. Rotations
    # within the nearly equal pair, of size 1/gap = 1e9, cancel up to rounding.
    tolerance = np.array([2e-9, 2e-9, 2e-6, np.inf])
    assert np.all(np.abs(np.stack(forward) - expected) <= tolerance)
    np.testing.assert_allclose(reverse, forward, rtol=0, atol=tolerance[:3].max())
    assert np.all(np.isfinite(forward))


def test_modes_derivative_of_every_mode_where_none_are_equal() -> None:
    matrices, directions, weights = cases(complex)

    def observables(a):
        values, vectors = modes(a)
        each = jnp.einsum("ik,jk,ij->k", vectors, vectors.conj(), weights[0]).real
        return jnp.concatenate([values, each])

    def twin(a: Array) -> Array:
        values, vectors = np.linalg.eigh(a)
        each = np.einsum("ik,jk,ij->k", vectors, vectors.conj(), weights[0]).real
        return np.concatenate([values, each])

    a, d = jnp.asarray(matrices[0]), jnp.asarray(directions[0, 0])
    forward = jax.jit(lambda a, d: jax.jvp(observables, (a,), (d,))[1])(a, d)
    np.testing.assert_allclose(forward, difference(twin, (a,), (d,), 5e-5), rtol=0, atol=1e-9)
    reverse = jnp.sum(jax.jit(jax.jacrev(observables))(a) * d[None], axis=(1, 2)).real
    np.testing.assert_allclose(reverse, forward, rtol=0, atol=1e-12)


# Negative controls


def test_plain_derivatives_fail_at_the_degeneracy() -> None:
    """What these tests would say of an implementation that differentiates eigenvectors."""
    matrices, directions, weights = map(jnp.asarray, cases(complex))

    def naive(a, w):
        values, vectors = jnp.linalg.eigh(a)
        return jnp.sum(w * ((vectors * jnp.tanh(values)[None, :]) @ vectors.conj().T)).real

    def naive_trace(a):
        return jnp.sum(jnp.tanh(jnp.linalg.eigvalsh(a)))

    # exactly degenerate as it stands, so that no rounding saves the quotient
    degenerate = jnp.diag(jnp.array([0.2, 0.2, 0.7, 0.7], dtype=complex))
    slope = jax.jit(jax.grad(naive))
    assert np.all(np.isfinite(slope(matrices[0], weights[0])))
    assert np.any(np.isnan(slope(degenerate, weights[0])))

    def curvature(scalar, a):
        return jax.jit(jax.grad(jax.grad(lambda x: scalar(a + x * directions[0, 0]))))(0.0)

    assert np.isfinite(curvature(naive_trace, matrices[0]))
    assert np.isnan(curvature(naive_trace, degenerate))
    assert np.isfinite(curvature(lambda a: trace_fn(jnp.tanh, a), degenerate))
    right = jax.jit(jax.grad(lambda a: jnp.sum(matfn(jnp.tanh, a)).real))
    assert np.all(np.isfinite(right(degenerate)))


def test_plain_entropy_fails_at_empty_and_filled() -> None:
    n = jnp.array([0.0, 0.0, 1.0, 0.3])

    def naive(n):
        return -jnp.sum(n * jnp.log(n) + (1.0 - n) * jnp.log(1.0 - n))

    assert np.isnan(naive(n))
    assert np.all(np.isnan(jax.grad(naive)(n)[:3]))


# eigenvalues


@over_dtypes
@pytest.mark.parametrize("n", [1, 2, 41])
def test_eigenvalues(n: int, dtype: type, rng: np.random.Generator) -> None:
    batch = np.array([random_hermitian(rng, n, dtype) for _ in range(3)])
    expected = np.linalg.eigvalsh(batch)
    for found in (
        [eigenvalues(jnp.asarray(m)) for m in batch[:1]],
        jax.vmap(eigenvalues)(jnp.asarray(batch)),
        jax.jit(jax.vmap(eigenvalues))(jnp.asarray(batch)),
    ):
        np.testing.assert_allclose(found, expected[: len(found)], rtol=0, atol=1e-14 * n)


def test_eigenvalues_leave_their_argument_alone(rng: np.random.Generator) -> None:
    """LAPACK overwrites its input: here it must have had a copy."""
    matrix = jnp.asarray(random_hermitian(rng, 5))
    before = np.array(matrix)

    @jax.jit
    def both(m):
        return eigenvalues(m), m @ m

    values, square = both(matrix)
    np.testing.assert_array_equal(matrix, before)
    np.testing.assert_allclose(square, before @ before, rtol=0, atol=1e-14)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(before), rtol=0, atol=1e-14)


def test_eigenvalues_of_nan_are_nan() -> None:
    assert np.all(np.isnan(eigenvalues(jnp.full((3, 3), jnp.nan))))


# `entropax.linalg.eigenvalues` is the function; this is its file
eigenvalues_module = importlib.import_module("entropax.linalg.eigenvalues")


def test_lapack_answers_for_values_alone() -> None:
    assert eigenvalues_module.values_only_available(), (
        "JAX's LAPACK entry has changed (`lapack_zheevd_ffi`): `eigenvalues` is right but 2 to 4 "
        "times slower; bring `_lapack_values` up to date"
    )


@over_dtypes
def test_eigenvalues_fall_back_where_lapack_has_changed(
    dtype: type, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = jnp.asarray(random_hermitian(rng, 7, dtype))
    expected = np.linalg.eigvalsh(np.asarray(matrix))

    def changed(matrix):
        raise RuntimeError(f"no such LAPACK entry for {matrix.dtype}")

    def wrong(matrix):
        return jnp.zeros(matrix.shape[-1])

    available = eigenvalues_module.values_only_available
    for broken in (changed, wrong):
        available.cache_clear()
        monkeypatch.setattr(eigenvalues_module, "_lapack_values", broken)
        assert not available()
        np.testing.assert_allclose(eigenvalues(matrix), expected, rtol=0, atol=1e-13)
    monkeypatch.undo()
    available.cache_clear()
    assert available()
