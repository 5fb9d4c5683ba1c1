"""Trust: who may issue what, proved by which mechanism, since when; and where the keys of those are found.

Default deny. The list is judged before anything is fetched; the mechanism is pinned by the entry, never chosen by the
message; issuers are compared character by character; a type hierarchy gives no authority.
"""

from cityid.trust.entries import TrustEntry, TrustList, is_named, validated
from cityid.trust.file import add, read, remove, write_entry
from cityid.trust.keys import key, metadata_url, published

__all__ = [
    "TrustEntry",
    "TrustList",
    "add",
    "is_named",
    "key",
    "metadata_url",
    "published",
    "read",
    "remove",
    "validated",
    "write_entry",
]
