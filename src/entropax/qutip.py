"""Operators and states from QuTiP and back (needs QuTiP: the extra `compare`)."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from entropax._checks import Numbers


def from_qutip(quantum: Any) -> Inexact[Array, "..."]:
    """The matrix of a QuTiP operator; of a ket or bra, the density matrix of its state.

    Tensor structure is dropped: kron order is QuTiP's. Raises `ValueError` for superoperators.
    """
    if not hasattr(quantum, "full") or not hasattr(quantum, "type"):
        raise ValueError(f"`quantum` must be a qutip.Qobj, but is {type(quantum).__name__}.")
    if quantum.type in ("ket", "bra"):
        vector = np.asarray(quantum.full()).ravel()
        vector = vector if quantum.type == "ket" else vector.conj()
        return jnp.asarray(_real(np.outer(vector, vector.conj())))
    if quantum.type != "oper" or quantum.shape[0] != quantum.shape[1]:
        kind = f"{quantum.type} of shape {quantum.shape}"
        raise ValueError(f"`quantum` must be a square operator, a ket or a bra, but is {kind}.")
    return jnp.asarray(_real(np.asarray(quantum.full())))


def to_qutip(matrix: Numbers, dims: Sequence[int] | None = None) -> Any:
    """A square matrix as a `qutip.Qobj`; a stack of them, as of times, as a list.

    **Arguments:** `dims`: dimensions of the parts, None for one part.
    """
    try:
        import qutip
    except ImportError as error:
        raise ImportError("QuTiP is missing: pip install 'entropax[compare]'.") from error
    array = np.asarray(matrix)
    if array.ndim > 2:
        return [to_qutip(one, dims) for one in array]
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"`matrix` must be square, but has shape {array.shape}.")
    parts = [array.shape[0]] if dims is None else np.atleast_1d(dims).tolist()
    if int(np.prod(parts)) != array.shape[0]:
        raise ValueError(f"`dims` must multiply to {array.shape[0]}, but are {parts}.")
    return qutip.Qobj(array, dims=[parts, parts])


def _real(matrix: Any) -> Any:
    """The matrix, as a real array where nothing is imaginary: that halves later work."""
    return matrix if np.any(matrix.imag) else matrix.real
