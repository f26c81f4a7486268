"""Finite differences, and derivatives held against them: forward, reverse, difference."""

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray


def difference(f: Callable, args: tuple, directions: tuple, step: float = 1e-3) -> Array:
    """df along `directions` by the fourth-order central difference (error ~ step^4 f^(5) / 30)."""

    def at(length: float) -> Array:
        moved = (a + length * step * np.asarray(d) for a, d in zip(args, directions, strict=True))
        return np.asarray(f(*moved))

    return (8.0 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12.0 * step)


def one_sided_difference(f: Callable, args: tuple, directions: tuple, step: float) -> Array:
    """The same where f is defined on one side only (error ~ step^4 f^(5) / 5)."""

    def at(length: int) -> Array:
        moved = (a + length * step * np.asarray(d) for a, d in zip(args, directions, strict=True))
        return np.asarray(f(*moved))

    return (-25.0 * at(0) + 48.0 * at(1) - 36.0 * at(2) + 16.0 * at(3) - 3.0 * at(4)) / (12 * step)


@functools.lru_cache(maxsize=16)
def _both_ways(f: Callable) -> Callable:
    """The program, kept for the next point or direction of the same function."""

    def both(args: tuple, directions: tuple) -> tuple:
        value, forward = jax.jvp(f, args, directions)
        gradients = jax.vjp(f, *args)[1](jnp.ones_like(value))
        pairs = zip(gradients, directions, strict=True)
        return value, forward, sum(jnp.sum(g * d).real for g, d in pairs)

    return jax.jit(both)


def forward_and_reverse(
    f: Callable, args: tuple, directions: tuple
) -> tuple[Array, Array, Callable]:
    """df along `directions` of a real scalar f, by `jax.jvp` and by `jax.vjp`; and f.

    JAX's gradient g of a complex argument is such that df = Re sum g * direction. All three are one
    program: compiling takes most of the time.
    """
    args = tuple(map(jnp.asarray, args))
    directions = tuple(
        jnp.asarray(d).astype(jnp.asarray(a).dtype) for a, d in zip(args, directions, strict=True)
    )
    program = _both_ways(f) if isinstance(f, FunctionType) else _both_ways.__wrapped__(f)
    _, forward, reverse = program(args, directions)

    def value(*moved: Any) -> Array:
        own = tuple(jnp.asarray(m).astype(a.dtype) for m, a in zip(moved, args, strict=True))
        return np.asarray(program(own, directions)[0])

    return np.asarray(forward), np.asarray(reverse), value


def check_derivative(
    f: Callable,
    args: tuple,
    directions: tuple,
    *,
    twin: Callable | None = None,
    step: float = 1e-3,
    tolerance: float = 1e-9,
    reference: float | Array | None = None,
) -> None:
    """Forward equals reverse to 1e-12, and both equal the difference of f, or of its `twin`.

    Tolerances are relative to the size of the derivative, or to 1 where it is smaller. With
    `reference` that is the derivative to be met, and no difference is taken.
    """
    forward, reverse, value = forward_and_reverse(f, args, directions)
    if reference is None:
        reference = difference(twin or value, args, directions, step)
    size = max(1.0, float(np.abs(reference)))
    assert np.isfinite(forward)
    np.testing.assert_allclose(reverse, forward, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(forward, reference, rtol=0, atol=tolerance * size)
