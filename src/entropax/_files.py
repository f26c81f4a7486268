"""Files that survive kill -9: each is on the disk, whole, under its name, or not there."""

import contextlib
import os
import platform
from collections.abc import Generator
from pathlib import Path
from typing import IO


class StoreError(Exception):
    """A store that cannot be used as asked, and why."""


@contextlib.contextmanager
def durable(path: Path, *, replace: bool = True, suffix: str = "") -> Generator[IO[bytes]]:
    """A file under a temporary name, flushed to the disk and renamed; `replace`: in place of one
    that is there.
    """
    # a killed run's is written over by the next one on the same host
    partial = path.with_name(f".{path.name}-{platform.node()}{suffix}.partial")
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


def is_partial(path: Path) -> bool:
    """Whether a file is one that was being written when its process was killed."""
    return path.name.startswith(".") and path.name.endswith(".partial")


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
