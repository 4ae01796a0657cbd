"""Uploads in doubt that a killed run left behind, and what the next run makes of them."""

import asyncio
import time
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import FilesClient, NotFoundError, Options, RetryPolicy, ServiceUnavailableError
from openrouter_files.bulk.journal import Entry, Journal
from openrouter_files.bulk.outcomes import LocalFile
from openrouter_files.bulk.resume import Settled, Undecided, Withdrawn, settle
from openrouter_files.emulator import Emulator, Pass, Status

POLICY = RetryPolicy(attempts=2, first_delay=0.001, max_delay=0.01)
OLD = b"content"
NEW = b"CONTENT"


def entry(name="a.txt", content=OLD):
    return Entry(source=LocalFile(f"/{name}", name), size=len(content), mtime_ns=1, sha256=sha256(content).digest())


def client(emulator):
    return FilesClient(emulator.api_key, base_url=emulator.base_url, options=Options(retry=POLICY))


@pytest.fixture
async def journal(tmp_path):
    async with await Journal.open(tmp_path / "job.sqlite", destination="emulator") as journal:
        yield journal


async def put(emulator, name="a.txt", content=OLD):
    return (await emulator.put(name, content)).id


async def settled(files, journal):
    return await settle(files, journal, moment=0.01)


def listings(emulator):
    return [received for received in emulator.requests if received.operation == "list"]


async def test_nothing_in_doubt_costs_nothing(emulator, files, journal):
    """Without intents there is no request and no wait."""
    assert await settle(files, journal, moment=1000) == ()
    assert emulator.requests == ()


async def test_what_was_stored_gets_its_id(emulator, files, journal):
    """A file with the name, the size and a time after the intent is the intent's; the journal knows its id then."""
    row = await journal.intend(entry(), anchor=None)
    file_id = await put(emulator)
    (verdict,) = await settled(files, journal)
    assert isinstance(verdict, Settled)
    assert (verdict.intent.row, verdict.intent.entry, verdict.file.id) == (row, entry(), file_id)
    assert await journal.intents() == ()
    assert await journal.done(entry().source, size=7, mtime_ns=1) == file_id
    assert len(listings(emulator)) == 1


async def test_what_was_not_stored_is_withdrawn(emulator, files, journal):
    """An intent without a match is taken back, after a second look; a match needs the name and the size."""
    row = await journal.intend(entry(), anchor=None)
    await put(emulator, "b.txt")
    await put(emulator, "a.txt", OLD + b"!")
    (verdict,) = await settled(files, journal)
    assert (type(verdict), verdict.intent.row) == (Withdrawn, row)
    assert await journal.intents() == ()
    assert len(listings(emulator)) == 2


async def test_a_store_may_lag_behind(emulator, files, journal):
    """A file that appears between the looks is found by the second."""
    await journal.intend(entry(), anchor=None)
    settling = asyncio.create_task(settle(files, journal, moment=0.5))
    while not listings(emulator):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    file_id = await put(emulator)
    (verdict,) = await settling
    assert (type(verdict), verdict.file.id) == (Settled, file_id)


async def test_what_the_journal_owns_is_not_taken(emulator, files, journal):
    """A file that another intent became already is nobody else's."""
    owner, row = [await journal.intend(entry(), anchor=None) for _ in range(2)]
    await journal.stored(owner, await put(emulator))
    (verdict,) = await settled(files, journal)
    assert (type(verdict), verdict.intent.row) == (Withdrawn, row)


async def test_a_listing_starts_from_the_first_anchor(emulator, files, journal):
    """One listing for all intents, from the anchor of the first: what is older is not even looked at."""
    await put(emulator)
    anchor = await put(emulator, "anchor")
    await journal.intend(entry(), anchor=anchor)
    later = await put(emulator, "later anchor")
    await journal.intend(entry("b.txt"), anchor=later)
    expected = {await put(emulator), await put(emulator, "b.txt")}
    verdicts = await settled(files, journal)
    assert {verdict.file.id for verdict in verdicts} == expected
    (listing,) = listings(emulator)
    assert listing.query["after"] == anchor


