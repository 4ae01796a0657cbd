"""The OpenAPI document of the API, to hold answers against."""

from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

PATH = Path(__file__).parent.parent / "contract" / "files-openapi.yaml"
DOCUMENT = yaml.safe_load(PATH.read_text())


def declared(method, path):
    """The answers that the document has for an operation, by status."""
    return DOCUMENT["paths"][path][method.lower()]["responses"]


def pointer(method, path, status, content_type="application/json"):
    """Where the document describes the body of an answer."""
    parts = ["paths", path, method.lower(), "responses", str(status), "content", content_type, "schema"]
    return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def component(name):
    """Where the document describes a schema."""
    return f"#/components/schemas/{name}"


def complaints(reference, value):
    """What the document has against a value."""
    schema = {"$ref": reference, "components": DOCUMENT["components"], "paths": DOCUMENT["paths"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
