"""A junction: the order of its sites, its starts, what is driven, and what may not be built."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.checks import assert_pytree_of_arrays, says
from cases.fermions import flat, junction, lead, network
from twins import textbook

import entropax as ex

NAN, INF = float("nan"), float("inf")


def test_junction_lists_its_sites_level_first() -> None:
    built = junction(leads=(lead(occupations=[0.5, 0.25, 1.0]), flat(modes=2), flat(modes=1)))
    assert built.lead_slices == (slice(0, 3), slice(3, 5), slice(5, 6))
    np.testing.assert_array_equal(built.mode_energies, [0.0, 1.0, 2.0, -1.0, 1.0, 0.0])
    np.testing.assert_array_equal(built.mode_couplings[:3], [0.1, 0.2, 0.3])
    start = [0.2, 0.5, 0.25, 1.0, *textbook.fermi(1.0, 0.1, np.array([-1.0, 1.0, 0.0]))]
    np.testing.assert_allclose(built.initial_occupations, start, rtol=1e-14)


def test_with_occupations_goes_level_left_right() -> None:
    n = np.array([0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    changed = ex.with_occupations(junction(), n)
    assert float(changed.occupation) == 0.9
    np.testing.assert_array_equal(changed.leads[0].initial_occupations, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(changed.leads[1].initial_occupations, [0.4, 0.5, 0.6, 0.7])
    np.testing.assert_array_equal(changed.initial_occupations, n)
    for before, after in zip(junction().leads, changed.leads, strict=True):
        for name in ("energies", "couplings", "beta", "mu"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    again = ex.with_occupations(changed, n[::-1])
    np.testing.assert_array_equal(again.initial_occupations, n[::-1])


def test_integers_and_lists_become_float64() -> None:
    built = ex.Junction(0, 1, [ex.Lead([0, 1], [1, 0], 1, 0), ex.Lead(np.float32([2]), [1], 1, 0)])
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(built))
    assert isinstance(built.leads, tuple)


def test_a_junction_is_a_frozen_pytree_of_arrays() -> None:
    assert_pytree_of_arrays(junction())
    with pytest.raises(AttributeError):
        junction().level = 1.0


def test_controls_are_the_level_and_the_gates_that_there_are() -> None:
    model = junction(level=jnp.cos, leads=(flat(), lead(gate=lambda t: 1.0 + t)))
    assert list(model.protocols) == ["level", "leads[1].gate"]
    assert [float(p(jnp.zeros(()))) for p in model.given_controls] == [1.0, 1.0]
    now = model.with_controls(jnp.array([0.7, 3.0]))
    assert not now.is_driven
    assert float(now.fixed_level) == 0.7
    np.testing.assert_array_equal(now.leads[0].couplings, flat().couplings)
    np.testing.assert_array_equal(now.leads[1].couplings, 3.0 * lead().couplings)
    with pytest.raises(ValueError, match="`level` must return a number"):
        junction(level=lambda t: jnp.ones(2))


def test_pure_start_is_pure_and_follows_its_key() -> None:
    model = junction()
    first = ex.pure_start(model, key=jax.random.key(3))
    n = np.asarray(first.initial_occupations)
    assert set(np.unique(n)) <= {0.0, 1.0}
    np.testing.assert_array_equal(ex.pure_start(model, jax.random.key(3)).initial_occupations, n)
    others = [ex.pure_start(model, jax.random.key(k)).initial_occupations for k in range(8)]
    assert len({tuple(map(float, other)) for other in others}) > 1
    np.testing.assert_array_equal(first.mode_energies, model.mode_energies)


def test_pure_start_fills_with_the_initial_occupation() -> None:
    certain = ex.with_occupations(junction(), [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    for k in range(5):
        drawn = ex.pure_start(certain, jax.random.key(k))
        np.testing.assert_array_equal(drawn.initial_occupations, certain.initial_occupations)

    model, draws = junction(), 4000
    keys = jax.random.split(jax.random.key(0), draws)
    filled = jax.vmap(lambda key: ex.pure_start(model, key).initial_occupations)(keys)
    n = np.asarray(model.initial_occupations)
    spread = np.sqrt(n * (1 - n) / draws)
    assert np.all(np.abs(filled.mean(axis=0) - n) < 4 * spread)
    # sites are drawn apart: no two agree more often than chance has it
    both = np.corrcoef(np.asarray(filled).T) - np.eye(len(n))
    assert np.abs(both).max() < 4.5 / np.sqrt(draws)


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "level NaN": (lambda: junction(level=NAN), "level", "but is nan"),
    "level infinite": (lambda: junction(level=-INF), "level", "finite, but is -inf"),
    "level an array": (lambda: junction(level=[0.0, 1.0]), "level", "0 dimensions.*(2,)"),
    "level too full": (lambda: junction(occupation=1.5), "occupation", "[0, 1], but is 1.5"),
    "level too empty": (lambda: junction(occupation=-0.1), "occupation", "[0, 1], but is -0.1"),
    "no lead": (lambda: junction(leads=()), "leads", "at least one lead"),
    "not a lead": (lambda: junction(leads=(lead(), 3.0)), "leads[1]", "a Lead, but is float"),
    "start too short": (
        lambda: ex.with_occupations(junction(), [0.5] * 7),
        "occupations",
        "(8).*has 7",
    ),
    "start too full": (
        lambda: ex.with_occupations(junction(), [0.5] * 7 + [2.0]),
        "occupations",
        "[0, 1], but has 2.0 at index 7",
    ),
    "one lead, no tuple": (lambda: junction(leads=lead()), "leads", "sequence of leads"),
    "pure start of a network": (
        lambda: ex.pure_start(network(), jax.random.key(0)),
        "junction",
        "a Junction, but is FermionNetwork",
    ),
    "occupations of a network": (
        lambda: ex.with_occupations(network(), [0.5] * 4),
        "junction",
        "a Junction, but is FermionNetwork",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=says(argument, rule)):
        build()
