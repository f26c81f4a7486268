"""Free fermions with any Hermitian one-particle Hamiltonian, split into a system and baths."""

from collections.abc import Sequence
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Numbers, check, finite_array, hermitian_matrix, real_array
from entropax._tolerances import ROUNDED
from entropax.equilibrium import Fermi
from entropax.linalg import matfn, modes
from entropax.model.coupling import Drive
from entropax.model.driven import AbstractControlled
from entropax.model.fermions.junction import Junction
from entropax.protocol import AbstractProtocol


class FermionNetwork(AbstractControlled):
    r"""$H = \sum_{ij} h_{ij} c_i^\dagger c_j$ with sites split into a system and baths.

    **Arguments:**

    - `hamiltonian`: h, shape (sites, sites), Hermitian, real or complex; kept real where real.
    - `system`: sites of the system, at least one.
    - `baths`: sites of each bath, at least one bath. System and baths share out all sites.
    - `beta`, `mu`: one per bath, of its initial grand canonical state.
    - `start`: None for thermal baths and an empty system; a correlation matrix
      $C_{ij} = \langle c_i^\dagger c_j\rangle$ of the system (shape (system, system)) beside
      thermal baths; or one of all sites, correlated as it may be: `beta` and `mu` are then not
      used, and initial temperatures are the effective ones.

    - `drives`: a `Drive` for each $f_i(t) V_i$ that is added to h, V of the shape of h and zero
      within each bath.

    A bath's modes are the eigenmodes of its own block of h.
    """

    hamiltonian: Inexact[Array, "sites sites"]
    beta: Float[Array, " baths"] | None
    mu: Float[Array, " baths"] | None
    start: Inexact[Array, "n n"] | None
    drives: tuple[Drive, ...]
    system: tuple[int, ...] = eqx.field(static=True)
    baths: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: Numbers,
        system: Sequence[int],
        baths: Sequence[Sequence[int]],
        beta: Numbers | None = None,
        mu: Numbers | None = None,
        start: Numbers | None = None,
        *,
        drives: Sequence[Drive] = (),
    ):
        self.hamiltonian = hermitian_matrix("hamiltonian", hamiltonian)
        sites = self.hamiltonian.shape[0]
        self.system, self.baths = _partition(system, baths, sites)
        if start is not None:
            start = _correlation_matrix(start, (len(self.system), sites))
        self.start = start
        self.drives = _drives(drives, sites, self.baths)
        if not self.has_thermal_baths:
            self.beta = self.mu = None
            return
        if beta is None or mu is None:
            raise ValueError(
                "`beta` and `mu` must be given, one per bath, unless `start` is a correlation "
                "matrix of all sites."
            )
        self.beta = _per_bath("beta", real_array("beta", beta, ndim=1), self.baths)
        self.mu = _per_bath("mu", finite_array("mu", mu, ndim=1), self.baths)

    @classmethod
    def from_junction(cls, junction: Junction) -> Self:
        """The same model as a dense network: the plain twin of the junction's fast method.

        A driven level and gates become drives.
        """
        level = junction.level
        fixed = jnp.zeros(()) if isinstance(level, AbstractProtocol) else level
        border, size = junction.mode_couplings, junction.sites
        h = jnp.zeros((size, size)).at[0, 1:].set(border).at[1:, 0].set(border)
        drives = []
        if isinstance(level, AbstractProtocol):
            drives.append(Drive(jnp.zeros((size, size)).at[0, 0].set(1.0), level))
        for lead, where in zip(junction.leads, junction.lead_slices, strict=True):
            if lead.gate is not None:
                place = slice(1 + where.start, 1 + where.stop)
                mask = jnp.zeros((size, size)).at[0, place].set(1.0).at[place, 0].set(1.0)
                drives.append(Drive(h * mask, lead.gate))
                h = h * (1.0 - mask)
        h = h + jnp.diag(jnp.append(fixed, junction.mode_energies))
        baths = tuple(
            tuple(range(1 + where.start, 1 + where.stop)) for where in junction.lead_slices
        )
        thermal = [lead.thermal for lead in junction.leads if lead.thermal is not None]
        if thermal and len(thermal) < len(junction.leads):
            raise ValueError(
                "`junction` must have leads that all start thermal or all with `occupations`: "
                "a network gives all baths their temperatures or none."
            )
        if thermal:
            beta, mu = (jnp.stack(values) for values in zip(*thermal, strict=True))
            start = junction.occupation[None, None]
            return cls(h, (0,), baths, beta, mu, start, drives=drives)
        return cls(h, (0,), baths, start=jnp.diag(junction.initial_occupations), drives=drives)

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        return {f"drives[{i}].protocol": drive.protocol for i, drive in enumerate(self.drives)}

    @property
    def given_controls(self) -> tuple[AbstractProtocol, ...]:
        """The strengths of the drives."""
        return tuple(drive.protocol for drive in self.drives)

    def with_controls(self, controls: Float[Array, " controls"]) -> Self:
        total = self.hamiltonian
        for strength, drive in zip(controls, self.drives, strict=True):
            total = total + strength * drive.operator
        return eqx.tree_at(lambda n: (n.hamiltonian, n.drives), self, (total, ()))

    @property
    def extent(self) -> dict[str, int]:
        """How large it is, by the name of what is counted."""
        return {"sites": self.sites}

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.hamiltonian.shape[0]

    @property
    def bath_mode_energies(self) -> tuple[Float[Array, " _"], ...]:
        """Energies of the eigenmodes of each bath."""
        return tuple(modes(self.hamiltonian[_block(bath)])[0] for bath in self.baths)

    @property
    def bath_temperatures(self) -> list[tuple[Float[Array, ""], Float[Array, ""]] | None]:
        """beta and mu of each bath, where they are given."""
        if self.beta is None or self.mu is None:
            return [None] * len(self.baths)
        return list(zip(self.beta, self.mu, strict=True))

    @property
    def energy_bound(self) -> Float[Array, ""]:
        """What energies may add up to."""
        return jnp.sqrt(self.sites) * jnp.linalg.norm(self.hamiltonian)

    @property
    def has_thermal_baths(self) -> bool:
        """Whether the baths start grand canonical, with `beta` and `mu`."""
        return self.start is None or self.start.shape[0] != self.sites

    @property
    def initial_correlation(self) -> Inexact[Array, "sites sites"]:
        """C(0) of all sites."""
        if self.start is not None and not self.has_thermal_baths:
            return self.start
        c = jnp.zeros_like(self.hamiltonian)
        if self.start is not None:
            c = c.astype(jnp.result_type(c, self.start)).at[_block(self.system)].set(self.start)
        assert self.beta is not None
        assert self.mu is not None
        for bath, beta, mu in zip(self.baths, self.beta, self.mu, strict=True):
            # C_ij = <c_i^dag c_j> is the transpose of f(h)
            c = c.at[_block(bath)].set(matfn(Fermi(beta, mu), self.hamiltonian[_block(bath)]).T)
        return c


