"""Which statuses are transient, as users say it; checkers must take it as it is."""

from openrouter_files import TRANSIENT_STATUSES, RetryPolicy

POLICIES = (
    RetryPolicy(statuses=TRANSIENT_STATUSES | {409}),
    RetryPolicy(statuses=frozenset({503})),
    RetryPolicy(statuses={429, 503}),
    RetryPolicy(statuses=(429, 503)),
    RetryPolicy(statuses=()),
)
