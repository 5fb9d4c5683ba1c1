"""DID Resolution v1: the functions, their results, their errors, and the HTTPS binding without HTTP."""

from __future__ import annotations

import json as stdlib_json
from typing import Any

import pytest

from cityid.did import key as did_key
from cityid.did import look_up, resolution, webvh
from cityid.did.resolution import DEREFERENCED, OLDER, REPRESENTATIONS, RESULT, Dereferenced, Result
from cityid.did.webvh import identifier
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.keys import multikey
from cityid.plan import Request, Response
from tests.spec.test_dids import BLS
from tests.webvh import NOW, A, B, C, created, day, entries, later, p256, refusal, served

ED = did_key.create(A.public_key)
P256 = did_key.create(p256())
BBS = f"did:key:{BLS}"
MADE = created()
LOG = later(MADE.log, 20, state=webvh.document(MADE.did, {"key-2": B.public_key}))
FIRST, SECOND = (entry["versionId"] for entry in entries(LOG))
CLOSED = webvh.deactivate(LOG, A, day(30))
HOST = "did:web:id.lindau.example"


def no_network(request: Request) -> Response:
    raise AssertionError(request)


def net(log: bytes = LOG) -> Any:
    return served({identifier.read(MADE.did).log: log})


def resolved(did: str, log: bytes = LOG, /, **options: Any) -> Result:
    return resolution.resolve(did, options, NOW).run(net(log))


def dereferenced(url: str, log: bytes = LOG, /, **options: Any) -> Dereferenced:
    return resolution.dereference(url, options, NOW).run(net(log))


def name(found: Result | Dereferenced) -> str:
    return "" if found.fault is None else found.fault.name


def web(document: dict[str, Any]) -> Any:
    body = stdlib_json.dumps(document).encode()
    return lambda _: Response(200, {"content-type": "application/json"}, body, NOW)


class TestResolve:
    """§4."""

    def test_a_document(self) -> None:
        found = resolved(ED)
        assert (found.document or {})["id"] == ED
        assert (found.status, found.fault, found.metadata) == (200, None, {})
        assert resolved(MADE.did).metadata["versionId"] == SECOND

    @pytest.mark.parametrize(
        ("did", "expected"),
        [
            ("did:key", "INVALID_DID"),
            ("did:key:", "INVALID_DID"),
            ("did:KEY:z6Mk", "INVALID_DID"),
            ("x", "INVALID_DID"),
            (f"{ED}#x", "INVALID_DID"),
            (f"{ED}?versionId=1", "INVALID_DID"),
            ("did:key:" + "z" * 4000, "INVALID_DID"),
            ("did:example:1", "METHOD_NOT_SUPPORTED"),
            ("did:web:127.0.0.1", "INVALID_DID"),
            (ED[:-1], "INVALID_DID"),
            (MADE.did.replace("lindau", "bregenz"), "NOT_FOUND"),
        ],
    )
    def test_errors(self, did: str, expected: str) -> None:
        found = resolved(did)
        assert name(found) == expected
        assert (found.document, found.metadata) == (None, {})

    def test_unexpected_errors(self) -> None:
        def broken(_: Request) -> Response:
            raise Unavailable("net.unreachable", host="id.lindau.example")

        found = resolution.resolve(HOST).run(broken)
        assert (name(found), found.status) == ("INTERNAL_ERROR", 500)
        found = resolution.resolve(HOST).run(web({"id": "did:web:other.example"}))
        assert (name(found), found.status) == ("INVALID_DID_DOCUMENT", 500)
        assert resolution.resolve(HOST).run(web({"id": HOST})).status == 200

    def test_a_did_with_a_history_needs_a_time(self) -> None:
        with pytest.raises(Misuse) as error:
            resolution.resolve(MADE.did).run(net())
        assert error.value.code == "did.no_time"

    def test_what_was_seen(self) -> None:
        assert name(resolution.resolve(MADE.did, {}, NOW, SECOND).run(net())) == ""
        found = resolution.resolve(MADE.did, {}, NOW, SECOND).run(net(MADE.log))
        assert found.fault is not None
        assert (found.fault.name, found.fault.code) == ("INVALID_DID", "did.webvh_truncated")


