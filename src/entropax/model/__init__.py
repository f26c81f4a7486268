"""What is studied: frozen, checked data."""

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
from entropax.model.open_system import Coupling as Coupling, OpenSystem as OpenSystem
from entropax.model.starts import Joint as Joint, Product as Product
from entropax.model.windows import WindowBath as WindowBath
