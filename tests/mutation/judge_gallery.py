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

import data  # noqa: E402
import expecting  # noqa: E402
import failing  # noqa: E402
import good  # noqa: E402
import linted  # noqa: E402
import locks  # noqa: E402
import structure  # noqa: E402
import way_back  # noqa: E402


def main() -> int:
    kept = Path(sys.argv[1])
    answers = {case.name: expected for case, expected in linted.CASES}
    alone = [case for module in (failing, data, way_back, structure, locks, expecting, good) for case in module.CASES]
    cases = [*alone, *(case for case, _answers in linted.CASES), *(dataclasses.replace(case, proof="changed") for case in alone)]
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
    assert judged >= len(alone), f"{judged} of {len(alone)} cases have evidence in {kept}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
