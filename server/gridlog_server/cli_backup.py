"""The commands around the database file: back it up, check it, bring it up to date, restore it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from . import app, restoring
from .cli_base import DEFAULT_DATA, AsJson, Data, err, fail, guarded, order, out, say, say_json, settings_at
from .store.sqlite_files import StoreFormatError, migrate

File = Annotated[Path, typer.Argument(help=say("备份文件。", "The backup's file."))]
_FINDINGS_SHOWN = 50

around_the_file, after_a_restore = typer.Typer(), typer.Typer()


@around_the_file.command(help=say("备份数据库，不必停服务。", "Back up the database; the server may go on running."))
def backup(file: File, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Back up."""
    manifest = order(data, "backup", {"name": str(file.resolve())})
    if as_json:
        say_json({each: value for each, value in manifest.items() if each != "settings"})
        return
    out.print(
        say(
            f"已备份到 {file}（日志位置 {manifest['position']}，{manifest['bytes']} 字节）。",
            f"Backed up to {file}: log position {manifest['position']}, {manifest['bytes']} bytes.",
        )
    )
    zh = "密钥和管控日志不在备份里，请另行保存：server.keys、control.journal。"
    en = "Keys and control journal are not in it. Keep them apart: server.keys, control.journal."
    out.print(say(zh, en))


@around_the_file.command(help=say("核对数据库与日志是否一致。", "Check the database against its own log."))
def check(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Check. Exits with status 1 if anything differs."""
    checked = guarded(app.checked(settings_at(data)))
    if as_json:
        say_json({each: getattr(checked, each) for each in checked.__slots__})
    else:
        for finding in checked.findings[:_FINDINGS_SHOWN]:
            err.print(finding, style="red", highlight=False, markup=False)
        out.print(
            say(
                f"日志 {checked.entries} 条、修改 {checked.ops} 项、签名 {checked.segments} 份、"
                f"记录 {checked.records} 条：{len(checked.findings)} 处不符。",
                f"{checked.entries} log entries, {checked.ops} ops, {checked.segments} signatures,"
                f" {checked.records} records: {len(checked.findings)} findings.",
            ),
            highlight=False,
        )
    raise typer.Exit(1 if checked.findings else 0)


@around_the_file.command(name="migrate", help=say("升级数据库格式。", "Bring the database up to this version."))
def migrate_(data: Data = DEFAULT_DATA) -> None:
    """Migrate."""
    settings = settings_at(data)
    try:
        with app.sole_writer(settings):
            done = migrate(settings.database)
    except app.InUseError:
        fail("请先停止服务。", "Stop the server first.")
    except (StoreFormatError, FileNotFoundError) as reason:
        fail(f"数据库打不开：{reason}", f"Cannot open the database: {reason}")
    names = ", ".join(map(str, done)) or say("没有", "none")
    out.print(say(f"已执行的升级：{names}。", f"Applied: {names}."), highlight=False)


@around_the_file.command(help=say("从备份恢复；原有数据移到一旁。", "Restore a backup; what is there is set aside."))
def restore(
    file: File,
    data: Data = DEFAULT_DATA,
    without_journal: Annotated[
        bool,
        typer.Option(
            "--without-journal",
            help=say("管控日志已丢失：恢复后停用所有终端。", "The control journal is lost: suspend all devices."),
        ),
    ] = False,
) -> None:
    """Restore."""
    try:
        manifest = restoring.read_manifest(file)
        restoring.put_settings(data, manifest)
        restored = guarded(_restored(data, file, manifest, without_journal=without_journal))
    except app.InUseError:
        fail("请先停止服务。", "Stop the server first.")
    except restoring.RestoreError as wrong:
        fail(wrong.text.zh, wrong.text.en)
    out.print(
        say(
            f"已恢复到日志位置 {restored.position}，新的纪元 {restored.epoch.hex()}；"
            f"补上 {restored.acts} 项登记或停用。",
            f"Restored up to log position {restored.position}, epoch {restored.epoch.hex()};"
            f" {restored.acts} enrolments and changes played again.",
        ),
        highlight=False,
    )
    if restored.set_aside is not None:
        out.print(say(f"原数据库：{restored.set_aside}", f"The former database: {restored.set_aside}"))
    zh = "现在可以启动服务：终端同步时会补交备份之后写的内容。"
    out.print(say(zh, "Start the server: devices bring what was written since as they synchronise."))


@after_a_restore.command(help=say("确认终端仍由本人使用，恢复其权限。", "Let suspended devices speak again."))
def confirm(
    device: Annotated[list[str], typer.Argument(help=say("终端，见 devices。", "As `devices` names them."))],
    data: Data = DEFAULT_DATA,
) -> None:
    """Confirm."""
    confirmed = order(data, "confirm", {"devices": device})["devices"]
    out.print(say(f"已确认 {len(confirmed)} 台终端。", f"Confirmed: {len(confirmed)}."))


async def _restored(data: Path, file: Path, manifest: dict[str, Any], *, without_journal: bool) -> restoring.Restored:
    settings = settings_at(data)
    with app.sole_writer(settings):
        return await restoring.restore(
            settings, file, manifest, now_ms=app.now_ms, entropy=os.urandom, without_journal=without_journal
        )
