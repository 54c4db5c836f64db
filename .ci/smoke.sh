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

step "both commands explain themselves"
"$bin/gridlog" --help >gridlog.help
"$bin/gridlog-server" --help >gridlog-server.help

step "ok"
