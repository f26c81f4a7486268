"""Misuse becomes a message that names the argument, the rule and the value.

A concrete value is checked at once and raises `ValueError`; a traced one is checked when the
program runs, by `equinox.error_if`.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Complex, Float

from entropax._precision import require_float64


def is_traced(value: object) -> bool:
    """Whether `value` is known only when the compiled program runs."""
    return isinstance(value, Tracer)


def check(name: str, value: Array, rule: str, holds: Callable[[Array], Array]) -> Array:
    """Return `value`, which must satisfy `holds` elementwise; `rule` says so in words."""
    if not is_traced(value):
        good = np.asarray(holds(value))
        if not good.all():
            raise ValueError(f"`{name}` must be {rule}, but {_first_offender(value, good)}.")
        return value
    return eqx.error_if(value, ~jnp.all(holds(value)), f"`{name}` must be {rule}.")


def _first_offender(value: Array, good: np.ndarray) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"is {array}"
    index = tuple(int(i) for i in np.argwhere(~np.broadcast_to(good, array.shape))[0])
    place = ", ".join(map(str, index))
    return f"has {array[index]} at index {place}"


def real_array(name: str, value: ArrayLike, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a float64 array of `ndim` dimensions without NaN."""
    array = _array(name, value, ndim)
    if jnp.iscomplexobj(array):
        raise ValueError(f"`{name}` must be real, but has dtype {array.dtype}.")
    return check(name, array.astype(jnp.float64), "free of NaN", lambda x: ~jnp.isnan(x))


def finite_array(name: str, value: ArrayLike, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a finite float64 array of `ndim` dimensions."""
    return check(name, real_array(name, value, ndim=ndim), "finite", jnp.isfinite)


def occupation_array(name: str, value: ArrayLike, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a float64 array of `ndim` dimensions with entries in [0, 1]."""
    array = real_array(name, value, ndim=ndim)
    return check(name, array, "within [0, 1]", lambda x: (x >= 0) & (x <= 1))


def hermitian_matrix(
    name: str, value: ArrayLike
) -> Float[Array, "sites sites"] | Complex[Array, "sites sites"]:
    """`value` as a finite square matrix that equals its conjugate transpose to rounding."""
    array = _array(name, value, 2)
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"`{name}` must be a square matrix, but has shape {array.shape}.")
    array = array.astype(jnp.complex128 if jnp.iscomplexobj(array) else jnp.float64)
    array = check(name, array, "finite", jnp.isfinite)
    return check(name, array, "Hermitian (equal to its conjugate transpose)", _is_hermitian)


def _is_hermitian(matrix: Array) -> Bool[Array, "n n"]:
    scale = jnp.max(jnp.abs(matrix), initial=0.0)
    return jnp.abs(matrix - matrix.conj().T) <= 1e-12 * scale


def _array(name: str, value: ArrayLike, ndim: int) -> Array:
    require_float64()
    array = jnp.asarray(value)
    if array.ndim != ndim:
        raise ValueError(
            f"`{name}` must have {ndim} dimension{'s' if ndim != 1 else ''}, "
            f"but has shape {array.shape}."
        )
    return array
