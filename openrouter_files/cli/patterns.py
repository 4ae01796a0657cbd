"""Which of the files that were found are meant: --include, --exclude, hidden ones. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from attrs import frozen


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern means a file, or a folder that it lies in.

    With a slash inside it is compared with the path, otherwise with each of its parts.
    """
    parts, pattern = name.split("/"), pattern.rstrip("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    return any(fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


@frozen(kw_only=True)
class Patterns:
    """What is wanted of what is found; an exclusion is stronger than an inclusion."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def want(self, name: str) -> bool:
        """Whether a file of that name is wanted."""
        included = not self.include or any(_matches(name, pattern) for pattern in self.include)
        return included and not self.shut_out(name)

    def shut_out(self, name: str) -> bool:
        """Whether nothing of that name, or below it, is wanted."""
        return any(_matches(name, pattern) for pattern in self.exclude)

    def hide(self, part: str) -> bool:
        """Whether a file or folder is left out for being hidden."""
        return part.startswith(".") and not self.hidden
