"""Exact dynamics: what is asked for before it is taken, what is planned, misuse in words."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import COHERENT, KEY, QUENCH, QUENCH_TIMES, bath, coupling, driven, model, spin

import entropax as ex
from entropax.method.windows.schrodinger import _reduced


def test_times_of_each_stretch_are_counted_beforehand() -> None:
    ts = jnp.asarray(QUENCH_TIMES)

    def counts(energy: Any, ts: jax.Array) -> tuple[int, ...] | None:
        return ex.Schrodinger(KEY).plan(driven(energy), ts).decided.counts

    # 0 and 1; 3 and 3.5; 4 and 7; none after 50
    assert counts(QUENCH, ts) == (2, 2, 2)
    assert counts(1.0, ts) is None
    traced = []
    jax.eval_shape(lambda t: traced.append(counts(QUENCH, t)) or t, ts)
    assert traced == [None]


@pytest.mark.parametrize("axes", [[0], [1], [1, 2]])
def test_a_part_of_a_pure_state(axes: list[int], rng: np.random.Generator) -> None:
    ket = rng.normal(size=(2, 3, 4, 1)) + 1j * rng.normal(size=(2, 3, 4, 1))
    rho = np.einsum("abci,xyzi->abcxyz", ket, ket.conj())
    letters = {(0,): "abcxbc->ax", (1,): "abcayc->by", (1, 2): "abcayz->bcyz"}[tuple(axes)]
    size = int(np.prod([ket.shape[a] for a in axes]))
    expected = np.einsum(letters, rho).reshape(size, size)
    part = _reduced(jnp.asarray(ket), jnp.asarray(ket), axes)
    np.testing.assert_allclose(part, expected, rtol=0, atol=1e-13)


def test_the_start_is_what_the_model_says() -> None:
    built = driven(1.4, COHERENT)
    method = ex.Schrodinger(KEY, mutual_information=True)
    plan = method.plan(built, jnp.zeros(1))
    state = eqx.filter_jit(lambda method, plan: method.initial(plan))(method, plan)
    np.testing.assert_allclose(state.system, [[0.5, 0.3j], [-0.3j, 0.5]], rtol=0, atol=1e-14)
    levels = np.asarray(built.baths[0].draw_levels())
    weights = np.exp(-1.3 * levels) / np.exp(-1.3 * levels).sum()
    np.testing.assert_allclose(state.energy, [weights @ levels], rtol=1e-13)
    np.testing.assert_allclose(state.mutual_information, 0.0, atol=1e-13)
    np.testing.assert_array_equal(state.energies, [0.0, 1.4])
    assert state.flow is None


def test_more_is_asked_for_what_needs_more() -> None:
    built = spin()

    def need(times: int = 10, **options: Any) -> float:
        method = ex.Schrodinger(KEY, **options)
        return method.need(method.plan(built, jnp.zeros(times)))

    assert need() < need(20) < need(20, mutual_information=True)
    assert need() < need(observation=ex.Observation())


def test_minutes_of_smooth_driving_are_told_beforehand() -> None:
    """600 states, 100 of them filled: a product takes 4 600 100 300 operations, and each step two
    exponentials of some terms.
    """
    wide = bath(centers=(0.0, 1.0, 2.0), volumes=(60, 100, 140))
    start = ex.Product(system=1, windows=(1,))
    long, method = jnp.linspace(0.0, 200.0, 500), ex.Schrodinger(KEY)

    def planned(energy: Any, ts: jax.Array) -> None:
        method.plan(
            model(energies=(0.0, energy), couplings=(coupling(bath=wide),), start=start), ts
        )

    with pytest.warns(UserWarning, match=r"operations: about \d+ minutes on one core"):
        planned(ex.Smooth(jnp.cos), long)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned(ex.Smooth(jnp.cos), long[:10])
        planned(1.0, long)


@pytest.mark.misuse
@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan, "1 GB"])
def test_a_memory_limit_is_a_positive_number(limit: Any) -> None:
    with pytest.raises(ValueError, match="`memory_limit` must be a positive number of GiB, but is"):
        ex.Schrodinger(key=KEY, memory_limit=limit)


BAD: dict[str, tuple[Callable, str]] = {
    "no key": (lambda: ex.solve(model(), [1.0], ex.Schrodinger()), "`key`.*drawn"),
    "too large": (
        lambda: ex.solve(
            model(couplings=(coupling(bath=bath(volumes=(200_000, 300_000))),)),
            [1.0],
            ex.Schrodinger(key=KEY),
        ),
        "`model`.*GiB",
    ),
    "memory is asked for before it is taken": (
        lambda: ex.solve(
            spin(volumes=(2000, 3000)), [1.0], ex.Schrodinger(key=KEY, memory_limit=1.0)
        ),
        r"sectors of \[5000\] states need about .* GiB of 1 GiB",
    ),
    "key": (
        lambda: ex.Schrodinger(key=0),  # pyright: ignore[reportArgumentType]
        r"`key` must be a key, such as jax\.random\.key\(0\), but is 0",
    ),
    "order": (lambda: ex.Schrodinger(KEY, order=3), "`order` must be 2 or 4, but is 3"),  # pyright: ignore[reportArgumentType]
    "steps": (lambda: ex.Schrodinger(KEY, steps=0), "`steps` must be a positive integer"),
    "observation": (
        lambda: ex.Schrodinger(KEY, observation="energy"),  # pyright: ignore[reportArgumentType]
        "`observation` must be an Observation",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
