"""A lead: a finite bath of independent fermionic modes, each coupled to one level."""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import (
    Numbers,
    check,
    finite_array,
    occupation_array,
    real_array,
    require_count,
)
from entropax.equilibrium import fermi, log_odds
from entropax.protocol import AbstractProtocol, as_protocol


class Lead(eqx.Module):
    r"""A bath of modes with energies $\epsilon_k$, tunnel couplings $t_k$ and a diagonal start.

    The start is thermal, $n_k = f(\beta(\epsilon_k-\mu))$, unless `occupations` are given; these
    then take its place, and the bath's initial temperature and chemical potential are the
    effective ones of the occupations.

    **Arguments:**

    - `energies`: shape (modes,), in any order, equal ones allowed.
    - `couplings`: shape (modes,), real. (A phase of $t_k$ is a choice of gauge in a star: no
      entropy, energy or occupation depends on it. Pass the modulus.)
    - `beta`: inverse temperature; any sign, 0 and +-inf allowed.
    - `mu`: chemical potential.
    - `occupations`: shape (modes,), within [0, 1]; None for a thermal start. With them `beta` and
      `mu` may be left out and are not used.
    - `gate`: g(t), by which all couplings are multiplied: an `AbstractProtocol` or any function of
      time; None for 1.

    Raises `ValueError` naming the argument for misuse.
    """

    energies: Float[Array, " modes"]
    couplings: Float[Array, " modes"]
    beta: Float[Array, ""] | None
    mu: Float[Array, ""] | None
    occupations: Float[Array, " modes"] | None
    gate: AbstractProtocol | None

    def __init__(
        self,
        energies: Numbers,
        couplings: Numbers,
        beta: Numbers | None = None,
        mu: Numbers | None = None,
        occupations: Numbers | None = None,
        gate: Callable[[Array], Any] | None = None,
    ):
        self.energies = finite_array("energies", energies, ndim=1)
        modes = self.energies.shape[0]
        if modes < 1:
            raise ValueError("`energies` must hold at least one mode, but is empty.")
        self.couplings = finite_array("couplings", couplings, ndim=1)
        _same_length("couplings", self.couplings, modes)
        if occupations is None and (beta is None or mu is None):
            raise ValueError("`beta` and `mu` must be given unless `occupations` are.")
        self.beta = None if beta is None else real_array("beta", beta, ndim=0)
        self.mu = None if mu is None else finite_array("mu", mu, ndim=0)
        if occupations is not None:
            occupations = occupation_array("occupations", occupations, ndim=1)
            _same_length("occupations", occupations, modes)
        self.occupations = occupations
        self.gate = None if gate is None else as_protocol("gate", gate)

    @classmethod
    def flat(
        cls,
        *,
        modes: int,
        width: Numbers,
        coupling: Numbers,
        beta: Numbers,
        mu: Numbers,
        gate: Callable[[Array], Any] | None = None,
    ) -> Self:
        r"""A flat band: equally spaced modes, all coupled alike (Usui, section III).

        $\epsilon_k = (k-1)\,\Delta\epsilon - W/2$, $\Delta\epsilon = W/(K-1)$,
        $t = \sqrt{\Gamma\,\Delta\epsilon/2\pi}$. A single mode sits at energy 0 with
        $\Delta\epsilon = W$.

        **Arguments:** `modes`: K; `width`: W > 0; `coupling`: the rate $\Gamma \ge 0$; `beta`,
        `mu`, `gate`: as for `Lead`. Differentiable in all but `modes` (in `coupling` where
        positive).
        """
        modes = require_count("modes", modes)
        width = check(
            "width", finite_array("width", width, ndim=0), "positive", lambda xp, w: w > 0
        )
        rate = finite_array("coupling", coupling, ndim=0)
        rate = check("coupling", rate, "non-negative", lambda xp, g: g >= 0)
        spacing = width / max(modes - 1, 1)
        energies = spacing * jnp.arange(modes) - 0.5 * width * (modes > 1)
        coupling = jnp.sqrt(rate * spacing / (2 * jnp.pi))
        return cls(energies, jnp.broadcast_to(coupling, (modes,)), beta, mu, gate=gate)

    @property
    def modes(self) -> int:
        """Number of modes."""
        return self.energies.shape[0]

    @property
    def thermal(self) -> tuple[Float[Array, ""], Float[Array, ""]] | None:
        """beta and mu of a thermal start; None where occupations are given."""
        if self.occupations is not None or self.beta is None or self.mu is None:
            return None
        return self.beta, self.mu

    @property
    def initial_occupations(self) -> Float[Array, " modes"]:
        """Occupation of each mode at the start."""
        if self.occupations is not None:
            return self.occupations
        assert self.thermal is not None
        return fermi(log_odds(self.energies, *self.thermal))


def _same_length(name: str, array: Array, modes: int) -> None:
    if array.shape[0] != modes:
        raise ValueError(
            f"`{name}` must have the length of `energies` ({modes}), but has {array.shape[0]}."
        )
