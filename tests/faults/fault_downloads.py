"""Downloads that break: they go on, start over, or end in a typed error; never in wrong bytes."""

import errno
import resource
import signal
from contextlib import contextmanager

from fault_calls import iterate, iterate_slowly, made, made_over_old, read, read_known, save, save_into_folder
from fault_raw import chunked, content, gone, head, said, says, trickle
from fault_world import (
    MADE,
    OLD,
    PLAIN,
    PROVEN,
    REPEATED,
    RESTARTED,
    RESUMED,
    SHORT,
    UNTOUCHED,
    Row,
)

from openrouter_files import (
    APIError,
    BadRequestError,
    IncompleteDownloadError,
    InternalServerError,
    NotFoundError,
    TransportError,
)
from openrouter_files.emulator import Drop, Stall, Status, Trickle, Truncate

_SIZE = len(MADE)
_OTHER = bytes(255 - byte for byte in MADE)
WHOLE = {"made.bin": MADE}
LEFT_OLD = {"made.bin": OLD}

# How the bytes are asked for, and what is on disk if all goes well.
WAYS = [("read", read, made, {}), ("iterated", iterate, made, {}), ("saved", save(), made_over_old, WHOLE)]
TWO_WAYS = [WAYS[0], WAYS[2]]


def _ends(name, how, acts, *, ways=TWO_WAYS, count=None, failed=False, **more):
    """One row for each way to download: the last of ``acts`` serves, or fails."""
    requests = {"download": len(acts) if count is None else count} | more.pop("besides", {})
    return [
        Row(
            name=f"{way}: {name}",
            call=call,
            how=how,
            before=before,
            acts={"download": tuple(acts)},
            requests=requests,
            stored=1,
            disk=LEFT_OLD if failed and before is made_over_old else disk if not failed else {},
            **more,
        )
        for way, call, before, disk in ways
    ]


def _rows(groups):
    return [row for group in groups for row in group]


# It breaks off once

