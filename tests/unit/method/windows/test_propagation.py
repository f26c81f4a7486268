"""Amplitudes of exact states against the density matrix of everything."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import JOINT, KEY, dense, spin
from twins import riera, second_law

import entropax as ex
from entropax.method.windows.hamiltonian import Controls, WindowHamiltonian
from entropax.method.windows.propagation import Segment, begin, density_matrix
from entropax.method.windows.sectors import Sector, find_sectors

TURNED = [[0.6, 0.2j], [-0.2j, 0.4]]
MODELS = {
    "correlated": spin(JOINT, volumes=(2, 3)),
    "coherent": spin(ex.Product(system=TURNED, windows=(0,)), volumes=(2, 3)),
}
TIMES = (0.0, 3.0)


def begun(model: ex.OpenSystem, sectors: tuple[Sector, ...]) -> Segment:
    return begin(WindowHamiltonian.draw(model, sectors, KEY), Controls.of(model, ()))


@functools.cache
def observed(name: str) -> dict[str, Any]:
    """All that amplitudes are asked for at two times, by one program."""
    sectors = find_sectors(MODELS[name])

    def program(model: ex.OpenSystem) -> dict[str, Any]:
        stretch = begun(model, sectors)
        each = [stretch.amplitudes, stretch.at(jnp.array(TIMES[1]), stretch.spectra())]
        return {
            "hamiltonians": stretch.hamiltonians,
            "values": [stretch.observe(x) for x in each],
            "kets": [stretch.kets(x) for x in each],
            "entropy": stretch.setting.start.entropy(),
        }

    return jax.tree.map(np.asarray, jax.jit(program)(MODELS[name]))


@pytest.mark.parametrize("name", MODELS)
def test_the_sectors_hamiltonians_are_parts_of_the_whole(name: str) -> None:
    model = MODELS[name]
    whole = dense(model).hamiltonian(model.energies)
    size = whole.shape[0] // model.levels
    sectors = find_sectors(model)
    for h, sector in zip(observed(name)["hamiltonians"], sectors, strict=True):
        rows = sector.level * size + sector.bath_state
        np.testing.assert_allclose(h, whole[np.ix_(rows, rows)], rtol=0, atol=1e-14)
        outside = np.setdiff1d(np.arange(len(whole)), rows)
        assert not np.any(whole[np.ix_(rows, outside)])


@pytest.mark.parametrize("name", MODELS)
def test_what_is_observed_is_that_of_the_density_matrix(name: str) -> None:
    """At the start, and later: amplitudes go with e^{-iHt}."""
    model, draw = MODELS[name], dense(MODELS[name])
    where = [bath.window_of_level for bath in model.baths]
    h = draw.hamiltonian(model.energies)
    exact = riera.exact(h, draw.start, TIMES, 2, draw.levels, where)
    between = h - riera.hamiltonian(np.diag(np.asarray(model.energies)), [], draw.levels)
    for i, rho in enumerate(draw.at(model.energies, TIMES)):
        values = observed(name)["values"][i]
        np.testing.assert_allclose(values.joint, exact["joint"][i], rtol=0, atol=1e-12)
        np.testing.assert_allclose(values.system, exact["system"][i], rtol=0, atol=1e-12)
        np.testing.assert_allclose(values.energy, exact["energy"][i], rtol=0, atol=1e-12)
        coupled = np.trace(between @ rho).real
        np.testing.assert_allclose(values.interaction, coupled, rtol=0, atol=1e-12)
        ket, weighted = (x.reshape(len(h), -1) for x in observed(name)["kets"][i])
        np.testing.assert_allclose(weighted @ ket.conj().T, rho, rtol=0, atol=1e-12)
        flow = np.diagonal(-1j * (h @ rho - rho @ h)).real.reshape(2, *map(len, draw.levels))
        slope = np.zeros(values.flow.shape)
        for index in np.ndindex(*flow.shape):
            block = (index[0], *(w[j] for w, j in zip(where, index[1:], strict=True)))
            slope[block] += flow[index]
        np.testing.assert_allclose(values.flow, slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_entropy_of_everything(name: str) -> None:
    entropy = second_law.entropy(dense(MODELS[name]).start)
    np.testing.assert_allclose(observed(name)["entropy"], entropy, rtol=0, atol=1e-12)


def test_a_jump_of_energies_does_work_and_turns_the_clock() -> None:
    sectors = find_sectors(MODELS["correlated"])

    def program(model: ex.OpenSystem) -> tuple:
        stretch = begun(model, sectors)
        controls = Controls(jnp.array([0.5, 3.0]), jnp.zeros(0))
        later = stretch.jump(jnp.array(2.0), controls, stretch.amplitudes)
        unmoved = later.at(jnp.array(2.0), later.spectra())
        return later.work, later.begin, unmoved, stretch.amplitudes

    work, begin, unmoved, amplitudes = jax.jit(program)(MODELS["correlated"])
    assert float(work) == pytest.approx(0.3 * 0.5 + 0.7 * 2.0, abs=1e-14)
    assert float(begin) == 2.0
    for x, y in zip(unmoved, amplitudes, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-14)


def test_a_density_matrix_from_populations_and_one_half() -> None:
    joint = jnp.array([[0.1, 0.2], [0.3, 0.4]])
    above = jnp.zeros((2, 2), complex).at[0, 1].set(0.1j)
    expected = [[0.3, 0.1j], [-0.1j, 0.7]]
    np.testing.assert_allclose(jax.jit(density_matrix)(joint, above), expected, rtol=1e-15)
