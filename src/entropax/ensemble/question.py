"""What a run was asked, as plain data: to be written down, compared and told apart."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Question = dict[str, Any]
"""Paths such as `model.couplings[0].strength` and the plain values found there."""

_SMALL = 64
"""Entries up to which an array is written out; of a larger one, its shape and its hash."""


def describe(value: Any, path: str) -> Question:
    """All that `value` is made of, in reading order, under paths that begin with `path`.

    A function is told by its name, its bytecode and what it closes over; not by globals it reads.
    """
    if isinstance(value, partial):  # jax.tree_util.Partial and eqx.Partial too
        parts = {"function": value.func, "args": value.args, "keywords": value.keywords}
        return _join({path: "partial"}, parts, "{}.{}", path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _join({path: type(value).__name__}, parts, "{}.{}", path)
    if isinstance(value, Mapping):
        return _join({}, {str(k): v for k, v in value.items()}, "{}.{}", path)
    if isinstance(value, tuple | list):
        return _join({f"{path}.length": len(value)}, dict(enumerate(value)), "{}[{}]", path)
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = {"code": _digest(_code(value.__code__)), "closes_over": cells}
        return _join({path: _name(value)}, parts, "{}.{}", path)
    return {path: _plain(value)}


def _join(own: Question, parts: Mapping[Any, Any], form: str, path: str) -> Question:
    for name, part in parts.items():
        own |= describe(part, form.format(path, name))
    return own


def differences(stored: Question, asked: Question) -> list[str]:
    """Lines that say where two questions differ."""
    lines: list[str] = []
    for path in stored | asked:
        here, there = (json.dumps(q[path]) if path in q else "nothing" for q in (stored, asked))
        if here != there:
            lines.append(f"{path}: {here} in the store, {there} asked")
    return lines


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, complex):
        return str(value)
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return {"key": str(jax.random.key_impl(value)), "data": _plain(jax.random.key_data(value))}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if array.size <= _SMALL and array.dtype.kind in "biuf":
            return array.tolist()
        return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": _digest(array)}
    return _name(value)


def _name(value: Callable[..., Any] | type) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _code(code: CodeType) -> bytes:
    inner = [_code(c) if isinstance(c, CodeType) else repr(c).encode() for c in code.co_consts]
    return b"\0".join([code.co_code, repr(code.co_names).encode(), *inner])


def _digest(data: bytes | np.ndarray) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.tobytes()).hexdigest()[:32]
