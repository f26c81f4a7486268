"""Studies as TOML files: a model, a method, times, and how many draws of it (docs/runfiles.md).

A table with a `type` is an object of this library; its other keys are the arguments.
"""

import copy
import difflib
import inspect
import itertools
import os
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import entropax
from entropax.ensemble import Scan, Share, ensemble, scan
from entropax.method import AbstractMethod
from entropax.model.driven import AbstractDriven

Table = dict[str, Any]

_ROOMS = ("entropax.model", "entropax.method", "entropax.protocol")
"""Packages that hold the objects of a study."""

_SPACINGS: dict[str, Callable[..., Any]] = {"linear": np.linspace, "log": np.geomspace}


class RunFile(NamedTuple):
    """What a file asks for: `samples` draws, or a scan where models have `coordinates`."""

    models: Any
    method: AbstractMethod | None
    ts: jax.Array
    coordinates: dict[str, list[float]] | None
    seed: int | None
    samples: int
    chunk: int | None
    store: str | None

    def run(self, indices: tuple[int, int] | Share | None, *, progress: bool) -> Scan[Any]:
        """Make the draws that are not stored yet."""
        where: dict[str, Any] = {
            "store": self.store,
            "chunk": self.chunk,
            "indices": indices,
            "progress": progress,
        }
        if self.coordinates is not None:
            key = None if self.seed is None else jax.random.key(self.seed)
            named = self.coordinates
            return scan(self.models, self.ts, self.method, key=key, coordinates=named, **where)
        key = jax.random.key(0 if self.seed is None else self.seed)
        return ensemble(self.models, self.ts, self.method, key=key, samples=self.samples, **where)


def load(path: str | os.PathLike[str]) -> RunFile:
    """The study in a file. `ValueError` names the key that is wrong, and the nearest right one."""
    try:
        document = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"`{path}` must be a TOML file that can be read: {error}") from error
    return parse(document)


def parse(document: Table) -> RunFile:
    """The study in a TOML document."""
    keys = ("model", "method", "times", "scan", "seed", "samples", "chunk", "store")
    _require_known("", document, keys)
    for name, kind, words in (
        *((name, int, "an integer") for name in ("seed", "samples", "chunk")),
        *((name, dict, "a table") for name in ("scan", "model", "method")),
        ("store", str, "a string"),
    ):
        value = document.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ValueError(f"`{name}` must be {words}, but is {value!r}.")
    for name in ("model", "times"):
        if name not in document:
            raise ValueError(f"`{name}` must be given.")
    grid = document.get("scan")
    if (grid is not None) == ("samples" in document):
        have = "neither is" if grid is None else "both are"
        raise ValueError(
            f"Either `samples` (draws of one model) or `scan` (a grid) must be given, but {have}."
        )
    _require_kind("model", document["model"], AbstractDriven)
    _require_kind("method", document.get("method", {}), AbstractMethod)
    if grid is None:
        models, coordinates = _build("model", document["model"]), None
    else:
        models, coordinates = _grid(document["model"], grid)
    method = _build("method", document["method"]) if "method" in document else None
    return RunFile(
        models,
        method,
        jnp.asarray(_numbers("times", document["times"])),
        coordinates,
        document.get("seed"),
        document.get("samples", 0) if coordinates is None else len(models),
        document.get("chunk"),
        document.get("store"),
    )


def _build(path: str, value: Any) -> Any:
    """The object that a value of the document stands for."""
    if isinstance(value, list):
        return tuple(_build(f"{path}[{i}]", one) for i, one in enumerate(value))
    if not isinstance(value, dict):
        return value
    if "type" in value:
        return _object(path, value)
    if "count" in value:
        return _numbers(path, value)
    if set(value) == {"real", "imag"}:
        return np.asarray(value["real"]) + 1j * np.asarray(value["imag"])
    raise ValueError(
        f"`{path}` must have a `type`, be a range (`start`, `stop`, `count`) or complex numbers "
        f"(`real`, `imag`), but has the keys {', '.join(value)}."
    )


def _require_kind(path: str, table: Table, kind: type) -> None:
    """Raise `ValueError` where a table names a class of another kind; functions always pass."""
    maker = _makers().get(str(table.get("type")))
    if inspect.isclass(maker) and not issubclass(maker, kind):
        right = [n for n, m in _makers().items() if inspect.isclass(m) and issubclass(m, kind)]
        named = ", ".join(sorted(right))
        raise ValueError(f"`{path}.type` must be a {path} ({named}), but is {table['type']!r}.")


