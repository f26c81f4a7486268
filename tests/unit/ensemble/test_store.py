"""The folder of an ensemble, without a program that fills it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.draws import pure

import entropax as ex
from entropax.ensemble.store import FORMAT, Manifest, Store

ASKED = Manifest("ensemble", "FermionLedger", [0.0], 4, 10, {"key": 1}, {"jax": "1"}, {})


def draws(start: int, stop: int) -> dict[str, np.ndarray]:
    return {"ledger.x": np.arange(1.0 * start, stop), "failed": np.zeros(stop - start, bool)}


def test_a_store_that_is_being_made(tmp_path: Path) -> None:
    """By another process, or one that was killed then: its files are no objection."""
    (tmp_path / "chunks").mkdir()
    (tmp_path / "lock").touch()
    (tmp_path / ".manifest.json-host-7.partial").write_text("{")
    assert Store(tmp_path).manifest() is None
    assert Store(tmp_path).open(ASKED) == ASKED
    # who comes second finds the first one's, and keeps its chunk
    assert Store(tmp_path).open(ASKED._replace(chunk=2)) == ASKED
    with pytest.warns(UserWarning, match="begun with other versions of jax"):
        Store(tmp_path).open(ASKED._replace(versions={"jax": "2"}))


def test_chunks_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A half chunk is none, but is seen where asked for; a whole one takes its place."""
    store = Store(tmp_path)
    store.open(ASKED)
    store.write(4, 6, draws(4, 6))
    assert store.chunk(4, 8) is None
    begun = store.begun_chunk(4, 8)
    assert begun is not None
    np.testing.assert_array_equal(begun["ledger.x"], [4.0, 5.0])
    store.write(4, 8, draws(4, 8))
    assert [path.name for path in (tmp_path / "chunks").iterdir()] == ["000000004-000000008.npz"]
    found = store.chunk(4, 8)
    assert found is not None
    np.testing.assert_array_equal(found["ledger.x"], [4.0, 5.0, 6.0, 7.0])
    np.testing.assert_array_equal(store.reader(4, 7)("ledger.x"), [4.0, 5.0, 6.0])
    assert store.begun_chunk(0, 4) is None
    with pytest.raises(ex.StoreError, match=r"Draws 4 to 12 are no longer in"):
        store.reader(4, 12)("ledger.x")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(np.array(["a", "b"]), "of type <U1"), (np.array(1.0), "one float64")],
    ids=["text", "one number"],
)
def test_chunks_of_what_are_no_numbers_are_named(
    tmp_path: Path, wrong: np.ndarray, words: str
) -> None:
    """The first one too, to which no other has been held yet."""
    store = Store(tmp_path)
    store.open(ASKED)
    store.write(0, 2, draws(0, 2) | {"ledger.x": wrong})
    message = rf"0000-000000002.npz is damaged: `ledger.x` must be numbers, but is {words}"
    with pytest.raises(ex.StoreError, match=message):
        store.begun_chunk(0, 2)


def test_another_question_and_more_samples(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open(ASKED)
    with pytest.raises(ex.StoreError, match=r"(?s)another question.*key: 1 in the store, 2 asked"):
        store.open(ASKED._replace(question={"key": 2}))
    with pytest.raises(ex.StoreError, match=r'kind: "ensemble" in the store, "scan" asked'):
        store.open(ASKED._replace(kind="scan"))
    assert store.open(ASKED._replace(samples=12)).samples == 12
    assert store.open(ASKED).samples == 12


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ex.StoreError, match=r"must be an entropax store, but .*manifest.json does"):
        pure(store=tmp_path)
    with pytest.raises(ex.StoreError, match="must be a store, but"):
        ex.open_ensemble(tmp_path / "nothing")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ex.StoreError, match=r"must be an entropax store, but .* is none"):
        pure(store=tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).open(ASKED)
    manifest = tmp_path / "manifest.json"
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(record | {"format": FORMAT + 1}))
    with pytest.raises(ex.StoreError, match=f"must have format {FORMAT} or older, but .* has"):
        ex.open_ensemble(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ex.StoreError, match=r"file/runs/manifest.json is none: .* Not a directory"):
        pure(store=tmp_path / "file" / "runs")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: Any) -> None:
    def none(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", none)
    with (
        pytest.warns(UserWarning, match="a file system without locks"),
        Store(tmp_path).claimed(0, 4),
    ):
        pass
