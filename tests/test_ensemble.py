"""Ensembles and scans: against loops over `solve`, on any number of devices, from any store."""

import json
import re
import signal
import sys
import weakref
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.ensemble import program
from entropax.ensemble.collect import Collected
from entropax.ensemble.question import describe, differences
from entropax.ensemble.statistics import Moments
from entropax.ensemble.store import FORMAT, Manifest, Store

pytestmark = pytest.mark.usefixtures("quick_compilation")

TS = np.array([0.0, 1.0, 3.0])
KEY = jax.random.key(5)


def junction(coupling: Any = 1.0, beta: Any = 1.0) -> ex.Junction:
    left = ex.Lead.flat(modes=3, width=4.0, coupling=coupling, beta=beta, mu=0.5)
    right = ex.Lead.flat(modes=3, width=4.0, coupling=coupling, beta=2.0, mu=-0.5)
    return ex.Junction(level=0.1, occupation=0.3, leads=(left, right))


PURE = eqx.Partial(ex.pure_start, junction())
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])


def spin(strength: float = 0.05, levels: Any = "even", operator: Any = FLIP) -> ex.OpenSystem:
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5, levels=levels)
    link = ex.Coupling(operator, bath, strength, ex.RandomBands(variance=1.0))
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))


def pure(**options: Any) -> ex.Ensemble:
    return ex.ensemble(PURE, TS, **{"key": KEY, "samples": 10, "chunk": 4} | options)


def occupation(state: Any) -> dict[str, Any]:
    return {"n": state.system[0, 0].real}


def leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


# what is computed


