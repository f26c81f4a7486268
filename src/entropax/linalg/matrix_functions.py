"""Functions of Hermitian matrices, with derivatives that stay exact where eigenvalues meet.

No rule here differentiates an eigenvector: derivatives are built from divided differences of the
function (Daleckii-Krein), which are finite at degeneracies.
"""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from entropax._precision import require_float64
from entropax.linalg.eigenvalues import eigenvalues
from entropax.linalg.guards import forbid_derivative
from entropax.linalg.masked import masked_inverse
from entropax.linalg.spectral_functions import Elementwise, SpectralFunction, is_perturbed

Spectrum = tuple[Float[Array, " _"], Inexact[Array, "_ _"]]
"""Eigenvalues and eigenvectors (columns) of a Hermitian matrix."""


_TWICE = "third derivatives of `matfn` are not available"


def held_spectrum(matrix: Inexact[Array, "n n"]) -> Spectrum:
    """Eigenvalues and eigenvectors of a Hermitian matrix, as constants (no derivative).

    Hand the result to `matfn` as `spectrum`: its derivatives are those by the matrix.
    """
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(matrix))
    return values, vectors


def eigh(matrix: Inexact[Array, "n n"]) -> Spectrum:
    """Eigenvalues and eigenvectors of a Hermitian matrix, with the derivatives of `modes`.

    Hand the result to `matfn` as `spectrum` to reuse one diagonalisation for many functions.
    """
    return modes(matrix)


def matfn(
    fn: SpectralFunction | Callable[[Array], Array],
    matrix: Inexact[Array, "n n"],
    *,
    spectrum: Spectrum | None = None,
) -> Inexact[Array, "n n"]:
    r"""The matrix function $f(A) = V f(\Lambda) V^\dagger$ of a Hermitian matrix.

    The derivative is $V [F \circ (V^\dagger\, dA\, V)] V^\dagger$ with the divided differences
    $F_{ij} = f[\lambda_i, \lambda_j]$; the second derivative uses
    $f[\lambda_i, \lambda_k, \lambda_j]$. Both are exact at degenerate eigenvalues, forward and
    reverse. A third derivative raises `NotImplementedError`.

    **Arguments:** `fn`: a `SpectralFunction`, or any smooth elementwise JAX function; `matrix`:
    Hermitian (its Hermitian part is used for derivatives); `spectrum`: its `eigh`, where known.

    Cost: one eigenproblem and one matrix product; the second derivative holds `n**3` numbers.
    """
    return _matfn(_as_spectral(fn), matrix, spectrum)


def matfn_times(
    fn: SpectralFunction | Callable[[Array], Array],
    matrix: Inexact[Array, "n n"],
    vector: Inexact[Array, "n *columns"],
    *,
    spectrum: Spectrum | None = None,
) -> Inexact[Array, "n *columns"]:
    r"""$f(A)\,v$ without forming f(A): O(n^2) a column where the `spectrum` is known.

    Derivatives as for `matfn`, in f, A and v.
    """
    return _matfn_times(_as_spectral(fn), matrix, vector, spectrum)


def trace_fn(
    fn: SpectralFunction | Callable[[Array], Array],
    matrix: Inexact[Array, "n n"],
    *,
    spectrum: Spectrum | None = None,
) -> Inexact[Array, ""]:
    r"""$\mathrm{tr} f(A) = \sum_i f(\lambda_i)$ of a Hermitian matrix, for real f.

    The derivative is $\mathrm{Re}\,\mathrm{tr}[f'(A)\, dA]$, which needs eigenvectors only where
    a derivative is asked for; second derivatives follow from `matfn`. `spectrum`: as for `matfn`.
    """
    return _trace_fn(_as_spectral(fn), matrix, spectrum)


def _as_spectral(fn: SpectralFunction | Callable[[Array], Array]) -> SpectralFunction:
    require_float64()
    return fn if isinstance(fn, SpectralFunction) else Elementwise(fn)


def _sandwich(vectors: Array, middle: Array) -> Array:
    return vectors @ middle @ vectors.conj().T


def _in_eigenbasis(vectors: Array, matrix: Array) -> Array:
    return vectors.conj().T @ matrix @ vectors


def _product(matrix: Array, vector: Array) -> Array:
    """`matrix @ vector`; a real matrix is not made complex for a complex vector: half the work."""
    if jnp.iscomplexobj(vector) and not jnp.iscomplexobj(matrix):
        return jax.lax.complex(matrix @ vector.real, matrix @ vector.imag)
    return matrix @ vector


def _divided_differences(fn: SpectralFunction, values: Array) -> Array:
    return fn.divided_difference(*jnp.broadcast_arrays(values[:, None], values[None, :]))


def _parameter_change(make: Callable[[SpectralFunction], Array], fn: Any, dfn: Any) -> Array:
    return eqx.filter_jvp(make, (fn,), (dfn,))[1]


