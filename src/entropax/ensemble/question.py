"""What a run was asked, as plain data: to be written down, compared and told apart."""

import dataclasses
import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

Question = dict[str, Any]
"""Paths such as `model.couplings[0].strength` and the plain values found there."""

_SMALL = 64
"""Entries up to which an array is written out; of a larger one, its shape and its hash."""


def describe(value: Any, path: str) -> Question:
    """All that `value` is made of, in reading order, under paths that begin with `path`.

    A function is told by its name, its code, its defaults, and what it closes over or reads of its
    module; so are the functions it calls. Those of installed packages are told by their names.
    """
    return _describe(value, path, ())


def _describe(value: Any, path: str, within: tuple[int, ...]) -> Question:
    if id(value) in within:
        return {path: "itself"}
    within = (*within, id(value))
    if isinstance(value, partial):  # jax.tree_util.Partial and eqx.Partial too
        parts = {"function": value.func, "args": value.args, "keywords": value.keywords}
        return _join({path: "partial"}, parts, "{}.{}", path, within)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)} | _call(value)
        return _join({path: type(value).__name__}, parts, "{}.{}", path, within)
    if isinstance(value, Mapping):
        return _join({}, {str(k): v for k, v in value.items()}, "{}.{}", path, within)
    if isinstance(value, tuple | list):
        return _join({f"{path}.length": len(value)}, dict(enumerate(value)), "{}[{}]", path, within)
    if isinstance(value, MethodType):
        parts = {"self": value.__self__, "function": value.__func__}
        return _join({path: "method"}, parts, "{}.{}", path, within)
    if callable(value) and _is_library(getattr(value, "__module__", None)):
        return {path: _name(value)}
    if isinstance(value, FunctionType):
        return _join({path: _name(value)}, _parts(value), "{}.{}", path, within)
    if callable(value) and hasattr(value, "__wrapped__"):  # of jax.jit, functools.wraps
        return _describe(cast(Any, value).__wrapped__, path, within)
    if isinstance(value, np.ndarray | np.generic | jax.Array | type) or not hasattr(
        value, "__dict__"
    ):
        return {path: _plain(value)}
    return _join({path: _name(value)}, vars(value) | _call(value), "{}.{}", path, within)


def _call(value: Any) -> dict[str, Any]:
    """What calling an object of somebody's own class runs."""
    own = callable(value) and not _is_library(type(value).__module__)
    return {"__call__": inspect.unwrap(type(value).__call__)} if own else {}


def _is_library(module: str | None) -> bool:
    """Whether what is in a module is known by its name, and by versions."""
    top = (module or "").split(".")[0]
    place = getattr(sys.modules.get(top), "__file__", None) or ""
    installed = "site-packages" in place or "dist-packages" in place
    return installed or top == "entropax" or top in sys.stdlib_module_names


def _parts(function: FunctionType) -> dict[str, Any]:
    code, known = function.__code__, function.__globals__
    reads = {name: known[name] for name in _names(code) if name in known}
    reads = {n: x for n, x in reads.items() if not isinstance(x, ModuleType | type)}
    return {
        "code": _digest(_code(code)),
        "defaults": function.__defaults__,
        "keyword_defaults": function.__kwdefaults__,
        "closes_over": [cell.cell_contents for cell in function.__closure__ or ()],
        "reads": reads,
    }


def _names(code: CodeType) -> list[str]:
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c)]
    return sorted({*code.co_names, *inner})


def _join(
    own: Question, parts: Mapping[Any, Any], form: str, path: str, within: tuple[int, ...]
) -> Question:
    for name, part in parts.items():
        own |= _describe(part, form.format(path, name), within)
    return own


def differences(stored: Question, asked: Question) -> list[str]:
    """Lines that say where two questions differ."""
    lines: list[str] = []
    for path in stored | asked:
        here, there = (json.dumps(q[path]) if path in q else "nothing" for q in (stored, asked))
        if here != there:
            here, there = (x if len(x) <= 60 else f"{x[:57]}..." for x in (here, there))
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


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _code(code: CodeType) -> bytes:
    inner = [
        _code(c)
        if isinstance(c, CodeType)
        else repr(sorted(c, key=repr) if isinstance(c, frozenset) else c).encode()
        for c in code.co_consts
    ]
    return b"\0".join([code.co_code, repr(code.co_names).encode(), *inner])


def _digest(data: bytes | np.ndarray) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.tobytes()).hexdigest()[:32]
