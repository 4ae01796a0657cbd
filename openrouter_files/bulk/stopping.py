"""When to stop a whole job: an error about the key is met by every file that is left, one about a file is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AuthenticationError, FilesError, PermissionDeniedError

if TYPE_CHECKING:
    from ..client import FilesClient


class Brake:
    """Pulled once, by the first error about the key.

    Attributes:
        why: That error; None while the job may go on.
    """

    def __init__(self, files: FilesClient) -> None:
        self._files = files
        self.why: Exception | None = None

    async def hear(self, error: Exception) -> None:
        """Learn of a failure, and judge it."""
        if isinstance(error, AuthenticationError) or (
            isinstance(error, PermissionDeniedError) and not await self._may_list()
        ):
            self.why = self.why or error

    async def _may_list(self) -> bool:
        """Ask whether the key is good for anything: 403 is also what a full workspace answers."""
        try:
            await self._files.list_page(limit=1)
        except (AuthenticationError, PermissionDeniedError):
            return False
        except FilesError:
            return True
        return True
