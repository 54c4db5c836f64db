"""Commands about devices: look at them, suspend them, and what is done when one is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gridlog_protocol.texts import Text

from . import app, listing_clocks, listing_devices, listing_people
from .cli_base import DEFAULT_DATA, LANGUAGE, AsJson, Data, Reason, fail, look, order, out, say, say_json
from .service.device_filter import DeviceFilter

device = typer.Typer(no_args_is_help=True, help=say("终端。", "Devices."))

DeviceName = Annotated[
    str, typer.Argument(help=say("终端编号的前几位，见 devices。", "The first digits of a device: see `devices`."))
]
Status = Annotated[str | None, typer.Option(help=say("只看这种状态。", "Only those of a status."))]
WantedReason = Annotated[str, typer.Option(help=say("理由，必填。", "Why."))]
Yes = Annotated[bool, typer.Option("--yes", help=say("不再询问。", "Do not ask."))]
_DAY_MS = 86_400_000
_STEPS = {
    "suspend": Text("已停用：不能同步，内容都还在", "is suspended: it cannot synchronise, and keeps all it has"),
    "resume": Text("已恢复，可以同步", "may synchronise again"),
    "lost": Text("已挂失；下次联系时会被清除", "is lost: it will be wiped when it next calls"),
    "wipe": Text("下次联系时会被清除", "will be wiped when it next calls"),
    "found": Text(
        "已解除挂失，可以同步；清除指令已撤回", "is found, and may synchronise: the order to wipe is withdrawn"
    ),
    "revoke": Text("已作废；它再发来的会隔离存放", "is revoked for ever; what it sends is quarantined"),
}
_WHAT_HAPPENS = Text(
    "下次联系时，终端 {name}（{holder}）会先把没有发出的修改密封交给服务器，再销毁密钥，本机数据无法恢复；"
    "没有填完的草稿会丢失。它交来的修改进入隔离区，由督导取入或忽略。在它联系之前，可用 admin device found 撤回。",
    "When device {name} ({holder}) next calls, it seals what it has not sent for the server, destroys its keys, and"
    " cannot be recovered; forms that are not finished are lost. What it sends goes to quarantine, for a supervisor"
    " to take in or dismiss. Until it calls, `admin device found` takes this back.",
)


@device.command("list", help=say("全部终端。", "All devices."))
def device_list(
    status: Status = None,
    silent_days: Annotated[
        int | None, typer.Option(min=0, help=say("只看这么多天没有联系的。", "Only those silent for so many days."))
    ] = None,
    never: Annotated[
        bool, typer.Option("--never", help=say("只看从未联系的。", "Only those that never called."))
    ] = False,
    with_unsent: Annotated[
        bool, typer.Option("--with-unsent", help=say("只看还有修改没发出的。", "Only those with something unsent."))
    ] = False,
    lost: Annotated[bool, typer.Option("--lost", help=say("只看已挂失的。", "Only those that are lost."))] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """List devices."""
    since_ms = None if silent_days is None else app.now_ms() - silent_days * _DAY_MS
    wanted = DeviceFilter(since_ms, never=never, with_unsent=with_unsent, lost=lost)
    say_devices(data, status, as_json=as_json, wanted=wanted)


@device.command("show", help=say("一台终端的全部情况。", "All that is known of a device."))
def device_show(name: DeviceName, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show a device."""
    line = look(data, lambda inspection: inspection.device(name))
    acts = look(data, lambda inspection: inspection.acts_on_device(line.device.id))
    if as_json:
        said = listing_clocks.device_json(line)
        say_json(said | {"acts": [listing_people.act_json(each) for each in acts]})
    else:
        out.print(listing_devices.device_page(line, acts, LANGUAGE))


@device.command("suspend", help=say("暂停一台终端，可恢复。", "Turn a device away, until it is resumed."))
def device_suspend(name: DeviceName, reason: Reason = "", data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Suspend."""
    _step(data, "suspend", name, reason, as_json=as_json)


@device.command("resume", help=say("恢复一台暂停的终端。", "Let a suspended device go on."))
def device_resume(name: DeviceName, reason: Reason = "", data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Resume."""
    _step(data, "resume", name, reason, as_json=as_json)


@device.command("lost", help=say("挂失：下次联系时清除它的数据。", "Report it lost: it is wiped when it next calls."))
def device_lost(
    name: DeviceName, reason: WantedReason, yes: Yes = False, data: Data = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """Report a device lost."""
    _warn(data, name, yes=yes)
    _step(data, "lost", name, reason, as_json=as_json)


@device.command("wipe", help=say("清除终端数据，已挂失的再下一次指令。", "Have it wiped; of a lost one, again."))
def device_wipe(
    name: DeviceName, reason: WantedReason, yes: Yes = False, data: Data = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """Order a wipe."""
    _warn(data, name, yes=yes)
    _step(data, "wipe", name, reason, as_json=as_json)


@device.command("found", help=say("找到了：解除挂失，撤回清除指令。", "It was found: take the order to wipe back."))
def device_found(name: DeviceName, reason: WantedReason, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Take a loss back."""
    _step(data, "found", name, reason, as_json=as_json)


@device.command("revoke", help=say("作废一台终端，不能恢复。", "Give up a device for ever."))
def device_revoke(name: DeviceName, reason: Reason = "", data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Revoke."""
    _step(data, "revoke", name, reason, as_json=as_json)


def say_devices(data: Path, status: str | None, *, as_json: bool, wanted: DeviceFilter | None = None) -> None:
    """List devices."""
    lines = look(data, lambda inspection: inspection.devices(wanted, status=status))
    if as_json:
        say_json([listing_clocks.device_json(line) for line in lines])
    else:
        out.print(listing_clocks.devices_table(lines, LANGUAGE))


def _warn(data: Path, name: str, *, yes: bool) -> None:
    """Say what will happen, and ask whether it shall, unless that was said already."""
    line = look(data, lambda inspection: inspection.device(name))
    if yes:
        return
    text = _WHAT_HAPPENS.filled(name=line.device.id.hex()[:8], holder=f"{line.staff_no} {line.holder}")
    typer.echo(text.spoken(LANGUAGE), err=True)
    if not sys.stdin.isatty():
        fail("确认请加 --yes。", "Say --yes if it shall.")
    typer.confirm(say("确定吗？", "Shall it?"), abort=True, err=True)


def _step(data: Path, step: str, name: str, reason: str, *, as_json: bool) -> None:
    answer = order(data, "device", {"device": name, "step": step, "reason": reason})
    if as_json:
        say_json(answer)
    else:
        said, digits = _STEPS[step], answer["device"][:8]
        out.print(say(f"终端 {digits} {said.zh}。", f"Device {digits} {said.en}."), markup=False, highlight=False)
