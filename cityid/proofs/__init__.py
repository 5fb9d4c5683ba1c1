"""Data Integrity 1.0, the mechanism: transform, hash, create and check one proof with a given key.

Nothing here resolves a verification method, and nothing here knows what the document says: whose key it is, and
whether that key may speak, is for the caller to know.
"""

from __future__ import annotations

from cityid.proofs.jcs import check, create, hash_data

__all__ = ["check", "create", "hash_data"]