def _object(path: str, table: Table) -> Any:
    maker = _maker(path, str(table["type"]))
    parameters = inspect.signature(maker).parameters
    arguments = {name: value for name, value in table.items() if name != "type"}
    _require_known(path, arguments, parameters)
    built = {name: _build(f"{path}.{name}", value) for name, value in arguments.items()}
    if isinstance(built.get("key"), int):
        built["key"] = jax.random.key(built["key"])
    is_drawn = "key" in parameters and "key" not in built and not inspect.isclass(maker)
    for name, one in parameters.items():
        is_open = one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if is_open and name not in built and name != "self" and not (is_drawn and name == "key"):
            raise ValueError(f"`{path}.{name}` must be given for {table['type']}.")
    if is_drawn:
        return eqx.Partial(maker, **built)
    try:
        return maker(**built)
    except (ValueError, TypeError) as error:
        raise ValueError(f"`{path}` ({table['type']}): {error}") from error


def _maker(path: str, name: str) -> Callable[..., Any]:
    """The class or function of this library that a `type` names, such as `Lead` or `Lead.flat`."""
    makers = _makers()
    if name not in makers:
        near = _near(name, makers)
        raise ValueError(
            f"`{path}.type` must be a model, a method or a part, but is {name!r}{near}."
        )
    return makers[name]


def _makers() -> dict[str, Callable[..., Any]]:
    """Public models, methods and what they are made of, by the names that users know."""
    makers: dict[str, Callable[..., Any]] = {}
    for name, value in vars(entropax).items():
        if getattr(value, "__module__", "").startswith(_ROOMS):
            makers[name] = value
            if inspect.isclass(value):
                others = inspect.getmembers(value, inspect.ismethod)
                makers |= {f"{name}.{n}": m for n, m in others if not n.startswith("_")}
    for name, value in vars(entropax.machines).items():
        if getattr(value, "__module__", "") == entropax.machines.__name__:
            makers[f"machines.{name}"] = value
    return {name: value for name, value in makers.items() if "._" not in f".{name}"}


def _grid(model: Table, grid: Table) -> tuple[list[Any], dict[str, list[float]]]:
    """Models at every combination of the values, the last one varying fastest, and the values."""
    _require_names("model", model)  # before places that a wrong one hides
    models: list[Any] = []
    axes = [_axis(f"scan.{place}", values) for place, values in grid.items()]
    combinations = list(itertools.product(*axes))
    for combination in combinations:
        changed = copy.deepcopy(model)
        for place, value in zip(grid, combination, strict=True):
            _put(changed, place, value)
        models.append(_build("model", changed))
    return models, dict(zip(grid, map(list, zip(*combinations, strict=True)), strict=True))


def _require_names(path: str, value: Any) -> None:
    """Raise `ValueError` for a name within a value of the document that is unknown at its place."""
    if isinstance(value, list):
        for i, one in enumerate(value):
            _require_names(f"{path}[{i}]", one)
    if isinstance(value, dict):
        if "type" in value:
            parameters = inspect.signature(_maker(path, str(value["type"]))).parameters
            _require_known(path, (name for name in value if name != "type"), parameters)
        for name, one in value.items():
            _require_names(f"{path}.{name}", one)


def _put(table: Any, place: str, value: float) -> None:
    """Set what is at a place such as `couplings.0.strength`, which must be there."""
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    try:
        for step in way:
            table = table[step]
        table[last]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"`scan.{place}` must be a place in the model, such as leads.0.mu, but there is none."
        ) from error
    table[last] = value


def _axis(path: str, value: Any) -> list[Any]:
    """The values of one place; whole numbers stay whole."""
    numbers = _numbers(path, value)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"`{path}` must be a list or a range of values, but is {value!r}.")
    return value if isinstance(value, list) else numbers.tolist()


def _numbers(path: str, value: Any) -> np.ndarray:
    """The numbers of a list or of a range, as an array."""
    if isinstance(value, dict):
        _require_known(path, value, ("start", "stop", "count", "spacing"))
        spacing = value.get("spacing", "linear")
        if spacing not in _SPACINGS:
            raise ValueError(f"`{path}.spacing` must be linear or log, but is {spacing!r}.")
        ends = (value.get("start"), value.get("stop"))
        if spacing == "log" and any(isinstance(x, int | float) and x <= 0 for x in ends):
            raise ValueError(f"`{path}` must be of positive numbers to be logarithmic: {value}.")
        try:
            return np.asarray(_SPACINGS[spacing](value["start"], value["stop"], value["count"]))
        except KeyError as error:
            raise ValueError(f"`{path}.{error.args[0]}` must be given.") from error
        except TypeError as error:
            raise ValueError(f"`{path}` must be a range of numbers, but is {value}.") from error
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{path}` must be numbers or a range, but is {value!r}.") from error


def _require_known(path: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    allowed = [name for name in allowed if name != "self"]
    for name in names:
        if name not in allowed:
            place, near = f"{path}.{name}" if path else name, _near(name, allowed)
            raise ValueError(f"`{place}` is not known{near}; known are {', '.join(allowed)}.")


def _near(name: str, names: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean `{matches[0]}`?)" if matches else ""
