"""Derivatives that do not exist raise, instead of coming out as zero."""

import functools
from typing import Any

import jax


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def forbid_derivative(values: Any, message: str) -> Any:
    """The identity; differentiating it raises `NotImplementedError(message)`."""
    del message
    return values


@forbid_derivative.defjvp
def _forbid_derivative_jvp(message: str, primals: Any, tangents: Any) -> Any:
    raise NotImplementedError(message)
