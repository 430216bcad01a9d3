"""Requests made from the description of the API, fitting and not: nothing breaks the server."""

import uuid

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.generation import GenerationMode  # noqa: E402
from schemathesis.python import asgi  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SKIPPED = {"/api/v1/conversations/{conversation}/stream"}  # lasts as long as the candidates do
SHORTEST_SENTENCE = 20  # characters


@pytest.fixture
def parts(team, item):
    """Path parameters that lead to something, for an admin who also labels."""
    team.project("p", items=[item(n) for n in range(3)])
    team.project("c", "conversation_helpful")
    root = team.site.program("root", "admin")
    task = root.post("/api/v1/projects/p/next", json={}).json()["task"]["id"]
    sent = {"id": str(uuid.uuid4()), "ranks": [1, 2]}
    after = root.post(f"/api/v1/tasks/{task}/answer", json=sent).json()
    talk = root.post("/api/v1/projects/c/next", json={}).json()["task"]["id"]
    team.site.account("ann")
    team.root = root
    return {
        "project": "p",
        "task": after["task"]["id"],
        "answer": sent["id"],
        "conversation": talk,
        "item": "item-002",
        "name": "ann",
        "digest": "0" * 64,
    }


def explore(team, parts, examples, *, anywhere=True):
    """Try every operation, with parameters that lead to something and with any; count requests."""
    app = team.site.app
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    headers = {"Authorization": team.root.headers["Authorization"], "Host": "localhost"}
    seen = {"requests": 0, "refused": 0, "operations": set()}
    with asgi.get_client(app) as client:
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.path in SKIPPED:
                continue
            seen["operations"].add((operation.method, operation.path))
            names = [one.name for one in operation.path_parameters]
            known = {name: parts[name] for name in names if name in parts}
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                for fixed in [known, None] if known and anywhere else [known or None]:
                    strategy = operation.as_strategy(mode, path_parameters=fixed)
                    try_all(strategy, client, headers, examples, seen)
    return seen


def try_all(strategy, client, headers, examples, seen):
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def check(case):
        reply = case.call_and_validate(
            session=client, headers=headers, base_url="http://localhost", checks=CHECKS
        )
        seen["requests"] += 1
        if reply.status_code >= 400:
            seen["refused"] += 1
            problem = reply.json()
            assert len(problem["detail"]) >= SHORTEST_SENTENCE, problem
            assert problem["status"] == reply.status_code

    try:
        check()
    except Unsatisfiable:
        pass  # nothing of this kind can be sent, for example no wrong body where there is none


def test_no_request_breaks_the_server(team, parts):
    seen = explore(team, parts, examples=2, anywhere=False)
    assert len(seen["operations"]) > 40
    assert seen["requests"] > 100
    assert 30 < seen["refused"] < seen["requests"]


@pytest.mark.slow
def test_no_request_of_many_breaks_the_server(team, parts):
    assert explore(team, parts, examples=40)["requests"] > 5000
