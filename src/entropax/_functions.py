"""Functions compared by their code and values, so that one made anew compiles nothing anew."""

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import equinox as eqx
import jax

_DEEPEST = 8
"""The depth to which functions within functions are compared by code; deeper ones by identity."""


def as_pytree(function: Callable[..., Any]) -> Any:
    """The function as a pytree: a Module as it is, any other as one without leaves.

    Two functions are equal where their code is, and all that it closes over, defaults to and reads
    of its module: numbers and text by value, functions by the same rule, all else by identity.
    """
    if isinstance(function, eqx.Module):
        return function
    if isinstance(function, FunctionType):
        return jax.tree_util.Partial(_Alike(function))
    return jax.tree_util.Partial(function)


class _Alike:
    """A function that equals every other with the same code and values (see `as_pytree`)."""

    def __init__(self, function: FunctionType):
        self.function = function
        # what is told apart by identity must live as long as its number counts
        self.held: list[Any] = []
        self.key = self._key(function, 0)

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self.key == other.key

    def __repr__(self) -> str:
        return repr(self.function)

    def _key(self, function: FunctionType, depth: int) -> tuple[Any, ...]:
        code, namespace = function.__code__, function.__globals__
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        reads = {name: namespace[name] for name in names(code) if name in namespace}
        keywords = function.__kwdefaults__ or {}
        values = (*cells, *(function.__defaults__ or ()), *keywords.values(), *reads.values())
        return (code, tuple(reads), *(self._value(x, depth + 1) for x in values))

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, float):
            return value.hex()  # 0.0 is not -0.0, NaN is itself
        if value is None or isinstance(value, bool | int | str | bytes | complex):
            return type(value), value
        if isinstance(value, tuple):
            return tuple(self._value(x, depth) for x in value)
        if isinstance(value, FunctionType) and depth < _DEEPEST:
            return self._key(value, depth)
        self.held.append(value)
        return "identity", id(value)


def names(code: CodeType) -> list[str]:
    """The names that a function, and those inside it, may read of its module."""
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in names(c)]
    return sorted({*code.co_names, *inner})
