"""Window baths, coupling matrices, starts and open systems: what they hold, and misuse in words."""

import re
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.model.matrices import Explicit, block_mean, mean_product

Array = np.ndarray
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
KEY = jax.random.key(3)


def bath(**changes: Any) -> ex.WindowBath:
    given = {"centers": (0.0, 1.0), "volumes": (4, 6), "width": 0.5}
    return ex.WindowBath(**(given | changes))


def coupling(**changes: Any) -> ex.Coupling:
    given = {"operator": SX, "bath": bath(), "strength": 0.1, "matrix": ex.RandomBands()}
    return ex.Coupling(**(given | changes))


def model(**changes: Any) -> ex.OpenSystem:
    start = ex.Product(system=1, windows=(0,))
    given = {"energies": (0.0, 1.0), "couplings": (coupling(),), "start": start}
    return ex.OpenSystem(**(given | changes))


def test_even_levels_are_rieras() -> None:
    found = bath().draw_levels()
    expected = [*(-0.25 + 0.5 * np.arange(4) / 4), *(0.75 + 0.5 * np.arange(6) / 6)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_random_levels_stay_in_their_windows_and_follow_the_key() -> None:
    many = bath(volumes=(4000, 6000), levels="random")
    found = np.asarray(many.draw_levels(KEY))
    first, second = found[:4000], found[4000:]
    for levels, center in ((first, 0.0), (second, 1.0)):
        assert np.all(np.abs(levels - center) <= 0.25)
        assert np.all(np.diff(levels) >= 0)
        assert abs(levels.mean() - center) < 5 * 0.5 / np.sqrt(12 * len(levels))
    assert np.any(many.draw_levels(jax.random.key(4)) != found)


def test_given_levels_and_touching_windows() -> None:
    given = np.concatenate([np.linspace(-0.5, 0.49, 4), np.linspace(0.5, 1.49, 6)])
    np.testing.assert_array_equal(bath(width=1.0, levels=given).draw_levels(), given)


@pytest.mark.parametrize("real", [False, True])
def test_random_bands_have_the_given_moments(real: bool) -> None:
    one = bath(volumes=(300, 500))
    matrix = ex.RandomBands(variance=0.3, mean=0.2, real=real)
    b = np.asarray(matrix.draw(KEY, one, one.draw_levels()))
    assert np.iscomplexobj(b) == (not real)
    np.testing.assert_array_equal(b, b.conj().T)
    assert not np.any(b[:300, :300])
    assert not np.any(b[300:, 300:])
    block, count = b[:300, 300:], 300 * 500
    assert abs(block.mean() - 0.2) < 5 * np.sqrt(0.3 / count)
    assert np.mean(np.abs(block - 0.2) ** 2) == pytest.approx(0.3, rel=5 * np.sqrt(2 / count))
    if not real:
        assert abs(np.mean((block - 0.2) ** 2)) < 5 * 0.3 / np.sqrt(count)
    rates = mean_product(matrix, matrix, one, same=True)
    np.testing.assert_allclose(rates, [[0.0, 0.34], [0.34, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(mean_product(matrix, matrix, one, same=False)[0, 1], 0.04)


@pytest.mark.parametrize(("kind", "diagonal"), [(ex.GOE, 2.0), (ex.GUE, 1.0)])
def test_full_ensembles(kind: Callable, diagonal: float) -> None:
    one = bath(volumes=(400, 400))
    b = np.asarray(kind(variance=0.5).draw(KEY, one, one.draw_levels()))
    np.testing.assert_array_equal(b, b.conj().T)
    assert np.iscomplexobj(b) == (kind is ex.GUE)
    upper = b[np.triu_indices(800, 1)]
    assert np.mean(np.abs(upper) ** 2) == pytest.approx(0.5, rel=0.02)
    assert np.mean(np.abs(np.diag(b)) ** 2) == pytest.approx(0.5 * diagonal, rel=0.3)


def test_eigenstate_thermalization_has_its_envelope() -> None:
    one = bath(volumes=(400, 600), width=0.05)

    def f(energy: Array, difference: Array) -> Array:
        return jnp.exp(-(difference**2)) * (1.0 + 0.5 * energy)

    matrix = ex.EigenstateThermalization(f, diagonal=lambda e: 0.3 + e)
    levels = np.asarray(one.draw_levels())
    b = np.asarray(matrix.draw(KEY, one, levels))
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
            found = mean_product(matrix, matrix, one, same=True)[i, j]
            assert complex(found) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        mean_product(matrix, matrix, one, same=True),
        abs(np.asarray(matrix.mean(one))) ** 2 + matrix.variance(one),
        rtol=1e-12,
    )
    ones = block_mean(jnp.ones((10, 10)), one)
    np.testing.assert_allclose(ones, 1.0, rtol=1e-14)


def test_couplings_share_the_bath_they_were_handed() -> None:
    one, other = bath(), bath()
    built = model(
        couplings=[coupling(bath=b) for b in (one, other, one)],
        start=ex.Product(system=0, windows=(0, 1)),
    )
    assert built.bath_of_coupling == (0, 1, 0)
    assert len(built.baths) == 2
    assert built.couplings[2].bath is None
    assert built.sites == 2 * 2 * 2


STARTS = {
    "window": ex.Product(system=1, windows=(0,)),
    "populations": ex.Product(system=[0.3, 0.7], windows=([0.2, 0.8],)),
    "matrix": ex.Product(system=[[0.5, 0.5j], [-0.5j, 0.5]], windows=(1,)),
    "canonical": ex.Product(system=0, beta=(2.0,)),
    "half filled": ex.Product(system=1, windows=(0,), filling=0.5),
    "joint": ex.Joint([[0.1, 0.2], [0.3, 0.4]]),
}


@pytest.mark.parametrize("name", STARTS)
def test_starts_are_states_and_agree_in_both_views(name: str) -> None:
    built = model(start=STARTS[name])
    start, one = built.start, built.baths[0]
    windows = np.asarray(start.on_windows(built))
    levels = np.asarray(start.on_levels(built, [one.draw_levels()]))
    trace = windows if start.is_diagonal else np.diagonal(windows).T
    assert trace.sum().real == pytest.approx(1.0, abs=1e-14)
    summed = np.add.reduceat(levels, [0, 4], axis=-1)
    if name == "canonical":  # levels see their own energies, windows their centers
        weights = np.exp(-2.0 * np.asarray(one.draw_levels()))
        np.testing.assert_allclose(levels[0], weights / weights.sum(), rtol=1e-13)
        weights = np.array([4.0, 6.0 * np.exp(-2.0)])
        np.testing.assert_allclose(windows[0], weights / weights.sum(), rtol=1e-13)
    else:
        np.testing.assert_allclose(summed, windows, rtol=0, atol=1e-15)
    if name == "half filled":
        np.testing.assert_allclose(levels[1], [0.5, 0.5] + [0.0] * 8)


def test_the_lowest_levels_are_filled_in_any_order() -> None:
    given = [0.2, 0.1, 0.0, -0.1, *np.linspace(0.8, 1.2, 6)]
    start = ex.Product(system=0, windows=(0,), filling=0.5)
    built = model(couplings=(coupling(bath=bath(levels=given)),), start=start)
    found = start.on_levels(built, [built.baths[0].draw_levels()])
    np.testing.assert_array_equal(found[0], [0.0, 0.0, 0.5, 0.5] + [0.0] * 6)


def test_volumes_of_any_integer_kind() -> None:
    for volumes in (np.array([4, 6]), jnp.array([4, 6]), [np.int32(4), 6]):
        assert bath(volumes=volumes).volumes == (4, 6)


def test_models_are_pytrees() -> None:
    built = model(couplings=(coupling(matrix=ex.EigenstateThermalization(lambda e, w: e * 0 + 1)),))
    leaves = jax.tree.leaves(built)
    assert all(eqx.is_array(leaf) for leaf in leaves)
    again = jax.jit(lambda m: m)(built)
    assert jax.tree.structure(again) == jax.tree.structure(built)


BAD: dict[str, tuple[Callable, str, str]] = {
    "no volume": (lambda: bath(volumes=(0, 3)), "volumes", "positive integers, but has 0"),
    "half a level": (lambda: bath(volumes=(2.5, 3)), "volumes", "integers, but has 2.5"),
    "one volume": (lambda: bath(volumes=(2,)), "volumes", "one entry per center (2"),
    "no window": (lambda: bath(centers=(), volumes=()), "volumes", "at least 1"),
    "overlap": (lambda: bath(width=1.1), "width", "do not overlap, but is 1.1"),
    "no width": (lambda: bath(width=0.0), "width", "positive, but is 0"),
    "levels by a word": (lambda: bath(levels="odd"), "levels", "'odd'"),
    "levels outside": (lambda: bath(levels=[0.0] * 10), "levels", "inside their windows"),
    "levels missing": (lambda: bath(levels=[0.0] * 3), "levels", "(10), but has 3"),
    "B too small": (lambda: coupling(matrix=np.eye(3)), "matrix", "(10), but has shape (3, 3)"),
    "B not Hermitian": (lambda: coupling(matrix=np.triu(np.ones((10, 10)))), "matrix", "Hermitian"),
    "B missing": (lambda: coupling(matrix=None), "matrix", "must be given"),
    "b of another size": (
        lambda: coupling(matrix=ex.RandomBands(mean=np.eye(3))),
        "mean",
        "window (2)",
    ),
    "b not Hermitian": (lambda: ex.RandomBands(mean=[[0, 1], [2, 0]]), "mean", "Hermitian"),
    "variance negative": (lambda: ex.GOE(variance=-1.0), "variance", "non-negative"),
    "f no function": (lambda: ex.EigenstateThermalization(3.0), "f", "function"),
    "S not Hermitian": (lambda: coupling(operator=[[0, 1], [2, 0]]), "operator", "Hermitian"),
    "S too large": (
        lambda: model(couplings=(coupling(operator=np.eye(3)),)),
        "couplings[0].operator",
        "(2)",
    ),
    "no coupling": (lambda: model(couplings=()), "couplings", "at least one"),
    "no bath": (lambda: coupling(bath=None), "bath", "a WindowBath"),
    "both energies and h": (lambda: model(hamiltonian=np.eye(2)), "energies", "exactly one"),
    "no start": (lambda: model(start=None), "start", "a Product, a Joint or a Gibbs"),
    "window outside": (
        lambda: model(start=ex.Product(system=0, windows=(2,))),
        "windows[0]",
        "0 to 1, but is 2",
    ),
    "level outside": (
        lambda: model(start=ex.Product(system=2, windows=(0,))),
        "system",
        "0 to 1, but is 2",
    ),
    "windows of another bath": (
        lambda: model(start=ex.Product(system=0, windows=(0, 1))),
        "windows",
        "per bath (1)",
    ),
    "infinite beta": (lambda: ex.Product(system=0, beta=(np.inf,)), "beta", "finite, but has inf"),
    "beta and windows": (
        lambda: ex.Product(system=0, beta=(1.0,), windows=(0,)),
        "windows",
        "exactly one",
    ),
    "filling": (lambda: ex.Product(system=0, windows=(0,), filling=1.5), "filling", "but is 1.5"),
    "rho without trace": (lambda: ex.Product(system=np.eye(2), windows=(0,)), "system", "trace"),
    "rho negative": (
        lambda: ex.Product(system=np.diag([1.5, -0.5]), windows=(0,)),
        "system",
        "positive",
    ),
    "joint not normalised": (lambda: ex.Joint([[0.1, 0.2], [0.3, 0.5]]), "probabilities", "to 1"),
    "joint of another shape": (
        lambda: model(start=ex.Joint([[0.5], [0.5]])),
        "probabilities",
        "(2, 2)",
    ),
    "no method": (lambda: ex.solve(model(), [1.0]), "method", "Schrodinger"),
    "no key": (lambda: ex.solve(model(), [1.0], ex.Schrodinger()), "key", "drawn"),
    "exact of an open system": (lambda: ex.solve(model(), [1.0], ex.Exact()), "model", "Junction"),
    "f without symmetry": (
        lambda: ex.solve(
            model(couplings=(coupling(matrix=ex.EigenstateThermalization(lambda e, w: w + e)),)),
            [1.0],
            ex.EMME(),
        ),
        "f",
        "conjugate of itself",
    ),
    "windows a number": (lambda: ex.Product(system=0, windows=0), "windows", "sequence"),
    "volumes a number": (lambda: bath(volumes=5), "volumes", "sequence"),
    "couplings one": (lambda: model(couplings=coupling()), "couplings", "sequence"),
    "a matrix unmade": (lambda: coupling(matrix=ex.RandomBands), "matrix", "made first"),
    "filling a word": (lambda: ex.Product(0, windows=(0,), filling="a"), "filling", "number"),
    "system by truth": (lambda: ex.Product(system=True, windows=(0,)), "system", "True"),
    "memory of a word": (lambda: ex.EMME(memory="long"), "memory", "'long'"),
    "too large": (
        lambda: ex.solve(
            model(couplings=(coupling(bath=bath(volumes=(200_000, 300_000))),)),
            [1.0],
            ex.Schrodinger(key=KEY),
        ),
        "model",
        "GiB",
    ),
    "negative times": (lambda: ex.solve(model(), [-1.0], ex.EMME()), "ts", "non-negative"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    words = ".*".join(map(re.escape, rule.split(".*")))
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{words}"):
        build()
