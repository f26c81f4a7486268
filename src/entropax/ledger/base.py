"""What every ledger does: measure the start, measure each state, settle the account.

The functions dispatch on their first argument, so that `solve` knows no model.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool

from entropax._checks import Faults


class Verdict(NamedTuple):
    """What holds, one entry a time, and the `faults` of what the states are made with.

    `reached`: the integrator came there; `sound`: all numbers are finite; `physical`: populations
    are not negative and add up to 1; `closed`: the first law holds; `converged`: effective
    equilibria were found; `determined`: temperatures are finite and unique.
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
