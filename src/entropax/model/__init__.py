"""What is studied: frozen, checked data."""

from entropax.model import machines as machines
from entropax.model.coupling import Coupling as Coupling, Drive as Drive, Jump as Jump
from entropax.model.junction import (
    Junction as Junction,
    pure_start as pure_start,
    with_occupations as with_occupations,
)
from entropax.model.lead import Lead as Lead
from entropax.model.matrices import (
    GOE as GOE,
    GUE as GUE,
    AbstractCouplingMatrix as AbstractCouplingMatrix,
    EigenstateThermalization as EigenstateThermalization,
    RandomBands as RandomBands,
)
from entropax.model.network import FermionNetwork as FermionNetwork
from entropax.model.observation import Observation as Observation
from entropax.model.open_system import OpenSystem as OpenSystem
from entropax.model.spectra import (
    CustomSpectrum as CustomSpectrum,
    DrudeLorentzSpectrum as DrudeLorentzSpectrum,
    FlatSpectrum as FlatSpectrum,
    OhmicSpectrum as OhmicSpectrum,
    PowerSpectrum as PowerSpectrum,
    SuperOhmicSpectrum as SuperOhmicSpectrum,
    TabulatedSpectrum as TabulatedSpectrum,
)
from entropax.model.starts import Gibbs as Gibbs, Joint as Joint, Product as Product
from entropax.model.thermal import ThermalBath as ThermalBath
from entropax.model.windows import WindowBath as WindowBath
