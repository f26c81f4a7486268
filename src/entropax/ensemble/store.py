"""A folder that survives kill -9: a manifest, and one file a chunk of draws.

Every file is written under a temporary name, flushed to the disk and renamed: it is whole, or it
is not there. The store knows nothing of what computes the draws.
"""

import contextlib
import errno
import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from entropax._files import StoreError, durable, is_partial
from entropax.fingerprint import Question, differences, fingerprint

FORMAT = 2
"""The layout's number; a store of a newer one is refused."""

_MANIFEST, _LOCK, _CHUNKS = "manifest.json", "lock", "chunks"
_UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)

Draws = dict[str, np.ndarray]
"""Arrays by name, draws along the first axis of each; `FAILED` is one of them."""

FAILED = "failed"

_ANSWERS = "answers"
"""In each file of draws: which question they answer."""


class Manifest(NamedTuple):
    """What a store holds.

    `kind`: "ensemble" or "scan"; `ledger`: the class of its ledgers; `ts`: the times; `chunk`:
    draws a file; `samples`: draws asked for so far; `versions`: of the packages that began it;
    `coordinates`: values of each draw of a scan, by name.
    """

    kind: str
    ledger: str
    ts: list[float]
    chunk: int
    samples: int
    question: Question
    versions: dict[str, str]
    coordinates: dict[str, list[float]]

    @property
    def answers(self) -> str:
        """A short name for what was asked, which each file of draws carries."""
        return fingerprint({"kind": self.kind} | self.question)

    def faults(self) -> list[str]:
        """What is not as it must be."""
        rules = {
            "kind": self.kind in ("ensemble", "scan"),
            "ledger": isinstance(self.ledger, str),
            "ts": _is_numbers(self.ts),
            "chunk": _is_count(self.chunk),
            "samples": _is_count(self.samples),
            "question": isinstance(self.question, dict),
            "versions": isinstance(self.versions, dict),
            "coordinates": isinstance(self.coordinates, dict)
            and all(map(_is_numbers, self.coordinates.values())),
        }
        return [name for name, holds in rules.items() if not holds]


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, int | float) for x in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class Store:
    """One folder. Several processes may write to it, each to its own range of draws."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._answers: str | None = None
        self._form: dict[str, tuple[Any, ...]] | None = None

    def manifest(self) -> Manifest | None:
        """What is stored here, None in a folder that is empty or not there."""
        path = self.folder / _MANIFEST
        none = f"`store` must be an entropax store, but {path}"
        try:
            document = json.loads(path.read_text())
            layout = int(document["format"])
        except FileNotFoundError:
            # what a process that is making it, or was killed then, has put there is no objection
            if any(p.name not in (_CHUNKS, _LOCK) and not is_partial(p) for p in self._entries()):
                raise StoreError(f"{none} does not exist.") from None
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{none} is none: {error}") from error
        if layout > FORMAT:
            raise StoreError(
                f"`store` must have format {FORMAT} or older, but {self.folder} has {layout}: "
                "read it with a newer entropax."
            )
        try:
            manifest = Manifest(**{name: document[name] for name in Manifest._fields})
        except KeyError as error:
            raise StoreError(f"{none} is none: {error} is missing.") from error
        if faults := manifest.faults():
            raise StoreError(f"{none} is damaged: `{faults[0]}` is {document[faults[0]]!r}.")
        self._answers = manifest.answers if layout > 1 else None
        return manifest

    def _entries(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def open(self, asked: Manifest) -> Manifest:
        """The manifest of a store that answers what is `asked`; made where there is none.

        An older one keeps its chunk, as that is how its files are cut. `StoreError` where another
        question was asked here, naming what differs.
        """
        stored = self.manifest()
        if stored is None:
            self._require_answers(asked)
            with self._writing("make the store"):
                (self.folder / _CHUNKS).mkdir(parents=True, exist_ok=True)
                self._write_manifest(asked, replace=False)
            stored = self.manifest()  # of whichever process was first
            assert stored is not None
        differing = differences(
            {"kind": stored.kind} | stored.question, {"kind": asked.kind} | asked.question
        )
        if differing:
            raise StoreError(
                f"The store {self.folder} answers another question; take another folder, or ask "
                "what it was asked:\n  " + "\n  ".join(differing[:12])
            )
        if stored.versions != asked.versions:
            changed = sorted(dict(asked.versions.items() - stored.versions.items()))
            warnings.warn(
                f"{self.folder} was begun with other versions of {', '.join(changed)}: draws may "
                "differ by rounding from those that they made.",
                stacklevel=4,
            )
        if asked.samples > stored.samples:
            stored = stored._replace(samples=asked.samples)
            with self._writing("extend the store"):
                self._write_manifest(stored, replace=True)
        return stored

    def _require_answers(self, asked: Manifest) -> None:
        """Draws whose manifest is lost are taken for what they say they are, or not at all."""
        for path in sorted((self.folder / _CHUNKS).glob("*.npz")):
            try:
                with np.load(path, allow_pickle=False) as file:
                    answers = str(file[_ANSWERS]) if _ANSWERS in file.files else "nothing"
            except _UNREADABLE as error:
                answers = f"nothing that can be read ({error})"
            if answers != asked.answers:
                raise StoreError(
                    f"{self.folder} has draws and no {_MANIFEST}, and {path.name} does not answer "
                    "what is asked: take another folder, or put the manifest back."
                )

    def chunk(self, start: int, stop: int) -> Draws | None:
        """Draws [start, stop), None where they are not all here; a damaged file is named."""
        chunk = self.begun_chunk(start, stop)
        return chunk if chunk is not None and len(chunk[FAILED]) == stop - start else None

    def begun_chunk(self, start: int, stop: int) -> Draws | None:
        """As many of the draws [start, stop) as there are from `start` on."""
        for path, last in self._files(start):
            count = min(last, stop) - start
            try:
                with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                draws = self._checked(path, arrays)
                return {name: _cut(x, count) for name, x in draws.items()}
            except FileNotFoundError:  # a longer one has just taken its place
                continue
            except _UNREADABLE as error:
                warnings.warn(f"{path} is damaged ({error}): its draws are not done.", stacklevel=3)
        return None

    def _checked(self, path: Path, arrays: Draws) -> Draws:
        """The draws of a file, which must answer what is asked and look like the others."""
        answers = str(arrays.pop(_ANSWERS, ""))
        if self._answers is not None and answers != self._answers:
            raise StoreError(f"{path} answers another question than {self.folder / _MANIFEST}.")
        for name, x in arrays.items():
            if x.ndim == 0 or x.dtype.kind not in "biufc":
                kind = f"one {x.dtype}" if x.ndim == 0 else f"of type {x.dtype}"
                raise StoreError(f"{path} is damaged: `{name}` must be numbers, but is {kind}.")
        form = {name: (x.shape[1:], x.dtype.kind) for name, x in arrays.items()}
        self._form = self._form or form
        if FAILED not in form or form != self._form:
            odd = sorted(dict(form.items() ^ self._form.items())) or [FAILED]
            raise StoreError(
                f"{path} does not look like the other draws: `{odd[0]}` is missing there, is more, "
                "or has another shape."
            )
        return arrays

    def reader(self, start: int, stop: int) -> Callable[[str], np.ndarray]:
        """Reads one array of a chunk that is here."""

        def read(name: str) -> np.ndarray:
            for path, last in self._files(start):
                if last >= stop:
                    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                        return _cut(file[name], stop - start)
            raise StoreError(f"Draws {start} to {stop} are no longer in {self.folder}.")

        return read

    def _files(self, start: int) -> Iterator[tuple[Path, int]]:
        for path in sorted((self.folder / _CHUNKS).glob(f"{start:09d}-*.npz"), reverse=True):
            with contextlib.suppress(ValueError):
                yield path, int(path.stem.split("-")[1])

    def write(self, start: int, stop: int, draws: Draws) -> None:
        """Keep draws [start, stop)."""
        path = self.folder / _CHUNKS / f"{start:09d}-{stop:09d}.npz"
        with self._writing(f"write draws {start} to {stop}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            named = draws if self._answers is None else draws | {_ANSWERS: np.array(self._answers)}
            with durable(path) as file:
                np.savez(file, **cast(dict[str, Any], named))
            for other, _ in self._files(start):  # shorter, or damaged
                if other != path:
                    other.unlink(missing_ok=True)

    @contextlib.contextmanager
    def claimed(self, start: int, stop: int) -> Generator[None]:
        """Draws [start, stop) are this process's alone until it leaves, or dies."""
        with contextlib.ExitStack() as held:
            try:
                import fcntl
            except ImportError:  # no such locks on this system: nothing is claimed
                yield
                return
            with self._writing("lock the store"):
                file = held.enter_context((self.folder / _LOCK).open("a+b"))
            try:
                if stop > start:  # of no length would mean to the end
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, stop - start, start)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    warnings.warn(
                        f"{self.folder} is on a file system without locks ({error}): two writers "
                        "of one range would not be told.",
                        stacklevel=4,
                    )
                    yield
                    return
                raise StoreError(
                    f"Draws {start} to {stop} of {self.folder} are being written by another "
                    "process: give each its own range of indices."
                ) from error
            yield

    def _write_manifest(self, manifest: Manifest, *, replace: bool) -> None:
        record = json.dumps({"format": FORMAT} | manifest._asdict(), indent=1)
        with durable(self.folder / _MANIFEST, replace=replace, suffix=f"-{os.getpid()}") as file:
            file.write(record.encode())

    @contextlib.contextmanager
    def _writing(self, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"Could not {what} in {self.folder}: {error.strerror or error}. What was written "
                "before is whole; the same call goes on from there."
            ) from error


def _cut(array: np.ndarray, count: int) -> np.ndarray:
    if len(array) < count:
        raise ValueError(f"{len(array)} draws instead of {count}")
    return array[:count]
