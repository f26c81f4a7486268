"""Checks of arguments, whose messages name the argument, the rule and the value.

A known value is checked at once and raises `ValueError`; so is one differentiated outside of
`jit`. One that a program or a batch traces cannot raise, since a program calls no host: it becomes
NaN, so that no number made of it is wrong in silence, and `Faults` say in `Solution.result` what
was wrong.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Self, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Complex, Float, Inexact

from entropax._precision import require_float64
from entropax._tolerances import ROUNDED

Numbers = ArrayLike | Sequence[Any]
"""Types accepted as an array of numbers: arrays of any kind, Python numbers, (nested) lists."""


def is_traced(value: object) -> bool:
    """Whether `value` is a tracer: of a compiled program, a batch or a derivative."""
    return isinstance(value, Tracer)


def concrete(value: Any) -> Any:
    """The value without the tracer of a derivative, so that Python can look at it; what `jit` and
    `vmap` trace comes back as it is.

    For decisions that stay the same in a neighbourhood of the value.
    """
    return jax.lax.stop_gradient(value) if is_traced(value) else value


def whole(value: Any) -> Any:
    """A Python `int` for an integer of NumPy; anything else as it is."""
    return int(value) if isinstance(value, np.integer) else value


def require_count(name: str, value: object) -> int:
    """The value, an integer of at least 1; `ValueError` for anything else."""
    number = whole(value)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"`{name}` must be a positive integer, but is {value!r}.")
    return number


def require_key(key: object) -> None:
    """Raise `ValueError` unless `key` is a key of `jax.random`."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32):
        raise ValueError(f"`key` must be a key, such as jax.random.key(0), but is {key!r}.")


def check(name: str, value: Array, rule: str, holds: Callable[[ModuleType, Any], Any]) -> Array:
    """Return `value`, of which `holds(xp, value)` must be true throughout; `rule` says so in words.

    `xp` is NumPy for a known value, so that building a model compiles nothing, and jax.numpy for a
    traced one. A value differentiated outside of `jit` counts as known.
    """
    if not is_traced(bare := concrete(value)):
        array = np.asarray(bare)
        good = np.asarray(holds(np, array))
        if not good.all():
            raise ValueError(f"`{name}` must be {rule}, but {_first_offender(array, good)}.")
        return value
    return jnp.where(jnp.all(holds(jnp, value)), value, jnp.nan)


def check_against(
    name: str, value: Array, rule: str, holds: Callable[[], Bool[Array, ""]]
) -> Array:
    """Return the number `value`; `holds()` compares it with other values, traced or not."""
    with jax.ensure_compile_time_eval():
        good = holds()
    if is_traced(good):
        return jnp.where(good, value, jnp.nan)
    if not good:
        raise ValueError(f"`{name}` must be {rule}, but is {concrete(value)}.")
    return value


class Faults(eqx.Module):
    """Rules that a running program may break: their `messages`, and which of them are `present`."""

    present: Bool[Array, "*times faults"]
    messages: tuple[str, ...] = eqx.field(static=True)

    @classmethod
    def none(cls) -> Self:
        return cls(jnp.zeros(0, bool), ())

    @classmethod
    def at_any_time(cls, start: Self | None, later: Self | None) -> Self:
        """The faults of a start, and of what came `later` at any time (along its first axis)."""
        faults = cls.none() if start is None else start
        if later is None:
            return faults
        return faults + cls(jnp.any(later.present, axis=0), later.messages)

    def __add__(self, other: Self) -> Self:
        present = jnp.concatenate([self.present, other.present], axis=-1)
        return type(self)(present, self.messages + other.messages)


FaultyT = TypeVar("FaultyT", bound=Array)


def refuse(value: FaultyT, bad: Bool[Array, ""], message: str) -> tuple[FaultyT, Faults]:
    """The value, NaN if `bad`, and the `Faults` that hold the message then."""
    poisoned: Any = jnp.where(bad, jnp.nan, value)
    return poisoned, Faults(jnp.reshape(bad, (1,)), (message,))


