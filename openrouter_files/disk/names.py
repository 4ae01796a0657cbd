"""Local names for what strangers named: nothing that leads elsewhere, nothing a system chokes on. Pure."""

from __future__ import annotations

import re
import unicodedata

# Source: Microsoft, "Naming Files, Paths, and Namespaces"; superscript digits count as digits there.
_DEVICE = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]", re.IGNORECASE)
_JOINERS = "\u200c\u200d"
_END = re.compile(rf"[\s.{_JOINERS}]+$")
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f-\x9f\ud800-\udfff]')
# Most systems take 255 bytes; some room is left for ".part-XXXXXXXX" and " (999)".
_LONGEST, _LONGEST_ENDING = 220, 16


def _shortened(name: str, longest: int = _LONGEST) -> str:
    """Cut a long name before its ending, which says what it is."""
    if len(name.encode()) <= longest:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(ending.encode()) <= _LONGEST_ENDING else ""
    stem = stem if ending else name
    return _trimmed(stem.encode()[: longest - len(ending.encode())].decode(errors="ignore")) + ending


def _trimmed(name: str) -> str:
    return _END.sub("", name.strip())


def _undisguised(name: str) -> str:
    """Windows opens a device by these names, whatever follows the dot, and whatever space comes before it."""
    return f"_{name}" if _DEVICE.fullmatch(name.partition(".")[0].strip()) else name


def _visible(name: str) -> str:
    """Leave out what cannot be seen, but not what joins letters, or keeps them apart: that is spelling.

    Direction marks make "exe.gpj" look like "jpg.exe". Source: Unicode Standard, 23.2, "Cursive Connection".
    """
    shown = "".join(c for c in name if c in _JOINERS or unicodedata.category(c) not in {"Cf", "Cs", "Cc"})
    return "".join(c for at, c in enumerate(shown) if c not in _JOINERS or _is_between_letters(shown, at))


def _is_between_letters(name: str, at: int) -> bool:
    """Whether a joiner has a letter on both sides: marks belong to letters, and emoji are joined, too."""
    if not 0 < at < len(name) - 1:
        return False
    kinds = [unicodedata.category(name[beside]) for beside in (at - 1, at + 1)]
    return all(kind[0] in "LM" or kind in {"So", "Sk"} for kind in kinds)


def safe_name(filename: str, *, otherwise: str) -> str:
    """Return a local name for one path component named by a server or a model.

    Args:
        filename: Any text; of a path, the last component counts, whichever slashes it uses.
        otherwise: Used, made safe likewise, when nothing of the filename is left.
    """
    last = re.split(r"[\\/]", filename.rstrip("\\/"))[-1]
    name = _trimmed(_FORBIDDEN.sub("_", _visible(last)))
    if not name.strip("._ "):
        return safe_name(otherwise, otherwise="file") if otherwise != "file" else "file"
    return _undisguised(_shortened(name))


def safe_parts(filename: str, *, otherwise: str) -> tuple[str, ...]:
    """Return local names for all components of a filename that holds folders.

    Raises:
        ValueError: It is absolute, names a drive, or climbs with ``..``.
    """
    parts = [p for p in re.split(r"[\\/]", filename) if p not in {"", "."}]
    if filename[:1] in {"/", "\\"} or ".." in parts or re.match(r"[A-Za-z]:", filename):
        raise ValueError(f"{filename!r} leads out of its folder")
    return tuple(safe_name(part, otherwise=otherwise) for part in parts or [otherwise])


def numbered(name: str, number: int) -> str:
    """Return the name with a number before its ending: ``report (2).pdf``."""
    stem, dot, ending = _shortened(name).rpartition(".")
    return f"{stem} ({number}).{ending}" if stem and dot else f"{_shortened(name)} ({number})"
