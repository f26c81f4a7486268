"""Finite baths that are known by windows of energy."""

import itertools
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from entropax._checks import Numbers, check, check_against, finite_array
from entropax._tolerances import AS_STATED

_PATTERNS = ("even", "random")


class WindowBath(eqx.Module):
    r"""A bath whose levels are grouped into energy windows (Riera, section II A).

    Window $E$ is $[E-\delta/2, E+\delta/2)$ and holds $V_E$ levels. Windows may tile the axis or
    stand apart; they must not overlap.

    **Arguments:**

    - `centers`: E, shape (windows,), in any order.
    - `volumes`: $V_E$, one positive integer a window.
    - `width`: $\delta > 0$.
    - `levels`: "even": $E - \delta/2 + i\,\delta/V_E$, i = 0 .. V_E - 1; "random": drawn uniformly
      in each window from the method's key; or the levels themselves, shape (sum of volumes,),
      window after window.

    The master equations know centers, volumes and width alone; levels matter to `Schrodinger`.
    """

    centers: Float[Array, " windows"]
    width: Float[Array, ""]
    given_levels: Float[Array, " levels"] | None
    volumes: tuple[int, ...] = eqx.field(static=True)
    pattern: str | None = eqx.field(static=True)

    def __init__(
        self,
        centers: Numbers,
        volumes: Iterable[SupportsIndex],
        width: Numbers,
        levels: str | Numbers = "even",
    ):
        self.centers = finite_array("centers", centers, ndim=1)
        if not isinstance(volumes, Iterable):
            raise ValueError(f"`volumes` must be a sequence, but is {volumes!r}.")
        self.volumes = tuple(_positive_integer(i, v) for i, v in enumerate(volumes))
        if len(self.volumes) != self.centers.shape[0] or not self.volumes:
            raise ValueError(
                f"`volumes` must have one entry per center ({self.centers.shape[0]}, at least 1), "
                f"but has {len(self.volumes)}."
            )
        width = finite_array("width", width, ndim=0)
        width = check("width", width, "positive", lambda xp, w: w > 0)
        self.width = check_against(
            "width",
            width,
            "at most the distance of neighbouring centers, so that windows do not overlap",
            lambda: width * (1.0 - AS_STATED) <= self._smallest_gap(),
        )
        if isinstance(levels, str):
            if levels not in _PATTERNS:
                raise ValueError(
                    f'`levels` must be "even", "random" or numbers, but is {levels!r}.'
                )
            self.pattern, self.given_levels = levels, None
        else:
            self.pattern = None
            self.given_levels = self._checked(finite_array("levels", levels, ndim=1))

    def _smallest_gap(self) -> Array:
        return jnp.min(jnp.diff(jnp.sort(self.centers)), initial=jnp.inf)

    def _checked(self, levels: Array) -> Array:
        if levels.shape[0] != self.size:
            raise ValueError(
                f"`levels` must have as many entries as `volumes` says ({self.size}), "
                f"but has {levels.shape[0]}."
            )

        def away() -> Array:
            return jnp.max(jnp.abs(levels - self.centers[self.window_of_level]))

        inside = "inside their windows"
        return check_against(
            "levels", levels, inside, lambda: away() <= 0.5 * self.width * (1.0 + AS_STATED)
        )

    @property
    def windows(self) -> int:
        """Number of windows."""
        return len(self.volumes)

    @property
    def size(self) -> int:
        """Number of levels."""
        return sum(self.volumes)

    @property
    def volume(self) -> Float[np.ndarray, " windows"]:
        """The volumes as an array."""
        return np.array(self.volumes, dtype=float)

    @property
    def window_of_level(self) -> np.ndarray:
        """Index of the window of each level."""
        return np.repeat(np.arange(self.windows), self.volumes)

    @property
    def is_random(self) -> bool:
        """Whether the levels are drawn."""
        return self.pattern == "random"

    def draw_levels(self, key: PRNGKeyArray | None = None) -> Float[Array, " levels"]:
        """The levels, window after window; `key` where they are random (ascending in each)."""
        if self.given_levels is not None:
            return self.given_levels
        if self.is_random:
            assert key is not None, "random levels need a key"
            place = jax.random.uniform(key, (self.size,))
            ends = np.cumsum([0, *self.volumes])
            parts = [jnp.sort(place[a:b]) for a, b in itertools.pairwise(ends)]
            place = jnp.concatenate(parts)
        else:
            place = np.concatenate([np.arange(v) / v for v in self.volumes])
        return self.centers[self.window_of_level] + self.width * (place - 0.5)


def _positive_integer(index: int, volume: Any) -> int:
    try:
        whole = 0 if isinstance(volume, bool) else operator.index(volume)
    except TypeError:
        whole = 0
    if whole < 1:
        raise ValueError(f"`volumes` must be positive integers, but has {volume} at index {index}.")
    return whole
