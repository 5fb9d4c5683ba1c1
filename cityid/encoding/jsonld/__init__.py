"""JSON-LD 1.1 (W3C Recommendation, 16 July 2020): documents whose names are IRIs, as RDF datasets to sign.

No context is ever fetched: the caller hands in a `Loader`. Safe mode is the default (see `expansion`).
"""

from cityid.encoding.jsonld.alike import canonical as canonical
from cityid.encoding.jsonld.alike import statements as statements
from cityid.encoding.jsonld.compaction import compact as compact
from cityid.encoding.jsonld.context import Loader as Loader
from cityid.encoding.jsonld.dataset import from_expanded as from_expanded
from cityid.encoding.jsonld.dataset import to_rdf as to_rdf
from cityid.encoding.jsonld.expansion import expand as expand
