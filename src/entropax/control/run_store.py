"""Where an optimisation stands, kept in a folder from which the same call goes on."""

import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax._files import StoreError, durable
from entropax.fingerprint import Question, describe, differences

FORMAT = 1
"""The layout's number."""

T = TypeVar("T")
Losses = Float[np.ndarray, "steps *starts"]

_FILE = "optimisation.npz"
_SHARE = 0.05
"""What part of the time may go into writing."""


class RunStore:
    """One folder with one file: what was asked, losses and failures so far, and the leaves of a
    pytree.

    A step that has been written is never lost; writing takes at most a twentieth of the time.
    """

    def __init__(self, folder: str | os.PathLike[str], **asked: Any) -> None:
        self.path = Path(folder) / _FILE
        self.question: Question = {}
        for name, value in asked.items():
            self.question |= describe(value, name)
        self._quiet_until = -np.inf

    def read(self, like: T) -> tuple[T, Losses, list[str | None]] | None:
        """A pytree `like` the one given, losses and failures; None where nothing is kept.

        `StoreError` where another question was asked here, and of a file that is damaged.
        """
        if not self.path.exists():
            return None
        leaves, structure = jax.tree.flatten(like)
        try:
            with np.load(self.path, allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                losses = file["losses"]
                kept = [file[f"leaf{i}"] for i in range(len(leaves)) if f"leaf{i}" in file.files]
            stored, failures = record["question"], record["failures"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(f"{self.path} is damaged: {error}") from error
        if differing := differences(stored, self.question):
            raise StoreError(
                f"{self.path} answers another question; take another folder, or ask what it was "
                "asked:\n  " + "\n  ".join(differing[:12])
            )
        forms = [(x.shape, x.dtype) for x in map(_plain, leaves)]
        if [(x.shape, x.dtype) for x in kept] != forms:
            raise StoreError(f"{self.path} is damaged: it does not hold what this optimiser keeps.")
        back = [_as_kept(x, leaf) for x, leaf in zip(kept, leaves, strict=True)]
        return jax.tree.unflatten(structure, back), losses, failures

    def write(
        self, tree: PyTree[Array], losses: Losses, failures: list[str | None], *, last: bool
    ) -> None:
        """Keep all of it; unless it is the `last`, only where it costs little."""
        begun = time.monotonic()
        if begun < self._quiet_until and not last:
            return
        leaves = {f"leaf{i}": _plain(x) for i, x in enumerate(jax.tree.leaves(tree))}
        arrays: dict[str, Any] = leaves | {"losses": losses}
        record = json.dumps({"format": FORMAT, "question": self.question, "failures": failures})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with durable(self.path) as file:
                np.savez(file, record=np.array(record), **arrays)
        except OSError as error:
            raise StoreError(
                f"Could not write {self.path}: {error.strerror or error}. What was written before "
                "is whole; the same call goes on from there."
            ) from error
        ended = time.monotonic()
        self._quiet_until = ended + (ended - begun) / _SHARE


def _plain(leaf: Array) -> np.ndarray:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def _as_kept(kept: np.ndarray, leaf: Array) -> Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(kept), impl=jax.random.key_impl(leaf))
    return jnp.asarray(kept)
