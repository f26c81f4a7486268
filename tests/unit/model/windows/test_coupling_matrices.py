"""Coupling matrices: the moments they are drawn with, what master equations need of them."""

import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, bath, coupling

import entropax as ex
from entropax.model.windows.coupling_matrices import (
    AbstractCouplingMatrix,
    Explicit,
    block_mean,
    mean_product,
)

Array = np.ndarray


def drawn(matrix: AbstractCouplingMatrix, bath: ex.WindowBath) -> Array:
    program = jax.jit(lambda matrix, levels: matrix.draw(KEY, bath, levels))
    return np.asarray(program(matrix, bath.draw_levels()))


@pytest.mark.parametrize("real", [False, True])
def test_random_bands_have_the_given_moments(real: bool) -> None:
    one = bath(volumes=(400, 600))
    matrix = ex.RandomBands(variance=0.3, mean=0.2, real=real)
    b = drawn(matrix, one)
    assert np.iscomplexobj(b) == (not real)
    np.testing.assert_array_equal(b, b.conj().T)
    assert not np.any(b[:400, :400])
    assert not np.any(b[400:, 400:])
    block, count = b[:400, 400:], 400 * 600
    assert abs(block.mean() - 0.2) < 5 * np.sqrt(0.3 / count)
    assert np.mean(np.abs(block - 0.2) ** 2) == pytest.approx(0.3, rel=5 * np.sqrt(2 / count))
    if not real:
        assert abs(np.mean((block - 0.2) ** 2)) < 5 * 0.3 / np.sqrt(count)
    rates = mean_product(matrix, matrix, one, same=True)
    np.testing.assert_allclose(rates, [[0.0, 0.34], [0.34, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(mean_product(matrix, matrix, one, same=False)[0, 1], 0.04)


@pytest.mark.parametrize(("kind", "diagonal"), [(ex.GOE, 2.0), (ex.GUE, 1.0)])
def test_full_ensembles(kind: Callable, diagonal: float) -> None:
    one = bath(volumes=(400, 600))
    b = drawn(kind(variance=0.5), one)
    np.testing.assert_array_equal(b, b.conj().T)
    assert np.iscomplexobj(b) == (kind is ex.GUE)
    upper = b[np.triu_indices(1000, 1)]
    assert np.mean(np.abs(upper) ** 2) == pytest.approx(0.5, rel=0.02)
    assert np.mean(np.abs(np.diag(b)) ** 2) == pytest.approx(0.5 * diagonal, rel=0.3)


def test_eigenstate_thermalization_has_its_envelope() -> None:
    one = bath(volumes=(400, 600), width=0.05)

    def f(energy: Array, difference: Array) -> Array:
        return jnp.exp(-(difference**2)) * (1.0 + 0.5 * energy)

    matrix = ex.EigenstateThermalization(f, diagonal=lambda e: 0.3 + e)
    levels = np.asarray(one.draw_levels())
    b = drawn(matrix, one)
    np.testing.assert_allclose(b, b.conj().T, rtol=0, atol=1e-15)
    expected = np.array(f(0.5, 1.0)) ** 2 / np.sqrt(400 * 600)
    assert float(matrix.variance(one)[0, 1]) == pytest.approx(expected, rel=1e-12)
    assert np.mean(np.abs(b[:400, 400:]) ** 2) == pytest.approx(expected, rel=0.06)
    np.testing.assert_allclose(matrix.average(one), [0.3, 1.3])
    assert np.diag(b)[:400].mean() == pytest.approx(0.3 + levels[:400].mean(), abs=0.02)


def test_a_given_matrix_has_the_heuristic_rates() -> None:
    """Averages over windows taken away, then tr(B Pi_E B Pi_E') / (V V')."""
    rng = np.random.default_rng(0)
    b = rng.normal(size=(10, 10)) + 1j * rng.normal(size=(10, 10))
    b = b + b.conj().T
    matrix, one = Explicit(b), bath()
    masks = [np.diag(np.arange(10) < 4).astype(float), np.diag(np.arange(10) >= 4).astype(float)]
    means = [np.trace(b @ m).real / np.trace(m) for m in masks]
    np.testing.assert_allclose(matrix.average(one), means, rtol=1e-13)
    c = b - sum(m * x for m, x in zip(masks, means, strict=True))
    for i, left in enumerate(masks):
        for j, right in enumerate(masks):
            expected = np.trace(c.conj().T @ left @ c @ right).real
            expected /= np.trace(left) * np.trace(right)
            product = mean_product(matrix, matrix, one, same=True)[i, j]
            assert complex(product) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        mean_product(matrix, matrix, one, same=True),
        abs(np.asarray(matrix.mean(one))) ** 2 + matrix.variance(one),
        rtol=1e-12,
    )
    ones = block_mean(jnp.ones((10, 10)), one)
    np.testing.assert_allclose(ones, 1.0, rtol=1e-14)


def test_windows_that_a_matrix_couples() -> None:
    one = bath()
    everything, apart = np.ones((2, 2), bool), ~np.eye(2, dtype=bool)
    np.testing.assert_array_equal(ex.RandomBands().connects(one), apart)
    np.testing.assert_array_equal(ex.GOE(1.0).connects(one), everything)
    block = np.zeros((10, 10))
    block[4:, 4:] = 1.0
    np.testing.assert_array_equal(Explicit(block).connects(one), [[False, False], [False, True]])
    traced = []
    jax.make_jaxpr(lambda b: traced.append(Explicit(b).connects(one)))(block)
    np.testing.assert_array_equal(traced[0], everything)


def test_a_mean_by_a_function_of_two_energies_lies_between_windows() -> None:
    one = bath()
    given = ex.RandomBands(0.0, mean=lambda e, f: (e - 1.0) * (f - 1.0) + 3.0)
    np.testing.assert_array_equal(given.mean(one), [[0.0, 3.0], [3.0, 0.0]])
    b = drawn(given, one)
    np.testing.assert_array_equal(b[:4, 4:], 3.0)
    assert not np.any(b[:4, :4])


def test_an_ensemble_without_variance_has_a_derivative() -> None:
    one = bath()

    def entry(variance: jax.Array) -> jax.Array:
        return ex.GOE(variance).draw(KEY, one, one.draw_levels())[0, 1]

    both = jax.jit(jax.value_and_grad(entry))
    assert float(both(0.0)[1]) == 0.0
    slope = float(both(1.0)[0]) / (2.0 * np.sqrt(0.3))
    assert float(both(0.3)[1]) == pytest.approx(slope, rel=1e-14)


BAD: dict[str, tuple[Callable, str, str]] = {
    "B too small": (lambda: coupling(matrix=np.eye(3)), "matrix", "(10), but has shape (3, 3)"),
    "B not Hermitian": (lambda: coupling(matrix=np.triu(np.ones((10, 10)))), "matrix", "Hermitian"),
    "b of another size": (
        lambda: coupling(matrix=ex.RandomBands(mean=np.eye(3))),
        "mean",
        "window (2)",
    ),
    "b not Hermitian": (lambda: ex.RandomBands(mean=[[0, 1], [2, 0]]), "mean", "Hermitian"),
    "variance negative": (lambda: ex.GOE(variance=-1.0), "variance", "non-negative"),
    "f no function": (lambda: ex.EigenstateThermalization(3.0), "f", "function"),
    "f without symmetry": (
        lambda: coupling(matrix=ex.EigenstateThermalization(lambda e, w: w + e)),
        "f",
        "conjugate of itself",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{re.escape(rule)}"):
        build()
