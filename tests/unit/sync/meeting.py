"""Two phones and a server that have met, and what it means that they agree."""

from __future__ import annotations

from gridlog_protocol.ids import TENANT_SCOPE
from gridlog_protocol.messages import SyncResponse
from tests.unit.sync.building import EAST, Asked, Phone, Server, a_record, digest_of

RECORD, OTHER, THIRD = a_record(1), a_record(2), a_record(3)


def two_phones_with_one_record() -> tuple[Server, Phone, Phone]:
    server, wang, liu = Server(), Phone(1, TENANT_SCOPE, EAST), Phone(2, TENANT_SCOPE, EAST)
    wang.create(RECORD, EAST, summary="a", tags=["flood"])
    wang.sync(server)
    liu.sync(server)
    return server, wang, liu


def asked(server: Server, phone: Phone) -> tuple[Asked, SyncResponse]:
    request = phone.ask()
    return request, server.answer(request.request, phone.worker.device, phone.scopes)


def assert_equal(server: Server, *phones: Phone) -> None:
    for phone in phones:
        phone.sync(server)
    for phone in phones:
        phone.sync(server)
        assert phone.pending == []
        assert phone.digest() == digest_of(server.records.values(), phone.scopes)
        assert phone.alarms == 0
