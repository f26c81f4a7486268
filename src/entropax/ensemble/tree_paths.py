"""Trees of arrays by name, as a store and xarray want them, and ledgers made of them again."""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
from jaxtyping import PyTree

T = TypeVar("T")


def by_name(prefix: str, tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree by their places in it, as in `ledger.terms.athermality`."""
    return {
        ".".join([prefix, *(jax.tree_util.keystr((step,), simple=True) for step in path)]): leaf
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


def below(prefix: str, named: dict[str, T]) -> dict[str, T]:
    """Entries under `prefix`, with the prefix removed from their names; the entry that is named
    `prefix` itself has the empty name.
    """
    return {
        name[len(prefix) + 1 :]: value
        for name, value in named.items()
        if name == prefix or name.startswith(f"{prefix}.")
    }


def whole(named: dict[str, T]) -> dict[str, T] | T:
    """Leaves by name, or the one that is the whole tree."""
    return named[""] if set(named) == {""} else named


def rebuilt(kind: Any, named: dict[str, Any], of: Callable[[Any], Any] = lambda kind: kind) -> Any:
    """The `kind` (a ledger, part of one, or an array) whose leaves have these names; None of none.

    `of`: what to make in place of each kind.
    """
    if not named:
        return None
    if "" in named:
        return named[""]
    if typing.get_origin(kind) is tuple:
        places = sorted({int(name.split(".")[0]) for name in named})
        return tuple(rebuilt(_part(kind, str(i)), below(str(i), named), of) for i in places)
    parts = {n: rebuilt(_part(kind, n), below(n, named), of) for n in _fields(kind)}
    return of(kind)(**parts)


def record(kind: Any, named: dict[str, Any]) -> Any:
    """The fields of a `kind`, without what it computes from them."""
    return rebuilt(kind, named, _record_of)


@functools.cache
def _record_of(kind: Any) -> Any:
    name, fields = f"{kind.__name__}Fields", [(field, Any) for field in _fields(kind)]
    return NamedTuple(name, fields)


def axes(kind: Any, name: str, ndim: int) -> list[str]:
    """Names of an array's axes, as its annotation has them; numbered where it has none."""
    for step in name.split("."):
        kind = _part(kind, step)
    words = [word.lstrip("*") for word in getattr(kind, "dim_str", "").split()]
    names: list[str] = []
    for i in range(ndim):
        word = words[i] if i < len(words) and words[i] != "..." else f"{name}_{i}"
        names.append(f"{word}_{i}" if word in names else word)
    return names


def axis_names(kind: Any) -> list[str]:
    """Names of a ledger's fields and of their axes: taken, where others are to be given."""
    annotations = typing.get_type_hints(kind)
    words = [str(getattr(_part(kind, name), "dim_str", "")).split() for name in annotations]
    return [*_fields(kind), *(word.lstrip("*") for dims in words for word in dims)]


def _fields(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return list(kind._fields)


def _part(kind: Any, step: str) -> Any:
    """The annotation of a field or an entry, without its `| None`."""
    if kind is None:
        return None
    if typing.get_origin(kind) is tuple:
        part = typing.get_args(kind)[0]
    else:
        part = typing.get_type_hints(kind).get(step)
    if typing.get_origin(part) in (typing.Union, types.UnionType):
        part = next(p for p in typing.get_args(part) if p is not types.NoneType)
    return part
