"""Bounds: free numbers and back, on one side, on both, on none."""

import jax.numpy as jnp
import numpy as np
import pytest

from entropax.control.bounds import into_bounds, limits_of, out_of_bounds, require_inside

INSIDE = jnp.array([0.3, -1.0, 5.0])


@pytest.mark.parametrize(
    "bounds", [None, (-2.0, 9.0), (-2.0, jnp.inf), (-jnp.inf, 9.0), (-jnp.inf, jnp.inf)]
)
def test_free_numbers_and_back(bounds: tuple[float, float] | None) -> None:
    limits = limits_of(bounds, INSIDE, True, INSIDE)
    require_inside(INSIDE, limits)
    x = out_of_bounds(INSIDE, limits)
    np.testing.assert_allclose(into_bounds(x, limits), INSIDE, rtol=0, atol=1e-14)
    far = into_bounds(jnp.full(3, -30.0), limits)
    assert bounds is None or np.all(np.asarray(far) >= bounds[0])


def test_a_start_lies_between_its_bounds() -> None:
    with pytest.raises(ValueError, match=r"between the bounds \(0 and 9\)"):
        require_inside(INSIDE, limits_of((0.0, 9.0), INSIDE, True, INSIDE))
