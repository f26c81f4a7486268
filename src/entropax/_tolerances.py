"""Tolerances, by name and with their reason. Rounding itself is `_precision.EPS`."""

AS_STATED = 1e-9
"""What a user states (normalised, Hermitian, orthonormal, commuting, in detailed balance) holds to
this: numbers that were computed or printed elsewhere pass, and nothing of interest is as small."""

ROUNDED = 1e-12
"""The share of the largest element below which an element is what rounding left of a zero: products
of a few matrices of some hundred rows stay far below it."""

ROUNDED_ONCE = 1e-14
"""The same after one change of basis, or of numbers of size 1: a few units of rounding."""

VERDICT = 1e-6
"""A solution is judged to this: probabilities may be so far below 0 or off 1, a first law may be
open by so much of the energies. What the default tolerances of solvers and sensible steps leave is
a hundred times smaller; what leaves out a term or misses a pulse is larger."""

UNMOVED = 1e-9
"""Energy, of the system's width, below which a bath at zero temperature has exchanged none: what
integration at the default tolerances leaves."""

STILL = 1e-12
"""The same of a current, in units of the fastest decay times the system's width: currents are made
of one state, without integration."""

EMPTY = 1e-13
"""Populations below this may be zero: what an iterative solver leaves of them."""
