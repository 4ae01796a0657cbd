"""Many files at once, on the public client only: nothing in here is privileged."""
