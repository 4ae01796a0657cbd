"""Uploads that may have been stored: finding out, without an idempotency key, a hash or a name filter.

The API offers a listing in the order of creation, and nothing else. So a client remembers which
files are its own and where its knowledge of the listing ends; an upload in doubt looks at what is
new, and takes the file that nobody owns and that has its name, its size and its time.
"""
