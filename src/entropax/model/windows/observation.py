"""What is measured of a system and its baths, for the observational entropy."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults, Numbers, check, finite_array, is_traced, refuse
from entropax._tolerances import AS_STATED
from entropax.model.windows.bath import WindowBath


class Observation(eqx.Module):
    r"""A basis of the system and windows of each bath's energy (Strasberg, section II).

    **Arguments:**

    - `basis`: "energy"; "eigenbasis", that of $\rho_S(t)$ at each time; or orthonormal vectors
      $|s\rangle$ as columns of a (d, d) array, in the basis in which the system is given.
    - `windows`: None for the windows of the model, or one entry a bath: None; "levels", a window
      for each level; a width, for windows of that width from the lowest window's lower edge on;
      or the windows' edges, ascending: window i is [edges[i], edges[i+1]), the last one closed.

    Raises `ValueError` for vectors that are not orthonormal, and for edges that are not ascending
    or do not cover the bath's spectrum.
    """

    basis: Literal["energy", "eigenbasis"] | Inexact[Array, "d d"]
    windows: tuple[Any, ...] | None

    def __init__(
        self,
        basis: Literal["energy", "eigenbasis"] | Numbers = "energy",
        windows: Sequence[Any] | None = None,
    ):
        self.basis = _basis(basis)
        if windows is not None and (isinstance(windows, str) or not isinstance(windows, Sequence)):
            raise ValueError(f"`windows` must be a sequence, one entry per bath, not {windows!r}.")
        self.windows = (
            None
            if windows is None
            else tuple(_windows(number, window) for number, window in enumerate(windows))
        )

    def fitted(self, levels: int, baths: Sequence[WindowBath]) -> Self:
        """The same for a system of so many levels and these baths, widths turned into edges.

        `ValueError` where observation and model do not fit, as far as known before the program
        runs.
        """
        if not isinstance(self.basis, str) and self.basis.shape[0] != levels:
            raise ValueError(
                f"`basis` must have the system's dimension ({levels}), "
                f"but has shape {self.basis.shape}."
            )
        if self.windows is None:
            return self
        if len(self.windows) != len(baths):
            raise ValueError(
                f"`windows` must have one entry per bath ({len(baths)}), "
                f"but has {len(self.windows)}."
            )
        with jax.ensure_compile_time_eval():
            windows = [
                _edges(i, w, bath)
                for i, (w, bath) in enumerate(zip(self.windows, baths, strict=True))
            ]
            fitted = eqx.tree_at(
                lambda o: o.windows, self, tuple(windows), is_leaf=lambda x: x is None
            )
            for number, bath in enumerate(baths):
                if not bath.is_random:
                    fitted.members(number, bath, bath.draw_levels())
        return fitted

    def members(
        self, number: int, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> tuple[Float[Array, "levels windows"], Faults]:
        """1 where a level of bath `number` is in a window, else 0."""
        windows = None if self.windows is None else self.windows[number]
        if windows is None:
            members = np.equal.outer(bath.window_of_level, range(bath.windows))
            return jnp.asarray(members, float), Faults.none()
        if isinstance(windows, str):
            return jnp.eye(bath.size), Faults.none()
        covered = (levels >= windows[0]) & (levels <= windows[-1])
        rule = f"within `windows[{number}]`, which must cover the spectrum"
        if not is_traced(covered):
            check("levels", levels, rule, lambda xp, _, c=covered: xp.asarray(c))
        place = jnp.searchsorted(windows, levels, side="right") - 1
        place = jnp.clip(place, 0, windows.shape[0] - 2)
        members = jax.nn.one_hot(place, windows.shape[0] - 1, dtype=float)
        return refuse(members, ~jnp.all(covered), f"`levels` must be {rule}.")


def _basis(basis: Any) -> Any:
    if isinstance(basis, str):
        if basis not in ("energy", "eigenbasis"):
            raise ValueError(
                f'`basis` must be "energy", "eigenbasis" or vectors, but is {basis!r}.'
            )
        return basis
    vectors = jnp.asarray(basis)
    if vectors.ndim != 2 or vectors.shape[0] != vectors.shape[1]:
        raise ValueError(f"`basis` must be a square matrix, but has shape {vectors.shape}.")
    vectors = vectors.astype(jnp.result_type(vectors, jnp.float64))

    with jax.ensure_compile_time_eval():
        off = jnp.max(jnp.abs(vectors.conj().T @ vectors - jnp.eye(vectors.shape[0])))
    rule = "`basis` must be orthonormal vectors as columns"
    if is_traced(off):
        return jnp.where(off > AS_STATED, jnp.nan, vectors)
    if not off <= AS_STATED:
        raise ValueError(f"{rule}, but their overlaps are off by up to {float(off):.3g}.")
    return vectors


def _windows(number: int, windows: Any) -> Any:
    name = f"windows[{number}]"
    if windows is None:
        return None
    if isinstance(windows, str):
        if windows != "levels":
            raise ValueError(
                f'`{name}` must be None, "levels", a width or edges, but is {windows!r}.'
            )
        return windows
    if np.ndim(windows) == 0:
        width = finite_array(name, windows, ndim=0)
        return check(name, width, "positive", lambda xp, w: w > 0)
    edges = finite_array(name, windows, ndim=1)
    if edges.shape[0] < 2:
        raise ValueError(f"`{name}` must hold two edges at least, but holds {edges.shape[0]}.")
    return check(name, edges, "ascending", lambda xp, e: xp.diff(e, prepend=e[0] - 1.0) > 0)


def _edges(number: int, windows: Any, bath: WindowBath) -> Any:
    """A width as the edges of windows that tile the model's own; anything else as it is."""
    if windows is None or isinstance(windows, str) or windows.ndim == 1:
        return windows
    low = jnp.min(bath.centers) - 0.5 * bath.width
    high = jnp.max(bath.centers) + 0.5 * bath.width
    if is_traced(windows) or is_traced(high):
        raise ValueError(
            f"`windows[{number}]` must be a known width, as the number of windows follows from it; "
            "give edges where it is traced."
        )
    count = max(1, int(np.ceil((high - low) / windows * (1 - 1e-12))))
    # a level on an edge, to rounding, is in the window above; the outermost are in
    edges = low + windows * (jnp.arange(count + 1) - 1e-12)
    return edges.at[0].add(-1e-8 * windows).at[-1].add(1e-8 * windows)