@pytest.mark.parametrize("skew", [0, 86_400, -86_400])
async def test_with_an_anchor_no_clock_matters(skew, journal):
    """What comes after the anchor is new, whatever the server's clock says; what comes before is old."""
    async with Emulator(clock=lambda: time.time() + skew) as emulator, client(emulator) as files:
        await put(emulator)
        await journal.intend(entry(), anchor=await put(emulator, "anchor"))
        file_id = await put(emulator)
        (verdict,) = await settled(files, journal)
    assert (type(verdict), verdict.file.id) == (Settled, file_id)


@pytest.mark.parametrize(("skew", "kind"), [(3000, Settled), (-3000, Settled), (-4000, Withdrawn), (90_000, Settled)])
async def test_without_an_anchor_clocks_may_differ_by_an_hour(skew, kind, journal):
    """A file is new unless the server dates it more than an hour before the intent."""
    async with Emulator(clock=lambda: time.time() + skew) as emulator, client(emulator) as files:
        await journal.intend(entry(), anchor=None)
        await put(emulator)
        (verdict,) = await settled(files, journal)
    assert type(verdict) is kind


async def test_an_intent_counts_from_its_own_anchor(emulator, files, journal):
    """What was stored before an intent's anchor cannot be its, though the listing starts earlier for others."""
    first = await put(emulator, "first")
    await journal.intend(entry("other"), anchor=first)
    await put(emulator)
    await journal.intend(entry(), anchor=await put(emulator, "second"))
    verdicts = await settled(files, journal)
    assert [type(verdict) for verdict in verdicts if verdict.intent.entry == entry()] == [Withdrawn]


async def test_a_lost_anchor_means_the_whole_listing(emulator, files, journal):
    """If the server refuses to start from an anchor, all is listed; other anchors still tell new from old."""
    first = await put(emulator, "first")
    await journal.intend(entry(), anchor=first)
    await put(emulator, "b.txt")
    await journal.intend(entry("b.txt"), anchor=await put(emulator, "second"))
    await files.delete(first)
    expected = await put(emulator)
    emulator.queue("list", Status(404), Pass(), Status(404), Pass())
    verdicts = {verdict.intent.entry.source.filename: verdict for verdict in await settled(files, journal)}
    assert verdicts["a.txt"].file.id == expected
    assert type(verdicts["b.txt"]) is Withdrawn
    assert [listing.query.get("after") for listing in listings(emulator)] == [first, None] * 2


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_server_without_after_is_listed_as_a_whole(status, emulator, files, journal):
    """A server that does not know ``after`` is asked for everything."""
    await journal.intend(entry(), anchor=await put(emulator, "anchor"))
    expected = await put(emulator)
    emulator.queue("list", Status(status))
    (verdict,) = await settled(files, journal)
    assert verdict.file.id == expected


async def test_an_unreadable_listing_decides_nothing(emulator, journal):
    """If the server cannot be asked, its error comes through and all intents stay."""
    await journal.intend(entry(), anchor=None)
    async with client(emulator) as files:
        emulator.queue("list", Status(503), Status(503))
        with pytest.raises(ServiceUnavailableError):
            await settled(files, journal)
        emulator.queue("list", Status(404))
        with pytest.raises(NotFoundError):
            await settled(files, journal)
    assert len(await journal.intents()) == 1


async def test_more_files_than_intents_cannot_be_decided(emulator, files, journal):
    """If somebody else stored its like, an intent stays, with all that it may be."""
    row = await journal.intend(entry(), anchor=None)
    ids = {await put(emulator), await put(emulator, "a.txt", NEW)}
    (verdict,) = await settled(files, journal)
    assert (type(verdict), verdict.intent.row) == (Undecided, row)
    assert {file.id for file in verdict.candidates} == ids
    assert [intent.row for intent in await journal.intents()] == [row]
    await files.delete(ids.pop())
    (verdict,) = await settled(files, journal)
    assert {verdict.file.id} == ids


