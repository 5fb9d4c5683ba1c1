"""VC-API: what every endpoint does with HTTP itself. Answers are JSON, each *no* a problem document (RFC 9457)."""

from __future__ import annotations

import json

import pytest

from cityid import limits
from tests.vc_api import Server, credential, names

NAME = "eddsa-jcs-2022"
ISSUE = f"/issuers/{NAME}/credentials/issue"
POSTS = [ISSUE, "/credentials/verify", "/presentations/verify", "/credentials/derive", "/credentials/status"]


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


class TestPaths:
    def test_what_there_is(self, server: Server) -> None:
        answer = server("GET", "/issuers")
        assert answer.status == 200
        assert [one["name"] for one in answer.body] == names(server.text)
        one = answer.body[0]
        assert one["id"] == server.issuer(one["name"])
        assert one["verificationMethod"].startswith(one["id"] + "#")
        assert one["url"] == f"https://localhost:40443/issuers/{one['name']}/credentials/issue"

    @pytest.mark.parametrize(
        "path", ["/", "", "/issuers/", "/issuers/nobody/credentials/issue", ISSUE + "/", "/1.0/identifiers", "//"]
    )
    def test_what_there_is_not(self, server: Server, path: str) -> None:
        for method in ("GET", "POST"):
            answer = server(method, path)
            assert (answer.status, answer.code) == (404, "vc_api.not_found")

    @pytest.mark.parametrize("path", POSTS)
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
    def test_another_method_than_post(self, server: Server, method: str, path: str) -> None:
        answer = server(method, path, {})
        assert (answer.status, answer.code, answer.headers["allow"]) == (405, "vc_api.method", "POST")

    def test_another_method_than_get(self, server: Server) -> None:
        for path in ("/issuers", "/1.0/identifiers/did:key:x"):
            answer = server("POST", path, {})
            assert (answer.status, answer.code, answer.headers["allow"]) == (405, "vc_api.method", "GET")
        assert server("HEAD", "/issuers").status == 200

    def test_a_name_may_be_encoded(self, server: Server) -> None:
        body = {"credential": credential(server.issuer(NAME))}
        assert server("POST", ISSUE.replace("-", "%2D"), body).status == 201


@pytest.mark.parametrize("path", POSTS)
class TestBodies:
    @pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
    def test_another_media_type(self, server: Server, path: str, kind: str) -> None:
        answer = server("POST", path, {}, content_type=kind)
        assert (answer.status, answer.code) == (415, "vc_api.media_type")

    @pytest.mark.parametrize(
        "kind",
        [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/ld+json",
            "application/vc",
            "application/vp",
        ],
    )
    def test_the_media_types_of_json(self, server: Server, path: str, kind: str) -> None:
        assert server("POST", path, {}, content_type=kind).code == "json.missing"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "json.syntax"),
            (b"\xff", "json.not_utf8"),
            (b"[]", "json.not_an_object"),
            (b"null", "json.not_an_object"),
            (b'{"a":1,"a":1}', "json.duplicate"),
            (b'{"a":NaN}', "json.not_finite"),
            (b'{"a":"\\ud800"}', "json.surrogate"),
            (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "json.too_deep"),
            (b'{"a":' + b"[" * 100_000, "json.too_deep"),
            (b'{"a":' + b"9" * 5000 + b"}", "json.integer_too_large"),
            (b'{"a":"' + b"a" * limits.DOCUMENT + b'"}', "json.too_large"),
            (b"{}", "json.missing"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_no_request(self, server: Server, path: str, body: bytes, code: str) -> None:
        answer = server("POST", path, body)
        assert (answer.status, answer.code) == (400, code)


class TestProblemDocuments:
    """RFC 9457 §3.1, with the problem types of VCDM 2.0 §7.2."""

    def test_members(self, server: Server) -> None:
        answer = server("POST", ISSUE, b'{"a":1,"a":1}')
        assert answer.headers["content-type"] == "application/problem+json"
        details, errors = answer.body.pop("problemDetails"), answer.body.pop("errors")
        assert details == errors == [answer.body]
        assert answer.body == {
            "type": "https://www.w3.org/TR/vc-data-model#PARSING_ERROR",
            "title": "PARSING_ERROR",
            "status": 400,
            "detail": "the member a appears twice",
            "code": "json.duplicate",
            "where": "$",
        }

    def test_http_s_own_have_no_type(self, server: Server) -> None:
        answer = server("GET", "/")
        assert (answer.body["type"], answer.body["title"], answer.body["status"]) == (
            "about:blank",
            "vc_api.not_found",
            404,
        )
        assert "where" not in answer.body

    def test_what_a_stranger_wrote_stays_on_one_line(self, server: Server) -> None:
        answer = server("GET", "/\n\u2028" + "x" * 5000)
        assert "\n" not in answer.body["detail"]
        assert len(json.dumps(answer.body)) < 2500
