"""What all ledgers share: what an account and a ledger must have."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from entropax.ledger import FAMILIES
from entropax.ledger.base import (
    AbstractAccount,
    AbstractLedger,
    AbstractRecord,
    Verdict,
    about,
    as_table,
    quantity,
)

DOCS = Path(__file__).parents[3] / "docs"


class Silent(AbstractLedger):
    """Has nothing to say."""


class Unsettled(AbstractAccount[Any, Any, Any]):
    """Opens and measures, and goes no further."""

    @classmethod
    def open(cls, initial: Any, model: Any) -> "Unsettled":
        del initial, model
        return cls()

    def measure(self, state: Any) -> Any:
        return state


@pytest.mark.misuse
@pytest.mark.parametrize("kind", [AbstractAccount, AbstractLedger, Silent, Unsettled])
def test_what_leaves_something_out_is_not_made(kind: Any) -> None:
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_every_ledger_says_what_failed() -> None:
    for family in FAMILIES:
        assert issubclass(family.ledger, AbstractLedger)
        assert family.ledger.in_words is not AbstractLedger.in_words


def test_a_verdict_is_masks_of_times_and_then_faults() -> None:
    """`solve` reads it in this order."""
    assert Verdict._fields == (
        "reached",
        "sound",
        "physical",
        "closed",
        "converged",
        "determined",
        "faults",
    )


class Part(AbstractRecord):
    """One quantity inside of another."""

    length: float = quantity("L", r"$\|x\|$", "Euclid", "metre")


class Whole(AbstractRecord):
    """Another beside it."""

    part: Part | None = quantity("", "a part")


def test_what_stands_beside_quantities_and_their_parts() -> None:
    assert about(Whole)["part.length"] == {
        "symbol": "L",
        "meaning": r"$\|x\|$",
        "source": "Euclid",
        "unit": "metre",
    }
    *_, line = as_table(Whole).splitlines()
    assert line == r"| `part.length` | $L$ | $\Vert x\Vert $ | metre | Euclid |"


@pytest.mark.parametrize("page", ["conventions.md", "architecture.md"])
def test_pages_hold_what_the_source_says(page: str) -> None:
    """`make docs` writes them."""
    spec = importlib.util.spec_from_file_location("from_source", DOCS / "from_source.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / page).read_text()
    assert module.written(page, text) == text
