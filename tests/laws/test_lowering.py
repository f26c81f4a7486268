"""Programs call no host: they lower for a GPU on any machine, and are read back as they were."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import entropax as ex

SX = np.array([[0.0, 1.0], [1.0, 0.0]])
TS = np.array([0.0, 0.5, 2.0])
EIGENPROBLEM = "cusolver_syevd_ffi"
FLAT = ex.ThermalBath(1.0, ex.FlatSpectrum(0.3))


def junction(rate: Any, level: Any = 0.0) -> ex.Junction:
    band = {"modes": 3, "width": 10.0, "coupling": rate}
    leads = [ex.Lead.flat(**band, beta=beta, mu=mu) for beta, mu in ((10.0, 1.0), (2.0, -1.0))]
    return ex.Junction(level, 0.0, tuple(leads))


def network(x: Any) -> ex.FermionNetwork:
    return ex.FermionNetwork.from_junction(junction(x))


def windows(x: Any, energy: Any = 1.0) -> ex.OpenSystem:
    bath = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    link = ex.Coupling(SX, bath, 0.1 if callable(energy) else x, ex.RandomBands())
    return ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=(0,)))


def machine(x: Any, energy: Any = 1.0) -> ex.OpenSystem:
    link = ex.Coupling(SX, FLAT, 1.0 if callable(energy) else x)
    return ex.OpenSystem((0.0, energy), (link,), ex.Gibbs(beta=1.0))


def wave(x: Any) -> Callable[[Any], Any]:
    return lambda t: 1.0 + 0.2 * x * jnp.sin(0.5 * t)


def solved(model: Any, *method: Any) -> Any:
    return jnp.sum(ex.solve(model, TS, *method).ledger.entropy_production_fixed)


KEY = jax.random.key(0)
PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "junction": lambda x: solved(junction(x)),
    "driven junction": lambda x: solved(junction(1.0, wave(x)), ex.SplitStep(steps=4)),
    "network": lambda x: solved(network(x)),
    "driven network": lambda x: solved(driven_network(x), ex.Magnus(steps=4)),
    "windows": lambda x: solved(windows(x), ex.Schrodinger(KEY)),
    "driven windows": lambda x: solved(windows(x, wave(x)), ex.Schrodinger(KEY, steps=4)),
    "EMME": lambda x: solved(windows(x), ex.EMME(coherences=False)),
    "EMME, finite memory": lambda x: solved(windows(x), ex.EMME(memory="finite")),
    "EMME, driven": lambda x: solved(windows(x, wave(x)), ex.EMME(coherences=False)),
    "frozen baths": lambda x: solved(windows(x), ex.BornMarkovSecular(coherences=False)),
    "Davies": lambda x: solved(machine(x), ex.Davies()),
    "Davies, driven": lambda x: solved(machine(x, wave(x)), ex.Davies(coherences=False)),
    "Local": lambda x: solved(machine(x), ex.Local()),
    "Redfield": lambda x: solved(machine(x), ex.Redfield()),
    "steady state": lambda x: ex.steady_state(machine(x), ex.Davies()).heat_currents[0],
}


def driven_network(x: Any) -> ex.FermionNetwork:
    drive = ex.Drive(np.diag([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), wave(x))
    still = network(1.0)
    return ex.FermionNetwork(
        still.hamiltonian, still.system, still.baths, beta=still.beta, mu=still.mu, drives=(drive,)
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_lowers_for_a_gpu(name: str) -> None:
    """Value, reverse mode and a batch of them: an eigenproblem is all that is called."""
    both = jax.jit(jax.vmap(jax.value_and_grad(PROGRAMS[name])))
    allowed = [export.DisabledSafetyCheck.custom_call(EIGENPROBLEM)]
    shape = jax.ShapeDtypeStruct((2,), jnp.float64)
    lowered = export.export(both, platforms=["cuda"], disabled_checks=allowed)(shape)
    called = set(re.findall(r"custom_call @(\w+)", lowered.mlir_module()))
    assert called <= {EIGENPROBLEM}


@pytest.mark.parametrize("name", ["EMME", "Davies"])
def test_is_read_back_with_equal_bits(name: str) -> None:
    program = jax.jit(PROGRAMS[name])
    written = export.export(program)(1.0).serialize()
    assert export.deserialize(written).call(jnp.array(1.0)) == program(1.0)