class TestOptions:
    """§4.1."""

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"versionId": FIRST}, "key-1"),
            ({"versionId": SECOND}, "key-2"),
            ({"versionTime": "2026-01-10T00:00:00Z"}, "key-1"),
            ({"versionTime": "2026-01-10T02:00:00+02:00"}, "key-1"),
            ({"versionNumber": "1"}, "key-1"),
            ({"versionNumber": "1", "versionId": FIRST}, "key-1"),
            ({"noCache": "true"}, "key-2"),
            ({"noCache": "false", "expandRelativeUrls": "false"}, "key-2"),
        ],
    )
    def test_versions(self, options: dict[str, str], expected: str) -> None:
        found = resolved(MADE.did, **options)
        assert (found.document or {})["verificationMethod"][0]["id"] == f"{MADE.did}#{expected}"

    def test_what_comes_after_a_version(self) -> None:
        told = resolved(MADE.did, versionId=FIRST).metadata
        assert (told["nextVersionId"], told["nextUpdate"]) == (SECOND, "2026-01-21T00:00:00Z")
        assert "nextVersionId" not in resolved(MADE.did, versionId=SECOND).metadata

    @pytest.mark.parametrize(
        ("did", "options", "expected"),
        [
            (MADE.did, {"versionId": "3-x"}, "NOT_FOUND"),
            (MADE.did, {"versionTime": "2025-01-01T00:00:00Z"}, "NOT_FOUND"),
            (MADE.did, {"versionTime": "yesterday"}, "INVALID_OPTIONS"),
            (MADE.did, {"versionNumber": "one"}, "INVALID_OPTIONS"),
            (MADE.did, {"versionId": FIRST, "versionTime": "2026-01-10T00:00:00Z"}, "INVALID_OPTIONS"),
            (MADE.did, {"expandRelativeUrls": "yes"}, "INVALID_OPTIONS"),
            (MADE.did, {"noCache": ""}, "INVALID_OPTIONS"),
            (MADE.did, {"service": "files"}, "FEATURE_NOT_SUPPORTED"),
            (MADE.did, {"hl": "z"}, "FEATURE_NOT_SUPPORTED"),
            (MADE.did, {"publicKeyFormat": "Multikey"}, "FEATURE_NOT_SUPPORTED"),
            (ED, {"versionId": "1"}, "FEATURE_NOT_SUPPORTED"),
            (HOST, {"versionTime": "2026-01-10T00:00:00Z"}, "FEATURE_NOT_SUPPORTED"),
            (ED, {"accept": "text/html"}, "REPRESENTATION_NOT_SUPPORTED"),
            ("did:example:1", {"versionId": "1"}, "METHOD_NOT_SUPPORTED"),  # before its options
            (ED, {"enableEncryptionKeyDerivation": "perhaps"}, "INVALID_OPTIONS"),
        ],
    )
    def test_refused(self, did: str, options: dict[str, str], expected: str) -> None:
        assert name(resolved(did, **options)) == expected

    @pytest.mark.parametrize("accept", REPRESENTATIONS)
    def test_representations(self, accept: str) -> None:
        assert resolved(ED, accept=accept).content_type == accept

    def test_relative_urls(self) -> None:
        document = {
            "id": MADE.did,
            "verificationMethod": [{"id": "#key-1", "type": "Multikey", "publicKeyMultibase": C.name}],
            "assertionMethod": ["#key-1", {"id": "#key-2"}],
            "authentication": [f"{MADE.did}#key-1"],
            "service": [{"id": "?service=x", "serviceEndpoint": {"id": "/whois"}}, {"serviceEndpoint": "/plain"}],
        }
        log = later(MADE.log, 20, state=document)
        found = resolved(MADE.did, log, expandRelativeUrls="true").document or {}
        assert found["verificationMethod"][0]["id"] == f"{MADE.did}#key-1"
        assert found["assertionMethod"] == [f"{MADE.did}#key-1", {"id": f"{MADE.did}#key-2"}]
        assert found["authentication"] == [f"{MADE.did}#key-1"]
        assert found["service"] == [
            {"id": f"{MADE.did}?service=x", "serviceEndpoint": {"id": f"{MADE.did}/whois"}},
            {"serviceEndpoint": "/plain"},
        ]
        assert resolved(MADE.did, log).document == document
        assert resolved(MADE.did, log, expandRelativeUrls="false").document == document