@eqx.filter_custom_jvp
def _matfn(fn: SpectralFunction, matrix: Array, spectrum: Spectrum | None) -> Array:
    values, vectors = held_spectrum(matrix) if spectrum is None else spectrum
    return (vectors * fn(values)[None, :]) @ vectors.conj().T


@_matfn.def_jvp
def _matfn_jvp(primals, tangents):
    fn, matrix, spectrum = primals
    dfn, dmatrix, _ = tangents
    spectrum = held_spectrum(matrix) if spectrum is None else spectrum
    out = _matfn(fn, matrix, spectrum)
    tangent = jnp.zeros_like(out)
    if dmatrix is not None:
        tangent = tangent + _frechet(fn, matrix, dmatrix, spectrum)
    for slope, change in _parameter_slopes(fn, dfn):
        tangent = tangent + change * _matfn(slope, matrix, spectrum)
    return out, _like(out, tangent)


@eqx.filter_custom_jvp
def _matfn_times(
    fn: SpectralFunction, matrix: Array, vector: Array, spectrum: Spectrum | None
) -> Array:
    values, vectors = held_spectrum(matrix) if spectrum is None else spectrum
    scaled = fn(values).reshape(-1, *[1] * (vector.ndim - 1))
    return _product(vectors, scaled * _product(vectors.conj().T, vector))


@_matfn_times.def_jvp
def _matfn_times_jvp(primals, tangents):
    fn, matrix, vector, spectrum = primals
    dfn, dmatrix, dvector, _ = tangents
    spectrum = held_spectrum(matrix) if spectrum is None else spectrum
    out = _matfn_times(fn, matrix, vector, spectrum)
    tangent = jnp.zeros_like(out)
    if dvector is not None:
        tangent = tangent + _matfn_times(fn, matrix, dvector, spectrum)
    if dmatrix is not None:
        tangent = tangent + _frechet(fn, matrix, dmatrix, spectrum) @ vector
    for slope, change in _parameter_slopes(fn, dfn):
        tangent = tangent + change * _matfn_times(slope, matrix, vector, spectrum)
    return out, _like(out, tangent)


def _frechet(fn: SpectralFunction, matrix: Array, direction: Array, spectrum: Spectrum) -> Array:
    """The first derivative L along a direction, written as the solution of a linear system.

    Where reverse mode is differentiated again, JAX takes the direction as unknown and drops
    custom rules that depend on it; that of a linear solve it keeps. With the symmetric
    S x = L x^T, the system (u, v) -> (v, u - S v) has the solution v = direction^T, u = L.
    """
    direction = 0.5 * (direction + direction.conj().T)

    def transposed(x: Array) -> Array:
        return _first_derivative(fn, matrix, x.T, spectrum)

    dtype = jnp.result_type(jax.eval_shape(transposed, direction), direction)
    direction = direction.astype(dtype)
    return jax.lax.custom_linear_solve(
        lambda x: jnp.stack([x[1], x[0] - transposed(x[1])]),
        jnp.stack([direction.T, jnp.zeros_like(direction)]),
        lambda _, b: jnp.stack([b[1] + transposed(b[0]), b[0]]),
        symmetric=True,
    )[0]


class _ParameterSlope(SpectralFunction):
    """The derivative of a spectral function along a change of its parameters."""

    fn: Any
    change: Any

    def _along(self, make: Callable[[SpectralFunction], Any]) -> Any:
        return eqx.filter_jvp(make, (self.fn,), (self.change,))[1]

    def value(self, x: Array) -> Array:
        return self._along(lambda f: f(x))

    def derivative(self) -> "_ParameterSlope":
        slope, change = eqx.filter_jvp(lambda f: f.derivative(), (self.fn,), (self.change,))
        return _ParameterSlope(slope, change)

    def divided_difference(self, x: Array, y: Array) -> Array:
        return self._along(lambda f: f.divided_difference(x, y))

    def second_divided_difference(self, x: Array, y: Array, z: Array) -> Array:
        return self._along(lambda f: f.second_divided_difference(x, y, z))


def _parameter_slopes(fn: SpectralFunction, dfn: Any) -> Iterator[tuple[SpectralFunction, Array]]:
    """For each perturbed parameter: the slope of f in it, and its tangent."""
    leaves, treedef = jax.tree.flatten(dfn, is_leaf=lambda x: x is None)
    for i, leaf in enumerate(leaves):
        if leaf is not None:
            if jnp.ndim(leaf):
                raise ValueError("Parameters of a SpectralFunction must be numbers, not arrays.")
            unit = [jnp.ones_like(leaf) if j == i else None for j in range(len(leaves))]
            yield _ParameterSlope(fn, treedef.unflatten(unit)), leaf


