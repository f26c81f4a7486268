"""Functions of Hermitian matrices and of arrowhead matrices, with right derivatives."""

from entropax.linalg.arrowhead import (
    ArrowheadExponential as ArrowheadExponential,
    ArrowheadSpectrum as ArrowheadSpectrum,
    LevelResponse as LevelResponse,
    arrowhead_eigenvalues as arrowhead_eigenvalues,
    arrowhead_spectrum as arrowhead_spectrum,
    divided_differences as divided_differences,
    level_response as level_response,
)
from entropax.linalg.cauchy_like import (
    CauchyLike as CauchyLike,
    log_determinant_of as log_determinant_of,
    log_determinants as log_determinants,
)
from entropax.linalg.compression import compressed_trace as compressed_trace
from entropax.linalg.low_displacement_rank import (
    Displaced as Displaced,
    displaced_entropy as displaced_entropy,
)
from entropax.linalg.eigenvalues import eigenvalues as eigenvalues
from entropax.linalg.spectral_functions import (
    BinaryEntropy as BinaryEntropy,
    Elementwise as Elementwise,
    Exponential as Exponential,
    Logarithm as Logarithm,
    LogOdds as LogOdds,
    ShannonTerm as ShannonTerm,
    SpectralFunction as SpectralFunction,
)
from entropax.linalg.guards import with_slope_of as with_slope_of
from entropax.linalg.real_packing import from_real as from_real, to_real as to_real
from entropax.linalg.masked import masked_inverse as masked_inverse
from entropax.linalg.products import complex_matmul as complex_matmul
from entropax.linalg.rate_equation import (
    RateEquation as RateEquation,
    RateSteady as RateSteady,
    steady_rates as steady_rates,
)
from entropax.linalg.matrix_functions import (
    Spectrum as Spectrum,
    eigh as eigh,
    held_spectrum as held_spectrum,
    matfn as matfn,
    matfn_times as matfn_times,
    modes as modes,
    trace_fn as trace_fn,
)
from entropax.linalg.null_vectors import (
    Stationary as Stationary,
    stationary as stationary,
    stationary_by_action as stationary_by_action,
)
from entropax.linalg.sums import (
    blocked_sum as blocked_sum,
    sum_over_rows as sum_over_rows,
)

# names of before 0.3
product, careful_sum = complex_matmul, blocked_sum
