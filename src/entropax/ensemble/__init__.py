"""Many draws, many models: chunks, devices, hosts, and a store that survives."""

from entropax.ensemble.processes import Share as Share
from entropax.ensemble.result import Ensemble as Ensemble, Scan as Scan
from entropax.ensemble.run import (
    ensemble as ensemble,
    open_ensemble as open_ensemble,
    scan as scan,
)
from entropax._files import StoreError as StoreError
