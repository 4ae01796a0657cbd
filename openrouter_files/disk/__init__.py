"""Local files, never touched on the event loop."""
