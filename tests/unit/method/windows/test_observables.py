"""Observables at many times from the eigenbasis, against amplitudes time by time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import JOINT, KEY, spin

import entropax as ex
from entropax.method.windows.hamiltonian import Controls, WindowHamiltonian
from entropax.method.windows.observables import (
    _BlockSlices,
    _from_amplitudes,
    _means,
    observables_at,
)
from entropax.method.windows.propagation import begin
from entropax.method.windows.sectors import find_sectors

MODELS = {
    "blocks of unlike sizes": spin(JOINT, (1, 9), 0.3),
    "coherent": spin(ex.Product(system=[[0.6, 0.2j], [-0.2j, 0.4]], windows=(0,)), (2, 3), 0.3),
}
TS = jnp.array([3.0, 0.0, 1000.0])


@pytest.mark.parametrize("name", MODELS)
def test_phases_tell_what_amplitudes_do(name: str) -> None:
    """To rounding of phases: 1000 times the largest energy."""
    sectors = find_sectors(MODELS[name])

    def both(model: ex.OpenSystem, ts: jax.Array) -> tuple:
        setting = WindowHamiltonian.draw(model, sectors, KEY)
        stretch = begin(setting, Controls.of(model, ()))
        spectra = stretch.spectra()
        return observables_at(stretch, spectra, ts), _from_amplitudes(stretch, ts, spectra)

    by_phases, by_amplitudes = jax.jit(both)(MODELS[name], TS)
    for field, values in by_phases._asdict().items():
        expected = getattr(by_amplitudes, field)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-11, err_msg=field)
    assert np.ptp(by_phases.joint, axis=0).max() > 1e-2


def test_means_are_the_sum_over_all_pairs(rng: np.random.Generator) -> None:
    form = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    form = form + form.conj().T
    values, ts = rng.normal(size=3), np.array([0.0, 0.7, 5.0])
    phases = np.exp(-1j * np.outer(ts, values))
    expected = np.einsum("ta,ab,tb->t", phases, form, phases.conj())
    slopes = np.einsum("ta,ab,tb->t", phases * -1j * values, form, phases.conj())
    angles = ts[:, None] * values
    both = (jnp.cos(angles), jnp.sin(angles))
    means = jax.jit(_means)(jnp.asarray(form), both, both, jnp.asarray(values))
    np.testing.assert_allclose(means.real, expected.real, rtol=0, atol=1e-13)
    np.testing.assert_allclose(means.imaginary, expected.imag, rtol=0, atol=1e-13)
    np.testing.assert_allclose(2.0 * means.rate, 2.0 * slopes.real, rtol=0, atol=1e-12)


def test_blocks_of_about_one_size_go_together_and_come_back_in_order() -> None:
    spans = [slice(0, 5), slice(5, 6), slice(6, 14), slice(14, 20), slice(20, 21)]
    groups = _BlockSlices.of(spans, spans)
    sizes = [sorted(begins[:, 2].tolist()) for begins, _ in groups.groups]
    assert sorted(sizes) == [[1, 1], [5, 6, 8]]
    widths = [len(width) for _, width in groups.groups]
    assert sorted(widths) == [1, 8]
    begins = np.concatenate([begins for begins, _ in groups.groups])[np.asarray(groups.order)]
    np.testing.assert_array_equal(begins[:, 0], [0, 5, 6, 14, 20])
