"""What is measured: each row is the same work for every client. No imports: it must not count."""

KIB, MIB = 1024, 1024 * 1024

SMALL, MID, BIG = 4 * KIB, 8 * MIB, 100 * MIB
PAGE = 1000


# Everything is measured so often per round: the clock of a shared machine jumps by a factor of two.
PASSES = 3


class Row:
    """One kind of work: ``count`` things of ``size`` bytes each, ``concurrency`` at once; ``passes`` per round."""

    def __init__(self, name, title, *, count=1, size=0, concurrency=1, quick=None, passes=PASSES):
        self.name, self.title = name, title
        self.count, self.size, self.concurrency = count, size, concurrency
        self.quick_count = count if quick is None else quick
        self.passes = passes

    def times(self, *, quick):
        """How many things to do."""
        return self.quick_count if quick else self.count


ROWS = {
    row.name: row
    for row in (
        Row("import", "import in a new process"),
        Row("first_call", "import, make a client, one retrieve"),
        Row("small_up", "{count:,} uploads of 4 KiB, 32 at once", count=2000, size=SMALL, concurrency=32, quick=200),
        Row("mid_up", "{count} uploads of 8 MiB, 8 at once", count=16, size=MID, concurrency=8, quick=8),
        Row("big_up", "one upload of 100 MiB", size=BIG),
        Row("big_down", "one download of 100 MiB to disk", size=BIG),
        Row("many_down", "{count} downloads of 8 MiB to disk, 32 at once", count=32, size=MID, concurrency=32, quick=8),
        Row("retrieve", "{count:,} retrieves, 32 at once", count=2000, concurrency=32, quick=200),
        # It takes 35 ms: of three passes, two may be those in which the clock was half as fast.
        Row("list", "{count:,} files listed in pages of 1,000", count=20_000, quick=2000, passes=9),
    )
}
