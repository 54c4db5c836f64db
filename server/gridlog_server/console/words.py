"""Words for states: of devices, records and people; of what administrators did. With the tone that repeats each."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from gridlog_protocol.texts import Text

DEVICE_STATES: Final = MappingProxyType(
    {
        "active": (Text("在用", "In use"), "green"),
        "suspended": (Text("已停用", "Suspended"), "amber"),
        "lost": (Text("已挂失", "Lost"), "red"),
        "wiped": (Text("已清除", "Wiped"), "secondary"),
        "revoked": (Text("已作废", "Revoked"), "secondary"),
    }
)
PERSON_STATES: Final = MappingProxyType(
    {"active": (Text("在用", "Active"), "green"), "disabled": (Text("已停用", "Disabled"), "amber")}
)
ACTS: Final = MappingProxyType(
    {
        "user.add": Text("添加人员", "Person added"),
        "user.grids": Text("分配网格", "Grids assigned"),
        "user.disable": Text("停用人员", "Person disabled"),
        "user.enable": Text("启用人员", "Person enabled"),
        "user.password": Text("设置密码", "Password set"),
        "user.grant": Text("更改角色", "Roles changed"),
        "user.sign_out": Text("结束登录", "Sessions ended"),
        "sign_in": Text("登录", "Signed in"),
        "enroll": Text("发放登记码", "Enrolment code handed out"),
        "import": Text("导入", "Import"),
        "device.suspend": Text("停用终端", "Device suspended"),
        "device.resume": Text("恢复终端", "Device resumed"),
        "device.lost": Text("挂失终端，下达清除命令", "Device reported lost, wipe ordered"),
        "device.wipe": Text("下达清除命令", "Wipe ordered"),
        "device.found": Text("解除挂失", "Device found"),
        "device.revoke": Text("作废终端", "Device revoked"),
        "device.wiped": Text("终端确认已清除", "Device confirmed its wipe"),
        "device.order_refused": Text("终端没有执行命令", "Device refused an order"),
    }
)
