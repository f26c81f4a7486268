"""Symmetric compositions A(a1 h) B(b1 h) A(a2 h) ... of a step of A + B."""

# Strang's, and S6 of order 4 of S. Blanes and P. C. Moan, J. Comput. Appl. Math. 142, 313 (2002)
_OUTER = (0.0792036964311957, 0.353172906049774, -0.0420650803577195)
_INNER = (0.209515106613362, -0.143851773179818)
SPLITTINGS = {
    2: ((0.5, 0.5), (1.0,)),
    4: (
        (*_OUTER, 1.0 - 2.0 * sum(_OUTER), *_OUTER[::-1]),
        (*_INNER, 0.5 - sum(_INNER), 0.5 - sum(_INNER), *_INNER[::-1]),
    ),
}
"""The a and the b of each order."""

GAUSS_NODES = (0.5 - 3**0.5 / 6, 0.5 + 3**0.5 / 6)
"""Gauss' nodes of order 4, in units of a step."""
