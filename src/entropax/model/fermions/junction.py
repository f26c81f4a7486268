"""The junction: one level between finite fermionic leads (single electron transistor)."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from entropax._batching import vmap_by_shape
from entropax._checks import Numbers, finite_array, occupation_array
from entropax.model.driven import AbstractControlled
from entropax.model.fermions.lead import Lead
from entropax.protocol import AbstractProtocol, as_protocol


class Junction(AbstractControlled):
    r"""A level coupled to the modes of any number of leads (Usui Eqs. 15-17).

    $$ H = \epsilon_d\, c_d^\dagger c_d + \sum_{\nu k} \epsilon_{\nu k}\, c_{\nu k}^\dagger
       c_{\nu k} + \sum_{\nu k} t_{\nu k} (c_d^\dagger c_{\nu k} + \mathrm{h.c.}) $$

    **Arguments:** `level`: $\epsilon_d$, a number, an `AbstractProtocol` or any function of time
    (couplings are driven by the `gate` of a `Lead`); `occupation`: initial occupation $n_d$ of the
    level, in [0, 1]; `leads`: one `Lead` or more, of any sizes. Sites are ordered: level, modes of
    the first lead, modes of the second, ...
    """

    level: Float[Array, ""] | AbstractProtocol
    occupation: Float[Array, ""]
    leads: tuple[Lead, ...]

    def __init__(
        self, level: Numbers | Callable[[Array], Any], occupation: Numbers, leads: Sequence[Lead]
    ):
        driven = callable(level)
        self.level = as_protocol("level", level) if driven else finite_array("level", level, ndim=0)
        self.occupation = occupation_array("occupation", occupation, ndim=0)
        if isinstance(leads, Lead):
            raise ValueError("`leads` must be a sequence of leads, but is one Lead: `(lead,)`.")
        self.leads = tuple(leads)
        if not self.leads:
            raise ValueError("`leads` must hold at least one lead, but is empty.")
        for index, lead in enumerate(self.leads):
            if not isinstance(lead, Lead):
                raise ValueError(f"`leads[{index}]` must be a Lead, but is {type(lead).__name__}.")

    @property
    def fixed_level(self) -> Float[Array, ""]:
        r"""$\epsilon_d$ of an undriven junction."""
        if isinstance(self.level, AbstractProtocol):
            raise TypeError("a driven level has values at a time alone: see `at` and `within`")
        return self.level

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        named: dict[str, Any] = {"level": self.level}
        named |= {f"leads[{i}].gate": lead.gate for i, lead in enumerate(self.leads)}
        return {name: p for name, p in named.items() if isinstance(p, AbstractProtocol)}

    @property
    def given_controls(self) -> tuple[Float[Array, ""] | AbstractProtocol, ...]:
        """The level, and the gate of each lead that has one."""
        return (self.level, *(lead.gate for lead in self.leads if lead.gate is not None))

    def with_controls(self, controls: Float[Array, " controls"]) -> Self:
        level, *gates = controls
        leads = []
        for lead in self.leads:
            if lead.gate is not None:
                opened = gates.pop(0) * lead.couplings, None
                lead = eqx.tree_at(lambda x: (x.couplings, x.gate), lead, opened, is_leaf=_is_none)
            leads.append(lead)
        return eqx.tree_at(lambda j: (j.level, j.leads), self, (level, tuple(leads)))

    @property
    def extent(self) -> dict[str, int]:
        """How large it is, by the name of what is counted."""
        return {"sites": self.sites}

    @property
    def sites(self) -> int:
        """Number of sites: the level and all modes."""
        return 1 + sum(lead.modes for lead in self.leads)

    @property
    def mode_energies(self) -> Float[Array, " modes"]:
        """Energies of all modes, lead after lead."""
        return jnp.concatenate([lead.energies for lead in self.leads])

    @property
    def mode_couplings(self) -> Float[Array, " modes"]:
        """Couplings of all modes, lead after lead."""
        return jnp.concatenate([lead.couplings for lead in self.leads])

    @property
    def lead_occupations(self) -> list[Float[Array, " modes"]]:
        """Initial occupations of the modes of each lead."""
        return vmap_by_shape(lambda lead: lead.initial_occupations, self.leads)

    @property
    def mode_occupations(self) -> Float[Array, " modes"]:
        """Initial occupations of all modes, lead after lead."""
        return jnp.concatenate(self.lead_occupations)

    @property
    def initial_occupations(self) -> Float[Array, " sites"]:
        """Initial occupations of all sites: level first."""
        return jnp.concatenate([self.occupation[None], self.mode_occupations])

    @property
    def bath_mode_energies(self) -> tuple[Float[Array, " _"], ...]:
        """Energies of the modes of each lead."""
        return tuple(lead.energies for lead in self.leads)

    @property
    def bath_temperatures(self) -> list[tuple[Float[Array, ""], Float[Array, ""]] | None]:
        """beta and mu of each lead that starts thermal; None of any other."""
        return [lead.thermal for lead in self.leads]

    @property
    def energy_bound(self) -> Float[Array, ""]:
        """What energies of modes and couplings may add up to."""
        sizes = [jnp.sum(jnp.abs(x.energies) + jnp.abs(x.couplings)) for x in self.leads]
        return jnp.sum(jnp.stack(sizes))

    @property
    def lead_slices(self) -> tuple[slice, ...]:
        """Where each lead's modes lie in arrays over all modes."""
        stops = [0]
        for lead in self.leads:
            stops.append(stops[-1] + lead.modes)
        return tuple(slice(a, b) for a, b in itertools.pairwise(stops))


def _is_none(x: Any) -> bool:
    return x is None


def with_occupations(junction: Junction, occupations: Numbers) -> Junction:
    """The same junction in the diagonal start `occupations`: level, left modes, right modes, ...

    The leads keep their `beta` and `mu` as a record; initial temperatures in the ledger are the
    effective ones of the occupations.
    """
    _require_junction(junction)
    n = occupation_array("occupations", occupations, ndim=1)
    if n.shape[0] != junction.sites:
        raise ValueError(
            "`occupations` must have one entry for the level and one for each mode "
            f"({junction.sites}), "
            f"but has {n.shape[0]}."
        )
    leads = tuple(
        Lead(lead.energies, lead.couplings, lead.beta, lead.mu, n[1:][where], lead.gate)
        for lead, where in zip(junction.leads, junction.lead_slices, strict=True)
    )
    return Junction(junction.level, n[0], leads)


def pure_start(junction: Junction, key: PRNGKeyArray) -> Junction:
    """The same junction in one random pure product state (Usui, section IV C).

    Each site is filled with the probability of its initial occupation: r < n, r uniform.
    """
    _require_junction(junction)
    n = junction.initial_occupations
    filled = jax.random.uniform(key, n.shape) < n
    return with_occupations(junction, filled.astype(n.dtype))


def _require_junction(junction: object) -> None:
    if not isinstance(junction, Junction):
        raise ValueError(f"`junction` must be a Junction, but is {type(junction).__name__}.")
