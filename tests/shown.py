"""What tools that report errors show of one: its texts, and the locals of every frame that it and its causes passed."""

import traceback
from pathlib import Path


def shown_of(error, *secrets):
    """Return where one of the secrets is shown: by the error, its causes, or a local of a frame, tests aside."""
    found, todo, seen = [], [error], set()
    tests = str(Path(__file__).parent)
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        texts = {"repr": repr(one), "str": str(one), "vars": repr(vars(one)), "args": repr(one.args)}
        texts["format"] = "".join(traceback.format_exception(one))
        for frame, line in traceback.walk_tb(one.__traceback__):
            code = frame.f_code
            if not code.co_filename.startswith(tests):
                for name, value in frame.f_locals.items():
                    texts[f"{code.co_filename}:{line} {code.co_name}() {name}"] = safe_repr(value)
        found += [where for where, text in texts.items() if any(secret in text for secret in secrets)]
    return found


def safe_repr(value):
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # as the tools do
        return ""
