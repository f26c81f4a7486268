"""States that a Hamiltonian connects, found before its matrix is made."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Self

import jax
import numpy as np

from entropax._checks import is_traced
from entropax.model.views import WindowSystem, connected, window_links

Block = tuple[int, ...]
"""(k, window of the first bath, window of the second, ...)."""


@dataclasses.dataclass(frozen=True)
class Sector:
    """States that H connects: blocks (k, windows), one after the other, levels in each.

    `filled`: the blocks that the start may fill.
    """

    blocks: tuple[Block, ...]
    filled: tuple[Block, ...]
    shape: tuple[int, ...]
    volumes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, model: WindowSystem, blocks: tuple[Block, ...], filled: tuple[Block, ...]) -> Self:
        volumes = tuple(bath.volumes for bath in model.baths)
        shape = (model.levels, *(bath.windows for bath in model.baths))
        return cls(blocks, filled, shape, volumes)

    @property
    def spans(self) -> dict[Block, slice]:
        """Where each block lies."""
        ends = np.cumsum([0, *map(self._block_size, self.blocks)])
        return {
            block: slice(int(a), int(b))
            for block, a, b in zip(self.blocks, ends[:-1], ends[1:], strict=True)
        }

    @property
    def size(self) -> int:
        return sum(map(self._block_size, self.blocks))

    @property
    def columns(self) -> np.ndarray:
        """The states that the start may fill."""
        spans = self.spans
        return np.concatenate([np.arange(*spans[b].indices(self.size)) for b in self.filled])

    @property
    def level(self) -> np.ndarray:
        """k of each state."""
        return np.concatenate([np.full(self._block_size(block), block[0]) for block in self.blocks])

    @property
    def place(self) -> list[np.ndarray]:
        """For each bath, the level that it is in."""
        columns = []
        for block in self.blocks:
            ranges = []
            for volumes, window in zip(self.volumes, block[1:], strict=True):
                first = sum(volumes[:window])
                ranges.append(np.arange(first, first + volumes[window]))
            grid = np.meshgrid(*ranges, indexing="ij")
            columns.append(np.stack([axis.ravel() for axis in grid]))
        return list(np.concatenate(columns, axis=1))

    @property
    def bath_state(self) -> np.ndarray:
        """Index of the joint state of all baths."""
        return np.ravel_multi_index(tuple(self.place), [sum(v) for v in self.volumes])

    @property
    def partners(self) -> np.ndarray:
        """[k, s]: the state of level k beside the baths' state of state s; -1 where that lies in
        another sector.
        """
        table = np.full((self.shape[0], int(np.prod([sum(v) for v in self.volumes]))), -1)
        table[self.level, self.bath_state] = np.arange(self.size)
        return table[:, self.bath_state]

    def _block_size(self, block: Block) -> int:
        return int(np.prod([v[w] for v, w in zip(self.volumes, block[1:], strict=True)]))


def find_sectors(model: WindowSystem) -> tuple[Sector, ...]:
    """Blocks that H connects, those groups of them where the start has weight.

    Energies and strengths play no part, so that driving them leaves the sectors as they are.
    """
    shape = (model.levels, *(bath.windows for bath in model.baths))
    blocks = list(itertools.product(*map(range, shape)))
    group = _groups(model, blocks)
    weight = _start_weight(model, shape)
    members_of: dict[int, list[Block]] = {}
    for block in blocks:
        members_of.setdefault(group[block], []).append(block)
    return tuple(
        Sector.of(model, tuple(members), filled)
        for members in members_of.values()
        if (filled := tuple(m for m in members if weight[m] > 0))
    )


def _groups(model: WindowSystem, blocks: list[Block]) -> dict[Block, int]:
    group = {block: i for i, block in enumerate(blocks)}
    links = [
        (connected(model, link.operator), link.matrix.connects(link.bath), link.number)
        for link in window_links(model)
    ]
    operators = [drive.operator for drive in model.drives]
    if model.interaction is not None:
        operators.append(model.interaction)
    alone = [connected(model, operator) for operator in operators]

    def partners(block: Block) -> Iterator[Block]:
        for operator in alone:
            for k in np.flatnonzero(operator[block[0]]):
                yield (int(k), *block[1:])
        for operator, windows, number in links:
            for k in np.flatnonzero(operator[block[0]]):
                for w in np.flatnonzero(windows[block[1 + number]]):
                    yield (int(k), *block[1 : 1 + number], int(w), *block[2 + number :])

    for block in blocks:
        for partner in partners(block):
            old, new = group[partner], group[block]
            if old != new:
                group = {b: new if g == old else g for b, g in group.items()}
    return group


def _start_weight(model: WindowSystem, shape: tuple[int, ...]) -> np.ndarray:
    """Weight of the start in each block, 1 where it is not known before the program runs."""
    with jax.ensure_compile_time_eval():
        start = model.start.on_windows(model)
    if is_traced(start):
        return np.ones(shape)
    weight = np.asarray(start)
    if model.start.is_diagonal:
        return weight
    weight = np.moveaxis(np.real(np.diagonal(weight)), -1, 0)
    # coherences need all levels beside a filled window
    return np.broadcast_to(np.sum(weight, axis=0), shape)
