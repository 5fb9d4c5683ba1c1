"""The official cases of did:webvh 1.0: logs by three independent writers, logs that must be refused, and a resolver's
suite. Every case of every folder is run, or listed here with a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cityid import did as dids
from cityid.did import resolution, webvh
from cityid.did.webvh import identifier
from cityid.did.webvh import log as logs
from cityid.encoding import jcs, json, multihash
from cityid.errors import CityIdError, Malformed, Refused
from tests.vectors import load, vectors
from tests.webvh import served

ROOT = vectors("did-webvh")
AT = datetime(2026, 11, 23, tzinfo=UTC)
GOOD = tuple(
    f"{folder.parent.name}/{folder.name}"
    for folder in sorted(ROOT.glob("*/*"))
    if folder.is_dir() and not folder.parent.name.startswith(("negative-", "resolver-suite"))
)
SUITE: list[dict[str, Any]] = load(ROOT / "resolver-suite" / "resolver-suite.json")
REFUSED = {
    "negative-did-key-body-fragment-mismatch": "did.webvh_proof_method",
    "negative-portable-scid-swap": "did.webvh_scid_form",
    "negative-unknown-method-version": "did.webvh_method",
    "negative-versiontime-non-monotonic": "did.webvh_time_order",
    "negative-wrong-cryptosuite": "di.suite",
    "negative-zero-witness-threshold": "did.webvh_witness_threshold",
}
# The SCIDs of these have a 0, which base58 has not. With a good one, the host or the path is what is refused.
NAMES = {
    "negative-fragment-leaks-into-domain": ("did.syntax", "did.syntax"),
    "negative-lowercase-pct-port-ip": ("did.webvh_scid_form", "did.web_host"),
    "negative-path-traversal-did": ("did.webvh_scid_form", "did.web_path"),
    "negative-pct-encoded-ip-host": ("did.webvh_scid_form", "did.web_host"),
}
SINGLE = {
    "first_log_entry_good.jsonl": "did.web_host",  # localhost: the grammar wants a domain of two labels
    "first_log_entry_verify_full.jsonl": "did.web_host",
    "plain_rotation_no_prerotation.jsonl": "did.webvh_time_order",  # later entries chained to "{SCID}", all of one time
    "pre-1_0-spec.jsonl": "",
}
LISTED = {
    "schema/log_entry-v1.0.json": 'no JSON schema: its types are "date-time" and its references lead to "schemas"',
}
SCID = "QmXhVjFG6EBTosDastaaHMRypm2qSv4SMGctADsx878Yux"


def test_every_case_is_run_or_listed() -> None:
    folders = {folder.name for folder in ROOT.iterdir() if folder.is_dir()}
    run = {name.partition("/")[0] for name in GOOD} | set(REFUSED) | set(NAMES) | {"resolver-suite", "didwebvh-rs"}
    assert run | {name.partition("/")[0] for name in LISTED} == folders
    assert {path.name for path in (ROOT / "didwebvh-rs").iterdir()} == set(SINGLE)
    assert {f"schema/{path.name}" for path in (ROOT / "schema").iterdir()} == set(LISTED)
    used = {case["log"] for case in SUITE}
    assert {path.name for path in (ROOT / "resolver-suite" / "logs").iterdir()} == used
    logs_here = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/did.jsonl")}
    assert logs_here == set(GOOD) | {f"{name}/ts" for name in (*REFUSED, *NAMES)}
    for name in GOOD:  # no further versions of a result that nobody would look at
        assert [path.name for path in (ROOT / name).glob("resolutionResult*")] == ["resolutionResult.json"]


def files(folder: Path, did: str) -> dict[str, bytes]:
    place = identifier.read(did)
    found = {place.log: (folder / "did.jsonl").read_bytes()}
    if (folder / "did-witness.json").exists():
        found[place.proofs] = (folder / "did-witness.json").read_bytes()
    return found


def told(metadata: dict[str, Any]) -> dict[str, Any]:
    """What the specification defines, with what writers leave out or spell otherwise made equal."""
    made = {name: value for name, value in metadata.items() if value is not None}
    made.setdefault("deactivated", False)
    for absent, value in (("watchers", []), ("witness", {})):
        made.setdefault(absent, value)
    if made["witness"]:
        ids = [f"did:key:{item['id'].removeprefix('did:key:')}" for item in made["witness"]["witnesses"]]
        made["witness"] = {"threshold": str(made["witness"]["threshold"]), "ids": ids}
    return made


def bare(document: dict[str, Any]) -> dict[str, Any]:
    """Without the services that every did:webvh has, which some resolvers write out."""
    services = [item for item in document.get("service", ()) if item["id"].rpartition("#")[2] not in ("files", "whois")]
    rest = {name: value for name, value in document.items() if name != "service"}
    return rest | ({"service": services} if services else {})


class TestScenarios:
    @pytest.mark.parametrize("name", GOOD)
    def test_resolution(self, name: str) -> None:
        expected = load(ROOT / name / "resolutionResult.json")
        did = expected["didDocument"]["id"]
        found = dids.look_up(did, AT).run(served(files(ROOT / name, did)))
        ours, theirs = told(dict(found.metadata)), told(expected["didDocumentMetadata"])
        if name == "witness-threshold/ts":  # this writer leaves the witnesses out of its result
            del ours["witness"], theirs["witness"]
        assert {key: ours[key] for key in theirs} == theirs
        if theirs["deactivated"]:  # the writers give the document out; resolvers must not (Deactivate (Revoke))
            assert found.document is None
            found = dids.look_up(f"{did}?versionNumber=2", AT).run(served(files(ROOT / name, did)))
            assert found.metadata["deactivated"] is True
        assert found.document is not None
        assert bare(dict(found.document)) == bare(expected["didDocument"])

    @pytest.mark.parametrize("name", GOOD)
    def test_any_changed_character_is_noticed(self, name: str) -> None:
        data = (ROOT / name / "did.jsonl").read_bytes()
        for at in range(0, len(data), 97):
            other = b"b" if data[at : at + 1] == b"a" else b"a"
            changed = data[:at] + other + data[at + 1 :]
            try:
                whole = logs.read(changed, AT).whole()
            except (Malformed, Refused):
                continue
            # White space between values means nothing, and unknown members of a proof are signed.
            assert [version.state for version in whole.versions] == [
                version.state for version in logs.read(data, AT).versions
            ]


class TestNegative:
    @pytest.mark.parametrize("name", REFUSED)
    def test_logs(self, name: str) -> None:
        expected = load(ROOT / name / "ts" / "resolutionResult.json")
        assert expected["didDocument"] is None
        did = json.read_object((ROOT / name / "ts" / "did.jsonl").read_bytes().splitlines()[0])["state"]["id"]
        with pytest.raises(CityIdError) as error:
            dids.look_up(did, AT).run(served(files(ROOT / name / "ts", did)))
        assert error.value.code == REFUSED[name]
        # `invalidProof` and `invalidParameters` are names of that writer's own: the text has `invalidDid` for all.
        assert resolution.fault_of(error.value, did).name == "INVALID_DID"

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, name: str) -> None:
        assert not (ROOT / name / "ts" / "did.jsonl").read_bytes()
        steps = yaml.safe_load((ROOT / name / "script.yaml").read_text("utf-8"))["steps"]
        written, good = NAMES[name]
        for step in steps:
            assert step["expectError"] == "invalidDid"
            for did, expected in ((step["did"], written), (f"did:webvh:{SCID}:{step['did'].split(':', 3)[3]}", good)):
                with pytest.raises(Malformed) as error:
                    dids.look_up(did, AT).run(served({}))
                assert error.value.code == expected
                assert resolution.fault_of(error.value, did).word() == "invalidDid"


class TestResolverSuite:
    @pytest.mark.parametrize("index", range(len(SUITE)))
    def test_case(self, index: int) -> None:
        case = SUITE[index]
        folder = ROOT / "resolver-suite" / "logs" / case["log"]
        exchange = served(files(folder, case["did_url"].partition("?")[0]))
        if case["status"] == "ok":
            found = dids.look_up(case["did_url"], AT).run(exchange)
            assert found.document is not None
            expected = case["didDocumentMetadata"]
            assert {name: found.metadata[name] for name in expected} == expected
            return
        with pytest.raises(CityIdError) as error:
            dids.look_up(case["did_url"], AT).run(exchange)
        word = resolution.fault_of(error.value, case["did_url"]).word()
        assert word == case["didResolutionMetadata"]["error"]


def verdict(data: bytes) -> str:
    try:
        logs.read(data, AT).whole()
    except CityIdError as error:
        return error.code
    return ""


class TestSingleLogs:
    @pytest.mark.parametrize("name", SINGLE)
    def test_log(self, name: str) -> None:
        data = (ROOT / "didwebvh-rs" / name).read_bytes()
        assert verdict(data) == SINGLE[name]

    @pytest.mark.parametrize("name", SINGLE)
    def test_scid_and_hash_of_the_first_entry(self, name: str) -> None:
        entry = json.read_object((ROOT / "didwebvh-rs" / name).read_bytes().splitlines()[0])
        del entry["proof"]
        scid = entry["parameters"]["scid"]
        assert entry["versionId"] == "1-" + multihash.sha256(jcs.canonical(entry | {"versionId": scid}))
        text = json.write(entry | {"versionId": "{SCID}"}).decode().replace(scid, "{SCID}")
        assert multihash.sha256(jcs.canonical(json.read(text))) == scid

    def test_what_null_stood_for(self) -> None:
        data = (ROOT / "didwebvh-rs" / "pre-1_0-spec.jsonl").read_bytes()
        second, third = (version.parameters for version in logs.read(data, AT).versions[1:])
        assert (second.watchers, second.ttl) == ((), 300)
        assert (third.watchers, third.ttl) == (("https://watcher2.example",), 3600)
        did = json.read(data.splitlines()[0])["state"]["id"]
        assert webvh.judge(data, None, identifier.read(did), AT).last.did == did
