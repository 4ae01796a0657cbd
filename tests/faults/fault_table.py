"""The table of all scenarios; run as a program, it prints them by outcome, as Markdown."""

from collections import Counter

import fault_claims
import fault_downloads
import fault_reads
import fault_refusals
import fault_uploads

ROWS = [*fault_uploads.ROWS, *fault_refusals.ROWS, *fault_claims.ROWS, *fault_reads.ROWS, *fault_downloads.ROWS]


def _requests(row):
    return ", ".join(f"{operation} {count}" for operation, count in row.requests.items()) or "none"


def _disk(row):
    return ", ".join(f"{name}: {len(data):,} bytes" for name, data in row.disk.items()) or "-"


def markdown():
    """Return the scenarios by outcome: how many there are of each, then each with what is expected."""
    counts = Counter(row.outcome for row in ROWS)
    lines = ["| outcome | scenarios |", "| --- | ---: |"]
    lines += [f"| {outcome} | {count} |" for outcome, count in counts.most_common()]
    lines += [f"| **all** | **{len(ROWS)}** |"]
    for outcome, _ in counts.most_common():
        lines += [
            "",
            f"### {outcome}",
            "",
            "| scenario | requests | copies stored | on disk |",
            "| --- | --- | ---: | --- |",
        ]
        for row in ROWS:
            if row.outcome == outcome:
                name = f"{row.name} (today red: {row.xfail})" if row.xfail else row.name
                lines.append(f"| {name} | {_requests(row)} | {row.stored} | {_disk(row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
