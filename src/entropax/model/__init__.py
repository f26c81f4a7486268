"""What is studied: frozen, checked data, in a room for each family of models."""

from entropax.model.coupling import Coupling as Coupling, Drive as Drive, Jump as Jump
from entropax.model.fermions import (
    FermionNetwork as FermionNetwork,
    Junction as Junction,
    Lead as Lead,
    pure_start as pure_start,
    with_occupations as with_occupations,
)
from entropax.model.ideal import (
    CustomSpectrum as CustomSpectrum,
    DrudeLorentzSpectrum as DrudeLorentzSpectrum,
    FlatSpectrum as FlatSpectrum,
    OhmicSpectrum as OhmicSpectrum,
    PowerSpectrum as PowerSpectrum,
    SuperOhmicSpectrum as SuperOhmicSpectrum,
    TabulatedSpectrum as TabulatedSpectrum,
    ThermalBath as ThermalBath,
)
from entropax.model.open_system import OpenSystem as OpenSystem
from entropax.model.starts import (
    Gibbs as Gibbs,
    Joint as Joint,
    JointState as JointState,
    Product as Product,
)
from entropax.model.windows import (
    GOE as GOE,
    GUE as GUE,
    AbstractCouplingMatrix as AbstractCouplingMatrix,
    EigenstateThermalization as EigenstateThermalization,
    Observation as Observation,
    RandomBands as RandomBands,
    WindowBath as WindowBath,
)