class TestOptionsOfDidKey:
    """did:key v0.9 §3.1.2."""

    @pytest.mark.parametrize("form", ["JsonWebKey", "JsonWebKey2020"])
    @pytest.mark.parametrize("did", [ED, P256])
    def test_jwk(self, did: str, form: str) -> None:
        found = resolved(did, publicKeyFormat=form).document or {}
        assert [method["type"] for method in found["verificationMethod"]] == [form]
        document = look_up(did).run(no_network).document or {}
        (method,) = document["verificationMethod"]
        assert method["type"] == "Multikey"
        from cityid.keys import jwk

        written = found["verificationMethod"][0]
        assert jwk.read(written["publicKeyJwk"]) == multikey.read(method["publicKeyMultibase"])
        assert "publicKeyMultibase" not in written
        if did == ED:
            assert found["keyAgreement"][0]["publicKeyJwk"]["crv"] == "X25519"

    def test_ed25519_2020(self) -> None:
        found = resolved(ED, publicKeyFormat="Ed25519VerificationKey2020").document or {}
        assert found["verificationMethod"][0]["type"] == "Ed25519VerificationKey2020"
        assert found["keyAgreement"][0]["type"] == "Multikey"
        assert resolved(ED, publicKeyFormat="Multikey").document == resolved(ED).document

    @pytest.mark.parametrize(
        ("did", "form"),
        [(P256, "Ed25519VerificationKey2020"), (ED, "X25519KeyAgreementKey2020"), (ED, ""), (BBS, "JsonWebKey")],
    )
    def test_refused(self, did: str, form: str) -> None:
        found = resolved(did, publicKeyFormat=form)
        assert found.fault is not None
        assert (found.fault.code, found.fault.word()) == ("did.key_format", "unsupportedPublicKeyType")

    def test_key_agreement(self) -> None:
        assert "keyAgreement" in (resolved(ED, enableEncryptionKeyDerivation="true").document or {})
        assert "keyAgreement" not in (resolved(ED, enableEncryptionKeyDerivation="false").document or {})
        x25519 = did_key.create(did_key.agreement(A.public_key) or A.public_key)
        assert "keyAgreement" in (resolved(x25519, enableEncryptionKeyDerivation="false").document or {})


class TestClosed:
    """§4.4, a DID that has been deactivated."""

    def test_no_document(self) -> None:
        found = resolved(MADE.did, CLOSED)
        assert (found.document, found.fault, found.status) == (None, None, 410)
        assert found.metadata["deactivated"] is True
        assert found.write()["didResolutionMetadata"] == {}

    def test_an_earlier_version(self) -> None:
        found = resolved(MADE.did, CLOSED, versionNumber="2")
        assert found.document is not None
        assert (found.metadata["deactivated"], found.status) == (True, 410)
        assert resolved(MADE.did, LOG, versionNumber="2").status == 200


