"""What every ledger does: measure the start, measure each state, settle the account.

The functions dispatch on their first argument, so that `solve` knows no model.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool

from entropax._checks import Faults


class Verdict(NamedTuple):
    """One entry a time: reached by the integrator; finite numbers; probabilities that are some; a
    first law that closes; states that were looked for found; temperatures unique. `faults`: of all
    that the states are made with.
    """

    reached: Bool[Array, " times"]
    sound: Bool[Array, " times"]
    physical: Bool[Array, " times"]
    closed: Bool[Array, " times"]
    converged: Bool[Array, " times"]
    determined: Bool[Array, " times"]
    faults: Faults


@functools.singledispatch
def reference(initial: eqx.Module, model: Any) -> eqx.Module:
    """The start, as the ledger of later times needs it."""
    raise NotImplementedError


@functools.singledispatch
def measure(reference: eqx.Module, state: Any) -> eqx.Module:
    """Everything the ledger needs of one state."""
    raise NotImplementedError


@functools.singledispatch
def settle(reference: eqx.Module, measured: Any) -> eqx.Module:
    """The ledger of the measurements of all times (times along the first axis)."""
    raise NotImplementedError


@functools.singledispatch
def judge(reference: eqx.Module, measured: Any, ledger: Any) -> Verdict:
    """Whether the measurements of all times can be relied on."""
    raise NotImplementedError


@functools.singledispatch
def in_words(ledger: Any, index: int) -> str:
    """What there is to say of a time that failed, with numbers: a sentence, or nothing."""
    del ledger, index
    return ""
