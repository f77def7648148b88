"""What an attack came to, and the table of all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

HEADINGS = ("ATTACK", "REQUESTS", "FINDINGS", "WRONG 2XX", "500S", "LEAKS")


@dataclass
class Outcome:
    """What one attack sent, and what it found; `notes` are figures that are no findings."""

    attack: str
    requests: int = 0
    findings: list[str] = field(default_factory=list)
    wrong_2xx: int = 0
    errors: int = 0
    leaks: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.findings or self.wrong_2xx or self.errors or self.leaks)

    def row(self) -> tuple[str, ...]:
        """Return the attack's line of the table."""
        numbers = (self.requests, len(self.findings), self.wrong_2xx, self.errors, self.leaks)
        return (self.attack, *map(str, numbers))


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the table of attacks, and under it what they found and measured."""
    found = list(outcomes)
    lines = [f"{cells[0]:34}" + "".join(f"{cell:>11}" for cell in cells[1:])
             for cells in (HEADINGS, *(one.row() for one in found))]  # fmt: skip
    for one in found:
        lines += [f"{one.attack}: FINDING: {text}" for text in one.findings]
        lines += [f"{one.attack}: {text}" for text in one.notes]
    return "\n".join(lines)
