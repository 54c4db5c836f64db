"""People, devices, codes and accounts as acts of the control journal, and back: see `gridlog_server.control`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gridlog_protocol.ids import DeviceHandle, DeviceId, ScopeId, UserId

from .contract import Account, Code, Device, Person, Transaction


def act_of_person(person: Person) -> dict[str, Any]:
    """Return what to note of a person, new or changed."""
    return {
        "act": "person",
        "id": person.id.hex(),
        "staff_no": person.staff_no,
        "name": person.name,
        "status": person.status,
        "scopes": sorted(person.scopes),
    }


def act_of_device(device: Device) -> dict[str, Any]:
    """Return what to note of a device: who it is, whether it may speak, what it was ordered. Not what it reports."""
    return {
        "act": "device",
        "id": device.id.hex(),
        "handle": device.handle.hex(),
        "person": device.person.hex(),
        "signing_key": device.signing_key.hex(),
        "exchange_key": device.exchange_key.hex(),
        "model": device.model,
        "app": device.app,
        "status": device.status,
        "enrolled_ms": device.enrolled_ms,
        # Left out of most: a device that nobody ever ordered anything is noted as it always was.
        **({"order": device.order} if device.order else {}),
        **({"wipe_ordered_ms": device.wipe_ordered_ms} if device.wipe_ordered_ms is not None else {}),
        **({"wiped_ms": device.wiped_ms} if device.wiped_ms is not None else {}),
    }


def act_of_code(code: Code) -> dict[str, Any]:
    """Return what to note of an enrolment code: its hash, never its secret."""
    return {
        "act": "code",
        "id": code.id.hex(),
        "secret": code.secret.hex(),
        "person": code.person.hex(),
        "expires_ms": code.expires_ms,
        "device": code.device.hex() if code.device else None,
    }


def act_of_account(account: Account) -> dict[str, Any]:
    """Return what to note of an account: what its owner may do, and when its password was set. Never the password."""
    return {
        "act": "account",
        "id": account.person.hex(),
        "password_ms": account.password_ms,
        "roles": sorted(account.roles),
        "subtree": account.subtree,
    }


async def play(transaction: Transaction, acts: Iterable[Mapping[str, Any]]) -> int:
    """Let people, devices, codes and accounts be as the acts say, and return how many acts those were."""
    registry = transaction.registry
    known = {each.id: each for each in await registry.devices()}
    played = 0
    for act in acts:
        match act["act"]:
            case "person":
                await registry.put_person(_person(act))
            case "device":
                device = _device(act)
                before = known.get(device.id)
                known[device.id] = _brought_up(before, device) if before else device
                await registry.put_device(known[device.id])
            case "code":
                await registry.put_code(_code(act))
            case "account":
                await _play_account(transaction, act)
            case _:
                continue
        played += 1
    return played


def _brought_up(before: Device, noted: Device) -> Device:
    """Let a device be as it was noted: an order that was given is given, and its counter never falls."""
    return replace(
        before,
        status=noted.status,
        order=max(before.order, noted.order),
        wipe_ordered_ms=noted.wipe_ordered_ms,
        wiped_ms=noted.wiped_ms,
    )


async def _play_account(transaction: Transaction, act: Mapping[str, Any]) -> None:
    person = UserId(bytes.fromhex(act["id"]))
    known = await transaction.accounts.account(person) or Account(person)
    # A password that was changed since is not in the backup, and the one there may be why it was changed.
    is_older = known.password_ms < act["password_ms"]
    password, password_ms = ("", act["password_ms"]) if is_older else (known.password, known.password_ms)
    roles = frozenset(act["roles"])
    await transaction.accounts.put_account(Account(person, password, password_ms, roles, act["subtree"]))


def _person(act: Mapping[str, Any]) -> Person:
    scopes = frozenset(ScopeId(scope) for scope in act["scopes"])
    return Person(UserId(bytes.fromhex(act["id"])), act["staff_no"], act["name"], act["status"], scopes)


def _device(act: Mapping[str, Any]) -> Device:
    return Device(
        DeviceId(bytes.fromhex(act["id"])),
        DeviceHandle(bytes.fromhex(act["handle"])),
        UserId(bytes.fromhex(act["person"])),
        bytes.fromhex(act["signing_key"]),
        bytes.fromhex(act["exchange_key"]),
        act["model"],
        act["app"],
        act["status"],
        0,
        act["enrolled_ms"],
        act["enrolled_ms"],
        order=act.get("order", 0),
        wipe_ordered_ms=act.get("wipe_ordered_ms"),
        wiped_ms=act.get("wiped_ms"),
    )


def _code(act: Mapping[str, Any]) -> Code:
    device = DeviceId(bytes.fromhex(act["device"])) if act["device"] else None
    person = UserId(bytes.fromhex(act["person"]))
    return Code(bytes.fromhex(act["id"]), bytes.fromhex(act["secret"]), person, act["expires_ms"], device)
