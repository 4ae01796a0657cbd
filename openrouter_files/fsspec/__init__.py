"""``openrouter://`` for fsspec, and so for pandas, dask and whatever else opens files by URL.

Stands on the public names of the package alone. fsspec finds it by its entry point: nothing needs to be imported.
"""

from .filesystem import OpenRouterFileSystem

__all__ = ["OpenRouterFileSystem"]
