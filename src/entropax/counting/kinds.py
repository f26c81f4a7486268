"""What may be counted, by its name: what a bath gains, or what all of them do together."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import whole

Count = Literal["particles", "energy", "heat"]
OfAll = Literal["work", "entropy_production"]
KINDS = ("particles", "energy", "heat")
OF_ALL = ("work", "entropy_production")
"""Counts of all baths together."""

FLOOR = 1e-300
"""A probability below this counts as it, so that its logarithm is finite."""


def number_and_energy(of: str, mu: Float[Array, ""]) -> Float[Array, "2"]:
    """What a particle, and a unit of energy, count for in a bath of chemical potential mu."""
    number = {"particles": 1.0, "energy": 0.0, "heat": -mu}[of]
    energy = 0.0 if of == "particles" else 1.0
    return jnp.stack([jnp.asarray(number, float), jnp.asarray(energy, float)])


def require_bath(bath: object, baths: int) -> int:
    """The number of a bath; `ValueError` for anything else."""
    number = whole(bath)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < baths:
        raise ValueError(f"`bath` must be a number from 0 to {baths - 1}, but is {bath!r}.")
    return number


def require_count_of(of: str, bath: object, baths: int) -> int | None:
    """The number of the bath, None of a count of all; `ValueError` for a count that there is not,
    or that lacks its bath.
    """
    if of in OF_ALL:
        if bath is not None:
            raise ValueError(f"`bath` must be left out for {of!r}, which is of all.")
        return None
    if of not in KINDS:
        raise ValueError(f"`of` must be {', '.join([*KINDS, *OF_ALL])}, but is {of!r}.")
    return require_bath(bath, baths)


def in_words(of: str, bath: int | None) -> str:
    """The count and its bath, as they are printed."""
    return of if bath is None else f"{of} of bath {bath}"
