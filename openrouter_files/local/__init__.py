"""Files on this machine: the only user of aiofiles."""
