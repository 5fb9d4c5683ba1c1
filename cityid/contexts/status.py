"""Status lists."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "https://www.w3.org/ns/credentials/status/v1": """
prefix status_ https://www.w3.org/ns/credentials/status#
@protected true
id = @id
type = @type
BitstringStatusListCredential = status_:BitstringStatusListCredential
BitstringStatusList status_:BitstringStatusList
  @protected true
  id = @id
  type = @type
  encodedList status_:encodedList type=https://w3id.org/security#multibase
  statusPurpose = status_:statusPurpose
  ttl = status_:ttl
BitstringStatusListEntry status_:BitstringStatusListEntry
  @protected true
  id = @id
  type = @type
  statusListCredential status_:statusListCredential type=@id
  statusListIndex = status_:statusListIndex
  statusPurpose = status_:statusPurpose
  statusMessage status_:statusMessage
    @protected true
    id = @id
    type = @type
    message = status_:message
    status = status_:status
  statusReference status_:statusReference type=@id
  statusSize status_:statusSize type=https://www.w3.org/2001/XMLSchema#integer
""",
    "https://w3id.org/vc/status-list/2021/v1": """
prefix list https://w3id.org/vc/status-list#
prefix schema http://schema.org/
@protected true
StatusList2021Credential list:StatusList2021Credential
  @protected true
  id = @id
  type = @type
  description = schema:description
  name = schema:name
StatusList2021 list:StatusList2021
  @protected true
  id = @id
  type = @type
  statusPurpose = list:statusPurpose
  encodedList = list:encodedList
StatusList2021Entry list:StatusList2021Entry
  @protected true
  id = @id
  type = @type
  statusPurpose = list:statusPurpose
  statusListIndex = list:statusListIndex
  statusListCredential list:statusListCredential type=@id
""",
}
