"""The OpenAPI document: every HTTP route is in it, and nothing that is not there."""

from __future__ import annotations

import inspect
import re

from starlette.routing import Mount, Route

from gateway.description.openapi import openapi
from gateway.dialects.openai import transcription_form
from gateway.dialects.openai.operations import FORM
from tests.integration.edge import edge
from tests.unit.gateway.description.test_asyncapi import routes_of

DOCUMENT = openapi()


async def test_every_route_is_described_and_every_description_has_a_route(tmp_path: object) -> None:
    async with edge(demo_samples=str(tmp_path)) as running:
        routes = routes_of(running.app)
    served = {route.path for route in routes if isinstance(route, Route)}
    mounted = {
        f"{route.path}/{{file}}" if route.path else "/" for route in routes if isinstance(route, Mount)
    }
    assert served | mounted | {"/reference/{file}"} == set(DOCUMENT["paths"])


def test_the_fields_of_the_form_are_those_that_are_read() -> None:
    source = inspect.getsource(transcription_form)
    found = re.findall(r'form\.(?:last|all)\("(\w+)|_flag\(form, "(\w+)"', source)
    read = {name for pair in found for name in pair if name} - {"include"}  # which is refused
    assert {name.removesuffix("[]") for name in FORM} - {"file"} == read


async def test_every_described_method_is_understood() -> None:
    async with edge() as running:
        for path, methods in DOCUMENT["paths"].items():
            for method in methods:
                answer = await running.http.request(method, re.sub(r"\{\w+\}", "1", path))
                assert answer.status_code != 405, (method, path)


async def test_both_documents_are_served() -> None:
    async with edge(api_keys="k") as running:
        served = await running.http.get("/openapi.json")
        other = await running.http.get("/asyncapi.json")
    assert served.json() == DOCUMENT
    assert other.json()["asyncapi"] == "3.0.0"
    assert served.headers["content-type"] == "application/json"
