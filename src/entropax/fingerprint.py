"""What a run was asked, as plain data: to be written down, compared and told apart.

Two questions are one where their numbers agree to rounding, as another version of XLA leaves them,
and their functions read alike, whatever Python compiles them to.
"""

import ast
import dataclasses
import functools
import hashlib
import inspect
import json
import sys
import textwrap
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from entropax._functions import names

Question = dict[str, Any]
"""Paths such as `model.couplings[0].strength` and the plain values found there."""

_SMALL = 64
"""Entries up to which an array is written out; of a larger one, its shape and some sums of it."""

_ROUNDING = 1e-10
"""Numbers that agree to this, of the largest beside them, are one."""

_OURS = "entropax."
"""How names of this package begin, whose modules are not told: they may move."""

_PLANNED = {
    *("crowded", "tells_rounding", "reached", "sectors", "plan", "pairs", "structure"),
    *("labels", "counts"),
}
"""Fields that methods once had and left empty until a run was planned: older stores name them."""

_ADDED = {"pure": False, "states.length": 0, "dissipators": "global", "propagation": None}
"""Fields that came later, and what stood for them before: older stores do not name them."""

_OF_SUMS = 1e-13
"""The same of sums over a large array, of the sum of all sizes."""


def describe(value: Any, path: str) -> Question:
    """All that `value` is made of, in reading order, under paths that begin with `path`.

    A function is told by its name, its source, its defaults, and what it closes over or reads of
    its module; so are the functions it calls. Those of installed packages are told by their names.
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
    is_foreign = callable(value) and not _is_library(type(value).__module__)
    return {"__call__": inspect.unwrap(type(value).__call__)} if is_foreign else {}


def _is_library(module: str | None) -> bool:
    """Whether what is in a module is known by its name, and by versions."""
    top = (module or "").split(".")[0]
    place = getattr(sys.modules.get(top), "__file__", None) or ""
    installed = "site-packages" in place or "dist-packages" in place
    return installed or top == "entropax" or top in sys.stdlib_module_names


def _parts(function: FunctionType) -> dict[str, Any]:
    code, module = function.__code__, function.__globals__
    reads = {name: module[name] for name in names(code) if name in module}
    reads = {n: x for n, x in reads.items() if not isinstance(x, ModuleType | type)}
    return {
        "source": _source(code),
        "defaults": function.__defaults__,
        "keyword_defaults": function.__kwdefaults__,
        "closes_over": [cell.cell_contents for cell in function.__closure__ or ()],
        "reads": reads,
    }


def _join(
    question: Question, parts: Mapping[Any, Any], form: str, path: str, within: tuple[int, ...]
) -> Question:
    for name, part in parts.items():
        question |= _describe(part, form.format(path, name), within)
    return question


def differences(stored: Question, asked: Question) -> list[str]:
    """Lines that say where two questions differ."""
    lines: list[str] = []
    for path in stored | asked:
        if path in stored and path in asked and _alike(stored[path], asked[path]):
            continue
        if path not in stored and _as_before(path, asked[path]):
            continue
        if path not in asked and path.removeprefix("method.").split(".")[0] in _PLANNED:
            continue
        here, there = (json.dumps(q[path]) if path in q else "nothing" for q in (stored, asked))
        if here != there:
            here, there = (x if len(x) <= 60 else f"{x[:57]}..." for x in (here, there))
            lines.append(f"{path}: {here} in the store, {there} asked")
    return lines


def _as_before(path: str, value: Any) -> bool:
    """Whether a field says what older stores, which do not name it, were made with."""
    return any(path.endswith(f".{name}") and value == old for name, old in _ADDED.items())


def fingerprint(question: Question) -> str:
    """A short name for a question, its numbers to eight digits."""
    return _digest(json.dumps(_coarse(question), sort_keys=True).encode())


def _coarse(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _coarse(x) for name, x in value.items()}
    if isinstance(value, list):
        return [_coarse(x) for x in value]
    return f"{value:.7e}" if isinstance(value, float) else value


def _alike(stored: Any, asked: Any) -> bool:
    """Whether two plain values are one, numbers to rounding."""
    if stored == asked:
        return True
    if isinstance(stored, str) and isinstance(asked, str) and asked.startswith(_OURS):
        # older stores say in which module it was, which may have moved
        return stored.startswith(_OURS) and stored.endswith(asked.removeprefix(_OURS[:-1]))
    if isinstance(stored, dict) and isinstance(asked, dict) and stored.keys() == asked.keys():
        if "sums" in stored:
            here, there = (np.asarray(x["sums"]) for x in (stored, asked))
            near = here.shape == there.shape and np.all(
                np.abs(here - there) <= _OF_SUMS * np.abs(here[0])
            )
            return bool(near) and all(stored[n] == asked[n] for n in stored if n != "sums")
        return all(_alike(stored[name], asked[name]) for name in stored)
    try:
        one, other = (np.asarray(x, dtype=float) for x in (stored, asked))
    except (TypeError, ValueError):
        return False
    if one.shape != other.shape or isinstance(stored, str | bool):
        return False
    scale = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    return bool(np.allclose(one, other, rtol=0.0, atol=_ROUNDING * scale, equal_nan=True))


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
        summary: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
        if array.dtype.kind not in "fc":
            return summary | {"sha256": _digest(array)}
        place = np.arange(1, array.size + 1)
        weights = np.stack([np.cos(k * place**2) for k in (1.0, np.sqrt(2.0), np.sqrt(3.0))])
        parts = [np.real(array), np.imag(array)] if array.dtype.kind == "c" else [array]
        size = float(np.sum(np.abs(array)))
        return summary | {"sums": [size, *(float(w @ p.ravel()) for p in parts for w in weights)]}
    return _name(value)


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    module = f"{named.__module__}."
    return (_OURS if module.startswith(_OURS) else module) + named.__qualname__


def _source(code: CodeType) -> str:
    """A digest of what a function reads like, without comments and layout.

    Where there is no source, as of functions typed in, that of what Python made of it.
    """
    try:
        lines, _ = inspect.findsource(code)
        functions = _functions("".join(lines))
    except (OSError, SyntaxError, ValueError):
        return "compiled " + _digest(_code(code))
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    here = [f for f in functions if f.first == code.co_firstlineno and f.arguments == arguments]
    if len(here) > 1:  # several on a line: the one that the code points into
        places = {(line, column) for line, _, column, _ in code.co_positions() if column}
        here = [f for f in here if any(f.begin <= place < f.end for place in places)] or here
    if not here:
        return "compiled " + _digest(_code(code))
    return _digest("\n".join(f.text for f in here).encode())


class _Function(NamedTuple):
    """A function of a file: its first line, where it begins and ends, and its normal form."""

    first: int
    begin: tuple[int, int]
    end: tuple[int, int]
    arguments: tuple[str, ...]
    text: str


@functools.lru_cache(maxsize=32)
def _functions(text: str) -> list[_Function]:
    functions = []
    for node in ast.walk(ast.parse(textwrap.dedent(text))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        parameters = node.args
        every = (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs)
        arguments = tuple(argument.arg for argument in every)
        begin, end = (
            (node.lineno, node.col_offset),
            (node.end_lineno or 0, node.end_col_offset or 0),
        )
        functions.append(_Function(first, begin, end, arguments, ast.unparse(node)))
    return functions


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
