"""Tolerances: in the order that their reasons give."""

from entropax import _tolerances
from entropax._precision import EPS


def test_a_verdict_is_wider_than_what_is_stated_and_that_than_rounding() -> None:
    sizes = [
        EPS,
        _tolerances.ROUNDED_ONCE,
        _tolerances.ROUNDED,
        _tolerances.AS_STATED,
        _tolerances.VERDICT,
    ]
    assert sizes == sorted(sizes)
    assert _tolerances.STILL < _tolerances.UNMOVED