def test_draws_are_those_of_a_loop() -> None:
    """Key of draw i: fold_in(key, i); mean and standard error by NumPy over the loop's ledgers."""
    runs = ex.ensemble(
        spin(levels="random"), TS, ex.Schrodinger(), key=KEY, samples=5, chunk=2, keep=True
    )
    found = [
        ex.solve(spin(levels="random"), TS, ex.Schrodinger(key=jax.random.fold_in(KEY, i))).ledger
        for i in range(5)
    ]
    values = np.array([led.entropy_production for led in found])
    assert np.ptp(values[:, -1]) > 1e-3  # they differ
    np.testing.assert_allclose(runs.ledger.entropy_production, values, atol=1e-12)
    np.testing.assert_allclose(runs.mean.entropy_production, values.mean(0), atol=1e-12)
    error = values.std(0, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(runs.error.entropy_production, error, atol=1e-12)
    states = np.array([led.system_state for led in found])
    np.testing.assert_allclose(runs.mean.system_state, states.mean(0), atol=1e-12)
    assert runs.mean.mutual_information is None
    assert runs.samples == 5
    np.testing.assert_array_equal(runs.indices, np.arange(5))
    assert not runs.failed.any()


def test_models_that_a_function_makes() -> None:
    runs = pure(keep=True, quantiles=(0.0, 0.5), save=occupation)
    keys = [jax.random.fold_in(KEY, i) for i in range(10)]
    found = [ex.solve(ex.pure_start(junction(), key=k), TS, save=occupation) for k in keys]
    sigma = np.array([f.ledger.terms.athermality for f in found])
    np.testing.assert_allclose(runs.ledger.terms.athermality, sigma, atol=1e-12)
    np.testing.assert_allclose(runs.mean.terms.athermality, sigma.mean(0), atol=1e-12)
    half = runs.quantiles[0.5].terms.athermality
    np.testing.assert_allclose(half, np.median(sigma, axis=0), atol=1e-12)
    np.testing.assert_allclose(runs.quantiles[0.0].terms.athermality, sigma.min(0), atol=1e-12)
    n = np.array([f.saved["n"] for f in found])
    np.testing.assert_allclose(runs.saved["n"], n, atol=1e-12)
    np.testing.assert_allclose(runs.saved_mean["n"], n.mean(0), atol=1e-12)
    assert runs.saved_error["n"].shape == TS.shape


def test_a_scan_is_a_loop_over_models() -> None:
    couplings = np.array([0.5, 1.0, 1.5])
    batched = ex.scan(eqx.filter_vmap(junction)(couplings), TS)
    listed = ex.scan([junction(g) for g in couplings], TS, chunk=2)
    for i, g in enumerate(couplings):
        sigma = ex.solve(junction(g), TS).ledger.entropy_production
        np.testing.assert_allclose(batched.ledger.entropy_production[i], sigma, atol=1e-12)
        np.testing.assert_allclose(listed.ledger.entropy_production[i], sigma, atol=1e-12)
    assert np.ptp(batched.ledger.entropy_production[:, -1]) > 1e-3


def test_a_scan_keeps_what_prepare_finds() -> None:
    """Of models with the same sectors, and of a model among them that has others."""
    method = ex.Schrodinger(key=KEY)
    strengths = (0.02, 0.05)
    for models in (
        [spin(s) for s in strengths],
        [spin(), spin(operator=FLIP + np.diag([1.0, -1.0]))],
    ):
        runs = ex.scan(models, TS, method)
        for i, model in enumerate(models):
            one = ex.solve(model, TS, method).ledger
            np.testing.assert_allclose(runs.ledger.joint[i], one.joint, atol=1e-12)
    keyed = ex.scan([spin(0.05), spin(0.05)], TS, ex.Schrodinger(), key=KEY)
    assert np.abs(keyed.ledger.joint[0] - keyed.ledger.joint[1]).max() > 1e-4


def test_failed_draws_are_left_out_and_counted() -> None:
    """A bath at NaN fails; the mean is that of the others."""

    def sometimes(key: Any) -> ex.Junction:
        bad = jax.random.uniform(key) < 0.4
        start = junction()
        wrong = jnp.where(bad, jnp.nan, 0.1)
        return eqx.tree_at(lambda j: j.level, start, wrong)

    runs = ex.ensemble(sometimes, TS, key=KEY, samples=12, chunk=5, keep=True)
    bad = [float(jax.random.uniform(jax.random.fold_in(KEY, i))) < 0.4 for i in range(12)]
    assert 0 < sum(bad) < 12
    np.testing.assert_array_equal(runs.failed, bad)
    expected = ex.solve(junction(), TS).ledger.entropy_production
    np.testing.assert_allclose(runs.mean.entropy_production, expected, atol=1e-12)
    np.testing.assert_allclose(runs.error.entropy_production, 0.0, atol=1e-12)
    with pytest.raises(RuntimeError, match=rf"Draw {bad.index(True)} failed"):
        ex.ensemble(sometimes, TS, key=KEY, samples=12, chunk=5, throw=True)


def test_a_chunk_larger_than_memory_is_worked_off_in_parts(monkeypatch: Any) -> None:
    whole = pure(chunk=8)
    monkeypatch.setattr(program, "memory", lambda device: 1.0)
    with pytest.warns(UserWarning, match="`chunk` of 8 is worked off 1 at a time"):
        parts = pure(chunk=8)
    np.testing.assert_allclose(
        parts.mean.entropy_production, whole.mean.entropy_production, atol=1e-12
    )


def test_a_batch_that_nearly_fits_shrinks(monkeypatch: Any) -> None:
    """Also where the next number of rounds would lead back to the same batch."""
    need = pure_program()._footprint()
    monkeypatch.setattr(program.Program, "_footprint", lambda self: need * self.batch)
    monkeypatch.setattr(program.Program, "_compile", lambda self: None)
    monkeypatch.setattr(program, "memory", lambda device: 2.0 * need * 1.95)
    with pytest.warns(UserWarning, match="is worked off 1 at a time"):
        assert pure_program(chunk=64).batch == 1


def pure_program(chunk: int = 2) -> program.Program:
    task = program.Task(program.Made(PURE, ex.Exact(), KEY, jnp.asarray(TS)), jnp.asarray(TS), None)
    return program.Program(task, chunk, jax.local_devices()[:1])


def test_moments_of_parts_are_those_of_the_whole(rng: np.random.Generator) -> None:
    x = {
        "a": rng.normal(size=(50, 3)) + 1e3,
        "b": rng.normal(size=50) + 1j,
        "c": np.full(50, np.inf),
    }
    x["d"] = x["b"].real > 0
    merged = Moments.none()
    for part in np.split(np.arange(50), [7, 8, 30]):
        merged = merged.merged(Moments.of({name: v[part] for name, v in x.items()}))
    merged = merged.merged(Moments.of({name: v[:0] for name, v in x.items()}))
    for name in "abd":
        np.testing.assert_allclose(merged.mean[name], x[name].mean(0), rtol=1e-13)
        error = np.std(x[name], axis=0, ddof=1) / np.sqrt(50)
        np.testing.assert_allclose(merged.error()[name], error, rtol=1e-9)
    assert np.isinf(merged.mean["c"])


def test_memory_does_not_grow_with_samples() -> None:
    collected, gone = Collected(), []
    for i in range(3):
        draws = {"ledger.x": np.ones((4, 1000)), "failed": np.zeros(4, bool)}
        gone.append(weakref.ref(draws["ledger.x"]))
        collected.add(4 * i, draws, None)
        del draws
    assert [one() for one in gone] == [None] * 3
    with pytest.raises(ValueError, match=r"`store` must be given, or `keep` be True"):
        collected.fields("ledger")


def test_the_bar_counts_draws_and_a_pipe_stays_quiet(monkeypatch: Any, capsys: Any) -> None:
    pure(progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    pure(progress=True)
    told = capsys.readouterr().err
    assert "100%" in told
    assert re.search(r"draws \S+ a second, 0 failed", told)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "`samples` must be a positive integer, but is 0"),
        ({"samples": 2.0}, "`samples` must be a positive integer, but is 2.0"),
        ({"chunk": 0}, "`chunk` must be a positive integer, but is 0"),
        ({"devices": ()}, "`devices` must be at least one device"),
        ({"indices": (0, 6)}, r"`indices` must be a range .* multiples of `chunk` \(4\)"),
        ({"indices": (4, 12)}, r"`indices` must be a range within 0 and 10"),
    ],
)
def test_misuse(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pure(**change)


def test_misuse_of_models() -> None:
    with pytest.raises(ValueError, match="Junction by Exact is the same every time"):
        ex.ensemble(junction(), TS, key=KEY, samples=2)
    with pytest.raises(ValueError, match="`models` must be a batch whose arrays all have one"):
        ex.scan(junction(), TS)
    with pytest.raises(ValueError, match="`models` must be of one structure"):
        ex.scan([junction(), spin()], TS)
    with pytest.raises(ValueError, match="`models` must hold at least one model"):
        ex.scan([], TS)
    leads = [ex.Lead.flat(modes=4, width=4.0, coupling=1.0, beta=b, mu=0.0) for b in (1.0, 2.0)]
    larger = ex.Junction(0.1, 0.3, leads)
    with pytest.raises(ValueError, match=r"of equal shapes .* `models\[1\]` is unlike the first"):
        ex.scan([junction(), larger], TS)
    with pytest.raises(ValueError, match="`coordinates` must have names that are free, but 'times"):
        ex.scan([junction()], TS, coordinates={"times": [1.0]})
    for name in ("baths", "entropy_production", "failed", "saved.n"):
        with pytest.raises(ValueError, match="must have names that are free"):
            ex.scan([junction()], TS, coordinates={name: [1.0]})
    with pytest.raises(ValueError, match="`coordinates` must be values by name"):
        ex.scan([junction()], TS, coordinates=[1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`key` must be a key, such as jax\.random\.key"):
        ex.ensemble(PURE, TS, key=0, samples=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`quantiles` must be levels between 0 and 1, but hold 2"):
        pure(quantiles=(0.1, 2.0))
    with pytest.raises(ValueError, match="`method` must be a method"):
        ex.scan([junction()], TS, "exact")  # type: ignore[arg-type]


# what is stored


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
    pure(store=tmp_path)
    manifest = tmp_path / "manifest.json"
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(record | {"format": FORMAT + 1}))
    with pytest.raises(ex.StoreError, match=f"must have format {FORMAT} or older, but .* has"):
        ex.open_ensemble(tmp_path)


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


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ex.StoreError, match=r"file/runs/manifest.json is none: .* Not a directory"):
        pure(store=tmp_path / "file" / "runs")


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


def test_questions_are_told_apart() -> None:
    def scaled(by: float) -> Any:
        return lambda state: by * state

    one, other = describe(scaled(1.0), "save"), describe(scaled(2.0), "save")
    assert differences(one, other) == ["save.closes_over[0]: 1.0 in the store, 2.0 asked"]
    assert not differences(one, describe(scaled(1.0), "save"))
    assert differences(describe(lambda s: s + 1, "save"), describe(lambda s: s + 2, "save"))
    large = np.arange(1000.0)
    changed = large.copy()
    changed[500] += 1e-9
    assert differences(describe(large, "x"), describe(changed, "x"))
    assert not differences(describe(np.nan, "x"), json.loads(json.dumps(describe(np.nan, "x"))))


def test_questions_tell_functions_by_what_they_use() -> None:
    def scaled(state: Any, by: float = 1.0) -> Any:
        return by * state

    def rescaled(state: Any, by: float = 2.0) -> Any:
        return by * state

    one = describe(scaled, "f") | {"f": ""}
    assert any("defaults" in line for line in differences(one, describe(rescaled, "f") | {"f": ""}))

    class Maker:
        def __init__(self, gamma: float) -> None:
            self.gamma = gamma

        def make(self, key: Any) -> Any:
            return self.gamma, key

    assert differences(describe(Maker(1.0).make, "f"), describe(Maker(2.0).make, "f"))
    assert not differences(describe(Maker(1.0).make, "f"), describe(Maker(1.0).make, "f"))

    class One(eqx.Module):
        def __call__(self, state: Any) -> Any:
            return state + 1

    class Two(eqx.Module):
        def __call__(self, state: Any) -> Any:
            return state + 2

    assert differences(describe(One(), "f") | {"f": ""}, describe(Two(), "f") | {"f": ""})
    before = describe(_reads_a_global, "f")
    try:
        TS[0] = 0.5
        assert differences(before, describe(_reads_a_global, "f"))
    finally:
        TS[0] = 0.0
    assert not differences(before, describe(jax.jit(_reads_a_global), "f"))


def _reads_a_global(state: Any) -> Any:
    return state * TS[0]


def test_infinite_draws() -> None:
    """Whatever comes first, in means and in quantiles."""
    values = np.array([np.inf, 1.0, 2.0, np.inf])
    for order in ([0, 1], [1, 0]):
        parts = [Moments.of({"x": np.split(values[:2], 2)[i]}) for i in order]
        assert np.isposinf(parts[0].merged(parts[1]).mean["x"])
    collected = Collected()
    draws = {"ledger.x": values, "failed": np.zeros(4, bool)}
    collected.add(0, draws, draws.__getitem__)
    found = [float(collected.quantiles("ledger", q)["x"]) for q in (0.0, 1 / 3, 1.0)]
    assert found == [1.0, 2.0, np.inf]
    failed = Collected()
    failed.add(0, draws | {"failed": np.ones(4, bool)}, draws.__getitem__)
    assert np.isnan(failed.quantiles("ledger", 0.5)["x"])
    with pytest.raises(ValueError, match="`quantiles` must be levels between 0 and 1, but hold 50"):
        pure(quantiles=(50,))


ASKED = Manifest("ensemble", "FermionLedger", [0.0], 4, 10, {"key": 1}, {"jax": "1"}, {})


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


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: Any) -> None:
    def none(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", none)
    with (
        pytest.warns(UserWarning, match="a file system without locks"),
        Store(tmp_path).claimed(0, 4),
    ):
        pass


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


def test_a_scan_is_stored_with_its_coordinates(tmp_path: Path) -> None:
    models, named = [junction(g) for g in (0.5, 1.0)], {"coupling": [0.5, 1.0]}
    ex.scan(models, TS, store=tmp_path, coordinates=named)
    found = ex.open_ensemble(tmp_path)
    assert type(found) is ex.Scan
    np.testing.assert_array_equal(found.to_xarray().coupling, [0.5, 1.0])
    assert found.ledger.entropy_production.shape == (2, 3)
    with pytest.raises(ValueError, match="must have one value a model"):
        ex.scan(models, TS, coordinates={"coupling": [0.5]})
