"""What `Davies` decides before its program is compiled, and what it refuses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.davies import Pairs

AT = jnp.zeros(1)
POPULATIONS = ((0, 0), (1, 1))


def planned(model: ex.OpenSystem, **options: bool) -> Pairs | None:
    return ex.Davies(**options).plan(model, AT).decided.pairs


def test_coherences_are_followed_where_the_start_has_some() -> None:
    assert planned(ideal.qubit()) == POPULATIONS
    assert planned(ideal.qubit(), coherences=True) is None
    tilted = ideal.qubit(start=ex.Product(np.array([[0.5, 0.3], [0.3, 0.5]])))
    assert planned(tilted) is None
    assert planned(tilted, coherences=False) == POPULATIONS
    assert ex.Davies().steady_equation(tilted).pairs == POPULATIONS  # whatever the start


def test_levels_of_one_energy_keep_their_coherences() -> None:
    fork = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    parts = {"energies": (0.0, 1.0, 1.0), "couplings": [ex.Coupling(fork, ideal.BATH)]}
    pairs = ((0, 0), (1, 1), (1, 2), (2, 1), (2, 2))
    inside, outside = np.diag([0.5, 0.3, 0.2]), np.diag([0.5, 0.3, 0.2])
    inside[1, 2] = inside[2, 1] = 0.1
    outside[0, 1] = outside[1, 0] = 0.1
    assert planned(ideal.qubit(**parts, start=ex.Product(inside))) == pairs
    assert planned(ideal.qubit(**parts, start=ex.Product(outside))) is None


def test_nothing_is_known_of_traced_energies() -> None:
    seen = []

    def gap(w: jax.Array) -> jax.Array:
        seen.append(planned(ideal.qubit(energies=jnp.stack([0.0 * w, w]))))
        return w

    jax.eval_shape(gap, jnp.array(1.0))
    assert seen == [None]


def test_driven_populations_stay_apart_where_no_jump_feeds_a_coherence() -> None:
    """One transition a bath feeds none; an operator that leads from one level to two does."""
    moving = ideal.qubit(energies=(0.0, lambda t: 1.0 + t))
    assert planned(moving) == POPULATIONS
    fork = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])

    def forked(level: Callable) -> Pairs | None:
        model = ideal.qubit(energies=(0.0, 1.0, level), couplings=[ex.Coupling(fork, ideal.BATH)])
        return ex.Davies().plan(model, jnp.ones(1)).decided.pairs

    assert forked(lambda t: 1.0 + 0.0 * t) is None
    assert forked(lambda t: 2.0 + 0.5 * t) == ((0, 0), (1, 1), (2, 2))


def test_parts_are_those_of_couplings_alone() -> None:
    coupled, jumping = ideal.qubit(), ideal.qubit(couplings=[ex.Jump(twin.LOWER, ideal.BATH)])
    assert ex.Davies().equation(coupled, AT).is_secular(coupled)
    assert not ex.Davies().equation(jumping, AT).is_secular(jumping)


BAD = {
    "populations and jumps": (
        lambda: ex.solve(
            ideal.qubit(couplings=[ex.Jump(twin.LOWER, ideal.BATH)]),
            [0.0],
            ex.Davies(coherences=False),
        ),
        "`coherences` must be True or None for a model with a Jump",
    ),
    "populations and drives": (
        lambda: ex.solve(
            ideal.qubit(drives=[ex.Drive(twin.SX, jnp.sin)]), [0.0], ex.Davies(coherences=False)
        ),
        "`coherences` must be True or None where a drive mixes levels",
    ),
    "many coherences": (
        lambda: ex.Davies(coherences=True).steady_equation(
            ideal.qubit(
                energies=np.arange(41.0),
                couplings=[ex.Coupling(np.ones((41, 41)), ex.ThermalBath(1.0, ideal.OHMIC))],
            )
        ),
        "`coherences` must be False above 40 levels, .* levels are 41",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
