"""What every ledger does: open an account with the start, measure each state, settle it."""

import abc
import dataclasses
import typing
from typing import Any, Generic, NamedTuple, Self, TypeVar, dataclass_transform

import equinox as eqx
from jaxtyping import Array, Bool

from entropax._checks import Faults

StateT = TypeVar("StateT", bound=eqx.Module)
MeasuredT = TypeVar("MeasuredT", bound=eqx.Module)
LedgerT = TypeVar("LedgerT", bound=eqx.Module)


class Verdict(NamedTuple):
    """What holds, one entry a time, and the `faults` of what the states are made with.

    `reached`: the integrator came there; `sound`: all numbers are finite; `physical`: populations
    are not negative and add up to 1; `closed`: the first law holds; `converged`: effective
    equilibria were found; `determined`: temperatures are finite and unique.
    """

    reached: Bool[Array, " times"]
    sound: Bool[Array, " times"]
    physical: Bool[Array, " times"]
    closed: Bool[Array, " times"]
    converged: Bool[Array, " times"]
    determined: Bool[Array, " times"]
    faults: Faults


def quantity(symbol: str, meaning: str, source: str = "", unit: str = "") -> Any:
    """A field of a ledger, with what stands beside it in pictures, tables and files.

    `symbol` in LaTeX; `meaning`: its formula, or what it is; `source`: paper and equation; `unit`:
    of hbar = k_B = 1, where energy, temperature and rate share one.
    """
    about = {"symbol": symbol, "meaning": meaning, "source": source, "unit": unit}
    return eqx.field(metadata=about)


@dataclass_transform(frozen_default=True, field_specifiers=(quantity, eqx.field))
class AbstractRecord(eqx.Module):
    """A class whose fields are quantities."""


def about(kind: type) -> dict[str, dict[str, str]]:
    """What stands beside the quantities of a class (`quantity`), by their names in it.

    Those of its parts by their places, as in `terms.athermality`.
    """
    every: dict[str, dict[str, str]] = {}
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        every[field.name] = dict(field.metadata)
        for part in (hints[field.name], *typing.get_args(hints[field.name])):
            if isinstance(part, type) and issubclass(part, AbstractRecord):
                every |= {f"{field.name}.{name}": x for name, x in about(part).items()}
    return every


def as_table(kind: type) -> str:
    """The quantities of a ledger as a Markdown table: the one of `docs/conventions.md`."""
    lines = ["| `sol.ledger.` | symbol | what it is | unit | source |", "|---|---|---|---|---|"]
    for name, entry in about(kind).items():
        symbol = f"${entry['symbol']}$" if entry["symbol"] else ""
        cells = [f"`{name}`", symbol, entry["meaning"], entry["unit"], entry["source"]]
        # a bar would end the cell
        cells = [cell.replace(r"\|", r"\Vert ").replace("|", r"\vert ") for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


class AbstractAccount(eqx.Module, Generic[StateT, MeasuredT, LedgerT]):
    """The account of a run: what is kept of its start, and what is made of all other states."""

    @classmethod
    @abc.abstractmethod
    def open(cls, initial: Any, model: Any) -> Self:
        """The account of a model that starts in a state."""

    @abc.abstractmethod
    def measure(self, state: StateT) -> MeasuredT:
        """Everything the ledger needs of one state."""

    @abc.abstractmethod
    def settle(self, measured: MeasuredT) -> LedgerT:
        """The ledger of the measurements of all times (times along the first axis)."""

    @abc.abstractmethod
    def judge(self, measured: MeasuredT, ledger: LedgerT) -> Verdict:
        """Whether the measurements of all times can be relied on."""


class AbstractLedger(AbstractRecord):
    """What a run is worth, one entry a time."""

    @abc.abstractmethod
    def in_words(self, index: int) -> str:
        """What there is to say of a time that failed, with numbers: a sentence."""
