"""What a folder keeps of an optimisation, and what it refuses."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.control.run_store import RunStore

TREE = {"x": jnp.arange(3.0), "n": jnp.array(2), "key": jax.random.key(1)}
LOSSES = np.array([2.0, 1.5])


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "a" / "b", start=1.0)
    assert store.read(TREE) is None
    store.write(TREE, LOSSES, [None], last=False)
    tree, losses, failures = RunStore(tmp_path / "a" / "b", start=1.0).read(TREE)
    np.testing.assert_array_equal(tree["x"], TREE["x"])
    assert jax.random.key_data(tree["key"]).tolist() == jax.random.key_data(TREE["key"]).tolist()
    np.testing.assert_array_equal(losses, LOSSES)
    assert failures == [None]


def test_little_time_goes_into_writing(tmp_path: Path) -> None:
    store = RunStore(tmp_path, start=1.0)
    store.write(TREE, LOSSES, [None], last=False)
    store._quiet_until = np.inf
    store.write(TREE, LOSSES[:1], [None], last=False)
    assert len(store.read(TREE)[1]) == 2
    store.write(TREE, LOSSES[:1], [None], last=True)
    assert len(store.read(TREE)[1]) == 1


def test_bad_input_of_a_store(tmp_path: Path) -> None:
    RunStore(tmp_path, start=1.0).write(TREE, LOSSES, [None], last=True)
    with pytest.raises(ex.StoreError, match=r"another question.*\n  start: 1.0 in the store, 2.0"):
        RunStore(tmp_path, start=2.0).read(TREE)
    with pytest.raises(ex.StoreError, match="damaged: it does not hold what this optimiser keeps"):
        RunStore(tmp_path, start=1.0).read(TREE | {"x": jnp.arange(4.0)})
    (tmp_path / "optimisation.npz").write_bytes(b"half of a file")
    with pytest.raises(ex.StoreError, match=r"optimisation\.npz is damaged"):
        RunStore(tmp_path, start=1.0).read(TREE)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ex.StoreError, match="Could not write"):
        RunStore(tmp_path / "file", start=1.0).write(TREE, LOSSES, [None], last=True)
