#!/usr/bin/env bash
# Does an installed Gridlog work? Usage: smoke.sh BIN, the folder with the installed commands.
# Runs in an empty folder, so that nothing of the source tree can stand in for what the wheel forgot.
set -euo pipefail
bin="$(cd "$1" && pwd)"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

step() { printf 'smoke: %s\n' "$*"; }

step "the four packages import"
"$bin/python" -I -c "import gridlog, gridlog_server, gridlog_sync, gridlog_protocol"

step "the record kinds are in the wheel"
"$bin/python" -I -c "from gridlog_protocol.kinds import shipped_kinds; assert len(shipped_kinds()) >= 3"

step "the dictionaries are in the wheel"
"$bin/python" -I -c "from gridlog_protocol.compression import SHIPPED, shipped_dictionary
assert all(len(shipped_dictionary(number)) > 1024 for number in SHIPPED)"

step "both commands explain themselves"
"$bin/gridlog" --help >gridlog.help
"$bin/gridlog-server" --help >gridlog-server.help

step "a note goes all the way"
export GRIDLOG_LANG=en GRIDLOG_PASSPHRASE="only for this smoke test" GRIDLOG_STORE="$scratch/store"
export GRIDLOG_SERVER_DATA="$scratch/server"
port="$("$bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")"
"$bin/gridlog-server" init --tenant 420106 --name Wuchang --port "$port" >/dev/null
"$bin/gridlog-server" run >server.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
code="$("$bin/gridlog-server" admin enroll W001 --name Zhang --grid 420106001001001 | tail -n 1)"
"$bin/gridlog" enrol "$code" >/dev/null
"$bin/gridlog" write patrol patrol_type=daily leader=me started_at=now summary=smoke >/dev/null
"$bin/gridlog" sync
"$bin/gridlog-server" records --json | grep -q '"summary": "smoke"'

step "a test of an app gets a throw-away server"
unset GRIDLOG_SERVER_DATA
"$bin/python" -I - <<'PYTHON'
import asyncio
from gridlog.testing import throw_away_server

async def test():
    async with throw_away_server() as server:
        async with await server.enrolled_store("app", "Zhang") as store:
            assert (await store.sync()).is_equal

asyncio.run(test())
PYTHON

step "ok"
