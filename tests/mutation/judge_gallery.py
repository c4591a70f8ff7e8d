"""Judge the kept evidence of the gallery again, without a database; exit code 1, and the first case that is not as documented.

    python judge_gallery.py DIRECTORY

Run by `mutate.py`, with one rule of the judge changed.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

GALLERY = Path(__file__).parents[1] / "integration"
sys.path.extend([str(GALLERY), str(GALLERY / "gallery")])

from every import ALL, LINTED  # noqa: E402


def main() -> int:
    kept = Path(sys.argv[1])
    answers = {case.name: expected for case, expected in LINTED}
    cases = [*ALL, *(dataclasses.replace(case, proof="changed") for case in ALL)]
    judged = 0
    for case in cases:
        directory = kept / case.slug
        if not directory.is_dir():
            continue
        judged += 1
        record = case.judge(str(directory))
        found = {claim["rule"]: claim["answer"] for claim in record["squawk"]["claims"]}
        expected = answers.get(case.name, {})
        differences = case.differences(record) or ("" if {rule: found.get(rule, "") for rule in expected} == expected else f"{case.name}: {found}")
        if differences:
            print(differences.splitlines()[0])
            return 1
    # Fewer would mean that the evidence was not kept.
    assert judged >= len(ALL), f"{judged} of {len(ALL)} cases have evidence in {kept}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
