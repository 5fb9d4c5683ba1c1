"""DCQL, the Digital Credentials Query Language (OpenID4VP 1.0 §6 and §7): read, match, choose, judge, and lint.

query = read(request["dcql_query"])
answer = query.options(credentials)          # the holder: what can be shown, least-disclosing first
asked.satisfied(credential)                  # the verifier: what a presentation lacks
query.judge({"residency": 1})                # the verifier: is the answer whole?
"""

from cityid.query.lint import lint
from cityid.query.model import (
    Answers,
    ClaimQuery,
    CredentialQuery,
    CredentialSet,
    Match,
    Query,
    TrustedAuthority,
)
from cityid.query.parse import read
from cityid.query.solve import Answerable, Choice, Index, Unanswerable

__all__ = [
    "Answerable",
    "Answers",
    "Choice",
    "ClaimQuery",
    "CredentialQuery",
    "CredentialSet",
    "Index",
    "Match",
    "Query",
    "TrustedAuthority",
    "Unanswerable",
    "lint",
    "read",
]
