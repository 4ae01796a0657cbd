"""The ratios as a picture, if matplotlib is installed."""

from .clients import CLIENTS
from .report import ratio

_COLOURS = {
    "ours": "#1f6feb",
    "ours_bulk": "#79b8ff",
    "ours_speed": "#a5d6ff",
    "official": "#8b949e",
    "openai": "#d29922",
}
_COLOURS |= {"bare": "#2ea043", "bare_speed": "#7ee787", "curl": "#a371f7"}


def draw(summary, path):
    """Draw bars of "times as fast as the official SDK"; returns False without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # it may be missing
    except ImportError:
        return False
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    from matplotlib import pyplot as plt  # noqa: PLC0415  # likewise

    figure, axes = plt.subplots(len(summary), 1, figsize=(11, 4.2 * len(summary)), squeeze=False)
    for axis, (scheme, rows) in zip(axes[:, 0], summary.items(), strict=True):
        _panel(axis, scheme, {row: clients for row, clients in rows.items() if "official" in clients})
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    return True


def _panel(axis, scheme, rows):
    names = [name for name in CLIENTS if any(name in clients for clients in rows.values())]
    width = 0.85 / max(1, len(names))
    for i, name in enumerate(names):
        heights = [ratio(clients, name, "official") or 0 for clients in rows.values()]
        places = [place + (i - (len(names) - 1) / 2) * width for place in range(len(rows))]
        axis.bar(places, heights, width, label=CLIENTS[name][2], color=_COLOURS[name])
    axis.set_yscale("log")
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_xticks(range(len(rows)), list(rows))
    axis.set_ylabel("times as fast as official")
    axis.set_title(f"{scheme.upper()}: higher is faster (logarithmic)")
    axis.legend(fontsize="small", ncols=3)
