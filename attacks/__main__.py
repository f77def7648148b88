"""Run every attack, or those whose names are given, and print the table: `make attack`, `make attack ARGS=ffuf`."""

import sys
from collections.abc import Callable

from attacks import canary, fuzzing, guessing, scanners, timing
from attacks.report import Outcome, table

ATTACKS: dict[str, Callable[[], Outcome]] = {
    "canary": canary.run,
    "guessing": guessing.run,
    "hydra": scanners.hydra,
    "sqlmap": scanners.sqlmap,
    "wapiti": scanners.wapiti,
    "ffuf": scanners.ffuf,
    "slow": scanners.slow,
    "fuzzing": fuzzing.run,
    "timing": timing.run,
}


def main(names: list[str]) -> int:
    """Run attacks one after the other; return 1 when anything was found."""
    if unknown := [name for name in names if name not in ATTACKS]:
        print(f"There is no attack called {', '.join(unknown)}; there are {', '.join(ATTACKS)}.", file=sys.stderr)
        return 2
    outcomes = []
    for name in names or list(ATTACKS):
        print(f"{name} …", file=sys.stderr, flush=True)
        outcomes.append(ATTACKS[name]())
    print(table(outcomes))
    print("schemathesis attacks the API along its document in tests/web/test_api_fuzz.py, which `make test` runs")
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
