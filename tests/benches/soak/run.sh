#!/usr/bin/env bash
# One hour, or so many minutes as are given, of verification at about half of what the machine can do. Prints a line
# a minute: memory and latency should not grow. Needs the release binary, wrk and curl.
set -euo pipefail
minutes=${1:-60}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
binary=${SOAK_BINARY:-$root/target/release/claviger}
port=${SOAK_PORT:-8199}
keys=1000
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 1; }

CLAVIGER_ADMIN_LIMIT_PER_MINUTE=0 CLAVIGER_DATA_DIR="$work/data" CLAVIGER_LISTEN="127.0.0.1:$port" \
    CLAVIGER_LOG=warn "$binary" >"$work/out" 2>"$work/log" &
server=$!
url=http://127.0.0.1:$port
until curl -sf "$url/health/ready" >/dev/null; do sleep 0.1; done
bootstrap=$(grep -o 'iiak_bootstrap_[0-9a-f]*' "$work/out" | head -n 1)
json='Content-Type: application/json'
admin=$(curl -sS "$url/v1/admin/admin-keys" -H "Authorization: Bearer $bootstrap" -H "$json" \
    -d '{"entity_name":"Soak","permissions":["manage_credentials","view_usage"]}' | grep -o 'iiak_admin_[0-9a-f]\{40\}')
for n in $(seq "$keys"); do
    printf 'url = "%s/v1/admin/credentials"\nheader = "Authorization: Bearer %s"\nheader = "%s"\ndata = "{\\"name\\":\\"k%d\\",\\"network_id\\":0,\\"rate_limit_per_minute\\":10000}"\nnext\n' \
        "$url" "$admin" "$json" "$n"
done | sed '$d' | curl -sS --config - | grep -o '"api_key":"[^"]*"' | cut -d '"' -f 4 >"$work/keys"

# Each of 40 connections waits a millisecond after an answer.
cat >"$work/paced.lua" <<LUA
local requests = {}
function init()
  for key in io.lines("$work/keys") do
    requests[#requests + 1] = wrk.format("POST", "/v1/keys/verify",
      { ["Authorization"] = "Bearer $bootstrap", ["Content-Type"] = "application/json" },
      '{"key":"' .. key .. '","network_id":0}')
  end
end
function request() return requests[math.random(#requests)] end
function delay() return 1 end
LUA

figure() { curl -sS "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
echo "$(wc -l <"$work/keys") keys, $minutes minutes"
printf '%6s %10s %9s %9s %9s %9s %9s\n' minute calls/s p50 p99 RSS_MiB journal failed
for minute in $(seq "$minutes"); do
    wrk -t1 -c40 -d60s --latency -s "$work/paced.lua" "$url" >"$work/wrk"
    rss=$(awk '/VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$server/status")
    failed=$(awk '/Non-2xx/ { print $NF }' "$work/wrk")
    printf '%6d %10s %9s %9s %9s %9s %9s\n' "$minute" "$(awk '/Requests\/sec/ { print $2 }' "$work/wrk")" \
        "$(awk '$1 == "50%" { print $2 }' "$work/wrk")" "$(awk '$1 == "99%" { print $2 }' "$work/wrk")" \
        "$rss" "$(figure claviger_journal_records)" "${failed:-0}"
done
sleep 3
echo "decided $(figure 'claviger_decisions_total{code="VALID"}'), left in the journal $(figure claviger_journal_records)"
if [ -s "$work/log" ]; then echo "the log:"; head -n 20 "$work/log"; fi