def faults_of(model: Any) -> Faults:
    """The faults of a model built by a program: one for each array, present where it holds NaN."""
    faults = Faults.none()
    for path, leaf in jax.tree_util.tree_flatten_with_path(model)[0]:
        if eqx.is_inexact_array(leaf):
            name = jax.tree_util.keystr(path).removeprefix(".")
            message = f"`{name}` must be what its model asks for, but a program made it otherwise."
            faults += Faults(jnp.any(jnp.isnan(leaf)).reshape(1), (message,))
    return faults


def _first_offender(array: np.ndarray, good: np.ndarray) -> str:
    if array.ndim == 0:
        return f"is {array}"
    if good.ndim == 0:
        return "is not"
    index = tuple(int(i) for i in np.argwhere(~np.broadcast_to(good, array.shape))[0])
    place = ", ".join(map(str, index))
    return f"has {array[index]} at index {place}"


def real_array(name: str, value: Numbers, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a float64 array of `ndim` dimensions without NaN."""
    array = _array(name, value, ndim)
    if jnp.iscomplexobj(array):
        raise ValueError(f"`{name}` must be real, but has dtype {array.dtype}.")
    return check(name, array, "free of NaN", lambda xp, x: ~xp.isnan(x))


def finite_array(name: str, value: Numbers, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a finite float64 array of `ndim` dimensions."""
    return check(name, real_array(name, value, ndim=ndim), "finite", _is_finite)


def finite_numbers(name: str, value: Numbers, *, ndim: int) -> Inexact[Array, "..."]:
    """`value` as a finite array, real or complex, of `ndim` dimensions."""
    return check(name, _array(name, value, ndim), "finite", _is_finite)


def occupation_array(name: str, value: Numbers, *, ndim: int) -> Float[Array, "..."]:
    """`value` as a float64 array of `ndim` dimensions with entries in [0, 1]."""
    array = real_array(name, value, ndim=ndim)
    return check(name, array, "within [0, 1]", lambda xp, x: (x >= 0) & (x <= 1))


def hermitian_matrix(
    name: str, value: Numbers
) -> Float[Array, "sites sites"] | Complex[Array, "sites sites"]:
    """`value` as a finite square matrix that equals its conjugate transpose to rounding."""
    array = square_matrix(name, value)
    return check(name, array, "Hermitian (equal to its conjugate transpose)", _is_hermitian)


def square_matrix(name: str, value: Numbers) -> Inexact[Array, "n n"]:
    """`value` as a finite square matrix, float64 or complex128."""
    array = _array(name, value, 2)
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"`{name}` must be a square matrix, but has shape {array.shape}.")
    return check(name, array, "finite", _is_finite)


def _is_finite(xp: ModuleType, x: Any) -> Any:
    return xp.isfinite(x)


def _is_hermitian(xp: ModuleType, matrix: Any) -> Any:
    scale = xp.max(xp.abs(matrix), initial=0.0)
    return xp.abs(matrix - matrix.conj().T) <= ROUNDED * scale


def _array(name: str, value: Numbers, ndim: int) -> Array:
    require_float64()
    try:
        if any(map(is_traced, jax.tree.leaves(value))):
            array = jnp.asarray(value)
            array = array.astype(jnp.result_type(array, jnp.float64))
        else:
            # inside `jit` too, what is known must stay known
            numbers = np.asarray(value)
            with jax.ensure_compile_time_eval():
                array = jnp.asarray(numbers, np.result_type(numbers, np.float64))
    except (TypeError, ValueError) as error:
        message = f"`{name}` must be numbers, but is {value!r}."
        if type(value).__module__.startswith("qutip"):
            message = f"{message} `from_qutip` turns it into a matrix."
        raise ValueError(message) from error
    if array.ndim != ndim:
        raise ValueError(
            f"`{name}` must have {ndim} dimension{'s' if ndim != 1 else ''}, "
            f"but has shape {array.shape}."
        )
    return array
