"""DCQL beside npm `dcql`: the same queries over the same credentials, and the same queries refused.

Where the two differ, `READ_ALONE`, `REFUSED_ALONE` or `MATCHED_APART` names it and says why, and the test shows that it
is still so.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from cityid.credential import Credential, Window
from cityid.errors import Malformed
from cityid.query import Answerable, read
from tests import vectors
from tests.interop.peers import No, Node
from tests.sd_jwts import HOLDER

pytestmark = pytest.mark.interop("npm")

VCT, OTHER = "https://id.lindau.example/vct/residency/1", "https://id.lindau.example/vct/parking/1"
MDL, NAMESPACE = "org.iso.18013.5.1.mDL", "org.iso.18013.5.1"
VC, RESIDENCY = "https://www.w3.org/2018/credentials#VerifiableCredential", "https://city.example/vocab#Residency"


def _resident(**changed: Any) -> dict[str, Any]:
    return {
        "given_name": "Zoë",
        "age_over_18": True,
        "resident_since_year": 2011,
        "address": {"locality": "Lindau", "street_address": "Hafenweg 3"},
        "nationalities": ["DE", "TR"],
        "degrees": [{"type": "BSc", "year": 2001}, {"type": "MSc"}],
        **changed,
    }


WALLET: tuple[dict[str, Any], ...] = (
    {"credential_format": "dc+sd-jwt", "vct": VCT, "claims": _resident()},
    {"credential_format": "dc+sd-jwt", "vct": VCT, "claims": _resident(age_over_18=False, nationalities=[])},
    {"credential_format": "dc+sd-jwt", "vct": VCT, "claims": _resident(address={"locality": "Ulm"}, degrees=[])},
    {"credential_format": "dc+sd-jwt", "vct": VCT, "claims": _resident(resident_since_year=1, age_over_18=1)},
    {"credential_format": "dc+sd-jwt", "vct": OTHER, "claims": {"plate": "LI-AB 12", "zones": ["A", "B"]}},
    {"credential_format": "mso_mdoc", "doctype": MDL, "namespaces": {NAMESPACE: {"given_name": "Zoë", "age": 44}}},
    {"credential_format": "mso_mdoc", "doctype": MDL, "namespaces": {NAMESPACE: {"given_name": "Ada"}}},
    {"credential_format": "mso_mdoc", "doctype": "other", "namespaces": {NAMESPACE: {"given_name": "Zoë"}}},
    {"credential_format": "ldp_vc", "type": [VC, RESIDENCY], "claims": {"credentialSubject": {"given_name": "Zoë"}}},
    {"credential_format": "jwt_vc_json", "type": [VC], "claims": {"credentialSubject": {"given_name": "Zoë"}}},
)


def ours(item: Mapping[str, Any], *, bound: bool = True) -> Credential:
    types = (item["vct"],) if "vct" in item else (item["doctype"],) if "doctype" in item else tuple(item["type"])
    claims = item["namespaces"] if "namespaces" in item else item["claims"]
    key = HOLDER.public_key if bound else None
    return Credential(item["credential_format"], "", types, claims, frozenset(), key, Window(), (), (), b"")


def compare(
    node: Node, query: Mapping[str, Any], wallet: Sequence[Mapping[str, Any]] = WALLET, *, bound: bool = True
) -> tuple[Any, Any]:
    """Our answer and theirs: satisfiable or not, and which credentials match each credential query."""
    theirs = node.ask(
        op="dcql", query=query, credentials=[{**item, "cryptographic_holder_binding": bound} for item in wallet]
    )
    asked = read(query)
    held = [ours(item, bound=bound) for item in wallet]
    places = {id(credential): index for index, credential in enumerate(held)}
    matches = {
        known.id: [index for index, credential in enumerate(held) if known.match(credential)]
        for known in asked.credentials
    }
    found = asked.options(held)
    if isinstance(found, Answerable):
        # the whole answer is no other than its parts
        indices = {name: sorted(places[id(m.credential)] for m in known) for name, known in found.candidates.items()}
        assert indices == {name: known for name, known in matches.items() if known}
    return (bool(found), matches), (theirs["satisfied"], theirs["matches"])


def sd_jwt(*claims: Any, id: str = "card", vct: str = VCT, **more: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **more}
    if claims:
        item["claims"] = [claim if isinstance(claim, dict) else {"path": claim} for claim in claims]
    return item


def of(*credentials: dict[str, Any], sets: list[Any] | None = None) -> dict[str, Any]:
    return {"credentials": list(credentials)} | ({"credential_sets": sets} if sets else {})


def mdoc(*claims: Any, id: str = "mdl", doctype: str = MDL) -> dict[str, Any]:
    item = {"id": id, "format": "mso_mdoc", "meta": {"doctype_value": doctype}}
    return item | ({"claims": [{"path": claim} for claim in claims]} if claims else {})


def w3c(*types: list[str], format: str = "ldp_vc") -> dict[str, Any]:
    return {"id": "w3c", "format": format, "meta": {"type_values": list(types)}}


NAME, ADULT = {"id": "a", "path": ["given_name"]}, {"id": "b", "path": ["age_over_18"], "values": [True]}
STREET = {"id": "c", "path": ["address", "street_address"]}
QUERIES: dict[str, dict[str, Any]] = {
    "type alone": of(sd_jwt()),
    "one claim": of(sd_jwt(["given_name"])),
    "a claim that nobody has": of(sd_jwt(["email"])),
    "nested": of(sd_jwt(["address", "street_address"])),
    "a name in an array": of(sd_jwt(["nationalities", "DE"])),
    "an index": of(sd_jwt(["nationalities", 1])),
    "an index past the end": of(sd_jwt(["nationalities", 2])),
    "an index in an object": of(sd_jwt(["address", 0])),
    "every element": of(sd_jwt(["nationalities", None])),
    "inside every element": of(sd_jwt(["degrees", None, "type"])),
    "inside some elements": of(sd_jwt(["degrees", None, "year"])),
    "every member of an object": of(sd_jwt(["address", None])),
    "a value": of(sd_jwt({"path": ["address", "locality"], "values": ["Lindau", "Kempten"]})),
    "true is not 1": of(sd_jwt(ADULT)),
    "1 is not true": of(sd_jwt({"path": ["age_over_18"], "values": [1]})),
    "a number": of(sd_jwt({"path": ["resident_since_year"], "values": [2011]})),
    "a number is not its text": of(sd_jwt({"path": ["resident_since_year"], "values": ["2011"]})),
    "the value of some element": of(sd_jwt({"path": ["nationalities", None], "values": ["TR"]})),
    "the value of no element": of(sd_jwt({"path": ["nationalities", None], "values": ["FR"]})),
    "claim sets": of(sd_jwt(NAME, ADULT, STREET, claim_sets=[["a", "b", "c"], ["a", "c"]])),
    "claim sets that nobody has": of(sd_jwt(NAME, {"id": "x", "path": ["email"]}, claim_sets=[["a", "x"]])),
    "another type": of(sd_jwt(["plate"], vct=OTHER)),
    "two, both needed": of(sd_jwt(["given_name"]), sd_jwt(["plate"], id="parking", vct=OTHER)),
    "two, one missing": of(sd_jwt(["given_name"]), sd_jwt(["email"], id="none")),
    "either": of(sd_jwt(["email"]), mdoc(), sets=[{"options": [["card"], ["mdl"]]}]),
    "neither": of(sd_jwt(["email"]), mdoc([NAMESPACE, "email"]), sets=[{"options": [["card"], ["mdl"]]}]),
    "optional and missing": of(
        sd_jwt(), sd_jwt(["email"], id="x"), sets=[{"options": [["card"]]}, {"options": [["x"]], "required": False}]
    ),
    "mdoc": of(mdoc([NAMESPACE, "given_name"])),
    "mdoc, a claim of one": of(mdoc([NAMESPACE, "age"])),
    "mdoc, another namespace": of(mdoc(["org.iso.other", "given_name"])),
    "mdoc, another doctype": of(mdoc(doctype="nobody's")),
    "W3C": of(w3c([VC, RESIDENCY])),
    "W3C, one of several": of(w3c(["https://x.example#Other"], [VC])),
    "W3C as a JWT": of(w3c([VC], format="jwt_vc_json")),
    "several at once": of(sd_jwt(["given_name"], multiple=True)),
    "no binding asked": of(sd_jwt(["given_name"], require_cryptographic_holder_binding=False)),
}
_EMPTY = "the peer holds that `null` selects something in an empty array; §7.1.1 aborts where nothing is selected"
MATCHED_APART = dict.fromkeys(
    (
        "every element", "inside every element", "inside some elements", "the value of some element",
        "the value of no element",
    ),
    _EMPTY,
)  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "unbound"])
def test_matches(node: Node, name: str, bound: bool) -> None:
    us, them = compare(node, QUERIES[name], bound=bound)
    if bound and name in MATCHED_APART:
        assert us != them
    else:
        assert us == them


def test_some_match_and_some_do_not(node: Node) -> None:
    answers = [compare(node, query)[0][0] for query in QUERIES.values()]
    assert 10 < sum(answers) < len(answers) - 8


def _official() -> Iterator[Any]:
    folder = vectors.ROOT / "openid4vp"
    for path in sorted(folder.rglob("*.json")):
        text = path.read_text("utf-8")
        try:
            document = json.loads(text)
        except ValueError:  # an abridged example, with an ellipsis in it
            continue
        query = document.get("dcql_query", document) if isinstance(document, dict) else {}
        if isinstance(query, dict) and "credentials" in query and "format" in text:
            name = path.relative_to(folder).as_posix()
            yield pytest.param(name, query, id=name)


def _answering(query: Mapping[str, Any], taken: Mapping[str, int]) -> list[dict[str, Any]]:
    """Credentials that answer the credential queries named in `taken`, each without the number of claims given there
    (the last ones)."""
    wallet = []
    for item in query["credentials"]:
        if item["id"] not in taken:
            continue
        claims: dict[str, Any] = {}
        asked = item.get("claims", [])
        for claim in asked[: len(asked) - taken[item["id"]]]:
            inner = claims
            *around, last = (str(part) for part in claim["path"])
            for part in around:
                inner = inner.setdefault(part, {})
            inner[last] = claim.get("values", ["x"])[0]
        meta, made = item["meta"], {"credential_format": item["format"]}
        if item["format"] == "mso_mdoc":
            made |= {"doctype": meta["doctype_value"], "namespaces": claims}
        elif item["format"] == "dc+sd-jwt":
            made |= {"vct": meta["vct_values"][0], "claims": claims}
        else:
            made |= {"type": meta["type_values"][0], "claims": claims}
        wallet.append(made)
    return wallet


@pytest.mark.parametrize(("name", "query"), list(_official()))
def test_official_queries(node: Node, name: str, query: dict[str, Any]) -> None:
    """Over wallets that answer it whole, in part, and not at all."""
    if name in READ_ALONE:
        with pytest.raises(Malformed):
            read(query)
        assert _reads(node, query)
        return
    ids = [item["id"] for item in query["credentials"]]
    wallets = [
        _answering(query, dict.fromkeys(chosen, lacking))
        for size in range(len(ids) + 1)
        for chosen in combinations(ids, size)
        for lacking in (0, 1)
    ]
    satisfied = set()
    for wallet in wallets:
        us, them = compare(node, query, wallet)
        assert us == them, wallet
        satisfied.add(us[0])
    assert satisfied == {True, False}


def test_two_hundred_made_up_queries(node: Node) -> None:
    """Paths, values, claim sets and credential sets put together by chance, always the same."""
    chance = random.Random(20261122)
    # without empty arrays, about which MATCHED_APART tells
    wallet = json.loads(json.dumps(WALLET).replace("[]", '["none"]'))
    paths: list[list[Any]] = [
        ["given_name"], ["age_over_18"], ["resident_since_year"], ["address"], ["address", "locality"], ["plate"],
        ["address", "street_address"], ["nationalities"], ["nationalities", 0], ["nationalities", None], ["email"],
        ["degrees", None, "type"], ["degrees", 0, "year"], ["degrees", None], ["zones", 1],
    ]  # fmt: skip
    values = ["Zoë", True, False, 1, 2011, "Lindau", "Ulm", "DE", "TR", "BSc", "LI-AB 12"]
    satisfied = 0
    for _ in range(200):
        credentials = []
        for number in range(chance.randint(1, 3)):
            claims = []
            for place, path in enumerate(chance.sample(paths, chance.randint(1, 4))):
                claim: dict[str, Any] = {"id": f"c{place}", "path": path}
                if chance.random() < 0.3:
                    claim["values"] = chance.sample(values, chance.randint(1, 4))
                claims.append(claim)
            item = sd_jwt(*claims, id=f"q{number}", vct=chance.choice([VCT, VCT, OTHER]))
            if chance.random() < 0.4:
                names = [claim["id"] for claim in claims]
                item["claim_sets"] = [chance.sample(names, chance.randint(1, len(names))) for _ in range(2)]
            credentials.append(item)
        sets = []
        if chance.random() < 0.5:
            ids = [item["id"] for item in credentials]
            for _ in range(chance.randint(1, 2)):
                options = [chance.sample(ids, chance.randint(1, len(ids))) for _ in range(chance.randint(1, 2))]
                sets.append({"options": options, "required": chance.random() < 0.7})
        query = of(*credentials, sets=sets)
        us, them = compare(node, query, wallet)
        assert us == them, query
        satisfied += us[0]
    assert 20 < satisfied < 180


# -- refusals --

GOOD = of(
    sd_jwt(NAME, ADULT, claim_sets=[["a", "b"], ["a"]]), mdoc([NAMESPACE, "age"]),
    sets=[{"options": [["card"], ["mdl"]]}],
)  # fmt: skip


def _changed(*path: str | int, to: Any = None, **more: Any) -> dict[str, Any]:
    """GOOD with one place changed, or without it."""
    query: dict[str, Any] = json.loads(json.dumps(GOOD))
    inner: Any = query
    for part in path[:-1]:
        inner = inner[part]
    if to is None and not more:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return query


CARD: tuple[str | int, ...] = ("credentials", 0)
BAD: dict[str, dict[str, Any]] = {
    "no credentials": _changed("credentials"),
    "empty credentials": _changed("credentials", to=[]),
    "no id": _changed(*CARD, "id"),
    "empty id": _changed(*CARD, "id", to=""),
    "id with a space": _changed(*CARD, "id", to="a b"),
    "id twice": _changed(*CARD, "id", to="mdl"),
    "no format": _changed(*CARD, "format"),
    "format not text": _changed(*CARD, "format", to=1),
    "no meta": _changed(*CARD, "meta"),
    "meta without vct_values": _changed(*CARD, "meta", to={}),
    "vct_values not an array": _changed(*CARD, "meta", to={"vct_values": VCT}),
    "vct_values empty": _changed(*CARD, "meta", to={"vct_values": []}),
    "meta without doctype_value": _changed("credentials", 1, "meta", to={}),
    "multiple not boolean": _changed(*CARD, "multiple", to="yes"),
    "binding not boolean": _changed(*CARD, "require_cryptographic_holder_binding", to="no"),
    "empty claims": _changed(*CARD, "claims", to=[]),
    "claim without path": _changed(*CARD, "claims", 0, "path"),
    "empty path": _changed(*CARD, "claims", 0, "path", to=[]),
    "negative index": _changed(*CARD, "claims", 0, "path", to=["nationalities", -1]),
    "fractional index": _changed(*CARD, "claims", 0, "path", to=["nationalities", 0.5]),
    "boolean in a path": _changed(*CARD, "claims", 0, "path", to=["nationalities", True]),
    "same path twice": _changed(*CARD, "claims", 1, "path", to=["given_name"]),
    "claim id twice": _changed(*CARD, "claims", 1, "id", to="a"),
    "claim id with a dot": _changed(*CARD, "claims", 1, "id", to="a.b"),
    "claim sets, claim without id": _changed(*CARD, "claims", 0, "id"),
    "claim set names no claim": _changed(*CARD, "claim_sets", to=[["z"]]),
    "empty claim sets": _changed(*CARD, "claim_sets", to=[]),
    "empty claim set": _changed(*CARD, "claim_sets", to=[[]]),
    "claim sets without claims": _changed(*CARD, "claims"),
    "empty values": _changed(*CARD, "claims", 1, "values", to=[]),
    "object as value": _changed(*CARD, "claims", 1, "values", to=[{}]),
    "fraction as value": _changed(*CARD, "claims", 1, "values", to=[0.5]),
    "mdoc path of one part": _changed("credentials", 1, "claims", 0, "path", to=["age"]),
    "mdoc path of three parts": _changed("credentials", 1, "claims", 0, "path", to=[NAMESPACE, "age", "x"]),
    "mdoc path with null": _changed("credentials", 1, "claims", 0, "path", to=[NAMESPACE, None]),
    "empty credential sets": _changed("credential_sets", to=[]),
    "set without options": _changed("credential_sets", 0, "options"),
    "set with no option": _changed("credential_sets", 0, "options", to=[]),
    "empty option": _changed("credential_sets", 0, "options", to=[[]]),
    "option names no credential": _changed("credential_sets", 0, "options", to=[["nobody"]]),
    "required not boolean": _changed("credential_sets", 0, "required", to="yes"),
    "empty authorities": _changed(*CARD, "trusted_authorities", to=[]),
    "authority without values": _changed(*CARD, "trusted_authorities", to=[{"type": "aki"}]),
    "authority without type": _changed(*CARD, "trusted_authorities", to=[{"values": ["x"]}]),
    "key identifier not base64url": _changed(*CARD, "trusted_authorities", to=[{"type": "aki", "values": ["a+b="]}]),
}
_META = "the peer reads drafts of OpenID4VP too, in which `meta` was optional; §6.1 and Annex B require it"
_LOOSE = "the peer lets it pass; the specification wants a non-empty array"
READ_ALONE = {
    "no meta": _META,
    "meta without vct_values": _META,
    "meta without doctype_value": _META,
    "vct_values empty": _LOOSE,
    "empty values": _LOOSE,
    "empty option": _LOOSE,
    "same path twice": "the peer lets it pass; §6.3 forbids to ask the same claim twice",
    "mdoc path of three parts": "the peer looks at the first two parts; §7.2 has exactly two",
    "eudi-dcql/complex_example.json": _META,
}
"""What the peer reads and we refuse."""
ALSO_GOOD: dict[str, dict[str, Any]] = {
    "as it is": GOOD,
    "unknown member": _changed("new_member", to=1),
    "unknown member of a credential": _changed(*CARD, "new_member", to=1),
    "unknown format": of({"id": "x", "format": "new_format", "meta": {}}),
    "unknown authority": _changed(*CARD, "trusted_authorities", to=[{"type": "new", "values": ["x"]}]),
    "unknown claim member": _changed(*CARD, "claims", 0, "new_member", to=1),
    "intent_to_retain": _changed("credentials", 1, "claims", 0, "intent_to_retain", to=True),
}
_OPEN = "the peer knows a closed list; §6.1 leaves it open, and what is unknown matches nothing here"
REFUSED_ALONE = {"unknown format": _OPEN, "unknown authority": _OPEN}
"""What the peer refuses and we read."""


def _reads(node: Node, query: Mapping[str, Any]) -> bool:
    try:
        return bool(node.ask(op="dcql_read", query=query))
    except No:
        return False


@pytest.mark.parametrize("name", BAD)
def test_refused(node: Node, name: str) -> None:
    with pytest.raises(Malformed):
        read(BAD[name])
    assert _reads(node, BAD[name]) is (name in READ_ALONE), READ_ALONE.get(name, "read by the peer alone")


@pytest.mark.parametrize("name", ALSO_GOOD)
def test_read(node: Node, name: str) -> None:
    assert read(ALSO_GOOD[name]).credentials
    assert _reads(node, ALSO_GOOD[name]) is (name not in REFUSED_ALONE)


def test_the_lists_name_what_is_there() -> None:
    assert {name for name in READ_ALONE if not name.endswith(".json")} <= BAD.keys()
    assert REFUSED_ALONE.keys() <= ALSO_GOOD.keys()
    assert MATCHED_APART.keys() <= QUERIES.keys()
    assert Path(__file__).with_name("package-lock.json").read_text("utf-8").count('"resolved"') == 0
