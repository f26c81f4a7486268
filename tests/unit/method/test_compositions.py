"""Compositions: their coefficients and their order."""

import numpy as np
import pytest
import scipy.linalg
from cases.matrices import random_hermitian

from entropax.method.compositions import SPLITTINGS


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