_BREAKS = [("byte 0", 0), ("byte 1", 1), ("the middle", _SIZE // 2), ("the last byte", _SIZE - 1)]
_TAG = '"version-1"'

GOES_ON = _rows(
    _ends(f"broken at {where}, {what}", how, acts, ways=WAYS, asked=(False, is_part and stop > 0))
    for where, stop in _BREAKS
    for what, how, is_part, acts in [
        (
            "server with ranges and ETag",
            RESUMED if stop else REPEATED,
            True,
            [content(MADE, ranges=True, etag=_TAG, stop=stop), content(MADE, ranges=True, etag=_TAG)],
        ),
        (
            "server with Accept-Ranges only",
            RESUMED if stop else REPEATED,
            True,
            [content(MADE, ranges=True, stop=stop), content(MADE, ranges=True)],
        ),
        (
            "server without ranges",
            RESTARTED if stop else REPEATED,
            False,
            [content(MADE, stop=stop), content(MADE)],
        ),
        (
            "server with a weak ETag",
            RESTARTED if stop else REPEATED,
            False,
            [content(MADE, etag='W/"1"', stop=stop), content(MADE, etag='W/"1"')],
        ),
    ]
)

HALF = content(MADE, ranges=True, etag=_TAG, stop=_SIZE // 2)
HALF_UNTAGGED = content(MADE, ranges=True, stop=_SIZE // 2)
HALF_PLAIN = content(MADE, stop=_SIZE // 2)
_PART = f"bytes {_SIZE // 2}-{_SIZE - 1}/{_SIZE}"

SECOND_ANSWERS = _rows(
    [
        _ends("broken, then the ETag has changed", IncompleteDownloadError,
              [HALF, content(_OTHER, etag='"version-2"')], failed=True),
        _ends("broken, then a part with another ETag", IncompleteDownloadError,
              [HALF, content(_OTHER, ranges=True, etag='"version-2"')], failed=True),
        _ends("broken, then a part that starts elsewhere", IncompleteDownloadError,
              [HALF, content(MADE, ranges=True, etag=_TAG, content_range=f"bytes 7-{_SIZE - 1}/{_SIZE}")], failed=True),
        _ends("broken, then a part of another total", IncompleteDownloadError,
              [HALF, content(MADE, ranges=True, etag=_TAG,
                             content_range=f"bytes {_SIZE // 2}-{_SIZE}/{_SIZE + 1}")], failed=True),
        _ends("broken, then a part without Content-Range", IncompleteDownloadError,
              [HALF, content(MADE[_SIZE // 2 :], status=206)], failed=True),
        _ends("broken, then a part whose Content-Range is nonsense", IncompleteDownloadError,
              [HALF, content(MADE, ranges=True, etag=_TAG, content_range="bytes half")], failed=True),
        _ends("broken, then a part of an unknown total", RESUMED,
              [HALF, content(MADE, ranges=True, etag=_TAG, content_range=f"bytes {_SIZE // 2}-{_SIZE - 1}/*")]),
        _ends("broken, then a part that is shorter than the rest", IncompleteDownloadError,
              [HALF, content(MADE[:-9], ranges=True, etag=_TAG, content_range=_PART)], failed=True),
        _ends("broken, then a part that is longer than the rest", IncompleteDownloadError,
              [HALF, content(MADE + b"more", ranges=True, etag=_TAG, content_range=_PART)], failed=True),
        _ends("broken, then 416, then all of it", RESTARTED,
              [HALF, says(said(b"", 416, content_range=f"bytes */{_SIZE}")), content(MADE)],
              asked=(False, True, False)),
        _ends("broken, then 416 to everything", APIError,
              [HALF, says(said(b"", 416)), says(said(b"", 416))], failed=True, error={"status": 416}),
        _ends("broken, then 200 to a range request", RESTARTED, [HALF_UNTAGGED, content(MADE)], asked=(False, True)),
        _ends("broken, then 200 to a range request, shorter", IncompleteDownloadError,
              [HALF_UNTAGGED, content(MADE[:-1])], failed=True),
        _ends("broken, then 200 to a range request, longer", IncompleteDownloadError,
              [HALF_UNTAGGED, content(MADE + b"x")], failed=True),
        _ends("broken without ranges, then 206", IncompleteDownloadError,
              [HALF_PLAIN, content(MADE, status=206, content_range=_PART)], failed=True),
        _ends("broken, then compressed as a part", IncompleteDownloadError,
              [HALF, content(MADE, ranges=True, gzip=True, etag=_TAG)], failed=True),
        _ends("broken, then compressed and from the start", IncompleteDownloadError,
              [HALF, content(MADE, gzip=True)], failed=True),
        _ends("broken, then 500, then the rest", RESUMED,
              [HALF, says(said(b"", 500)), content(MADE, ranges=True, etag=_TAG)], asked=(False, True, True)),
        _ends("broken, then a reset, then the rest", RESUMED,
              [HALF, says(b"HTTP/1.1 2"), content(MADE, ranges=True, etag=_TAG)], asked=(False, True, True)),
        _ends("broken, then 404: it was deleted meanwhile", NotFoundError,
              [HALF, says(said(b"{}", 404))], failed=True),
        _ends("broken, then 500 for ever", InternalServerError,
              [HALF, *[says(said(b"", 500))] * 3], failed=True, error={"attempts": 4}),
        _ends("broken, then 204", IncompleteDownloadError, [HALF, says(head(204))], failed=True),
        _ends("broken and reset, then the rest", RESUMED,
              [content(MADE, ranges=True, etag=_TAG, stop=_SIZE // 2, end="reset"),
               content(MADE, ranges=True, etag=_TAG)], ways=WAYS, asked=(False, True)),
        _ends("silent in the middle, then the rest", RESUMED,
              [content(MADE, ranges=True, etag=_TAG, stop=_SIZE // 2, end="stall"),
               content(MADE, ranges=True, etag=_TAG)], ways=WAYS, asked=(False, True), timeouts=SHORT),
        _ends("silent in the middle, then all of it", RESTARTED,
              [content(MADE, stop=_SIZE // 2, end="stall"), content(MADE)], timeouts=SHORT),
        _ends("three breaks, then the rest", RESUMED,
              [*[content(MADE, ranges=True, etag=_TAG, stop=70_000)] * 3, content(MADE, ranges=True, etag=_TAG)],
              ways=WAYS, asked=(False, True, True, True)),
    ]
)  # fmt: skip

# It breaks off again and again

OVER_AND_OVER = _rows(
    [
        _ends("a break at every 64 KiB and more", RESUMED,
              [*[content(MADE, ranges=True, etag=_TAG, stop=66_000)] * 4, content(MADE, ranges=True, etag=_TAG)],
              asked=(False, True, True, True, True), retry={"attempts": 2}),
        _ends("a break at every 64 KiB, started over each time", RESTARTED,
              [*[content(MADE, stop=stop) for stop in (66_000, 132_000, 198_000, 264_000)], content(MADE)],
              retry={"attempts": 2}),
        _ends("a break at every 100 bytes does not go on for ever", TransportError,
              [content(MADE, ranges=True, etag=_TAG, stop=100)] * 4, failed=True, count=4),
        _ends("a break at the same byte each time does not go on for ever", TransportError,
              [content(MADE, stop=1000)] * 4, failed=True, count=4),
        _ends("a break at byte 0 each time does not go on for ever", TransportError,
              [content(MADE, stop=0)] * 4, failed=True, count=4),
    ]
)  # fmt: skip

# The first answer

FIRST_ANSWERS = _rows(
    [
        _ends("compressed although nobody asked", IncompleteDownloadError, [content(MADE, gzip=True)], failed=True),
        _ends("compressed and chunked", IncompleteDownloadError,
              [content(MADE, gzip=True, framing="chunked")], failed=True),
        _ends("compressed and damaged", IncompleteDownloadError,
              [says(head(200, content_encoding="gzip", content_length=9) + b"no gzip !")], failed=True),
        _ends("chunked and whole", PLAIN, [content(MADE, framing="chunked")]),
        _ends("half a chunk, then all of it", RESTARTED,
              [content(MADE, framing="chunked", stop=100_000), content(MADE, framing="chunked")]),
        _ends("a bad chunk size, then all of it", RESTARTED,
              [says(head(200, transfer_encoding="chunked") + chunked(MADE[:100_000])[:-5] + b"zz\r\n"),
               content(MADE)], ways=WAYS[:1], timeouts=SHORT),
        _ends("chunked, without the last chunk", RESTARTED,
              [says(head(200, transfer_encoding="chunked") + chunked(MADE)[:-5]), content(MADE)]),
        _ends("without a length, ended by the connection, whole", PROVEN,
              [content(MADE, framing="close")], besides={"retrieve": 1}),
        _ends("without a length, ended by the connection, cut", IncompleteDownloadError,
              [content(MADE, framing="close", stop=100_000)], besides={"retrieve": 1}, failed=True,
              error={"received": 100_000, "expected": _SIZE}),
        _ends("without a length, ended by the connection, longer than the file", IncompleteDownloadError,
              [content(MADE + b"x", framing="close")], besides={"retrieve": 1}, failed=True),
        _ends("without a length, ended by a reset", IncompleteDownloadError,
              [content(MADE, framing="close", stop=100_000, end="reset")], besides={"retrieve": 1}, failed=True),
        _ends("206 to the first request", IncompleteDownloadError,
              [content(MADE, status=206, content_range=f"bytes 0-{_SIZE - 1}/{_SIZE}")], failed=True),
        _ends("204", IncompleteDownloadError, [says(head(204))], failed=True),
        _ends("a length that is larger than what comes, each time", TransportError,
              [content(MADE, length=_SIZE + 100, end="close")] * 4, failed=True,
              ),
        _ends("two different lengths, then all of it", REPEATED,
              [says(head(200, content_length=7, Content_length=8) + b"{}"), content(MADE)]),
        _ends("a head of 200 kB, then all of it", REPEATED,
              [says(b"HTTP/1.1 200 Said\r\nX-Filler: " + b"x" * 200_000 + b"\r\n\r\n"), content(MADE)]),
        _ends("garbage instead of HTTP, then all of it", REPEATED,
              [says(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n"), content(MADE)]),
        _ends("closed at once, then all of it", REPEATED, [gone(), content(MADE)]),
        _ends("a head cut off, then all of it", REPEATED, [says(b"HTTP/1.1 200 Said\r\nContent-Le"), content(MADE)]),
    ]
)  # fmt: skip

KNOWN = [
    Row(
        name=f"{way}, its size known: {name}",
        call=call,
        how=how,
        before=made,
        acts={"download": acts},
        requests={"download": len(acts)} | besides,
        stored=1,
        disk=WHOLE if isinstance(how, str) and way == "saved" else {},
    )
    for name, how, acts, besides in [
        ("a Content-Length that is larger", IncompleteDownloadError, (content(MADE + b"x"),), {}),
        ("a Content-Length that is smaller", IncompleteDownloadError, (content(MADE[:-1]),), {}),
        ("chunked, longer", IncompleteDownloadError, (content(MADE + b"x", framing="chunked"),), {}),
        ("chunked, shorter", IncompleteDownloadError, (content(MADE[:-1], framing="chunked"),), {}),
        ("chunked, whole", PLAIN, (content(MADE, framing="chunked"),), {}),
        ("compressed", IncompleteDownloadError, (content(MADE, gzip=True),), {}),
        ("ended by the connection, whole", PROVEN, (content(MADE, framing="close"),), {}),
        ("ended by the connection, cut", IncompleteDownloadError, (content(MADE, framing="close", stop=9),), {}),
    ]
    for way, call in [("read", read_known), ("saved", save(known=True))]
]  # fmt: skip

_ENDLESS = head(200, transfer_encoding="chunked"), b"10000\r\n" + b"x" * 65_536 + b"\r\n"

WRONG = [
    Row(
        name=f"{way}, its size known: chunks without end",
        call=call,
        how=IncompleteDownloadError,
        before=made,
        acts={"download": (trickle(*_ENDLESS, pause=0.02),)},
        requests={"download": 1},
        stored=1,
        patience=1.0,
    )
    for way, call in [("read", read_known), ("saved", save(known=True))]
] + [
    Row(
        name="iterated slowly: a bad chunk size, then all of it",
        call=iterate_slowly,
        how=RESTARTED,
        before=made,
        acts={
            "download": (
                says(head(200, transfer_encoding="chunked") + chunked(MADE[:100_000])[:-5] + b"zz\r\n"),
                content(MADE),
            )
        },
        timeouts=SHORT,
        requests={"download": 2},
        stored=1,
    ),
]

# Faults of the emulator

EMULATED = [
    Row(
        name=f"{way}: {what}, the emulator {'with' if ranges else 'without'} ranges",
        call=call,
        how=RESUMED if ranges and goes_on else RESTARTED if goes_on else REPEATED,
        before=before,
        faults={"download": (fault,)},
        server={"ranges": ranges},
        timeouts=timeouts,
        requests={"download": 2},
        stored=1,
        disk=disk,
    )
    for what, fault, goes_on, timeouts in [
        ("cut at byte 0", Truncate(0), False, SHORT),
        ("cut at byte 100,000", Truncate(100_000), True, SHORT),
        ("reset at byte 100,000", Truncate(100_000, reset=True), True, SHORT),
        ("no answer", Drop(after_work=True), False, SHORT),
        ("silence", Stall(30), False, SHORT),
        ("a pause in each piece", Trickle(30, piece=100_000), False, SHORT),
    ]
    for ranges in ((True, False) if goes_on else (False,))
    for way, call, before, disk in TWO_WAYS
]

# The disk


async def _folder_in_the_way(world):
    await made(world)
    world.target.mkdir()


@contextmanager
def _files_no_longer_than(size):
    """Have the kernel refuse longer files: what a full disk does, without one. SIGXFSZ is ignored by Python."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _on_a_small_disk(call):
    async def on_a_small_disk(world):
        with _files_no_longer_than(100_000):
            await call(world)

    return on_a_small_disk


def _to(*path, **arguments):
    async def call(world):
        await world.files.download_to(world.made.id, world.folder.joinpath(*path), **arguments)

    return call


async def _renamed(world):
    path = await world.files.download_to(world.made.id, world.target, overwrite="rename")
    assert path.name != world.target.name


def _overtaken(policy):
    async def call(world):
        def take(_):
            world.target.write_bytes(OLD)

        await world.files.download_to(world.made.id, world.target, overwrite=policy, on_progress=take)

    return call


async def _through_a_link(world):
    await made(world)
    outside = world.folder.parent / "outside.bin"
    outside.write_bytes(OLD)
    world.target.symlink_to(outside)


async def _failing_progress(world):
    def stop(_):
        raise LookupError("enough")

    await world.files.download_to(world.made.id, world.target, on_progress=stop)


async def _left_early(world):
    async with world.files.download(world.made.id) as chunks:
        async for _ in chunks:
            break


DISK = [
    Row(
        name="saved: the disk is full in the middle",
        call=_on_a_small_disk(save()),
        how=OSError,
        before=made,
        requests={"download": 1},
        stored=1,
        error={"errno": errno.EFBIG},
    ),
    Row(
        name="saved: the disk is full in the middle, an old file stays",
        call=_on_a_small_disk(save()),
        how=OSError,
        before=made_over_old,
        requests={"download": 1},
        stored=1,
        disk=LEFT_OLD,
    ),
    Row(
        name="saved: the disk is full after a break",
        call=_on_a_small_disk(save()),
        how=OSError,
        before=made,
        acts={"download": (content(MADE, stop=50_000), content(MADE))},
        requests={"download": 2},
        stored=1,
    ),
    Row(
        name="saved: the target is a folder, and the name in it is free",
        call=save_into_folder,
        how=PLAIN,
        before=made,
        requests={"retrieve": 1, "download": 1},
        stored=1,
        disk=WHOLE,
    ),
    Row(
        name="saved: the target is a folder, and the name in it is taken by a folder",
        call=_to(),
        how=FileExistsError,
        before=_folder_in_the_way,
        requests={"retrieve": 1},
        stored=1,
    ),
    Row(
        name="saved: the target is a folder, and the name in it is taken",
        call=_to(),
        how=FileExistsError,
        before=made_over_old,
        requests={"retrieve": 1},
        stored=1,
        disk=LEFT_OLD,
    ),
    Row(
        name="saved: the folder is a file",
        call=_to("made.bin", "made.bin"),
        how=NotADirectoryError,
        before=made_over_old,
        requests={"download": 1},
        stored=1,
        disk=LEFT_OLD,
    ),
    Row(
        name="saved: the target is a link to a file elsewhere, which stays as it is",
        call=save(),
        how=PLAIN,
        before=_through_a_link,
        requests={"download": 1},
        stored=1,
        disk=WHOLE,
    ),
    Row(
        name="saved: the progress callback fails",
        call=_failing_progress,
        how=LookupError,
        before=made_over_old,
        requests={"download": 1},
        stored=1,
        disk=LEFT_OLD,
    ),
    Row(
        name="iterated: left after the first chunk",
        call=_left_early,
        how=PLAIN,
        before=made,
        requests={"download": 1},
        stored=1,
    ),
    Row(
        name="read: an uploaded file cannot be downloaded",
        call=read,
        how=BadRequestError,
        before=made,
        faults={"download": (Status(400),)},
        requests={"download": 1},
        stored=1,
    ),
]

OVERWRITING = [
    Row(
        name=f"saved, overwrite={policy!r}, over an old file: {name}",
        call=call or save(overwrite=policy),
        how=how,
        before=made_over_old,
        acts={"download": acts} if acts else {},
        requests={"download": len(acts)} if acts else {},
        stored=1,
        disk=disk,
    )
    for policy, name, how, call, acts, disk in [
        ("replace", "broken, then the rest", RESTARTED, None, (HALF_PLAIN, content(MADE)), WHOLE),
        ("replace", "broken for ever", TransportError, None, (content(MADE, stop=9),) * 4, LEFT_OLD),
        ("error", "nothing is asked for", FileExistsError, None, (), LEFT_OLD),
        ("skip", "nothing is asked for", UNTOUCHED, None, (), LEFT_OLD),
        ("rename", "broken, then the rest", RESTARTED, _renamed, (HALF_PLAIN, content(MADE)),
         LEFT_OLD | {"made (2).bin": MADE}),
        ("rename", "broken for ever", TransportError, _renamed, (content(MADE, stop=9),) * 4, LEFT_OLD),
    ]
] + [
    Row(
        name=f"saved, overwrite={policy!r}: the name is taken while the download runs",
        call=_overtaken(policy),
        how=how,
        before=made,
        requests={"download": 1},
        stored=1,
        disk=disk,
    )
    for policy, how, disk in [
        ("replace", PLAIN, WHOLE),
        ("error", FileExistsError, LEFT_OLD),
        ("skip", UNTOUCHED, LEFT_OLD),
        ("rename", PLAIN, LEFT_OLD | {"made (2).bin": MADE}),
    ]
]  # fmt: skip

ROWS = [
    *GOES_ON,
    *SECOND_ANSWERS,
    *OVER_AND_OVER,
    *FIRST_ANSWERS,
    *KNOWN,
    *WRONG,
    *EMULATED,
    *DISK,
    *OVERWRITING,
]