@eqx.filter_custom_jvp
def _first_derivative(
    fn: SpectralFunction, matrix: Array, direction: Array, spectrum: Spectrum
) -> Array:
    del matrix
    values, vectors = spectrum
    table = _divided_differences(fn, values)
    return _sandwich(vectors, table * _in_eigenbasis(vectors, direction))


@_first_derivative.def_jvp
def _first_derivative_jvp(primals, tangents):
    fn, matrix, direction, spectrum = primals
    dfn, dmatrix, ddirection, _ = tangents
    values, vectors = spectrum
    out = _first_derivative(fn, matrix, direction, spectrum)
    tangent = jnp.zeros_like(out)
    if ddirection is not None:
        tangent = tangent + _first_derivative(fn, matrix, ddirection, spectrum)
    if dmatrix is not None:
        tangent = tangent + _second_derivative(fn, matrix, direction, dmatrix, spectrum)
    if is_perturbed(dfn):
        change = _parameter_change(lambda f: _divided_differences(f, values), fn, dfn)
        tangent = tangent + _sandwich(vectors, change * _in_eigenbasis(vectors, direction))
    return out, _like(out, tangent)


@eqx.filter_custom_jvp
def _second_derivative(
    fn: SpectralFunction, matrix: Array, first: Array, second: Array, spectrum: Spectrum
) -> Array:
    values, vectors = jnp.linalg.eigh(forbid_derivative(matrix, _TWICE))
    del spectrum
    table = fn.second_divided_difference(
        *jnp.broadcast_arrays(values[:, None, None], values[None, :, None], values[None, None, :])
    )
    a, b = _in_eigenbasis(vectors, first), _in_eigenbasis(vectors, second)
    middle = jnp.einsum("ikj,ik,kj->ij", table, a, b) + jnp.einsum("ikj,ik,kj->ij", table, b, a)
    return _sandwich(vectors, middle)


@_second_derivative.def_jvp
def _second_derivative_jvp(primals, tangents):
    fn, matrix, first, second, spectrum = primals
    dfn, dmatrix, dfirst, dsecond, _ = tangents
    if dmatrix is not None or is_perturbed(dfn):
        raise NotImplementedError(_TWICE)
    out = _second_derivative(fn, matrix, first, second, spectrum)
    tangent = jnp.zeros_like(out)
    if dfirst is not None:
        tangent = tangent + _second_derivative(fn, matrix, dfirst, second, spectrum)
    if dsecond is not None:
        tangent = tangent + _second_derivative(fn, matrix, first, dsecond, spectrum)
    return out, _like(out, tangent)


@eqx.filter_custom_jvp
def _trace_fn(fn: SpectralFunction, matrix: Array, spectrum: Spectrum | None) -> Array:
    return jnp.sum(fn(eigenvalues(matrix) if spectrum is None else spectrum[0]))


@_trace_fn.def_jvp
def _trace_fn_jvp(primals, tangents):
    fn, matrix, spectrum = primals
    dfn, dmatrix, _ = tangents
    spectrum = held_spectrum(matrix) if spectrum is None else spectrum
    out = _trace_fn(fn, matrix, spectrum)  # by this rule again: a square of it has two slopes
    tangent = jnp.zeros_like(out)
    if dmatrix is not None:
        slope = _matfn(fn.derivative(), matrix, spectrum)
        hermitian = 0.5 * (dmatrix + dmatrix.conj().T)
        tangent = tangent + jnp.sum(slope.T * hermitian)
    for slope, change in _parameter_slopes(fn, dfn):
        tangent = tangent + change * _trace_fn(slope, matrix, spectrum)
    return out, _like(out, tangent)


def _like(out: Array, tangent: Array) -> Array:
    return tangent.astype(out.dtype) if jnp.iscomplexobj(out) else jnp.real(tangent)


@jax.custom_jvp
def modes(matrix: Inexact[Array, "n n"]) -> Spectrum:
    """Energies and mode functions (columns) of a Hermitian one-particle Hamiltonian.

    Differentiable where no perturbation mixes modes of equal energy: inside a degenerate level
    the mode functions are held fixed, so derivatives are finite there, and right for all that
    depends on the level as a whole or on perturbations diagonal within it.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    return values, vectors


@modes.defjvp
def _modes_jvp(primals, tangents):
    (matrix,), (dmatrix,) = primals, tangents
    values, vectors = modes(matrix)
    perturbation = _in_eigenbasis(vectors, 0.5 * (dmatrix + dmatrix.conj().T))
    gaps = values[None, :] - values[:, None]
    scale = jnp.max(jnp.abs(values), initial=0.0)
    apart = jnp.abs(gaps) > 1e-12 * scale
    rotation = perturbation * masked_inverse(gaps, apart)
    return (values, vectors), (jnp.diagonal(perturbation).real, vectors @ rotation)
