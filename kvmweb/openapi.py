"""What ninja leaves out of the API's description: errors, and the header of every POST."""

from typing import Any

from ninja.openapi.schema import OpenAPISchema

from kvmweb.doors import PROBLEM_TYPE, Problem

CHANGES = ("post", "put", "patch", "delete")
ALWAYS = {
    "400": "Not HTTP as it should be, such as a Host that is not ours.",
    "401": "Nobody known asks.",
    "403": "Not allowed.",
    "422": "Bad input.",
    "503": "A part of the product is not there now.",
}
BY_ID = {"404": "Not there, or not yours."}
CHANGING = {"409": "Busy or conflicting.", "413": "The body is too large."}
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key gets the same answer, for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def complete(schema: OpenAPISchema) -> OpenAPISchema:
    """The description with the answers to what goes wrong."""
    components: dict[str, Any] = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.setdefault("Problem", Problem.model_json_schema())
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    errors = dict(ALWAYS)
    if "{" in path or method == "post" or _of_project(operation):  # bodies name things
        errors |= BY_ID
    if method in CHANGES:
        errors |= CHANGING
    responses = operation["responses"]
    for status, description in errors.items():
        responses.setdefault(int(status), _answer(description))
    if 202 in responses:
        responses[202].setdefault("headers", {})["Location"] = {
            "description": "The operation.",
            "schema": {"type": "string"},
        }
    if method == "post":
        operation["parameters"] = [*operation["parameters"], KEY]


def _of_project(operation: dict[str, Any]) -> bool:
    """Whether it can be asked about one project, which may not be theirs."""
    return any(each["name"] == "project" for each in operation.get("parameters", ()))


def _answer(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
