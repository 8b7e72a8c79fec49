"""The public OpenAPI file as JSON Schema: what each answer is checked against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import requests

DOCUMENT = Path(__file__).with_name("openapi.json")


def assert_documented(answer: requests.Response, method: str, path: str, status: int) -> Any:
    """The answer has this status and the documented body of that operation; returns its data."""
    assert answer.status_code == status, answer.text
    _validator(method, path, str(status)).validate(answer.json())
    return answer.json().get("data")


@cache
def _validator(method: str, path: str, status: str) -> jsonschema.Draft202012Validator:
    response = _document()["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    schema = {**_converted(response), "components": {"schemas": _schemas()}}
    return jsonschema.Draft202012Validator(schema)


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


@cache
def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {
        name: _converted(schema) for name, schema in _document()["components"]["schemas"].items()
    }
    # The file lets this answer contain itself; what is inside is the reservation.
    reserved = schemas["GetReservedSlotOutput_2024_09_04"]["properties"]
    reserved["data"] = {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/ReserveSlotOutput_2024_09_04"}]}
    # The file leaves the attendee's phone out of the locations that are read, though it can be written.
    location = {"type": "object", "required": ["type"], "properties": {"type": {"const": "attendeePhone"}}}
    schemas["EventTypeOutput_2024_06_14"]["properties"]["locations"]["items"]["anyOf"].append(location)
    return schemas


def _converted(schema: Any) -> Any:
    """OpenAPI 3.0 to JSON Schema: `nullable` spelled out, `oneOf` (which matches several here) read as `anyOf`."""
    if isinstance(schema, list):
        return [_converted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {("anyOf" if key == "oneOf" else key): _converted(value) for key, value in schema.items()}
    result.pop("example", None)
    if result.pop("nullable", False) is True:
        return {"anyOf": [{"type": "null"}, result]}
    return result
