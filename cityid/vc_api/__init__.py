"""The VC-API (W3C CCG): the small HTTP interface by which the public W3C suites drive an implementation.

`Service.handle` answers one Request; it touches no network and no clock. The server around it is `cityid.edge.asgi`.
"""

from cityid.vc_api.lists import StatusList
from cityid.vc_api.model import HIDING, SUITES, IssuerOf, Options
from cityid.vc_api.service import Service

__all__ = ["HIDING", "SUITES", "IssuerOf", "Options", "Service", "StatusList"]
