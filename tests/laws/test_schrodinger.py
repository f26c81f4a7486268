"""Exact dynamics of window models against dense propagation written apart."""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import EXACT, JOINT, KEY, WINDOW, dense, driven, spin
from twins import riera

import entropax as ex
from entropax.method.windows.hamiltonian import Controls
from entropax.method.windows.propagation import begin

Array = np.ndarray

TIMES = np.array([3.0, 0.0, 17.0, 1000.0, -2.0])


def twin(model: ex.OpenSystem) -> dict[str, Array]:
    """The same draw, propagated densely."""
    draw, energies = dense(model), model.spectrum()[0]
    h = draw.hamiltonian(energies)
    where = [b.window_of_level for b in model.baths]
    exact = riera.exact(h, draw.start, TIMES, model.levels, draw.levels, where)
    between = h - riera.hamiltonian(np.diag(energies), [], draw.levels)
    exact["interaction"] = np.array(
        [np.trace(between @ riera.evolve(h, draw.start, t)).real for t in TIMES]
    )
    return exact


@pytest.mark.parametrize("name", EXACT)
def test_everything_is_that_of_the_propagated_density_matrix(name: str) -> None:
    model = EXACT[name].model
    method = ex.Schrodinger(key=KEY, mutual_information=True)
    led = ex.solve(model, TIMES, method).ledger
    expected = twin(model)
    np.testing.assert_allclose(led.joint, expected["joint"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.system_state, expected["system"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.energy, expected["energy"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.interaction_energy, expected["interaction"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.mutual_information, expected["information"], rtol=0, atol=1e-9)
    now = list(TIMES).index(0.0)
    np.testing.assert_allclose(led.heat, led.energy[now] - led.energy, rtol=0, atol=1e-13)
    assert np.all(led.mutual_information >= led.coarse_mutual_information - 1e-10)
    redrawn = dataclasses.replace(method, key=jax.random.key(9))
    other = ex.solve(model, TIMES, redrawn).ledger
    with pytest.raises(AssertionError):  # another draw is seen at once
        np.testing.assert_allclose(other.joint, expected["joint"], rtol=0, atol=1e-10)


def test_sectors_of_one_size_share_an_eigenproblem() -> None:
    def eigenproblems(name: str) -> int:
        model = EXACT[name].model
        method = ex.Schrodinger(key=KEY)
        plan = method.plan(model, jnp.zeros(2))

        def spectra(energies: jax.Array) -> list:
            return begin(method._hamiltonian(plan), Controls(energies, jnp.zeros(0))).spectra()

        program = jax.jit(spectra).lower(jnp.zeros(2)).compile().as_text()
        return len(re.findall(r"custom-call\(.*evd", program))

    assert eigenproblems("all windows") == eigenproblems("a window") == 1


def test_windows_of_very_different_size() -> None:
    """Observables of blocks of about one size share a program; what is padded adds nothing."""
    model = spin(JOINT, volumes=(1, 23), centers=(0.0, 2.0), width=1.5)
    led = ex.solve(model, TIMES, ex.Schrodinger(key=KEY)).ledger
    expected = twin(model)
    np.testing.assert_allclose(led.joint, expected["joint"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.system_state, expected["system"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("start", [WINDOW, JOINT], ids=["one sector", "two sectors"])
def test_memory_asked_for_is_enough(start: Any) -> None:
    model, ts = spin(start, volumes=(100, 140)), jnp.linspace(0.0, 9.0, 40)
    method = ex.Schrodinger(key=KEY)
    needed = method.need(method.plan(model, ts))
    program = jax.jit(lambda t: ex.solve(model, t, method).ledger).lower(ts).compile()
    taken = program.memory_analysis()
    assert taken is not None
    assert taken.temp_size_in_bytes < needed < 4 * taken.temp_size_in_bytes


def test_traced_operators_go_by_one_sector_and_give_the_same() -> None:
    early = np.array([3.0, 0.0, 17.0, 9.0, -2.0])

    def joint(model: ex.OpenSystem) -> jax.Array:
        return ex.solve(model, early, ex.Schrodinger(key=KEY), throw=False).ledger.joint

    whole, parts = jax.jit(joint)(spin()), joint(spin())
    np.testing.assert_allclose(whole, parts, rtol=0, atol=1e-12)


def test_a_batch_of_keys_is_a_loop() -> None:
    model = spin(levels="random")
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(lambda key: ex.solve(model, TIMES, ex.Schrodinger(key=key)).ledger.joint)(
        keys
    )
    alone = [ex.solve(model, TIMES, ex.Schrodinger(key=k)).ledger.joint for k in keys]
    np.testing.assert_allclose(together, np.stack(alone), rtol=0, atol=1e-12)
    assert np.ptp(np.asarray(together), axis=0).max() > 1e-3


def test_another_key_is_not_traced_again() -> None:
    traces: list[None] = []

    def keep(state: Any) -> jax.Array:
        traces.append(None)
        return state.energy

    ex.solve(spin(), TIMES, ex.Schrodinger(key=KEY), save=keep)
    before = len(traces)
    ex.solve(spin(), TIMES + 1.0, ex.Schrodinger(key=jax.random.key(1)), save=keep)
    assert 0 < before == len(traces)


@pytest.mark.parametrize(
    "energy", [1.0, ex.PiecewiseConstant([0.5], [1.0, 1.2]), ex.Smooth(jnp.cos)]
)
@pytest.mark.parametrize("options", [{}, {"observation": ex.Observation()}], ids=["", "observed"])
def test_no_times_are_welcome(energy: Any, options: dict[str, Any]) -> None:
    found = ex.solve(driven(energy), [], ex.Schrodinger(key=KEY, **options)).ledger
    assert found.joint.shape == (0, 2, 3)
    assert found.entropy_production.shape == (0,)


def test_many_times_are_cut_in_chunks() -> None:
    ts = np.linspace(0.0, 40.0, 150)
    all_at_once = ex.solve(spin(), ts, ex.Schrodinger(key=KEY)).ledger
    for some in (slice(70, 75), slice(75, 80)):
        few = ex.solve(spin(), ts[some], ex.Schrodinger(key=KEY)).ledger
        np.testing.assert_allclose(all_at_once.joint[some], few.joint, rtol=0, atol=1e-12)
