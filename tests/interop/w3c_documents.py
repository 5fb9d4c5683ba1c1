"""Credentials of every shape that the data model and JSON-LD allow, for whoever signs and whoever checks."""

from __future__ import annotations

from typing import Any

from cityid import contexts
from tests.interop.w3c_peers import EXAMPLES

OLD_CITIZEN = "https://w3id.org/citizenship/v1"
CITIZEN = "https://w3id.org/citizenship/v4rc1"
_X = "https://city.example/vocab#"


def document(subject: Any, *more: Any, **members: Any) -> dict[str, Any]:
    """A credential without an issuer. `more` are its contexts besides that of the data model."""
    return {
        "@context": [contexts.V2, *(more or (EXAMPLES,))],
        "type": ["VerifiableCredential"],
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": subject,
        **members,
    }


def _with(terms: dict[str, Any], subject: Any, **members: Any) -> dict[str, Any]:
    defined = {name: term if "@reverse" in term else {"@id": _X + name, **term} for name, term in terms.items()}
    return document(subject, EXAMPLES, defined, **members)


def _person(number: int) -> dict[str, Any]:
    return {"knows": {"livesIn": {"label": "Lindau"}}, "number": number}


DOCUMENTS: dict[str, tuple[dict[str, Any], str, Any]] = {
    # what is signed; a JSON pointer to what a thief changes, and to what
    "of the model of 2019": (
        {
            "@context": [contexts.V1, OLD_CITIZEN, contexts.DATA_INTEGRITY],
            "id": "urn:uuid:0d3f3c1a-2f0b-4c53-9a3e-5f1f9c8f0001",
            "type": ["VerifiableCredential", "PermanentResidentCard"],
            "issuanceDate": "2026-01-01T00:00:00Z",
            "expirationDate": "2036-01-01T00:00:00Z",
            "identifier": "83627465",
            "name": "Permanent Resident Card",
            "credentialSubject": {
                "id": "did:example:b34ca6cd37bbf23",
                "type": ["PermanentResident", "Person"],
                "givenName": "JOHN",
                "birthDate": "1958-07-17",
            },
        },
        "/credentialSubject/birthDate",
        "1958-07-18",
    ),
    "all nodes named": (
        document(
            {
                "id": "did:example:a",
                "given_name": "Zoë",
                "address": {"id": "urn:x:address", "locality": "Lindau", "postal_code": "88131"},
            },
            id="urn:uuid:0d3f3c1a-2f0b-4c53-9a3e-5f1f9c8f0003",
        ),
        "/credentialSubject/address/locality",
        "Lindaus",
    ),
    "many members": (
        document(
            {"id": "urn:uuid:0d3f3c1a-2f0b-4c53-9a3e-5f1f9c8f0002", "alumniOf": {"id": "did:example:c276"}},
            id="https://city.example/credentials/1",
            name=[
                {"@value": "Ausweis", "@language": "de"},
                {"@value": "بطاقة", "@language": "ar", "@direction": "rtl"},
            ],
            description="A card",
            validUntil="2036-01-01T00:00:00Z",
            credentialSchema=[
                {"id": "https://city.example/schema/1", "type": "JsonSchema"},
                {"id": "https://city.example/schema/2", "type": "JsonSchema", "digestSRI": "sha384-AAAA"},
            ],
            credentialStatus=[
                {
                    "id": f"https://city.example/status/{purpose}#94567",
                    "type": "BitstringStatusListEntry",
                    "statusPurpose": purpose,
                    "statusListIndex": "94567",
                    "statusListCredential": f"https://city.example/status/{purpose}",
                }
                for purpose in ("revocation", "suspension")
            ],
            evidence=[{"id": "https://city.example/evidence/1", "type": ["Evidence"]}, {"type": "Evidence"}],
            termsOfUse={"type": "TrustFrameworkPolicy", "policyId": "https://city.example/policy/125"},
            refreshService={"type": "MyRefresh", "id": "https://city.example/refresh/1"},
            relatedResource=[{"id": EXAMPLES, "digestSRI": "sha384-BBBB", "mediaType": "application/ld+json"}],
        ),
        "/credentialStatus/1/statusListIndex",
        "94568",
    ),
    "two subjects": (
        document(
            [{"id": "did:example:a", "spouse": "did:example:b"}, {"id": "did:example:b", "spouse": "did:example:a"}]
        ),
        "/credentialSubject/1/spouse",
        "did:example:c",
    ),
    "a resident": (
        document(
            {
                "type": ["PermanentResident", "Person"],
                "givenName": "JANE",
                "familyName": "SMITH",
                "gender": "Female",
                "birthCountry": "Arcadia",
                "birthDate": "1978-07-17",
                "permanentResidentCard": {
                    "type": ["PermanentResidentCard"],
                    "identifier": "83627465",
                    "lprCategory": "C09",
                    "lprNumber": "999-999-999",
                },
            },
            CITIZEN,
            type=["VerifiableCredential", "PermanentResidentCardCredential"],
        ),
        "/credentialSubject/birthDate",
        "1978-07-18",
    ),
    "numbers": (
        document(
            {
                "whole": [0, 1, -1, 1.0, -0.0, 9007199254740991, -9007199254740991, 1e15],
                "broken": [0.1, -1.5, 1e21, 1.5e-7, 1.7976931348623157e308, 123456.789, 1 / 3],
                "truth": [True, False],
            }
        ),
        "/credentialSubject/broken/0",
        0.2,
    ),
    "text": (
        document(
            {
                "text": [
                    'a"b\\c',
                    "line\nreturn\r",
                    "\x80\x85\u2028\u2029\ufeff",
                    "Zoë",
                    "Zoe\u0308",
                    "柳",
                    "🏛️",
                    "\U0010ffff",
                    "",
                    " ",
                    "\u00a0",
                    "<a> & 'b'",
                    "b0",
                    "@id x",
                ],
                "empty": [],
            }
        ),
        "/credentialSubject/text/3",
        "Zoe\u0308\u0308",
    ),
    "control characters": (
        document({"text": ["tab\tback\bfeed\f", *map(chr, range(32)), "\x7f"]}),
        "/credentialSubject/text/2",
        "\x02",
    ),
    "equal nodes": (
        document([_person(1), _person(1), _person(1), _person(2)]),
        "/credentialSubject/2/number",
        2,
    ),
    "nodes that know each other": (
        document(
            {"knows": [{"id": "_:a", "knows": {"id": "_:b"}, "label": "x"}, {"id": "_:b", "knows": {"id": "_:a"}}]}
        ),
        "/credentialSubject/knows/1/knows/id",
        "_:b",
    ),
    "languages": (
        _with(
            {"title": {"@container": "@language"}, "named": {"@language": "de-CH"}},
            {
                "title": {"de": "Ausweis", "en-US": ["Card", "Pass"], "ZH-Hant": "證"},
                "named": "Pass",
                "free": {"@value": "Carte", "@language": "FR-be"},
            },
        ),
        "/credentialSubject/title/de",
        "Ausweiß",
    ),
    "lists": (
        _with(
            {"row": {"@container": "@list"}, "set": {"@container": "@set"}},
            {"row": [1, "2", {"id": "urn:x:3"}, ["a", []], 1], "set": ["b", "a", "b"], "plain": {"@list": [3, 2]}},
        ),
        "/credentialSubject/row/3/0",
        "b",
    ),
    "JSON inside": (
        _with(
            {"data": {"@type": "@json"}},
            {
                "data": {
                    "z": [1.0, 1e21, -0.0, None, True, "\u2028é\x07"],
                    "a": {"@id": 5, "": {}},
                    "\U0001f600": 1,
                    "\ufb33": 2,
                }
            },
        ),
        "/credentialSubject/data/a/@id",
        6,
    ),
    "maps": (
        _with(
            {
                "by": {"@container": "@id"},
                "of": {"@container": "@type"},
                "at": {"@container": "@index"},
                "held": {"@container": ["@graph", "@id"]},
                "boxed": {"@container": "@graph"},
            },
            {
                "by": {"urn:x:1": {"label": "one"}, "urn:x:2": {"label": "two"}},
                "of": {"Person": [{"label": "three"}]},
                "at": {"first": [{"label": "four"}], "second": {"label": "five"}},
                "held": {"urn:x:g": {"label": "six"}},
                "boxed": [{"label": "seven"}, {"label": "eight", "id": "urn:x:8"}],
            },
        ),
        "/credentialSubject/held/urn:x:g/label",
        "sechs",
    ),
    "turned around": (
        _with(
            {"child": {"@reverse": _X + "parent"}, "other": {"@id": "@nest"}},
            {
                "id": "urn:x:p",
                "child": [{"id": "urn:x:c", "label": "Kim"}],
                "other": {"label": "P"},
                "@reverse": {"https://city.example/vocab#made": {"id": "urn:x:q", "label": "Q"}},
                "@included": [{"id": "urn:x:i", "label": "I"}],
            },
        ),
        "/credentialSubject/child/0/label",
        "Jim",
    ),
    "contexts of terms and types": (
        _with(
            {
                "Boat": {"@context": {"name2": _X + "boatName", "@propagate": False}},
                "owns": {"@context": {"label": _X + "ownLabel", "since": {"@id": _X + "since", "@type": _X + "date"}}},
                "kind": {"@type": "@vocab"},
                "place": {"@type": "@id", "@prefix": True},
            },
            {
                "owns": {"type": "Boat", "name2": "Ente", "label": "L", "since": "1999", "crew": {"label": "C"}},
                "kind": "Boat",
                "place": "place:x",
            },
        ),
        "/credentialSubject/kind",
        "owns",
    ),
}
