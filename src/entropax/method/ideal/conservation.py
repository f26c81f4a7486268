"""What a generator conserves: operators that commute with all of it, blocks that it keeps apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from entropax._tolerances import AS_STATED


class BlockStructure(NamedTuple):
    """Basis states of each block, and for each jump the block that it takes each block to, -1 where
    it annihilates it.
    """

    members: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...]


def conserved(hamiltonian: np.ndarray, operators: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Hermitian operators that commute with H, all jumps and their adjoints, less the identity.

    A steady state without empty states is unique if and only if there is none (Spohn 1977,
    Frigerio 1978). Looked for among what commutes with H: O(d^3 + n^3) for n pairs of eigenstates
    of one energy.
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    level = np.abs(energies[:, None] - energies[None, :]) <= AS_STATED * max(
        np.ptp(energies), 1e-300
    )
    i, j = np.nonzero(level)
    gram = np.zeros((i.size, i.size), complex)
    scale = 0.0
    for operator in operators:
        a = vectors.conj().T @ operator @ vectors
        for b in (a, a.conj().T):
            # <[B, E_ij], [B, E_kl]> with E_ij = |i><j|
            left, right = b.conj().T @ b, b @ b.conj().T
            same_i, same_j = i[:, None] == i[None, :], j[:, None] == j[None, :]
            gram += np.where(same_j, left[i[:, None], i[None, :]], 0.0)
            gram += np.where(same_i, right[j[None, :], j[:, None]], 0.0)
            cross = b.conj().T[i[:, None], i[None, :]] * b[j[None, :], j[:, None]]
            gram -= cross + cross.conj().T
            scale = max(scale, float(np.max(np.abs(b))) ** 2)
    values, vectors_of_gram = np.linalg.eigh(gram)
    kept = []
    identity = np.eye(len(energies)) / np.sqrt(len(energies))
    for column in vectors_of_gram[:, values <= AS_STATED * max(scale, 1e-300)].T:
        matrix = np.zeros_like(hamiltonian, dtype=complex)
        matrix[i, j] = column
        for part in (matrix + matrix.conj().T, 1j * (matrix - matrix.conj().T)):
            for earlier in (identity, *kept):
                part = part - np.vdot(earlier, part) * earlier
            size = np.linalg.norm(part)
            if size > 1e-6:
                kept.append(part / size)
    return [vectors @ part @ vectors.conj().T for part in kept]


def blocks_of(hamiltonian: np.ndarray, jumps: Sequence[np.ndarray]) -> BlockStructure | None:
    """Blocks of basis states that H keeps apart and each jump takes whole to another; None for one.

    A state without coherences between blocks then stays so, and a unique steady state has none.
    """
    label = _components(np.abs(hamiltonian) > 0)
    member = label[None, :] == np.arange(label.max() + 1)[:, None]
    if len(member) == 1:
        return None
    targets = []
    for jump in jumps:
        reaches = member.astype(float) @ (np.abs(jump) > 0) @ member.T > 0
        if np.any(np.sum(reaches, axis=0) > 1):
            return None
        place = np.where(np.any(reaches, axis=0), np.argmax(reaches, axis=0), -1)
        targets.append(tuple(map(int, place)))
    members = tuple(tuple(map(int, np.flatnonzero(row))) for row in member)
    return BlockStructure(members, tuple(targets))


def _components(linked: np.ndarray) -> np.ndarray:
    """A number for each state, alike for states that are connected."""
    label = np.full(len(linked), -1)
    for first in range(len(linked)):
        if label[first] >= 0:
            continue
        front, number = np.array([first]), label.max() + 1
        while front.size:
            label[front] = number
            front = np.flatnonzero(np.any(linked[front], axis=0) & (label < 0))
    return label
