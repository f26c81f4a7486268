"""A folder that survives kill -9: a manifest, and one file a chunk of draws.

Every file is written under a temporary name, flushed to the disk and renamed: it is whole, or it
is not there. The store knows nothing of what computes the draws.
"""

import contextlib
import errno
import json
import os
import platform
import warnings
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from entropax.ensemble.question import Question, differences

FORMAT = 1
"""Of the layout; a store of a newer one is refused."""

_MANIFEST, _LOCK, _CHUNKS = "manifest.json", "lock", "chunks"
_UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)

Draws = dict[str, np.ndarray]
"""Arrays by name, draws along the first axis of each; `FAILED` is one of them."""

FAILED = "failed"


class StoreError(Exception):
    """A store that cannot be used as asked, and why."""


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


class Store:
    """One folder. Several processes may write to it, each to its own range of draws."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def manifest(self) -> Manifest | None:
        """What is stored here, None in a folder that is empty or not there."""
        path = self.folder / _MANIFEST
        none = f"`store` must be an entropax store, but {path}"
        try:
            found = json.loads(path.read_text())
            layout = int(found["format"])
        except FileNotFoundError:
            # what a process that is making it, or was killed then, has put there is no objection
            if any(p.name not in (_CHUNKS, _LOCK) and not _is_partial(p) for p in self._entries()):
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
            return Manifest(**{name: found[name] for name in Manifest._fields})
        except KeyError as error:
            raise StoreError(f"{none} is none: {error} is missing.") from error

    def _entries(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def open(self, asked: Manifest) -> Manifest:
        """The manifest of a store that answers what is `asked`; made where there is none.

        An older one keeps its chunk, as that is how its files are cut. `StoreError` where another
        question was asked here, naming what differs.
        """
        found = self.manifest()
        if found is None:
            with self._writing("make the store"):
                (self.folder / _CHUNKS).mkdir(parents=True, exist_ok=True)
                self._write_manifest(asked, replace=False)
            found = self.manifest()  # of whichever process was first
            assert found is not None
        differing = differences(
            {"kind": found.kind} | found.question, {"kind": asked.kind} | asked.question
        )
        if differing:
            raise StoreError(
                f"The store {self.folder} answers another question; take another folder, or ask "
                "what it was asked:\n  " + "\n  ".join(differing[:12])
            )
        if found.versions != asked.versions:
            changed = sorted(dict(asked.versions.items() - found.versions.items()))
            warnings.warn(
                f"{self.folder} was begun with other versions of {', '.join(changed)}: draws may "
                "differ by rounding from those that they made.",
                stacklevel=4,
            )
        if asked.samples > found.samples:
            found = found._replace(samples=asked.samples)
            with self._writing("extend the store"):
                self._write_manifest(found, replace=True)
        return found

    def chunk(self, start: int, stop: int) -> Draws | None:
        """Draws [start, stop), None where they are not all here; a damaged file is named."""
        found = self.begun_chunk(start, stop)
        return found if found is not None and len(found[FAILED]) == stop - start else None

    def begun_chunk(self, start: int, stop: int) -> Draws | None:
        """Of draws [start, stop) as many as there are from `start` on."""
        for path, last in self._files(start):
            count = min(last, stop) - start
            try:
                with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                    return {name: _cut(file[name], count) for name in file.files}
            except FileNotFoundError:  # a longer one has just taken its place
                continue
            except _UNREADABLE as error:
                warnings.warn(f"{path} is damaged ({error}): its draws are not done.", stacklevel=3)
        return None

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
            with _durable(path) as file:
                np.savez(file, **cast(dict[str, Any], draws))
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
        with _durable(self.folder / _MANIFEST, replace=replace, own=f"-{os.getpid()}") as file:
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


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".partial")


def _cut(array: np.ndarray, count: int) -> np.ndarray:
    if len(array) < count:
        raise ValueError(f"{len(array)} draws instead of {count}")
    return array[:count]


@contextlib.contextmanager
def _durable(path: Path, *, replace: bool = True, own: str = "") -> Generator[IO[bytes]]:
    """A file that is on the disk, whole, under its name, or not there."""
    # a killed run's is written over by the next one on the same host
    partial = path.with_name(f".{path.name}-{platform.node()}{own}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            partial.replace(path)
        else:
            _place(partial, path)
        _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _place(partial: Path, path: Path) -> None:
    """Rename, but a process that comes second leaves the first one's file."""
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        partial.replace(path)
        return
    partial.unlink()


def _flush_folder(folder: Path) -> None:
    """The renaming itself reaches the disk."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # some network file systems know of no such thing
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
