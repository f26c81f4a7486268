"""What exact dynamics will cost: refused, or told, before it begins."""

import warnings
from collections.abc import Sequence

import jax

from entropax._device import memory
from entropax.method.windows.sectors import Sector

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


def warn_of_minutes(sectors: Sequence[Sector], stages: int, steps: int) -> None:
    """Warn of smooth driving that takes minutes."""
    filled = sum(16.0 * s.size**2 * len(s.columns) for s in sectors)
    seconds = stages * filled / _RATE
    if seconds > _LONG:
        warnings.warn(
            f"Smooth driving takes {stages} products with sectors of "
            f"{[s.size for s in sectors]} states: about {seconds / 60:.0f} minutes "
            f"on one core. `progress=True` shows how far it is; `steps` between times "
            f"({steps}) may be fewer, and constant energies between jumps need none.",
            stacklevel=5,
        )
