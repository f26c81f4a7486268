"""What exact dynamics will cost: refused, or told, before it begins."""

import warnings
from collections.abc import Sequence

import jax

from entropax._device import memory

_RATE = 2e10
"""Operations a second of one core, about."""
_LONG = 60.0
"""Seconds that are told beforehand."""


def require_memory(need: float, sizes: Sequence[int], limit: float | None) -> None:
    """`ValueError` where `need` bytes are more than there are, or than `limit` GiB."""
    have = memory(jax.local_devices()[0]) if limit is None else limit * 2**30
    if need > have:
        raise ValueError(
            f"`model` must fit into memory for the method Schrodinger, but sectors of "
            f"{list(sizes)} states need about {need / 2**30:.3g} GiB of {have / 2**30:.3g} GiB "
            f"(the device's, or `memory_limit`)."
        )


def warn_of_minutes(operations: float, steps: int) -> None:
    """Warn of a run in steps that takes minutes."""
    seconds = operations / _RATE
    if seconds > _LONG:
        warnings.warn(
            f"Exact dynamics in steps takes {operations:.0e} operations: about "
            f"{seconds / 60:.0f} minutes on one core. `progress=True` shows how far it is; `steps` "
            f"between times ({steps}) may be fewer, and what is constant between jumps needs "
            "none.",
            stacklevel=5,
        )
