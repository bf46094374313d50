"""The API keeps its own description, whatever is sent to it: a bounded search."""

import gc
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ninja import Schema
from schemathesis import APIOperation, Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from guests.models import Guest
from hosts.models import Host

pytestmark = pytest.mark.one_database
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
GUEST = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")
EXAMPLES = 3
SEARCH = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """A request's end closes no connection: this test's transaction lives in it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    gc.collect()  # answers that nobody closed are closed now
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def operations(
    redis_server: str, kept_connection: None, db: None
) -> list[APIOperation[Any, Any, Any, Any]]:
    """Everything the API describes, with a host and a guest that are there."""
    host = Host.objects.create(name="h1", transport="test")
    Guest.objects.create(uuid=GUEST, name="g1", state="running", host=host)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    found = [each.ok() for each in schema.get_all_operations()]
    # Contents stream past Django, so there are none here: tests/lab/whole/test_volumes.py.
    return [each for each in found if not each.path.endswith("/content/")]


def test_the_description_names_each_operation_once(
    operations: list[APIOperation[Any, Any, Any, Any]],
) -> None:
    names = [operation.definition.raw["operationId"] for operation in operations]
    assert len(names) > 30
    assert sorted(names) == sorted(set(names))


def test_no_two_shapes_share_a_name() -> None:  # the description keeps one for a name
    shapes = [it for it in _below(Schema) if it.__name__.isalnum()]
    ours = [each for each in shapes if not each.__module__.startswith("ninja")]
    places: dict[str, set[str]] = {}
    for shape in ours:
        places.setdefault(shape.__name__, set()).add(shape.__module__)
    assert {name: its for name, its in places.items() if len(its) > 1} == {}


def _below(shape: type[Schema]) -> Iterator[type[Schema]]:
    for each in shape.__subclasses__():
        yield each
        yield from _below(each)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_it_answers_as_described(
    operations: list[APIOperation[Any, Any, Any, Any]],
    mode: GenerationMode,
    admin_token: str,
) -> None:
    sent = {"Authorization": f"Bearer {admin_token}"}
    for operation in operations:
        _search(operation, mode, sent)


def _search(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    headers: dict[str, str],
) -> None:
    @SEARCH
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def ask(case: Case, *, real: bool) -> None:
        if real and "uuid" in case.path_parameters:
            case.path_parameters["uuid"] = str(GUEST)
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    ask()
