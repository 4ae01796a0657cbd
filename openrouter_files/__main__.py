"""``python -m openrouter_files``: the command line, if what it needs is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from .cli.process import end_the_process, end_with


def _status() -> int:
    if find_spec("click") is None or find_spec("rich") is None:
        sys.stderr.write("the command line needs: pip install 'openrouter-files[cli]'\n")
        return 1
    from .cli.main import run  # noqa: PLC0415  # only now is it known that click is there

    return run()


def main() -> None:
    """Run the command line and leave with its exit status."""
    end_the_process()  # for as long as everything is still being loaded
    status = _status()
    end_with(status)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
