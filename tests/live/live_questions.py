"""What the documents of the service leave open: the questions that the live suite asks, and those it does not."""

from __future__ import annotations

QUESTIONS: dict[str, str] = {
    "Q1": "How is it decided that a request looks like an OpenAI SDK's?",
    "Q2": "Is `_shape` on every answer and every entry of a listing?",
    "Q3": "Do ids of the first weeks (`file_`) still resolve?",
    "Q4": "Are file ids in chat messages resolved without the header `x-openrouter-file-ids`?",
    "Q5": "Which MIME strings does the service report, and how does it tell texts apart?",
    "Q6": "What becomes of extra, repeated and missing parts of an upload's form?",
    "Q7": "What do ids, shapes and pages look like under `provider=`?",
    "Q8": "What do the operations of the files tool return?",
    "Q9": "Which headers does a download have, and are there ranges?",
    "Q10": "What does the listing of an unknown container answer?",
    "Q11": "Which status do unsupported and malformed parameters get?",
    "Q12": "Which status does a malformed file id get?",
    "Q13": "Which status does an unknown workspace get?",
    "Q14": "In which order are files listed?",
    "Q15": "Which check comes first when several fail?",
    "Q16": "Whose envelope has an error in the anthropic shape?",
    "Q17": "What does the files tool do with a name that several files have?",
    "Q18": "Does the 20 MB limit of the files tool mean 20,000,000 bytes or 20 MiB?",
    "Q19": "Does the pattern of file ids hold for metadata and downloads?",
    "Q20": "Does promoting a path twice overwrite the first copy?",
    "Q21": "Are there rate limits?",
    "Q22": "May a workspace be filled to its last byte?",
    "Q23": "Does the server look at `Accept`?",
    "Q25": "Does the server take `x-api-key` for a bearer token?",
    "Q26": "Are uploads of one name deduplicated?",
    "Also": "What else the client relies on",
}
"""The number and the wording of each; ``Also`` is for what nobody wrote down as a question."""

WRITING = "needs OPENROUTER_LIVE_WRITE=1"
_MODEL = "needs a model, which costs money"
UNASKED: dict[str, str] = {
    "Q4": _MODEL,
    "Q5": WRITING,
    "Q6": WRITING,
    "Q8": _MODEL,
    "Q17": _MODEL,
    "Q18": _MODEL,
    "Q20": f"{WRITING} and a container with files (OPENROUTER_LIVE_CONTAINER)",
    "Q22": "needs 10 GiB",
    "Q26": WRITING,
}
"""Why a question may have got no answer."""
