"""Equilibrium states, and the inverse problems (energy, number) -> (beta, mu), energy -> beta.

Both minimise a convex dual, whose minimum is the entropy: `grand`, `canonical`.
"""

from entropax.equilibrium.canonical import (
    Canonical as Canonical,
    match_canonical as match_canonical,
)
from entropax.equilibrium.distribution import Fermi as Fermi, fermi as fermi, log_odds as log_odds
from entropax.equilibrium.grand import (
    Equilibrium as Equilibrium,
    match as match,
    match_occupations as match_occupations,
    thermal as thermal,
)
from entropax.equilibrium.free_energies import (
    expectation as expectation,
    equilibrium_free_energy as equilibrium_free_energy,
    ergotropy as ergotropy,
    free_energy as free_energy,
    gibbs_state as gibbs_state,
    over_temperature as over_temperature,
    per_beta as per_beta,
)