async def test_alike_intents_share_what_was_stored(emulator, files, journal):
    """Of three intents of one content, two files make two; the third was not stored."""
    for _ in range(3):
        await journal.intend(entry(), anchor=None)
    ids = {await put(emulator), await put(emulator)}
    verdicts = await settled(files, journal)
    assert Counter(map(type, verdicts)) == {Settled: 2, Withdrawn: 1}
    assert {verdict.file.id for verdict in verdicts if isinstance(verdict, Settled)} == ids


async def test_intents_of_other_content_cannot_be_told_apart(emulator, files, journal):
    """Name and size do not say whose content a file has: two contents and one file stay undecided."""
    await journal.intend(entry(), anchor=None)
    await journal.intend(entry(content=NEW), anchor=None)
    file_id = await put(emulator)
    verdicts = await settled(files, journal)
    assert [type(verdict) for verdict in verdicts] == [Undecided] * 2
    assert [[file.id for file in verdict.candidates] for verdict in verdicts] == [[file_id]] * 2
    assert len(await journal.intents()) == 2


async def test_an_anchor_can_tell_other_content_apart(emulator, files, journal):
    """If only the first of two contents can be what was stored, it is."""
    first = await journal.intend(entry(), anchor=None)
    file_id = await put(emulator)
    second = await journal.intend(entry(content=NEW), anchor=await put(emulator, "anchor"))
    verdicts = {verdict.intent.row: verdict for verdict in await settled(files, journal)}
    assert verdicts[first].file.id == file_id
    assert type(verdicts[second]) is Withdrawn


async def test_a_settlement_that_was_killed_goes_on(emulator, files, journal):
    """Whatever a settlement had noted when it ended, the next one comes to the same end."""
    rows = [await journal.intend(entry(), anchor=None) for _ in range(3)]
    ids = [await put(emulator) for _ in range(2)]
    await journal.stored(rows[2], ids[0])
    verdicts = await settled(files, journal)
    assert {verdict.intent.row: type(verdict) for verdict in verdicts} == {rows[0]: Withdrawn, rows[1]: Settled}
    assert await journal.owned(ids) == frozenset(ids)


WHO = st.sampled_from(("stored", "lost", "confirmed"))


@settings(max_examples=25, deadline=None)
@given(history=st.lists(st.tuples(WHO, st.sampled_from(("a", "b")), st.sampled_from((OLD, NEW))), max_size=10))
def test_no_file_is_lost_and_none_is_claimed_twice(history, tmp_path_factory):
    """Whatever was stored, lost or confirmed before the kill: what is settled is right, no stored file is forgotten."""
    path = tmp_path_factory.mktemp("resuming") / "job.sqlite"

    async def scenario():
        truth = {}
        async with (
            Emulator() as emulator,
            client(emulator) as files,
            await Journal.open(path, destination="emulator") as journal,
        ):
            for what, name, content in history:
                row = await journal.intend(entry(name, content), anchor=await journal.newest_id())
                truth[row] = await put(emulator, name, content) if what != "lost" else None
                if what == "confirmed":
                    await journal.stored(row, truth[row])
            await compare(await settled(files, journal), truth, journal, emulator)

    asyncio.run(scenario())


async def compare(verdicts, truth, journal, emulator):
    contents = {file.id: await emulator.content(file.id) for file in emulator.files()}
    claimed = [verdict for verdict in verdicts if isinstance(verdict, Settled)]
    for verdict in claimed:
        assert sha256(contents[verdict.file.id]).digest() == verdict.intent.entry.sha256
    assert len({verdict.file.id for verdict in claimed}) == len(claimed)
    owned = await journal.owned([*contents])
    undecided = {file.id for v in verdicts if isinstance(v, Undecided) for file in v.candidates}
    assert owned | undecided == contents.keys()
    assert {i.row for i in await journal.intents()} == {v.intent.row for v in verdicts if isinstance(v, Undecided)}