class TestErrors:
    """§10."""

    @pytest.mark.parametrize(
        ("did", "error", "expected", "word", "status"),
        [
            (HOST, Malformed("did.web_host"), "INVALID_DID", "invalidDid", 400),
            (HOST, Malformed("did.url_fragment"), "INVALID_DID_URL", "invalidDidUrl", 400),
            (HOST, Refused("did.method_not_supported"), "METHOD_NOT_SUPPORTED", "methodNotSupported", 501),
            (HOST, Unavailable("did.not_found"), "NOT_FOUND", "notFound", 404),
            (HOST, Refused("did.content_type"), "REPRESENTATION_NOT_SUPPORTED", "representationNotSupported", 406),
            (HOST, Malformed("json.syntax"), "INVALID_DID_DOCUMENT", "invalidDidDocument", 500),
            (HOST, Refused("did.document_id"), "INVALID_DID_DOCUMENT", "invalidDidDocument", 500),
            (ED, Malformed("key.length"), "INVALID_DID", "invalidPublicKeyLength", 400),
            (ED, Malformed("key.not_on_curve"), "INVALID_DID", "invalidPublicKey", 400),
            (ED, Malformed("multibase.base"), "INVALID_DID", "invalidDid", 400),
            ("did:jwk:e30", Malformed("json.syntax"), "INVALID_DID", "invalidDid", 400),
            (MADE.did, Refused("did.webvh_scid"), "INVALID_DID", "invalidDid", 400),
            (MADE.did, Refused("did.version_not_found"), "NOT_FOUND", "notFound", 404),
            (MADE.did, Malformed("did.option_value"), "INVALID_OPTIONS", "invalidOptions", 400),
            (MADE.did, Refused("did.option_unknown"), "FEATURE_NOT_SUPPORTED", "featureNotSupported", 501),
            (HOST, Unavailable("net.timeout"), "INTERNAL_ERROR", "internalError", 500),
        ],
    )
    def test_names(
        self, did: str, error: Malformed | Refused | Unavailable, expected: str, word: str, status: int
    ) -> None:
        fault = resolution.fault_of(error, did)
        assert (fault.name, fault.word(), fault.status) == (expected, word, status)
        assert fault.write()["type"] == f"https://www.w3.org/ns/did#{expected}"
        assert fault.write()["title"]

    def test_details(self) -> None:
        fault = resolution.fault_of(Malformed("did.syntax", found="x"), "x")
        assert fault.write()["detail"] == "did.syntax (found: x)"
        assert resolution.fault_of(Refused("did.webvh_scid"), "x").write()["detail"] == "did.webvh_scid"


class TestResults:
    """§9, in both shapes."""

    def test_good(self) -> None:
        found = resolved(ED)
        whole = {
            "didResolutionMetadata": {"contentType": "application/did"},
            "didDocument": found.document,
            "didDocumentMetadata": {},
        }
        assert found.write() == whole
        assert found.write(older=True) == {"@context": "https://w3id.org/did-resolution/v1", **whole}

    def test_bad(self) -> None:
        found = resolution.of("x", Malformed("did.syntax", found="x"))
        whole = {
            "didResolutionMetadata": {
                "error": {
                    "type": "https://www.w3.org/ns/did#INVALID_DID",
                    "title": "The DID is not valid",
                    "detail": "did.syntax (found: x)",
                }
            },
            "didDocument": None,
            "didDocumentMetadata": {},
        }
        assert found.write() == whole
        assert found.write(older=True)["didResolutionMetadata"] == {"error": "invalidDid"}

    def test_dereferenced(self) -> None:
        found = dereferenced(f"{MADE.did}?versionNumber=1#key-1")
        document = webvh.document(MADE.did, {"key-1": C.public_key})
        content = {"@context": document["@context"], **document["verificationMethod"][0]}
        assert found.write() == {
            "didUrlDereferencingMetadata": {"contentType": "application/did"},
            "content": content,
            "contentMetadata": {},
        }
        assert found.write(older=True) == {
            "dereferencingMetadata": {"contentType": "application/did"},
            "contentStream": content,
            "contentMetadata": {},
        }
        assert dereferenced("x").write(older=True)["dereferencingMetadata"] == {"error": "invalidDid"}


