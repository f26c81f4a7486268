"""Entropy production of quantum processes with finite baths, exact and differentiable, in JAX."""

from importlib.metadata import version as _version

from entropax._precision import enable_float64 as _enable_float64

_enable_float64()

from entropax import (
    entropy as entropy,
    equilibrium as equilibrium,
    linalg as linalg,
    objectives as objectives,
)
from entropax.cycle import (
    Cycles as Cycles,
    LimitCycle as LimitCycle,
    cycles as cycles,
    limit_cycle as limit_cycle,
)
from entropax.control import (
    OptimisationError as OptimisationError,
    Constrained as Constrained,
    Optimised as Optimised,
    optimise as optimise,
    optimise_with_constraint as optimise_with_constraint,
)
from entropax.counting import AbstractCounting as AbstractCounting, Law as Law, counting as counting
from entropax.diagnosis import Finding as Finding, audit as audit, identities as identities
from entropax.ensemble import (
    Ensemble as Ensemble,
    Scan as Scan,
    Share as Share,
    StoreError as StoreError,
    ensemble as ensemble,
    open_ensemble as open_ensemble,
    scan as scan,
)
from entropax.ledger import (
    EntropyTerms as EntropyTerms,
    FermionLedger as FermionLedger,
    GKLSLedger as GKLSLedger,
    ObservationLedger as ObservationLedger,
    WindowLedger as WindowLedger,
    global_equilibrium as global_equilibrium,
)
from entropax.method import (
    EMME as EMME,
    AbstractMethod as AbstractMethod,
    BornMarkovSecular as BornMarkovSecular,
    Davies as Davies,
    Exact as Exact,
    Lindblad as Lindblad,
    Local as Local,
    Magnus as Magnus,
    Redfield as Redfield,
    Schrodinger as Schrodinger,
    SplitStep as SplitStep,
    microcanonical_master_equation as microcanonical_master_equation,
)
from entropax.model import (
    GOE as GOE,
    GUE as GUE,
    Coupling as Coupling,
    CustomSpectrum as CustomSpectrum,
    Drive as Drive,
    DrudeLorentzSpectrum as DrudeLorentzSpectrum,
    EigenstateThermalization as EigenstateThermalization,
    FermionNetwork as FermionNetwork,
    FlatSpectrum as FlatSpectrum,
    Gibbs as Gibbs,
    Joint as Joint,
    JointState as JointState,
    Jump as Jump,
    Junction as Junction,
    Lead as Lead,
    Observation as Observation,
    OhmicSpectrum as OhmicSpectrum,
    OpenSystem as OpenSystem,
    PowerSpectrum as PowerSpectrum,
    Product as Product,
    RandomBands as RandomBands,
    SuperOhmicSpectrum as SuperOhmicSpectrum,
    TabulatedSpectrum as TabulatedSpectrum,
    ThermalBath as ThermalBath,
    WindowBath as WindowBath,
    pure_start as pure_start,
    with_occupations as with_occupations,
)
from entropax.model.ideal import machines as machines
from entropax.protocol import (
    AbstractProtocol as AbstractProtocol,
    Bounded as Bounded,
    Constant as Constant,
    CubicSpline as CubicSpline,
    Fourier as Fourier,
    Held as Held,
    Periodic as Periodic,
    PiecewiseConstant as PiecewiseConstant,
    PiecewiseLinear as PiecewiseLinear,
    Smooth as Smooth,
)
from entropax.qutip import from_qutip as from_qutip, to_qutip as to_qutip
from entropax.slow_driving import (
    Geodesic as Geodesic,
    geodesic as geodesic,
    resonant_level_metric as resonant_level_metric,
    thermodynamic_metric as thermodynamic_metric,
)
from entropax.solve import RESULTS as RESULTS, Solution as Solution, solve as solve
from entropax.steady import SteadyState as SteadyState, steady_state as steady_state

__version__ = _version("entropax")
