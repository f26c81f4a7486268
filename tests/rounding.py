"""What rounding may change at most, whichever LAPACK there is."""

import numpy as np

EPS = float(np.finfo(float).eps)
LARGEST_SLOPE = 53 * np.log(2.0)  # ln(1 / 2^-53): slopes of entropies are clipped there


def eigenvalue_rounding(n: int, norm: float = 1.0) -> float:
    """n eps |A|: how far off a computed eigenvalue of a Hermitian n x n matrix of this norm may be.

    LAPACK Users' Guide (3rd edition), section 4.7: |dl_i| <= p(n) eps |A|_2, with p "a modestly
    growing function of n". We take p(n) = n.
    """
    return n * EPS * norm


def entropy_rounding(n: int, edges: int | None = None) -> float:
    """The same of the entropy of n modes or levels, of which `edges` (all, if None) are at an edge.

    Each eigenvalue counts as often as the entropy is steep: 37 times at most at an edge, where an
    empty level may come out as one of weight eps; 3 times inside, from 0.05 on.
    """
    at_edge = n if edges is None else edges
    return (at_edge * LARGEST_SLOPE + (n - at_edge) * 3.0) * eigenvalue_rounding(n)
