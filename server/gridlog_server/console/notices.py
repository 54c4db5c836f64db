"""What a page says about what was just done. A redirect carries its name: nothing that a stranger writes is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from gridlog_protocol.texts import Text


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence, how it looks, and where a form takes it back, if it can be."""

    text: Text
    tone: str = "success"
    undo: str = field(default="", kw_only=True)


NOTICES = MappingProxyType(
    {
        "approved": Notice(Text("已通过。", "Approved.")),
        "returned": Notice(
            Text("已退回，登记人下次同步时会看到意见。", "Returned. Its author reads why at the next sync.")
        ),
        "resolved": Notice(Text("冲突已裁定。", "The conflict is decided.")),
        "undone": Notice(
            Text("裁定已撤销，冲突重新打开。", "The decision was taken back; the conflict is open again.")
        ),
        "released": Notice(Text("已放行，这项修改现在生效。", "Released: the change has taken effect.")),
        "rejected": Notice(
            Text("没有采纳。登记人下次同步时会看到理由。", "Not taken. Its author reads why at the next sync.")
        ),
        "password": Notice(
            Text("密码已修改，其他地方的登录都已退出。", "Password changed. Sessions elsewhere have ended.")
        ),
        "signed-out": Notice(Text("已退出登录。", "You are signed out.")),
        "person-added": Notice(Text("已添加。", "Added.")),
        "grids": Notice(Text("网格已分配。", "Grids assigned.")),
        "roles": Notice(Text("角色已更改。", "Roles changed.")),
        "disabled": Notice(
            Text("已停用，这个人的终端不能再同步。", "Disabled. This person's devices are turned away.")
        ),
        "enabled": Notice(Text("已启用。", "Enabled.")),
        "suspended": Notice(Text("终端已停用。", "The device is suspended.")),
        "resumed": Notice(Text("终端已恢复。", "The device may synchronise again.")),
        "lost": Notice(
            Text(
                "已挂失，并下达清除命令。终端下次联系时执行。",
                "Reported lost, and told to wipe itself at its next contact.",
            )
        ),
        "found": Notice(Text("已解除挂失。", "Found: it may synchronise again.")),
        "password-set": Notice(
            Text("密码已设置，这个人的登录都已退出。", "Password set. This person's sessions have ended.")
        ),
        "wiping": Notice(
            Text("清除命令已下达，终端下次联系时执行。", "The wipe is ordered. It happens at the next contact.")
        ),
        "revoked": Notice(Text("终端已作废。", "The device is revoked.")),
    }
)
