"""Ensembles in processes of their own: kills, devices, several hosts, two writers."""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import entropax as ex
from entropax._device import cores
from entropax.ensemble.store import Store

STUDY = """
samples = {samples}
chunk = 8
seed = 3
store = "{store}"
times = [0.0, 1.0, 3.0]

[model]
type = "pure_start"

[model.junction]
type = "Junction"
level = 0.1
occupation = 0.3
leads = [
    {{type = "Lead.flat", modes = 3, width = 4.0, coupling = 1.0, beta = 1.0, mu = 0.5}},
    {{type = "Lead.flat", modes = 3, width = 4.0, coupling = 1.0, beta = 2.0, mu = -0.5}},
]
"""


QUICK = """
# An ensemble as it is, but for the program: numbers that cost nothing instead of a compiled one.
import sys, time
import jax, numpy as np
import entropax as ex
from entropax.ensemble import run

class Program:
    def __init__(self, task, chunk, devices, batch): pass
    def run(self, start, stop):
        time.sleep(0.005)
        rows = np.array([np.random.default_rng(i).normal(size=300) for i in range(start, stop)])
        return {"ledger.entropy_production": rows, "failed": rows[:, 0] > 2.0}

run.Program = Program
lead = ex.Lead.flat(modes=3, width=4.0, coupling=1.0, beta=1.0, mu=0.5)
junction = ex.Junction(level=0.1, occupation=0.3, leads=(lead, lead))
drawn = lambda key: junction
ex.ensemble(drawn, [0.0], key=jax.random.key(0), samples=200, chunk=1, store=sys.argv[1])
"""


class Started:
    """A Python process; what it prints goes to a file, as a pipe fills up.

    One that is to be killed keeps no compiled programs: a kill could leave a half one for all.
    """

    def __init__(self, program: str, *arguments: object, cached: bool = True) -> None:
        self._out = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed at its end
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=os.environ
            | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_ENABLE_COMPILATION_CACHE": str(cached)},
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self._read()

    def finish(self) -> str:
        out = self._read()
        assert self.process.returncode == 0, out
        return out

    def _read(self) -> str:
        self.process.wait(timeout=300)
        with self._out as file:
            file.seek(0)
            return file.read()


def chunks(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "chunks").glob("*.npz")}


def test_killed_ten_times(tmp_path: Path) -> None:
    """SIGKILL while chunks are written: what was whole stays, nothing is read half, and the end is
    that of a run that was left alone."""
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    Started(QUICK, alone, cached=False).finish()
    chance, kept = random.Random(1), {}
    for _ in range(10):
        started = Started(QUICK, killed, cached=False)
        while len(chunks(killed)) <= len(kept) and started.is_running:
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.05))
        started.kill()
        now = chunks(killed)
        assert kept.items() <= now.items()
        assert len(ex.open_ensemble(killed).indices) == len(now)
        kept = now
    assert 10 <= len(kept) < 200
    Started(QUICK, killed, cached=False).finish()
    one, other = ex.open_ensemble(alone), ex.open_ensemble(killed)
    assert len(one.indices) == len(other.indices) == 200
    assert 0 < one.failed.sum() < 20
    np.testing.assert_array_equal(one.failed, other.failed)
    for part in ("mean", "error", "ledger"):
        a, b = (getattr(runs, part).entropy_production for runs in (one, other))
        np.testing.assert_array_equal(a, b)
    assert len(list((killed / "chunks").iterdir())) == 200  # and no half file is left


DEVICES = """
# One, two and eight devices: equal draws, and programs in which devices exchange nothing.
import sys
import jax, numpy as np
from entropax.runfile import load
from entropax.ensemble import ensemble, processes, run

class Program(run.Program):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        text = self._compiled.compiled.as_text()
        words = "all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter"
        assert not [word for word in words if word in text]
        print(len(self.devices), "devices,", self.batch, "at a time")

run.Program = Program
processes.use_cpu_devices(8)
study = load(sys.argv[1])
found = []
for n in (1, 2, 8):
    runs = ensemble(
        study.models, study.ts, key=jax.random.key(study.seed), samples=study.samples, chunk=8,
        devices=jax.devices()[:n], store=f"{study.store}-{n}"
    )
    found.append(jax.tree.leaves(runs.ledger))
    for a, b in zip(found[0], found[-1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
"""


RUN = "from entropax.cli import main; main()"


def test_devices_and_processes_give_the_same(tmp_path: Path) -> None:
    """1, 2 and 8 devices of one process, and two processes that join by the loopback interface."""
    file, store = tmp_path / "study.toml", tmp_path / "runs"
    file.write_text(STUDY.format(samples=20, store=store))
    said = Started(DEVICES, file).finish()
    assert f"1 devices, {-(-8 // cores())} at a time" in said
    assert "8 devices, 1 at a time" in said
    where = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, "--process")
    joined = [Started(RUN, "run", file, "--distributed", *where, i) for i in (0, 1)]
    first, _ = [process.finish() for process in joined]
    assert "20 of 20 done, 0 failed" in first
    one, two = (ex.open_ensemble(tmp_path / name) for name in ("runs-1", "runs"))
    assert len(chunks(store)) == 3
    for name in one.to_xarray().data_vars:
        a, b = one.to_xarray()[name], two.to_xarray()[name]
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12, err_msg=str(name))


IDEAL = """
# Batches beside ideal baths, on one device and two: each method at its defaults, implicit steps.
import diffrax, jax, numpy as np
import entropax as ex
from entropax.ensemble import processes

processes.use_cpu_devices(2)
X, LOWER = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])

def qubit(beta, jumps):
    bath = ex.ThermalBath(beta, ex.FlatSpectrum(0.2))
    links = (ex.Coupling(X, bath),)
    if jumps:
        links = (ex.Jump(LOWER, bath, 0.3), ex.Jump(LOWER.T, bath, 0.1))
    return ex.OpenSystem((0.0, 1.0), links, ex.Product(system=1))

implicit = ex.Davies(housekeeping=False, solver=diffrax.Kvaerno5())
for method in (ex.Davies(), ex.Local(), ex.Redfield(), ex.Lindblad(), implicit):
    jumps = isinstance(method, ex.Lindblad)
    models = [qubit(beta, jumps) for beta in (0.5, 1.0, 2.0)]
    one, two = (ex.scan(models, [0.0, 1.0], method, devices=jax.devices()[:n]) for n in (1, 2))
    a, b = one.ledger.entropy_production, two.ledger.entropy_production
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    assert np.all(np.asarray(a)[:, 1] > 0)
drawn = lambda key: qubit(1.0 + jax.random.uniform(key), False)
for n in (1, 2):
    made = ex.ensemble(
        drawn, [0.0, 1.0], ex.Davies(), key=jax.random.key(0), samples=4, devices=jax.devices()[:n]
    )
    assert not made.failed.any()
print("all alike")
"""


def test_ideal_baths_on_two_devices() -> None:
    assert "all alike" in Started(IDEAL).finish()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


HOLD = """
import sys, time
from entropax.ensemble.store import Store
with Store(sys.argv[1]).claimed(100, 200):
    print("held", flush=True)
    time.sleep(600)
"""


def test_two_writers_on_one_range(tmp_path: Path) -> None:
    """A range is one process's until it ends, or is killed; what does not overlap is free."""
    store = Store(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with store.claimed(0, 100), store.claimed(200, 300):
            pass
        message = r"Draws 150 to 250 of .* are being written by another process"
        with pytest.raises(ex.StoreError, match=message), store.claimed(150, 250):
            pass
        other.kill()
    with store.claimed(150, 250):
        pass
