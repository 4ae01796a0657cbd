"""What a row asks of the client; each call checks what it got, so that a row says only how it came about."""

import asyncio

from fault_world import LARGE, MADE, OLD, SMALL

from openrouter_files import DeletedFile

# Before


async def made(world):
    """The server has a file that may be downloaded."""
    world.made = await world.emulator.put("made.bin", MADE)


async def warm(world):
    """There is a file, and the client has a connection that is kept alive."""
    await made(world)
    await world.files.retrieve(world.made.id)


async def made_over_old(world):
    """There is a file to download, and an older one at the target."""
    await made(world)
    world.target.write_bytes(OLD)


async def knowing(world):
    """The client has uploaded something before: it knows where the new part of the listing begins."""
    await world.files.upload(b"an earlier file\n", filename="earlier.txt")


async def with_a_twin(world):
    """Somebody has stored a file of the same name and size an hour ago."""
    await world.emulator.put("a.txt", SMALL)


# Calls


def upload(data=SMALL, filename="a.txt", **arguments):
    """Upload bytes; the file that comes back is the one that is stored."""

    async def call(world):
        file = await world.files.upload(data, filename=filename, **arguments)
        assert (file.filename, await world.is_stored(file, data)) == (filename, True)

    return call


def upload_path(data=LARGE):
    """Upload a file from disk."""

    async def call(world):
        path = world.folder.parent / "source.txt"
        path.write_bytes(data)
        assert await world.is_stored(await world.files.upload(path), data)

    return call


def uploads(*contents, names=None):
    """Upload all at once; each is stored once, and each file that comes back is its own."""

    async def call(world):
        named = zip(names or ["a.txt"] * len(contents), contents, strict=True)
        sent = [world.files.upload(data, filename=name) for name, data in named]
        files = await asyncio.gather(*sent)
        assert len({file.id for file in files}) == len(contents)
        assert all([await world.is_stored(file, data) for file, data in zip(files, contents, strict=True)])

    return call


def uploads_all_failing(*contents):
    """Upload all at once; all end in the same way, which is raised."""

    async def call(world):
        sent = [world.files.upload(data, filename="a.txt") for data in contents]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert len({type(result) for result in results}) == 1
        raise results[0]

    return call


async def retrieve(world):
    """Ask for the metadata of the file that was made."""
    file = await world.files.retrieve(world.made.id)
    assert (file.id, file.size_bytes) == (world.made.id, len(MADE))


async def list_all(world):
    """Walk through the listing."""
    assert [file.id async for file in world.files.list()] == [file.id for file in world.emulator.files()]


async def delete(world):
    """Delete the file that was made."""
    assert await world.files.delete(world.made.id) == DeletedFile(id=world.made.id)


async def delete_a_missing_one(world):
    """Delete what is not there."""
    await world.files.delete("or_file_0")


async def read(world):
    """Download into memory by id."""
    assert await world.files.download(world.made.id).read() == MADE


async def read_known(world):
    """Download into memory, the size being known beforehand."""
    assert await world.files.download(world.known).read() == MADE


async def iterate(world):
    """Iterate over a download; not a byte is lost or repeated."""
    received = b""
    async with world.files.download(world.made.id) as chunks:
        async for chunk in chunks:
            received += chunk
    assert received == MADE


async def iterate_slowly(world):
    """Iterate over a download, with a pause after each chunk."""
    received = b""
    async for chunk in world.files.download(world.made.id):
        received += chunk
        await asyncio.sleep(0.1)
    assert received == MADE


def save(*, known=False, **arguments):
    """Download to disk; what was at the target stays until the new file is whole."""

    async def call(world):
        before = world.on_disk().get("made.bin")
        file = world.known if known else world.made.id

        def look(_):
            assert world.on_disk().get("made.bin") == before

        path = await world.files.download_to(file, world.target, on_progress=look, **arguments)
        assert path.parent == world.folder

    return call


async def save_into_folder(world):
    """Download into a folder, where the server's name is used."""
    assert await world.files.download_to(world.made.id, world.folder) == world.target