class TestDereference:
    """§5."""

    def test_documents(self) -> None:
        whole = resolved(MADE.did, versionNumber="1")
        for found in (dereferenced(f"{MADE.did}?versionNumber=1"), dereferenced(MADE.did, versionNumber="1")):
            assert (found.content, found.metadata) == (whole.document, whole.metadata)
        assert dereferenced(f"{MADE.did}?versionTime=2026-01-10T02:00:00+02:00").content == whole.document
        assert dereferenced(f"{MADE.did}?versionTime=2026-01-10T02:00:00%2B02:00").content == whole.document

    def test_fragments(self) -> None:
        document: dict[str, Any] = webvh.document(MADE.did, {"key-1": C.public_key}) | {
            "service": [{"id": "#files", "type": "relativeRef"}, "strange"],
            "keyAgreement": [{"id": f"{MADE.did}#own", "type": "Multikey"}],
            "authentication": "strange",
        }
        log = later(MADE.log, 20, state=document)
        for fragment, kind in (("files", "relativeRef"), ("own", "Multikey"), ("key-1", "Multikey")):
            found = dereferenced(f"{MADE.did}#{fragment}", log)
            assert (found.content or {})["type"] == kind
        del document["@context"]
        bare = dereferenced(f"{MADE.did}#files", later(MADE.log, 20, state=document))
        assert bare.content == {"id": "#files", "type": "relativeRef"}
        assert name(dereferenced(f"{MADE.did}#nothing", log)) == "NOT_FOUND"

    @pytest.mark.parametrize(
        ("rest", "options", "expected"),
        [
            ("#", {}, "INVALID_DID_URL"),
            ("#a#b", {}, "INVALID_DID_URL"),
            ("?versionNumber=1&versionNumber=1", {}, "INVALID_DID_URL"),
            ("?service=files&relativeRef=//169.254.169.254/", {}, "FEATURE_NOT_SUPPORTED"),
            ("?service=files", {}, "FEATURE_NOT_SUPPORTED"),
            ("/whois", {}, "NOT_FOUND"),
            ("/", {}, "NOT_FOUND"),
            ("?versionNumber=7", {}, "NOT_FOUND"),
            ("#key-2", {"verificationRelationship": "keyAgreement"}, "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD"),
            ("", {"verificationRelationship": "keyAgreement"}, "NOT_FOUND"),
            ("#key-2", {"verificationRelationship": "friendship"}, "INVALID_OPTIONS"),
            ("#key-2", {"verificationRelationship": "assertionMethod"}, ""),
            ("#key-2", {"accept": "text/uri-list"}, "REPRESENTATION_NOT_SUPPORTED"),
            ("#key-2", {"accept": "application/did"}, ""),
        ],
    )
    def test_errors(self, rest: str, options: dict[str, str], expected: str) -> None:
        assert name(dereferenced(MADE.did + rest, **options)) == expected

    def test_paths(self) -> None:
        found = dereferenced(f"{MADE.did}/whois")
        assert found.fault is not None
        assert found.fault.write()["detail"] == "did.no_such_path (path: /whois)"

    def test_the_error_of_another_text(self) -> None:
        found = dereferenced(f"{MADE.did}#key-2", verificationRelationship="keyAgreement")
        assert found.fault is not None
        assert found.fault.write()["type"].startswith("https://w3id.org/security#INVALID_RELATIONSHIP")

    def test_an_embedded_key_stands_under_its_relationship(self) -> None:
        document = {"id": MADE.did, "keyAgreement": [{"id": f"{MADE.did}#own", "type": "Multikey"}]}
        log = later(MADE.log, 20, state=document)
        assert name(dereferenced(f"{MADE.did}#own", log, verificationRelationship="keyAgreement")) == ""
        assert name(dereferenced(f"{MADE.did}#own", log, verificationRelationship="authentication")) != ""

    def test_closed(self) -> None:
        found = dereferenced(f"{MADE.did}#key-2", CLOSED)
        assert (found.content, found.status) == (None, 410)


