"""Studies as TOML files: what they stand for, and what is refused."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import entropax as ex
from entropax import runfile
from entropax.fingerprint import describe, differences

DOCUMENT = (Path(__file__).parents[2] / "docs" / "runfiles.md").read_text()
DRAWN, GRID = (tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", DOCUMENT, re.S))


def same(one: Any, other: Any) -> bool:
    return not differences(describe(one, ""), describe(other, ""))


def test_the_documented_study_is_the_program() -> None:
    study = runfile.parse(DRAWN)
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(40, 60), width=0.5)
    link = ex.Coupling([[0, 1], [1, 0]], bath, 3e-3, ex.RandomBands(variance=1.0))
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))
    assert same(study.models, model)
    assert same(study.method, ex.Schrodinger())
    np.testing.assert_allclose(study.ts, np.linspace(0.0, 60.0, 61))
    assert (study.samples, study.chunk, study.seed, study.store) == (256, 16, 1, "runs/spin")
    assert study.coordinates is None


def test_the_documented_grid() -> None:
    study = runfile.parse(GRID)
    assert study.coordinates is not None
    assert study.coordinates["leads.0.mu"][::5] == [0.0, 0.5, 1.0]
    assert study.samples == len(study.models) == 15
    couplings = np.geomspace(0.1, 10.0, 5)
    for i, model in enumerate(study.models):
        left = ex.Lead.flat(
            modes=50, width=10.0, coupling=couplings[i % 5], beta=1.0, mu=(0.0, 0.5, 1.0)[i // 5]
        )
        right = ex.Lead.flat(modes=50, width=10.0, coupling=1.0, beta=2.0, mu=0.0)
        assert same(model, ex.Junction(0.0, 0.0, (left, right)))


def test_parts() -> None:
    """Models that are drawn, keys, complex numbers, alternative constructors, machines."""
    build = runfile._build
    lead = {"type": "Lead.flat", "modes": 3, "width": 4.0, "coupling": 1.0, "beta": 1.0, "mu": 0.5}
    junction = {"type": "Junction", "level": 0.0, "occupation": 0.0, "leads": [lead]}
    drawn = build("model", {"type": "pure_start", "junction": junction})
    key = jax.random.key(4)
    assert same(drawn(key=key), ex.pure_start(build("model", junction), key))
    fixed = build("model", {"type": "pure_start", "junction": junction, "key": 4})
    assert same(fixed, ex.pure_start(build("model", junction), key))
    assert same(build("method", {"type": "Schrodinger", "key": 4}), ex.Schrodinger(key=key))
    values = {"real": [[0.0, 1.0], [1.0, 0.0]], "imag": [[0.0, -1.0], [1.0, 0.0]]}
    assert build("operator", values).dtype == complex
    ramp = {"start": 0.0, "end": 3.0, "duration": 10.0, "pieces": 4}
    ramped = build("level", {"type": "PiecewiseLinear.ramp"} | ramp)
    assert same(ramped, ex.PiecewiseLinear.ramp(**ramp))
    assert same(build("model", {"type": "machines.heat_valve"}), ex.machines.heat_valve())


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (DRAWN | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (changed(sampels=3), r"`sampels` is not known \(did you mean `samples`\?\); known are"),
        (changed(model=None), "`model` must be given"),
        (changed(samples=None), "Either `samples` .* or `scan`.* but neither is"),
        (changed(scan={"energies.0": [1.0]}), "Either `samples` .* or `scan`.* but both are"),
        (changed(samples=2.5), "`samples` must be an integer, but is 2.5"),
        (changed(times={"start": 0.0, "stop": 1.0}), "`times.count` must be given"),
        (changed(store=3), "`store` must be a string, but is 3"),
        (changed(samples=None, scan=[1]), r"`scan` must be a table, but is \[1\]"),
        (
            changed(times={"start": "0", "stop": 1, "count": 3}),
            "`times` must be a range of numbers",
        ),
        (changed(model={"type": "pure_start"}), "`model.junction` must be given for pure_start"),
        (changed(times="soon"), "`times` must be numbers or a range, but is 'soon'"),
        (
            changed(times={"start": 1, "stop": 2, "count": 3, "spacing": "square"}),
            "`times.spacing` must be linear or log, but is 'square'",
        ),
        (
            changed(method={"type": "Schroedinger"}),
            r"`method.type` must be a model, .* 'Schroedinger' \(did you mean `Schrodinger`\?\)",
        ),
        (changed(method={"type": "solve"}), "`method.type` must be a model"),
        (changed(method={"type": "_build"}), "`method.type` must be a model"),
        (changed(method={"type": "EMME", "memmory": 1}), r"`method.memmory` .*mean `memory`"),
        (
            changed(model={"type": "WindowBath", "width": 1.0}),
            r"`model.type` must be a model \(.*OpenSystem\), but is 'WindowBath'",
        ),
        (changed(method={"type": "Junction"}), r"`method.type` must be a method \(.*EMME"),
        (changed(model={"type": "Junction", "level": 0.0}), "`model.occupation` must be given for"),
        (
            changed(times={"start": 0.0, "stop": 1.0, "count": 3, "spacing": "log"}),
            "`times` must be of positive numbers to be logarithmic",
        ),
        (changed(method={"order": 2}), "`method` must have a `type`, be a range"),
        (
            changed(model=DRAWN["model"] | {"energies": [0.0]}),
            r"`model` \(OpenSystem\): .*",
        ),
    ],
)
def test_misuse(study: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        runfile.parse(study)


def test_misuse_of_a_grid() -> None:
    for place in ("leads.7.mu", "leads.0.nu", "level.deep"):
        with pytest.raises(ValueError, match=f"`scan.{place}` must be a place in the model"):
            runfile.parse(GRID | {"scan": {place: [1.0]}})
    for values in (0.5, [], [[1.0]]):
        with pytest.raises(ValueError, match=r"`scan.leads.0.mu` must be a list or a range of"):
            runfile.parse(GRID | {"scan": {"leads.0.mu": values}})
    whole = runfile._axis("scan.leads.0.modes", [3, 4])
    assert [type(value) for value in whole] == [int, int]


def test_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a TOML file that can be read"):
        runfile.load(tmp_path / "nothing.toml")
    (tmp_path / "broken.toml").write_text("samples = ")
    with pytest.raises(ValueError, match="must be a TOML file that can be read"):
        runfile.load(tmp_path / "broken.toml")
