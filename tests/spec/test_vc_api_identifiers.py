"""VC-API: `GET /1.0/identifiers/DID`, the HTTPS binding of DID Resolution v1 (§12.1) and the older profile. What is
resolved, and into what, is `test_dids` and `test_did_resolution`; here is what HTTP adds."""

from __future__ import annotations

import pytest

from cityid.encoding import multibase
from cityid.plan import Request, Response
from cityid.vc_api.identifiers import did_url
from tests.vc_api import NOW, Server

RESULT = "application/did-resolution"
OLDER = 'application/ld+json;profile="https://w3id.org/did-resolution"'
DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
SHORT = "did:key:" + multibase.encode(multibase.varint(0xED) + bytes(31))
FRAGMENT = DID.removeprefix("did:key:")


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


class TestForms:
    @pytest.mark.parametrize("accept", [RESULT, "", "*/*", "text/html, application/did-resolution;q=0.5"])
    def test_the_whole_result(self, server: Server, accept: str) -> None:
        answer = server.resolve(DID, accept)
        assert (answer.status, answer.headers["content-type"]) == (200, RESULT)
        assert answer.body["didDocument"]["id"] == DID
        assert answer.body["didResolutionMetadata"] == {"contentType": "application/did"}

    def test_the_older_profile(self, server: Server) -> None:
        answer = server.resolve(DID, OLDER)
        assert (answer.status, answer.headers["content-type"]) == (200, OLDER)
        assert answer.body["didDocument"]["id"] == DID

    @pytest.mark.parametrize("accept", ["application/did", "application/did+ld+json", "application/json"])
    def test_the_document_alone(self, server: Server, accept: str) -> None:
        answer = server.resolve(DID, accept)
        assert (answer.status, answer.headers["content-type"], answer.body["id"]) == (200, accept, DID)

    def test_a_form_that_there_is_not(self, server: Server) -> None:
        answer = server.resolve(DID, "text/html")
        assert answer.status == 406
        assert answer.body["didResolutionMetadata"]["error"]["type"].endswith("#REPRESENTATION_NOT_SUPPORTED")

    def test_what_a_did_url_names(self, server: Server) -> None:
        answer = server.resolve(f"{DID}%23{FRAGMENT}", "application/did-url-dereferencing")
        assert answer.status == 200
        assert answer.body["content"]["id"] == f"{DID}#{FRAGMENT}"


class TestErrors:
    @pytest.mark.parametrize(
        ("did", "status", "name", "word"),
        [
            ("nonsense", 400, "INVALID_DID", "invalidDid"),
            ("did:key:" + "z6Mk" * 400, 400, "INVALID_DID", "invalidDid"),
            (SHORT, 400, "INVALID_DID", "invalidPublicKeyLength"),
            ("did:example:nothing", 501, "METHOD_NOT_SUPPORTED", "methodNotSupported"),
            (f"{DID}%23elsewhere", 404, "NOT_FOUND", "notFound"),
            (f"{DID}%23", 400, "INVALID_DID_URL", "invalidDidUrl"),
        ],
    )  # fmt: skip
    def test_named_as_the_text_names_them(self, server: Server, did: str, status: int, name: str, word: str) -> None:
        accept = "application/did-url-dereferencing" if "%23" in did else RESULT
        answer = server.resolve(did, accept)
        assert answer.status == status
        part = "didUrlDereferencingMetadata" if "%23" in did else "didResolutionMetadata"
        assert answer.body[part]["error"]["type"] == f"https://www.w3.org/ns/did#{name}"
        if "%23" not in did:
            older = server.resolve(did, OLDER)
            assert older.status == status
            assert older.body["didResolutionMetadata"]["error"] == word
            assert older.body["didDocument"] is None

    def test_nothing_is_fetched_without_a_network(self, server: Server) -> None:
        answer = server.resolve("did:web:id.lindau.example")
        assert answer.body["didResolutionMetadata"]["error"]["type"].endswith("#INTERNAL_ERROR")

    def test_what_is_fetched(self) -> None:
        asked: list[str] = []

        def exchange(request: Request) -> Response:
            asked.append(request.url)
            return Response(200, {"content-type": "application/did"}, b'{"id":"did:web:id.lindau.example%3A8443"}', NOW)

        answer = Server(exchange=exchange).resolve("did:web:id.lindau.example%3A8443")
        assert (answer.status, asked) == (200, ["https://id.lindau.example:8443/.well-known/did.json"])

    def test_an_option_given_twice(self, server: Server) -> None:
        for query in ("?a=1&a=2", "?" + "&".join(f"a{number}=" for number in range(21))):
            answer = server.resolve(DID, query=query)
            assert (answer.status, answer.code) == (400, "vc_api.options")
        assert server.resolve(DID, query="?publicKeyFormat=JsonWebKey").status == 200


class TestEncoding:
    """The DID is in the path as it is, or percent-encoded as a whole."""

    @pytest.mark.parametrize(
        ("path", "url"),
        [
            ("did:key:z6Mk", "did:key:z6Mk"),
            ("did%3Akey%3Az6Mk", "did:key:z6Mk"),
            ("DID%3akey:z6Mk", "DID:key:z6Mk"),
            ("did:web:localhost%3A8443", "did:web:localhost%3A8443"),
            ("did:web:localhost%253A8443", "did:web:localhost%3A8443"),
            ("did%3Aweb%3Alocalhost%253A8443", "did:web:localhost%3A8443"),
            ("did:key:z6Mk%23z6Mk", "did:key:z6Mk#z6Mk"),
            ("did:key:z6Mk%3FversionId=1", "did:key:z6Mk?versionId=1"),
            ("did:web:a.example%2Fpath", "did:web:a.example/path"),
            ("did%3A%ff", "did:\\xff"),
        ],
    )
    def test_told_apart(self, path: str, url: str) -> None:
        assert did_url(path) == url
