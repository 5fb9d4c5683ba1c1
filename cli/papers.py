"""What a file seems to be, for the one who put it in the wrong place. A guess in words: nothing is judged by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cityid.errors import Problem

_HOME: Final = "nowhere: it stays in its home"
SORTS: Final[Mapping[str, tuple[str, str]]] = {
    "offer": ("an offer", "to `cityid accept FILE`"),
    "card request": ("a wallet's request for cards", "to `cityid issue --answer FILE`"),
    "cards": ("signed cards", "to `cityid accept FILE`"),
    "request": ("a service's request", "to `cityid present FILE`"),
    "answer": ("a wallet's answer", "to `cityid verify FILE --session REQUEST`"),
    "session": ("a session's name", "to `cityid verify ANSWER --session FILE`"),
    "record": ("a record", "to `cityid verify --replay FILE`"),
    "policy": ("a policy", "to `cityid request --policy FILE`"),
    "trust list": ("a trust list", "to `cityid trust list --list FILE`, or into a policy's [trust]"),
    "query": ("a DCQL query", "into a policy, as dcql = FILE"),
    "type": ("a type's definition", "to `cityid type check FILE`, and into a home's types/"),
    "claims": ("a person's claims", "to `cityid issue TYPE --claims FILE`"),
    "table": ("a table of claims", "to `cityid issue TYPE --from FILE`"),
    "credential": ("a single credential", "to `cityid inspect FILE`"),
    "document": ("a DID document", "to `cityid trust add --did DID --document FILE`"),
    "key set": ("a key set", "to `cityid trust add --web URL --keys FILE`"),
    "key": ("a public key", "to `cityid inspect FILE`"),
    "private key": ("a private key", "nowhere: nobody but its owner may have it"),
    "history": ("the history of a did:webvh", "to `cityid did witness FILE`, or `cityid did log --log FILE`"),
    "witness proof": ("the word of a witness", "to `cityid did witness --take FILE`"),
    "certificate": ("a certificate", "to `cityid trust add --root FILE`"),
    "certificate request": ("a certificate request", "to the authority that signs certificates"),
    "commitment": ("a commitment to a voice's secret", "to `cityid poll enrol FILE`"),
    "voice": ("a voice", "to `cityid poll vote POLL --voice FILE`"),
    "poll": ("a poll", "to `cityid poll vote FILE`, or `cityid poll tally FILE`"),
    "ballot": ("a ballot", "to `cityid poll tally POLL FILE`"),
    "ballots": ("a published list of ballots", "to `cityid poll check FILE`"),
    "home file": ("a home's own file", "nowhere: name its folder with --home"),
    "keyring": ("an encrypted keyring", _HOME),
    "store": ("a wallet or another store", _HOME),
}
"""Sorts of files: what they are called, and where they go."""

_Object = dict[str, Any]
_OBJECTS: Final[tuple[tuple[str, Callable[[_Object], bool]], ...]] = (
    ("offer", lambda found: "credential_configuration_ids" in found),
    ("card request", lambda found: "proofs" in found),
    ("request", lambda found: "dcql_query" in found),
    ("answer", lambda found: "vp_token" in found),
    ("cards", lambda found: _each(found.get("credentials"), "credential")),
    ("query", lambda found: _each(found.get("credentials"), "format")),
    ("session", lambda found: found.keys() == {"session"}),
    ("record", lambda found: "exchanges" in found and "context" in found),
    ("commitment", lambda found: found.keys() == {"commitment"}),
    ("ballots", lambda found: "ballots" in found and "counts" in found),
    ("ballot", lambda found: "voice" in found and "choice" in found),
    ("poll", lambda found: "roll_day" in found and "options" in found),
    ("voice", lambda found: "credentialSubject" in found and "VoiceCredential" in str(found.get("type"))),
    ("type", lambda found: "names" in found and "claims" in found),
    ("private key", lambda found: "kty" in found and not found.keys().isdisjoint({"d", "priv"})),
    ("key", lambda found: "kty" in found),
    ("key set", lambda found: _each(found.get("keys"), "kty")),
    ("history", lambda found: "versionId" in found and "state" in found),
    ("witness proof", lambda found: "versionId" in found and "proof" in found),
    ("document", lambda found: "verificationMethod" in found),
    ("credential", lambda found: "payload" in found and not found.keys().isdisjoint({"signature", "signatures"})),
)
_TABLES: Final[tuple[tuple[str, Callable[[_Object], bool]], ...]] = (
    ("trust list", lambda found: isinstance(found.get("issuer"), list)),
    ("policy", lambda found: not found.keys().isdisjoint({"ask", "dcql", "accept"})),
    ("home file", lambda found: not found.keys().isdisjoint({"audience", "issuer_key"})),
)
_STARTS: Final = (
    (b"openid-credential-offer:", "offer"),
    (b"SQLite format 3\0", "store"),
    (b'{"format":"cityid-keyring"', "keyring"),
    (b"-----BEGIN CERTIFICATE-----", "certificate"),
    (b"-----BEGIN CERTIFICATE REQUEST-----", "certificate request"),
)


def _each(found: Any, member: str) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(one, dict) and member in one for one in found)


def sort_of(data: bytes) -> str | None:
    """The sort (`SORTS`) that a file seems to be of; None where it looks like nothing that is known."""
    from cityid.encoding import json
    from cityid.errors import Malformed

    data = data.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    for start, sort in _STARTS:
        if data.startswith(start):
            return sort
    first = data.partition(b"\n")[0]
    if first.startswith(b"-----BEGIN ") and b"PRIVATE KEY" in first:
        return "private key"
    if data.startswith(b"{"):
        try:
            found = json.read_object(data, limit=16 << 20)
        except Malformed:
            # A history is an object a line.
            return "history" if b'"versionId"' in first and b'"state"' in first else None
        return next((sort for sort, looks in _OBJECTS if looks(found)), None)
    if data.startswith(b"eyJ") and data.count(b".", 0, 1 << 16) >= 2 and b" " not in data:
        return "credential"
    return _toml(data)


def _toml(data: bytes) -> str | None:
    import tomllib

    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None
    return next((sort for sort, looks in _TABLES if looks(found)), None)


def misplaced(data: bytes, wanted: str, *also: str) -> Problem | None:
    """What to say where `data` is a file of another sort than `wanted` (or one of `also`); None where it is not."""
    from cityid.errors import Problem

    sort = sort_of(data)
    if sort is None or sort in (wanted, *also):
        return None
    found, goes = SORTS[sort]
    return Problem("file.misplaced", {"found": found, "wanted": SORTS[wanted][0], "goes": goes})


@contextmanager
def expected(data: bytes, wanted: str, *also: str) -> Iterator[None]:
    """Reading `data` inside says `file.misplaced` where it fails and the file is of another sort; a file that can be
    read is never asked what it is."""
    from cityid.errors import Malformed, Misuse, Refused

    try:
        yield
    except (Malformed, Misuse, Refused) as error:
        problem = misplaced(data, wanted, *also)
        if problem is None:
            raise
        # Somebody else's file stays their fault, and a file of this home its owner's: the exit status says which.
        raise (Misuse if isinstance(error, Misuse) else Malformed)(problem) from None
