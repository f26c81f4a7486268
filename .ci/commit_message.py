"""Refuse a commit message whose first line is too long or not in the imperative.

What the line says is not understood: its first word is looked at, and that a blank line follows.
"""

import re
import sys
from pathlib import Path

LONGEST = 72
# "Added", "Adds", "Adding"; not "Pass", "Address", "Bring", "Embed", "Need", "Feed"
NOT_IMPERATIVE = re.compile(r"\w+[^aeiou\W]ed|\w{2,}ing|\w+[^su]s", re.IGNORECASE)
IMPERATIVE = {"bring", "string", "embed", "shed", "bias", "alias"}


def complaints(message: str) -> list[str]:
    """What is wrong with a message, in words."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return []
    wrong = []
    if not subject:
        wrong.append("the first line is empty")
    if len(subject) > LONGEST:
        wrong.append(f"the first line has {len(subject)} characters, of at most {LONGEST}")
    word = (subject.split() or [""])[0].lower()
    if word and (not word.isalpha() or (NOT_IMPERATIVE.fullmatch(word) and word not in IMPERATIVE)):
        wrong.append(f"the first line should begin with a verb in the imperative, not {word!r}")
    if subject.endswith("."):
        wrong.append("the first line ends with a full stop")
    if len(lines) > 1 and lines[1]:
        wrong.append("a blank line should follow the first one")
    return wrong


if __name__ == "__main__":
    told = complaints(Path(sys.argv[1]).read_text())
    print("\n".join(f"commit message: {line}" for line in told), file=sys.stderr)
    sys.exit(bool(told))