class TestNegotiation:
    """§4.1, `accept`; RFC 9110 §12.5.1."""

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("*/*", RESULT),
            ("application/*", RESULT),
            (RESULT, RESULT),
            (OLDER, OLDER),
            ("application/ld+json; profile=https://w3id.org/did-resolution", OLDER),
            ('Application/LD+JSON; Profile="https://w3id.org/did-resolution"', OLDER),
            ("application/ld+json", "application/ld+json"),
            ("application/did", "application/did"),
            ("text/html, application/did+json;q=0.5, */*;q=0.1", "application/did+json"),
            ("application/did;q=0.1, application/json", "application/json"),
            ("application/did-resolution;q=0, application/*", OLDER),
            ("application/did-resolution;q=2, application/did;q=0.1", "application/did"),
            ("application/json; charset=utf-8", "application/json"),
            ("nonsense, application/did", "application/did"),
        ],
    )
    def test_chosen(self, accept: str, expected: str) -> None:
        assert resolution.negotiate(accept, (RESULT, OLDER, *REPRESENTATIONS)) == expected

    @pytest.mark.parametrize(
        "accept",
        ["text/html", "application/did;q=0", "", "text/*", 'application/ld+json;profile="https://other.example"'],
    )
    def test_none(self, accept: str) -> None:
        assert refusal(resolution.negotiate, accept, (RESULT, OLDER, *REPRESENTATIONS)) == "did.representation"


class TestBinding:
    """§12.1, without HTTP."""

    def respond(self, url: str, accept: str, log: bytes = LOG, **options: str) -> tuple[int, str, Any]:
        found = resolution.respond(url, accept, options, NOW).run(net(log))
        return found.status, found.content_type, stdlib_json.loads(found.body)

    def test_results(self) -> None:
        for accept in ("", "*/*", RESULT):
            assert self.respond(MADE.did, accept) == (200, RESULT, resolved(MADE.did).write())
        assert self.respond(MADE.did, OLDER)[2]["didResolutionMetadata"] == {"contentType": "application/did"}
        assert self.respond("did:x:1", OLDER)[::2] == (501, resolution.of("did:x:1", Refused(
            "did.method_not_supported", method="x")).write(older=True))  # fmt: skip

    def test_documents(self) -> None:
        for accept in REPRESENTATIONS:
            assert self.respond(MADE.did, accept) == (200, accept, resolved(MADE.did).document)

    def test_documents_that_are_not_there(self) -> None:
        status, kind, body = self.respond("did:x:1", "application/did")
        assert (status, kind) == (501, RESULT)
        assert body["didResolutionMetadata"]["error"]["type"].endswith("#METHOD_NOT_SUPPORTED")
        status, kind, body = self.respond(MADE.did, "application/did", CLOSED)
        assert (status, kind, body["didDocument"]) == (410, RESULT, None)
        status, kind, body = self.respond(f"{MADE.did}#nothing", "application/did")
        assert (status, kind, body["content"]) == (404, DEREFERENCED, None)

    def test_dereferencing(self) -> None:
        url = f"{MADE.did}?versionNumber=1#key-1"
        for accept in ("", DEREFERENCED):
            assert self.respond(url, accept) == (200, DEREFERENCED, dereferenced(url).write())
        assert self.respond(url, "application/did") == (200, "application/did", dereferenced(url).content)
        assert self.respond(MADE.did, DEREFERENCED) == (200, DEREFERENCED, dereferenced(MADE.did).write())

    def test_a_url_is_not_a_did(self) -> None:
        assert self.respond(f"{MADE.did}?versionNumber=1", RESULT)[0] == 400
        assert self.respond(MADE.did, RESULT, versionNumber="1")[2]["didDocumentMetadata"]["versionNumber"] == 1

    def test_nothing_acceptable(self) -> None:
        status, kind, body = self.respond(MADE.did, "text/html")
        assert (status, kind) == (406, RESULT)
        assert body["didResolutionMetadata"]["error"]["type"].endswith("#REPRESENTATION_NOT_SUPPORTED")
