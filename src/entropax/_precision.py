"""Double precision: its units of rounding; switched on at import, demanded at use."""

import os

import jax

EPS = 2.0**-52
"""From 1 to the next number."""
TINY = 2.0**-1022
"""The least normal number."""


def enable_float64() -> None:
    """Turn on 64-bit JAX, unless the environment variable `JAX_ENABLE_X64` already decides."""
    if "JAX_ENABLE_X64" not in os.environ:
        jax.config.update("jax_enable_x64", True)


def require_float64() -> None:
    """Raise a `ValueError` where JAX runs in single precision."""
    if not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "entropax computes in float64, but 64-bit JAX is switched off: unset JAX_ENABLE_X64 "
            'or call jax.config.update("jax_enable_x64", True).'
        )
