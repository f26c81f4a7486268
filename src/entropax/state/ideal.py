"""States of a small system between ideal baths."""

import equinox as eqx
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults


class SystemState(eqx.Module):
    r"""A small system between ideal baths at one time, in the basis in which it is given.

    `state`: $\rho$; `hamiltonian`: whose mean is the internal energy; `rate`: $d\rho/dt$, and
    `dissipated`, $D_\alpha(\rho)$, one a bath; `energy_current` and `particle_current` out of each
    bath; `power`: done on the system. `energy`, `particles`, `work`: their integrals.
    `log_stationary`: $\ln\pi$ of the steady state of the moment (NaN: none, or several), None where
    it was not asked for. `speed`: the fastest decay. `production`: of entropy, through each bath,
    where it is known better than as a difference. `secular`: the equation keeps coherences between
    energies apart from populations. `faults`: of what it is made with.
    """

    state: Inexact[Array, "d d"]
    hamiltonian: Inexact[Array, "d d"]
    rate: Inexact[Array, "d d"]
    dissipated: Inexact[Array, "baths d d"]
    energy_current: Float[Array, " baths"]
    particle_current: Float[Array, " baths"]
    power: Float[Array, ""]
    energy: Float[Array, " baths"]
    particles: Float[Array, " baths"]
    work: Float[Array, ""]
    log_stationary: Inexact[Array, "d d"] | None
    speed: Float[Array, ""]
    production: Float[Array, " baths"] | None = None
    faults: Faults = eqx.field(default_factory=Faults.none)
    secular: bool = eqx.field(default=False, static=True)
