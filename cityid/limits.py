"""Every ceiling on foreign input. Budgets are counted work (bytes, nodes, digests), never wall clock.

The only times here are those of the network and of validity windows. Constants on purpose: a service that could raise
them by configuration would be asked to. A function that must run wider takes the budget as an argument.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

DOCUMENT: Final = 1 << 20
"""Bytes of any document: a credential, a presentation, a DID document, a policy."""
DEPTH: Final = 64
"""Nesting of JSON, disclosed values included."""
NODES: Final = 50_000
"""Values in one JSON document."""
INTEGER: Final = 2**53 - 1
"""Greatest magnitude of an integer in signed JSON (I-JSON, RFC 7493 §2.2)."""
NUMBER_CHARS: Final = 64
"""Characters of a number literal."""
JOSE_HEADER: Final = 64 << 10
"""Base64url characters of a JOSE header, x5c included."""
HEADER_MEMBERS: Final = 64
DISCLOSURES: Final = 1_000
DIGESTS: Final = 20_000
"""Digests in one SD-JWT, decoys included."""
DISCLOSURE_DEPTH: Final = 16
"""Disclosures inside disclosures."""
CHAIN: Final = 5
"""Certificates in an x5c or x5chain."""
JWKS_KEYS: Final = 100
DID: Final = 4 << 10
DID_KEY: Final = 512
DID_KEY_MLDSA: Final = 3_072
DID_JWK: Final = 6 << 10
VERIFICATION_METHODS: Final = 256
PRESENTATIONS: Final = 20
DCQL_CREDENTIALS: Final = 50
DCQL_CLAIMS: Final = 200
DCQL_SETS: Final = 200
DCQL_OPTIONS: Final = 200
DCQL_PATH: Final = 32
DCQL_VALUES: Final = 200
DCQL_STEPS: Final = 50_000
"""Elements visited while one credential is matched against one credential query."""
EXTENDS: Final = 8
"""Type metadata documents in one `extends` chain."""
NONCE_MIN: Final = 16
NONCE_MAX: Final = 512
PROOFS: Final = 100
"""Key proofs in one request to city hall."""
DATA_PROOFS: Final = 10
"""Data Integrity proofs of one document; fewer of a large one."""
CREDENTIAL_OBJECTS: Final = 100
"""Subjects, status entries, schemas or other objects of one kind in a W3C credential."""
BBS_MESSAGES: Final = 1_024
"""Messages under one BBS signature, committed ones, the blind factor and nyms included."""
KB_AGE: Final = timedelta(seconds=300)
KB_AHEAD: Final = timedelta(seconds=60)
SKEW: Final = timedelta(seconds=60)
OFFER_AGE: Final = timedelta(minutes=10)
SESSION_AGE: Final = timedelta(minutes=10)
REDIRECTS: Final = 3
CONNECT: Final = timedelta(seconds=3)
FETCH: Final = timedelta(seconds=10)
PASSPHRASE: Final = 1 << 10
"""Bytes of a passphrase in UTF-8."""
NEW_PASSPHRASE: Final = 8
"""Least characters of a passphrase that is being set (NIST SP 800-63B §5.1.1.2)."""
LABEL: Final = 200
"""Characters of a name, a purpose or another short text that people are shown."""
BIG_INTEGER: Final = 64
"""Bytes of an integer that CBOR writes as a byte string."""
JSONLD_WORK: Final = 20_000
"""Definitions of terms and values expanded while one JSON-LD document is processed."""
QUADS: Final = 10_000
"""Statements of an RDF dataset."""
BLANK_NODES: Final = 80
"""Blank nodes of an RDF dataset that a stranger sends."""
RDF_CALLS: Final = 4_096
"""Calls of Hash N-Degree Quads while one dataset is canonicalised (RDFC-1.0 §7.1)."""
RDF_ORDERS: Final = 4 * RDF_CALLS
"""Orders of like blank nodes that are tried meanwhile."""
STATUS_LIST: Final = 8 << 20
"""Bytes of a status list, decoded: 2^26 entries of one bit."""
STATUS_TOKEN: Final = 8 << 20
"""Bytes of a status list token."""
STATUS_TTL_MIN: Final = timedelta(seconds=60)
STATUS_TTL_MAX: Final = timedelta(hours=24)
"""However often or seldom an issuer would like to be asked, its list is believed this long."""
STATUS_KEPT: Final = timedelta(days=30)
"""However a policy is written, a list fetched longer ago says nothing."""
STATUS_MEMO: Final = 64 << 20
"""Bytes of lists, decoded and checked, that are remembered."""
STATUS_LISTS: Final = 1_000
"""Lists in one aggregation."""
NOTE: Final = 64 << 10
"""Bytes of a signed note, or of a proof with one in it."""
NOTE_SIGNATURES: Final = 100
TABLE_ROW: Final = 1 << 20
"""Bytes of one row of a table."""
WORK_PART: Final = 64 << 20
"""Bytes of a table's part that is handed to other machines."""
TABLE_COLUMNS: Final = 500
TABLE_ROWS: Final = 10_000_000
BULK_DAYS: Final = 90
"""Days that an offer may wait which is sent as a letter."""
WEBVH_LOG: Final = 5 << 20
"""Bytes of the log of a did:webvh, which its specification suggests; and of its witnesses' proofs."""
WEBVH_ENTRIES: Final = 1_000
WEBVH_KEYS: Final = 100
"""Update keys, hashes of keys, witnesses or watchers of one entry of such a log."""
WEBVH_PROOFS: Final = 1_000
"""Proofs of witnesses that are checked for one log."""
WEBVH_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of whoever writes such a log may be ahead of ours."""
