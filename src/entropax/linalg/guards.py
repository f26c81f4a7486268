"""Guards of derivatives: those that do not exist raise instead of being zero; some are replaced."""

import functools
from typing import Any

import jax
from jaxtyping import Array, Inexact


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def forbid_derivative(values: Any, message: str) -> Any:
    """The identity; differentiating it raises `NotImplementedError(message)`."""
    del message
    return values


@forbid_derivative.defjvp
def _forbid_derivative_jvp(message: str, primals: Any, tangents: Any) -> Any:
    raise NotImplementedError(message)


def with_slope_of(value: Inexact[Array, "*shape"], other: Inexact[Array, "*shape"]) -> Array:
    """The value of one, with the derivatives of the other, which has the same value to rounding."""
    return jax.lax.stop_gradient(value) + (other - jax.lax.stop_gradient(other))
