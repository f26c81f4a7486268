"""Functions of Hermitian matrices and their first derivatives, where eigenvalues meet too."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.spectra import (
    FUNCTIONS,
    REAL_FUNCTIONS,
    REAL_SCALE,
    STEEPEST,
    STEP,
    TIME,
    dense,
    dense_trace,
    examples,
    over_dtypes,
)
from derivatives import difference
from rounding import eigenvalue_rounding

from entropax.linalg import (
    BinaryEntropy,
    Exponential,
    eigh,
    matfn,
    modes,
    trace_fn,
)

Array = np.ndarray


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, complex) for name in FUNCTIONS]
    + [(name, float) for name in ("evolution", "binary entropy", "callable")],
)
def test_value_and_first_derivative(name: str, dtype: type) -> None:
    """Of matfn and trace_fn, forward and reverse, at every spectrum."""
    fn, twin = FUNCTIONS[name]
    matrices, directions, weights = examples(dtype)

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
    # two programs are off by LAPACK's rounding
    off = 2.0 * STEEPEST * eigenvalue_rounding(4)
    np.testing.assert_allclose(values[0], dense(twin, matrices), rtol=0, atol=off)
    for value in (alone, values[1]):
        np.testing.assert_allclose(value, dense_trace(twin, matrices), rtol=0, atol=4.0 * off)

    def expected(f: Callable) -> Array:
        return difference(lambda a: f(twin, a), (matrices,), (directions[:, 0],), STEP)

    np.testing.assert_allclose(forward[0], expected(dense), rtol=0, atol=2e-10)
    paired = np.sum(weights * np.asarray(forward[0]), axis=(1, 2)).real
    np.testing.assert_allclose(reverse[0], paired, rtol=0, atol=1e-12)
    if name in REAL_FUNCTIONS:
        np.testing.assert_allclose(forward[1], expected(dense_trace), rtol=0, atol=2e-10)
        np.testing.assert_allclose(reverse[1], forward[1], rtol=0, atol=1e-13)


def test_derivative_with_respect_to_the_functions_parameter() -> None:
    matrices, directions, weights = examples(complex)

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


@pytest.mark.parametrize("name", ["evolution", "binary entropy"])
def test_vmap_equals_loop(name: str) -> None:
    fn, _ = FUNCTIONS[name]
    matrices, directions, weights = map(jnp.asarray, examples(complex))

    def slope(a, d, w):
        scalar = jax.value_and_grad(lambda a: jnp.sum(w * matfn(fn, a)).real)
        return scalar(a), jax.jvp(jax.grad(lambda a: trace_fn(fn, a).real), (a,), (d,))

    once, batched = jax.jit(slope), jax.jit(jax.vmap(slope))
    together = batched(matrices, directions[:, 0], weights)
    for i, row in enumerate(zip(matrices, directions[:, 0], weights, strict=True)):
        for one, all_ in zip(jax.tree.leaves(once(*row)), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(all_[i], one, rtol=0, atol=1e-12)


def test_compiled_once_for_equal_shapes() -> None:
    matrices, _, weights = examples(complex)

    def slope(time, a, w):
        evolved = jax.grad(lambda a: jnp.sum(w * matfn(Exponential(-1j * time), a)).real)(a)
        return evolved, jax.grad(lambda a: trace_fn(BinaryEntropy(), a))(a)

    slope = jax.jit(eqx.debug.assert_max_traces(slope, max_traces=1))
    results = [slope(0.3 * i, a, weights[0]) for i, a in enumerate(matrices)]
    assert np.abs(results[0][0] - results[1][0]).max() > 1e-3


def test_trace_fn_of_a_complex_function_has_a_right_derivative_or_none() -> None:
    matrices, directions, _ = map(jnp.asarray, examples(complex))
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


@over_dtypes
def test_modes_derivative_of_what_no_gauge_changes(dtype: type) -> None:
    matrices, directions, weights = examples(dtype)
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
    matrices, directions, weights = examples(complex)

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


def test_plain_derivatives_fail_at_the_degeneracy() -> None:
    """What these tests would say of an implementation that differentiates eigenvectors."""
    matrices, directions, weights = map(jnp.asarray, examples(complex))

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


def test_known_spectrum_is_reused_and_gives_the_same() -> None:
    fn, _ = FUNCTIONS["evolution"]
    matrices, directions, _ = map(jnp.asarray, examples(complex))
    spectrum = eigh(matrices[1])
    for known in (None, spectrum):

        def derivative(a, known=known):
            return jax.jvp(lambda a: matfn(fn, a, spectrum=known), (a,), (directions[1, 0],))

        def twice(a, derivative=derivative):
            return jax.jvp(derivative, (a,), (directions[1, 1],))

        (value, forward), (_, second) = jax.jit(twice)(matrices[1])
        if known is None:
            expected = (value, forward, second)
    for found, wanted in zip((value, forward, second), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    # it is used indeed: with another matrix's spectrum the answer is that matrix's
    other = jax.jit(lambda a, b: matfn(fn, a, spectrum=eigh(b)))(matrices[1], matrices[0])
    own = jax.jit(lambda a: matfn(fn, a))(matrices[0])
    np.testing.assert_allclose(other, own, rtol=0, atol=1e-14)
    assert np.abs(other - value).max() > 0.1
