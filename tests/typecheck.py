"""The package's annotations hold while it is tested: jaxtyping's shapes and types, by beartype."""

import typing
from collections.abc import Callable
from typing import Any

import jax
import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype
from jax.typing import ArrayLike


def install() -> None:
    """Every function of the package that is imported from now on is checked when it is called.

    Where it says `Array`, NumPy's are as welcome as JAX's: so are they to JAX.
    """
    jaxtyping.Array = jax.Array | np.ndarray | _constant_array()
    jaxtyping.install_import_hook("entropax", f"{__name__}.check")


def _constant_array() -> type:
    """JAX's own kind of NumPy array inside of programs, in the versions that have one."""
    kinds = typing.get_args(ArrayLike)
    return next((kind for kind in kinds if kind.__name__ == "TypedNdArray"), np.ndarray)


def check(function: Callable) -> Callable:
    """`function`, checked by beartype; `Self`, which it knows in whole classes only, is not."""
    hints = getattr(function, "__annotations__", {})
    for name, hint in hints.items():
        is_text = isinstance(hint, str) and "Self" in hint
        if is_text or typing.Self in (hint, *typing.get_args(hint)):
            hints[name] = Any
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)
