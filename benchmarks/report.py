"""Medians, spreads and ratios; as a table for people, as JSON for programs, and as the few lines in README.md."""

import re
import statistics

from .clients import CLIENTS, FLOORS
from .rows import PASSES, ROWS

_UNITS = {"wall": 1000, "cpu": 1000, "rss": 1, "stall": 1}


def _summary(costs):
    found = {}
    for what, factor in _UNITS.items():
        values = [cost[what] * factor for cost in costs if what in cost]
        if values:
            found[what] = {
                "median": statistics.median(values), "low": min(values), "high": max(values), "passes": values,
            }  # fmt: skip
    return found


def summaries(costs):
    """Scheme -> row -> client -> what is measured -> median, low, high, and each pass. Milliseconds and MiB."""
    return {
        scheme: {row: {name: _summary(all_) for name, all_ in clients.items()} for row, clients in rows.items()}
        for scheme, rows in costs.items()
    }


def ratio(clients, name, other, what="wall"):
    """How many times as long ``other`` takes as ``name``; None if one is missing.

    The median of the ratios of each pass: in between, the machine may have become twice as fast.
    """
    if what not in clients.get(name, {}) or what not in clients.get(other, {}):
        return None
    pairs = zip(clients[other][what]["passes"], clients[name][what]["passes"], strict=False)  # one may have failed
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(clients, name):
    summary = clients[name]
    cells = [CLIENTS[name][2]]
    wall = summary["wall"]
    cells.append(_number(wall["median"]))
    cells.append(f"{_number(wall['low'])} to {_number(wall['high'])}")
    cells += [_number(summary[what]["median"]) if what in summary else "" for what in ("cpu", "rss", "stall")]
    cells.append(_number(ratio(clients, name, "official")))
    cells += [_number(ratio(clients, "bare", name, what)) for what in ("wall", "cpu")]
    return "| " + " | ".join(cells) + " |"


