"""The command that serves the handheld app."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gridlog_protocol.texts import Text

from .cli_options import DEFAULT_STORE, Store, Weak
from .cli_store import LANGUAGE, device_secret, fail, out, say
from .vault import KdfProfile

handheld_app = typer.Typer()

PORT = 8721


@handheld_app.command(
    help=say(
        "打开手机应用：本机网页，供网格员使用。", "Serve the handheld app: pages on this device for a grid worker."
    )
)
def handheld(
    store: Store = DEFAULT_STORE,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help=say("端口，0 为任意空闲端口。", "Port; 0 takes a free one."))
    ] = PORT,
    lock_after: Annotated[
        int, typer.Option(min=10, max=3600, help=say("多少秒没人操作就锁定。", "Lock after so many idle seconds."))
    ] = 120,
    weak: Weak = False,  # noqa: FBT002
) -> None:
    """Serve the app until Ctrl-C."""
    # A web server and its templates take half a second to load, and no other command needs them.
    from .agent.phone import Phone  # noqa: PLC0415
    from .agent.serving import serve  # noqa: PLC0415

    profile = KdfProfile.WEAK_FOR_TESTS if weak else KdfProfile.STANDARD
    phone = Phone(store, device_secret=device_secret(), profile=profile, idle_s=float(lock_after))

    def tell(address: str) -> None:
        out.print(
            say("在浏览器里打开（只能用一次）：", "Open in a browser (good for one use): "), address, soft_wrap=True
        )

    try:
        asyncio.run(serve(phone, port, language=LANGUAGE, on_address=tell))
    except OSError as reason:
        fail(
            Text(
                f"端口 {port} 用不了（{reason.strerror}），请用 --port 换一个。",
                f"Port {port} cannot be used ({reason.strerror}). Choose another with --port.",
            )
        )
    out.print(say("已停止，内容都在本机。", "Stopped. Everything is saved on this device."))
