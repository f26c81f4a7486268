"""Ensembles chunk by chunk, in a store: they go on, grow; refused, damaged, interrupted."""

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.draws import KEY, PURE, TS, assert_same, junction, occupation, pure, spin

import entropax as ex
from entropax.ensemble import program


def test_a_run_goes_on_and_grows(tmp_path: Path, monkeypatch: Any) -> None:
    whole = pure(keep=True)
    store = tmp_path / "runs"
    pure(store=store, samples=6)
    made: list[tuple[int, int]] = []
    make = program.Program.run
    monkeypatch.setattr(
        program.Program, "run", lambda self, a, b: (made.append((a, b)), make(self, a, b))[1]
    )
    runs = pure(store=store, chunk=None)
    assert made == [(4, 8), (8, 10)]  # the half chunk too
    assert_same(runs.mean, whole.mean)
    assert_same(runs.error, whole.error)
    assert_same(runs.ledger, whole.ledger)
    assert pure(store=store, samples=6).samples == 6
    assert len(made) == 2
    assert_same(ex.open_ensemble(store).mean, whole.mean)
    assert sorted(p.name for p in (store / "chunks").iterdir()) == [
        "000000000-000000004.npz",
        "000000004-000000008.npz",
        "000000008-000000010.npz",
    ]


def test_another_question_is_refused(tmp_path: Path) -> None:
    pure(store=tmp_path)
    for change, message in (
        ({"key": jax.random.key(6)}, r"key: .*\[0, 5\].* in the store, .*\[0, 6\].* asked"),
        ({"save": occupation}, r"save: null in the store, .*occupation.* asked"),
    ):
        with pytest.raises(ex.StoreError, match=rf"(?s)answers another question.*{message}"):
            pure(store=tmp_path, **change)
    other = eqx.Partial(ex.pure_start, junction(coupling=1.1))
    with pytest.raises(ex.StoreError, match=r"model.args\[0\].leads\[0\].couplings"):
        ex.ensemble(other, TS, key=KEY, samples=10, store=tmp_path)
    with pytest.raises(ex.StoreError, match=r"ts: \[0.0, 1.0, 3.0\] in the store"):
        ex.ensemble(PURE, TS[:2], key=KEY, samples=10, store=tmp_path)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_chunk_is_named_and_made_again(tmp_path: Path, damage: str) -> None:
    whole = pure(store=tmp_path)
    path = tmp_path / "chunks" / "000000004-000000008.npz"
    data = bytearray(path.read_bytes())
    if damage == "changed":
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(b ^ 1 for b in data[middle : middle + 64])
    path.write_bytes(data if damage == "changed" else data[: len(data) // 2 * (damage == "cut")])
    with pytest.warns(UserWarning, match=r"000000004-000000008.npz is damaged"):
        part = ex.open_ensemble(tmp_path)
    np.testing.assert_array_equal(part.indices, [0, 1, 2, 3, 8, 9])
    with pytest.warns(UserWarning, match=r"000000004-000000008.npz is damaged"):
        again = pure(store=tmp_path)
    assert_same(again.mean, whole.mean)
    assert_same(ex.open_ensemble(tmp_path).mean, whole.mean)


def test_a_full_disk_is_told_and_nothing_is_corrupted(tmp_path: Path, monkeypatch: Any) -> None:
    save = np.savez

    def until_full(file: Any, **arrays: Any) -> None:
        save(file, **arrays)
        if any((tmp_path / "chunks").glob("*.npz")):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("numpy.savez", until_full)
        with pytest.raises(ex.StoreError, match=r"write draws 4 to 8 .*No space left.* goes on"):
            pure(store=tmp_path)
    assert [p.name for p in (tmp_path / "chunks").iterdir()] == ["000000000-000000004.npz"]
    assert_same(pure(store=tmp_path).mean, pure().mean)


def test_xarray_and_netcdf(tmp_path: Path) -> None:
    import xarray

    runs = ex.ensemble(
        spin(), TS, ex.Schrodinger(), key=KEY, samples=3, store=tmp_path / "s", save=_diagonal
    )
    data = ex.open_ensemble(tmp_path / "s").to_xarray()
    assert data.entropy_production.dims == ("draws", "times")
    assert data.beta.dims == ("draws", "times", "baths")
    assert data.system_state.dims == ("draws", "times", "d", "d_2")
    np.testing.assert_array_equal(data.times, TS)
    data.to_netcdf(tmp_path / "spin.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "spin.nc", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back.system_state, runs.ledger.system_state)
        np.testing.assert_array_equal(back["saved.p"], runs.saved["p"])
        assert json.loads(back.attrs["question"])["model"] == "OpenSystem"


def _diagonal(state: Any) -> dict[str, Any]:
    return {"p": jnp.diagonal(state.system).real}


def test_ctrl_c_finishes_the_chunk_in_flight(tmp_path: Path, monkeypatch: Any) -> None:
    make = program.Program.run

    def interrupted(self: Any, start: int, stop: int) -> Any:
        if start == 4:
            signal.raise_signal(signal.SIGINT)
        return make(self, start, stop)

    monkeypatch.setattr(program.Program, "run", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"Stopped after draw 8 of 10; .* goes on from"):
            pure(store=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        np.testing.assert_array_equal(ex.open_ensemble(tmp_path).indices, np.arange(8))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a run in the background
        assert pure(store=tmp_path / "ignored").samples == 10
    finally:
        signal.signal(signal.SIGINT, before)


def test_ranges_of_a_store(tmp_path: Path) -> None:
    """Two ranges, by hand and as shares, make the whole; a half one is seen while it grows."""
    whole = pure()
    part = pure(store=tmp_path, indices=(4, 10))
    np.testing.assert_array_equal(part.indices, np.arange(4, 10))
    rest = pure(store=tmp_path, indices=ex.Share(0, 2))
    np.testing.assert_array_equal(rest.indices, np.arange(10))
    assert_same(rest.mean, whole.mean)
    half = pure(store=tmp_path, samples=14, indices=(0, 4))
    np.testing.assert_array_equal(half.indices, np.arange(10))
    levels = ex.open_ensemble(tmp_path, quantiles=(0.5,)).quantiles[0.5]
    middle = np.median(half.ledger.entropy_production, axis=0)
    np.testing.assert_allclose(levels.entropy_production, middle, atol=1e-14)


def test_a_chunk_larger_than_memory_is_worked_off_in_parts(monkeypatch: Any) -> None:
    whole = pure(chunk=8)
    monkeypatch.setattr(program, "memory", lambda device: 1.0)
    with pytest.warns(UserWarning, match="`chunk` of 8 is worked off 1 at a time"):
        parts = pure(chunk=8)
    np.testing.assert_allclose(
        parts.mean.entropy_production, whole.mean.entropy_production, atol=1e-12
    )


def test_the_bar_counts_draws_and_a_pipe_gets_a_line_a_chunk(monkeypatch: Any, capsys: Any) -> None:
    pure(progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert all(re.fullmatch(r"draws \d+ of \d+: \S+ a second, 0 failed", line) for line in lines)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    pure(progress=True)
    told = capsys.readouterr().err
    assert "100%" in told
    assert re.search(r"draws \S+ a second, 0 failed", told)
