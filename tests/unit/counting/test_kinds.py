"""Names of counts, and what they weigh."""

import jax.numpy as jnp
import numpy as np
import pytest

from entropax.counting.kinds import in_words, number_and_energy, require_bath, require_count_of


@pytest.mark.parametrize(
    ("of", "pair"), [("particles", (1, 0)), ("energy", (0, 1)), ("heat", (0.4, 1))]
)
def test_weights_of_number_and_energy(of: str, pair: tuple[float, float]) -> None:
    np.testing.assert_array_equal(number_and_energy(of, jnp.array(-0.4)), pair)


def test_a_count_has_its_bath_or_none() -> None:
    assert require_count_of("heat", np.int64(1), 2) == 1
    assert require_count_of("work", None, 2) is None
    assert in_words("heat", 1) == "heat of bath 1"
    assert in_words("work", None) == "work"


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="`bath` must be a number from 0 to 1, but is True"):
        require_bath(True, 2)
    with pytest.raises(ValueError, match="`bath` must be left out for 'entropy_production'"):
        require_count_of("entropy_production", 0, 2)
    with pytest.raises(ValueError, match="`of` must be particles, energy, heat, work, entropy_p"):
        require_count_of("charge", 0, 2)
