"""The files that are uploaded: text, so that no preflight has anything against them."""

_LINE = b"2026-11-20,widget,12.50,eur\n"


def make(folder, row, count):
    """Make the sources of a row; returns their folder."""
    made = folder / row.name
    made.mkdir(parents=True, exist_ok=True)
    content = (_LINE * (row.size // len(_LINE) + 1))[: row.size]
    for number in range(count):
        (made / f"{number}.txt").write_bytes(content)
    return made
