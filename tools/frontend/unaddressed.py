"""Take the addresses out of `package-lock.json`: a lock says which parts, and not where anybody gets them."""

from __future__ import annotations

import json

from tools.frontend.placing import HERE

if __name__ == "__main__":
    path = HERE / "package-lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        package.pop("funding", None)
        package.pop("resolved", None)
    path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