_HEAD = (
    "| client | wall, ms | spread | CPU, ms | peak RSS, MiB | worst loop stall, ms "
    "| times as fast as official | time ÷ floor | CPU ÷ floor |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def _table(row, clients, quick):
    title = ROWS[row].title.format(count=ROWS[row].times(quick=quick))
    lines = [_line(clients, name) for name in CLIENTS if name in clients]
    return "\n".join([f"### {row}: {title}", "", _HEAD, *lines, ""])


def _overview(summary):
    """The ratios alone: rows down, clients across."""
    names = [n for n in CLIENTS if n != "official"]
    lines = [
        "| | " + " | ".join(CLIENTS[n][2] for n in names) + " | ours ÷ floor | ours ÷ floor, CPU |",
        "|---|" + "--:|" * (len(names) + 2),
    ]
    for row, clients in summary.items():
        if clients:
            cells = [_number(ratio(clients, n, "official")) for n in names] + [
                _number(ratio(clients, "bare", "ours", what)) for what in ("wall", "cpu")
            ]
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


_CAVEAT = (
    "The floor is a few lines on aiohttp that prove nothing, retry nothing and report nothing. "
    "Ratios travel; absolute numbers do not. `import openrouter_files` imports nothing yet: "
    "what that saves is paid in first_call."
)


def _preamble(about):
    machine, versions = about["machine"], ", ".join(f"{k} {v}" for k, v in about["versions"].items())
    passes = "" if about["quick"] else f", {PASSES} passes each (list: {ROWS['list'].passes}; what takes long: one)"
    return (
        f"{about['rounds']} interleaved rounds{passes}; a new process per measurement; medians, and of ratios the "
        f"medians of those of each pass. Server: {about['server']} on loopback, another process. "
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"load {machine['load'][0]} at the end. {versions}."
    )


def markdown(result):
    """The whole report."""
    about = result["about"]
    parts = [f"# Benchmarks, {about['date']}", _preamble(about), _CAVEAT]
    for scheme, rows in result["summary"].items():
        parts += [f"## {scheme.upper()}: how many times as fast as the official SDK", _overview(rows)]
    if result.get("bulk"):
        parts += ["## Bulk: uploads of 4 KiB over HTTP", _bulk_table(result["bulk"])]
    for scheme, rows in result["summary"].items():
        parts.append(f"## {scheme.upper()} in detail")
        parts += [_table(row, clients, about["quick"]) for row, clients in rows.items() if clients]
    for (scheme, row, name), why in result["failures"].items():
        parts.append(f"{name} failed at {row} over {scheme}: `{why.splitlines()[-1]}`")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _bulk_table(rows):
    lines = [
        "| files | at once | files/s | CPU per file, ms | peak RSS, MiB | above idle, MiB | worst loop stall, ms |"
    ]
    lines.append("|--:|--:|--:|--:|--:|--:|--:|")
    return "\n".join([*lines, *map(_bulk_line, rows)])


def _bulk_line(row):
    count, above = row["count"], row["rss"] - row["rss_before"]
    return (
        f"| {count:,} | {row['concurrency']} | {count / row['wall']:,.0f} | {row['cpu'] * 1000 / count:.2f} "
        f"| {row['rss']:.0f} | {above:.1f} | {row['stall']:.0f} |"
    )


_README = re.compile(r"(?<=<!-- benchmarks -->\n).*?(?=<!-- /benchmarks -->)", re.DOTALL)
# Importing us imports nothing yet: the row would flatter us, and first_call says what it really costs.
_NOT_IN_README = {"import"}


def in_readme(text, result):
    """The text of README.md with the table of this result between its marks."""
    if not _README.search(text):
        raise ValueError("there are no marks <!-- benchmarks --> and <!-- /benchmarks -->")
    return _README.sub(lambda _: _brief(result), text)


def _brief(result):
    about, schemes = result["about"], result["summary"]
    rows = [row for row in ROWS if row not in _NOT_IN_README and any(rows.get(row) for rows in schemes.values())]
    names = [name for name in CLIENTS if name != "official"]
    measured = f"medians of {about['rounds']} rounds on {about['machine']['cores']} cores, {about['date'][:10]}"
    lines = [
        f"How many times as fast as the official SDK, over {' / '.join(map(str.upper, schemes))}; {measured}.",
        "",
        f"| | {' | '.join(CLIENTS[name][2] for name in names)} | our time ÷ floor |",
        "|---|" + "--:|" * (len(names) + 1),
        *(_brief_line(schemes, row, names, quick=about["quick"]) for row in rows),
        "",
        *_where_not_first(schemes, rows, quick=about["quick"]),
    ]
    return "\n".join(lines) + "\n"


def _title(row, *, quick):
    return ROWS[row].title.format(count=ROWS[row].times(quick=quick))


def _brief_line(schemes, row, names, *, quick):
    def cell(name, other):
        numbers = [_number(ratio(rows.get(row, {}), name, other)) for rows in schemes.values()]
        return " / ".join(numbers) if any(numbers) else ""

    cells = [cell(name, "official") for name in names] + [cell("bare", "ours")]
    return f"| {_title(row, quick=quick)} | {' | '.join(cells)} |"


def _where_not_first(schemes, rows, *, quick):
    """What an honest table says in words: where another SDK is faster, and how often those are who promise nothing."""
    sdks = [name for name in CLIENTS if not name.startswith("ours") and name not in FLOORS]
    slower = [
        f"{_title(row, quick=quick)} ({scheme.upper()})"
        for row in rows
        for scheme, clients in schemes.items()
        if any(_beats(clients.get(row, {}), sdk) for sdk in sdks)
    ]
    measured = [clients[row] for clients in schemes.values() for row in rows if "ours" in clients.get(row, {})]
    floor, curl = (sum(_beats(clients, name) for clients in measured) for name in ("bare", "curl"))
    yield f"Slower than another SDK: {', '.join(slower) or 'nowhere'}. The floor, which proves, retries and reports"
    yield f"nothing, is faster in {floor} of {len(measured)} measurements, curl in {curl}."


def _beats(clients, other):
    """Whether another client was faster than ours."""
    return (ratio(clients, other, "ours") or 0) > 1
