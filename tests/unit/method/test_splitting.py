"""Splittings: their coefficients, their order, and the state that they carry."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.matrices import random_hermitian
from cases.windows import KEY, Wave, driven

import entropax as ex
from entropax.method.splitting import SPLITTINGS, Splitting, middle_energies


@pytest.mark.parametrize("order", SPLITTINGS)
def test_coefficients_add_up_and_read_alike_from_both_ends(order: int) -> None:
    for coefficients in SPLITTINGS[order]:
        assert sum(coefficients) == pytest.approx(1.0, abs=1e-15)
        assert coefficients == pytest.approx(coefficients[::-1], abs=1e-15)
    outer, inner = SPLITTINGS[order]
    assert len(outer) == len(inner) + 1


@pytest.mark.parametrize("order", SPLITTINGS)
def test_one_step_is_wrong_by_its_length_to_the_order_and_one(
    order: int, rng: np.random.Generator
) -> None:
    a, b = random_hermitian(rng, 4), random_hermitian(rng, 4)
    outer, inner = SPLITTINGS[order]

    def error(h: float) -> float:
        step = np.eye(4)
        for x, y in zip(outer, (*inner, 0.0), strict=True):
            step = scipy.linalg.expm(-1j * h * y * b) @ scipy.linalg.expm(-1j * h * x * a) @ step
        return np.abs(step - scipy.linalg.expm(-1j * h * (a + b))).max()

    assert np.log2(error(0.05) / error(0.025)) == pytest.approx(order + 1, abs=0.1)


def test_energies_of_half_the_time() -> None:
    model = driven(Wave(jnp.array(0.4)))
    energies = middle_energies(model, jnp.array([6.0, 1.0]))
    np.testing.assert_allclose(energies, [0.0, 1.0 + 0.4 * np.sin(0.7 * 3.0)], rtol=1e-15)


def test_steps_are_unitary_and_simpsons_rule_does_the_work_of_a_ramp() -> None:
    """Of a spin that its bath does not touch: W = int (d epsilon / dt) p dt."""
    bath = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    link = ex.Coupling(np.diag([0.3, -0.2]), bath, 0.2, ex.GOE(1.0))
    start = ex.Product(system=[0.3, 0.7], windows=(0,))
    model = ex.OpenSystem((0.0, lambda t: 1.0 + 0.1 * t**3), (link,), start)
    ts = jnp.array([2.0])
    method = ex.Schrodinger(KEY).prepare(model, ts)

    def seen(stretch, amplitudes):
        norms = [jnp.sum(jnp.abs(x) ** 2, axis=0) for x in amplitudes]
        return stretch.work, jnp.concatenate(norms), stretch.energies

    def program(model):
        resting = method._setting(model).begin(middle_energies(model, ts))
        splitting = Splitting(model, resting, order=4, steps=2)
        return splitting.run(ts, seen, diffrax.NoProgressMeter())

    work, norms, energies = jax.jit(program)(model)
    np.testing.assert_allclose(work, [0.7 * 0.8], rtol=1e-13)
    np.testing.assert_allclose(norms, 1.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(energies, [[0.0, 1.8]], rtol=1e-15)
