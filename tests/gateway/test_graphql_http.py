"""GraphQL over HTTP: whatever comes in, a stable code, a 4xx, no effect, no traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from domain.kernel.json_text import JsonTooLarge
from gateway.graphql_http import read_body
from tests.support import doors
from tests.support.doors import ACCOUNT, GOOD_TOKEN, client, code, door

JSON = {"content-type": "application/json"}
RESPONSE = "application/graphql-response+json"
APP = door()


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    doors.done.clear()


async def post(body: bytes | str | dict[str, object], **headers: str) -> httpx.Response:
    content = json.dumps(body) if isinstance(body, dict) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client(APP) as http:
        return await http.post("/graphql", content=content, headers=JSON | named)


async def get(url: str, **headers: str) -> httpx.Response:
    async with client(APP, **headers) as http:
        return await http.get(url)


BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "json.syntax"),
    "null": (b"null", "request.not_an_object"),
    "number": (b"1", "request.not_an_object"),
    "string": (b'"x"', "request.not_an_object"),
    "batch": (b'[{"query":"{who}"}]', "request.not_an_object"),
    "deep": (b'{"query":"{who}","variables":' + b'{"a":' * 99 + b"1" + b"}" * 100, "json.too_deep"),
    "deeper": (b"[" * 60_000, "json.too_deep"),
    "digits": (b'{"query":"{who}","variables":{"a":' + b"9" * 5_000 + b"}}", "json.number"),
    "not utf-8": (b'{"query":"\xff"}', "json.not_utf8"),
    "utf-16": ('{"query":"{who}"}'.encode("utf-16"), "json.not_utf8"),
    "duplicate": (b'{"query":"{who}","query":"mutation{enter}"}', "json.duplicate_key"),
    "surrogate": (b'{"query":"{who}","variables":{"a":"\\ud800"}}', "json.bad_character"),
    "nul": (b'{"query":"{who}","variables":{"a":"\\u0000"}}', "json.bad_character"),
    "megabyte": (b'{"query":"{' + b"who " * 250_000 + b'}"}', "json.too_large"),
    "no query": (b'{"qeury":"{who}"}', "request.query_missing"),
    "query list": (b'{"query":["{who}"]}', "request.query_missing"),
    "name list": (b'{"query":"{who}","operationName":["a"]}', "request.bad_parameter"),
    "name long": (
        b'{"query":"{who}","operationName":"' + b"a" * 999 + b'"}',
        "request.bad_parameter",
    ),
    "variables": (b'{"query":"{who}","variables":"x"}', "request.bad_parameter"),
    "extensions": (b'{"query":"{who}","extensions":[1]}', "request.bad_parameter"),
    "attended": (
        b'{"query":"{who}","extensions":{"rt":{"attended":0}}}',
        "request.bad_parameter",
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_has_a_stable_code_and_no_effect(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    body, expected = BAD_BODIES[name]
    with caplog.at_level(logging.DEBUG):
        response = await post(body)

    assert 400 <= response.status_code < 500
    assert (code(response), response.headers["content-type"]) == (
        expected,
        "application/json; charset=utf-8",
    )
    assert doors.done == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_body_without_a_length_is_counted_while_it_comes() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 4_096

    async with client(APP) as http:
        response = await http.post("/graphql", content=endless(), headers=JSON)

    assert (response.status_code, code(response)) == (413, "json.too_large")
    assert sent < 64


async def test_a_declared_length_above_the_bound_is_refused_before_reading() -> None:
    async def receive() -> dict[str, object]:
        pytest.fail("nothing is read")

    with pytest.raises(JsonTooLarge):
        await read_body(receive, {b"content-length": b"99999999999999"}, bytes_max=10)


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/json-evil", "application/json; charset=utf-16"),
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    ],
)
async def test_only_json_in_utf8_is_read(content_type: str) -> None:
    response = await post('{"query":"mutation{enter}"}', content_type=content_type)

    assert (response.status_code, code(response)) == (415, "request.unsupported_media_type")
    assert doors.done == []


@pytest.mark.parametrize("content_type", ["application/json;charset=UTF-8", "Application/JSON"])
async def test_json_may_name_its_charset(content_type: str) -> None:
    response = await post('{"query":"{who}"}', content_type=content_type)

    assert response.json() == {"data": {"who": "nobody"}}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_refused(method: str) -> None:
    async with client(APP) as http:
        response = await http.request(method, "/graphql?query={who}")

    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_get_runs_queries_and_nothing_else() -> None:
    asked = await get('/graphql?query=query($t:String!){echo(text:$t)}&variables={"t":"·"}')
    changed = await get("/graphql?query=mutation{enter}")

    assert asked.json() == {"data": {"echo": "·"}}
    assert (changed.status_code, changed.headers["allow"]) == (405, "POST")
    assert doors.done == []


@pytest.mark.parametrize(
    "url",
    [
        *("?query=%FF", "?query={who}&query={who}", "?variables={}", "?query={who}&variables=[1]"),
        *("?query={who}&variables={", "?query=%00", "?" + "&".join("a=1" for _ in range(99))),
    ],
)
async def test_a_bad_url_has_a_stable_code(url: str) -> None:
    response = await get("/graphql" + url)

    assert response.status_code == 400
    assert code(response)


@pytest.mark.parametrize(
    ("query", "status"), [("{", 400), ("{nothing}", 400), ("query($a:ID!){who}", 400)]
)
async def test_the_newer_media_type_tells_by_its_status_that_nothing_ran(
    query: str, status: int
) -> None:
    newer = await post({"query": query}, accept=RESPONSE)
    older = await post({"query": query}, accept="application/json")

    assert newer.status_code == status
    assert newer.headers["content-type"].startswith(RESPONSE)
    assert "data" not in newer.json()
    assert (older.status_code, older.json()) == (200, newer.json())


@pytest.mark.parametrize("token", ["u1_expired", "", "x" * 9_999, "\x7f"])
async def test_a_token_that_is_no_good_is_told_apart_from_none(token: str) -> None:
    response = await post({"query": "mutation{enter}"}, authorization=f"Bearer {token}")

    assert (response.status_code, code(response)) == (401, "access.unauthenticated")
    assert doors.done == []


async def test_a_bearer_token_signs_in() -> None:
    response = await post({"query": "{who}"}, authorization=f"Bearer {GOOD_TOKEN}")

    assert response.json() == {"data": {"who": str(ACCOUNT.account_id)}}


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({"origin": doors.BASE_URL}, str(ACCOUNT.account_id)),
        ({"x-unionhall": "1"}, str(ACCOUNT.account_id)),
        ({"sec-fetch-site": "same-origin"}, str(ACCOUNT.account_id)),
        ({"origin": "https://evil.example"}, None),
        ({"origin": "null"}, None),
        ({"sec-fetch-site": "cross-site"}, None),
        ({}, None),
    ],
)
async def test_a_cookie_counts_only_from_a_known_page(
    headers: dict[str, str], who: str | None
) -> None:
    response = await post({"query": "{who}"}, cookie=f"a=b; sid={GOOD_TOKEN}", **headers)

    if who is None:
        assert (response.status_code, code(response)) == (403, "request.foreign_origin")
    else:
        assert response.json() == {"data": {"who": who}}


@pytest.mark.parametrize("by", ["bearer", "cookie"])
async def test_what_a_client_asks_with_nobody_there_is_no_use_of_the_session(by: str) -> None:
    headers = {
        "bearer": {"authorization": f"Bearer {GOOD_TOKEN}"},
        "cookie": {"cookie": f"sid={GOOD_TOKEN}", "origin": doors.BASE_URL},
    }[by]
    doors.used.clear()
    for rt in ({}, {"attended": True}, {"attended": False}):
        response = await post({"query": "{who}", "extensions": {"rt": rt}}, **headers)
        assert response.json()["data"] == {"who": str(ACCOUNT.account_id)}

    assert doors.used == [True, True, False]


async def test_an_old_cookie_does_not_keep_its_owner_from_signing_in() -> None:
    response = await post({"query": "mutation{enter}"}, cookie="sid=old", origin=doors.BASE_URL)

    assert response.json() == {"data": {"enter": True}}
    assert response.headers["set-cookie"] == (
        "sid=u1_new; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"
    )


async def test_signing_out_clears_the_cookie() -> None:
    response = await post({"query": "mutation{leave}"}, origin=doors.BASE_URL)

    assert response.headers["set-cookie"] == "sid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"


async def test_a_foreign_page_gets_no_cookie() -> None:
    response = await post({"query": "mutation{enter}"}, origin="https://evil.example")

    assert response.json() == {"data": {"enter": False}}
    assert "set-cookie" not in response.headers
    assert "access-control-allow-origin" not in response.headers


async def test_over_tls_the_cookie_is_bound_to_host_and_tls() -> None:
    secure = door({"UNIONHALL_PUBLIC_URL": "https://hall.example"})
    async with client(secure, origin="https://hall.example") as http:
        response = await http.post("/graphql", json={"query": "mutation{enter}"})

    assert response.headers["set-cookie"] == (
        "__Host-sid=u1_new; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60"
    )
    assert "max-age=63072000" in response.headers["strict-transport-security"]


async def test_a_configured_page_of_another_origin_may_call() -> None:
    app = door({"UNIONHALL_ALLOWED_ORIGINS": "http://localhost:5173"})
    asking = {"access-control-request-method": "POST"}
    async with client(app, origin="http://localhost:5173") as http:
        asked = await http.options("/graphql", headers=asking)
        answered = await http.post("/graphql", json={"query": "{who}"})
    async with client(app, origin="http://localhost:5174") as http:
        stranger = await http.options("/graphql", headers=asking)

    assert asked.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "content-type" in asked.headers["access-control-allow-headers"]
    assert answered.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in stranger.headers


async def test_every_answer_is_safe_and_never_stored() -> None:
    response = await post({"query": "{who}"})

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_a_browser_gets_the_page_and_production_has_none() -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = await get("/graphql", accept=browser)
    app = door({"UNIONHALL_PROFILE": "production", "UNIONHALL_PUBLIC_URL": "https://hall.example"})
    async with client(app, accept=browser) as http:
        none = await http.get("/graphql")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "cdn" not in page.text
    assert (none.status_code, code(none)) == (400, "request.query_missing")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, application/json;q=0.9", RESPONSE),
        (f"application/json, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.1, application/json", "application/json"),
        ("application/json;q=0, */*", RESPONSE),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/xml;q=x, */*;q=0", None),
    ],
)
async def test_the_answer_is_of_a_type_that_the_client_accepts(
    accept: str, expected: str | None
) -> None:
    response = await post({"query": "{who}"}, accept=accept)

    if expected is None:
        assert (response.status_code, code(response)) == (406, "request.not_acceptable")
    else:
        assert response.headers["content-type"] == f"{expected}; charset=utf-8"