def _drives(
    drives: Sequence[Drive], sites: int, baths: tuple[tuple[int, ...], ...]
) -> tuple[Drive, ...]:
    if isinstance(drives, Drive):
        raise ValueError("`drives` must be a sequence, but is one Drive: `(drive,)`.")
    for index, drive in enumerate(drives):
        if not isinstance(drive, Drive):
            kind = type(drive).__name__
            raise ValueError(f"`drives[{index}]` must be a Drive, but is {kind}.")
        name, shape = f"drives[{index}].operator", drive.operator.shape
        if shape != (sites, sites):
            raise ValueError(
                f"`{name}` must have the shape of `hamiltonian` ({sites}, {sites}), "
                f"but has shape {shape}."
            )
        for bath in baths:
            rule = "zero within each bath, whose modes and energies are fixed"
            check(name, drive.operator[_block(bath)], rule, lambda xp, v: v == 0)
    return tuple(drives)


def _block(sites: Sequence[int]) -> tuple[np.ndarray, ...]:
    return np.ix_(sites, sites)


def _per_bath(name: str, array: Array, baths: tuple[tuple[int, ...], ...]) -> Array:
    if array.shape[0] != len(baths):
        raise ValueError(
            f"`{name}` must have one entry per bath ({len(baths)}), but has {array.shape[0]}."
        )
    return array


def _partition(
    system: Sequence[int], baths: Sequence[Sequence[int]], sites: int
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    for name, members in {"system": system, "baths": baths}.items():
        if not isinstance(members, Sequence | np.ndarray):
            raise ValueError(f"`{name}` must be a sequence, but is {members!r}.")
    for i, bath in enumerate(baths):
        if not isinstance(bath, Sequence | np.ndarray):
            raise ValueError(f"`baths[{i}]` must be a sequence of sites, but is {bath!r}.")
    parts = {"system": tuple(system)}
    if not len(baths):
        raise ValueError("`baths` must hold at least one bath, but is empty.")
    parts |= {f"baths[{i}]": tuple(bath) for i, bath in enumerate(baths)}
    owner: dict[int, str] = {}
    for name, members in parts.items():
        if not len(members):
            raise ValueError(f"`{name}` must hold at least one site, but is empty.")
        for site in members:
            if not isinstance(site, int | np.integer) or isinstance(site, bool):
                raise ValueError(f"`{name}` must hold integers, but has {site!r}.")
            if not 0 <= site < sites:
                raise ValueError(f"`{name}` must hold sites 0 to {sites - 1}, but has {site}.")
            if site in owner:
                raise ValueError(
                    f"`system` and `baths` must not overlap, but site {site} is in both "
                    f"`{owner[site]}` and `{name}`."
                )
            owner[site] = name
    missing = sorted(set(range(sites)) - set(owner))
    if missing:
        raise ValueError(
            f"`system` and `baths` must share out all {sites} sites, but leave out {missing}."
        )
    whole, *others = (tuple(int(s) for s in members) for members in parts.values())
    return whole, tuple(others)


def _correlation_matrix(start: Numbers, sizes: tuple[int, int]) -> Array:
    matrix = hermitian_matrix("start", start)
    if matrix.shape[0] not in sizes:
        raise ValueError(
            f"`start` must be a correlation matrix of the system ({sizes[0]} sites) or of all "
            f"({sizes[1]}), but has shape {matrix.shape}."
        )
    values = jnp.linalg.eigvalsh(jax.lax.stop_gradient(matrix))
    inside = check(
        "start",
        values,
        "a correlation matrix with eigenvalues within [0, 1]",
        lambda xp, v: (v >= -ROUNDED) & (v <= 1 + ROUNDED),
    )
    # ties the run-time check of a traced start to the value that is used
    return matrix + 0.0 * jnp.sum(inside)
