#!/bin/sh
# Steers a persistent job through its life with curl, and shows each answer.
# Usage: walkthrough.sh [URL of a master that has at least 4 slots, default http://127.0.0.1:5678]
set -eu
api=${1:-http://127.0.0.1:5678}

say() { printf '\n# %s\n' "$*"; }
get() { printf 'GET %s\n' "$1"; curl -sS --fail-with-body "$api$1"; echo; }
post() { printf 'POST %s\n' "$1"; curl -sS --fail-with-body -X POST "$api$1"; echo; }
# The processes of the execution in a role, as the cluster state shows them.
pids() {
    curl -sS "$api/cluster/state" | tr -d ' \n' | tr '{}' '\n\n' |
        sed -n "/\"$ex\"/s/.*\"assignment\":\"$1\".*\"pid\":\([1-9][0-9]*\).*/\1/p"
}
workers() { pids worker | wc -l; }
wait_for_workers() {
    since=$(date +%s%N)
    until [ "$(workers)" -eq "$1" ]; do
        [ $(($(date +%s%N) - since)) -lt 10000000000 ] || { echo "there are $(workers) workers, not $1"; exit 1; }
        sleep 0.05
    done
    echo "after $((($(date +%s%N) - since) / 1000000)) ms the cluster state shows $1 workers: $(pids worker | tr '\n' ' ')"
}

say "submit a persistent job with 2 workers"
answer=$(curl -sS --fail-with-body "$api/jobs" -d '{
  "name": "walkthrough", "lifecycle": "persistent", "workers": 2,
  "operations": [{"_op": "data_generator", "size": 10}, {"_op": "delay", "ms": 100}, {"_op": "noop"}]
}')
echo "$answer"
ex=$(printf %s "$answer" | tr -d ' \n' | sed 's/.*"ex_id":"\([^"]*\)".*/\1/')
wait_for_workers 2
get /cluster/state

say "scale"
post "/ex/$ex/_workers?add=1"
wait_for_workers 3
post "/ex/$ex/_workers?remove=2"
wait_for_workers 1
post "/ex/$ex/_workers?total=4"
wait_for_workers 4

say "pause, and resume"
post "/ex/$ex/_pause"
sleep 1
get "/ex/$ex/slices/_count"
sleep 1
get "/ex/$ex/slices/_count"
post "/ex/$ex/_resume"
sleep 1
get "/ex/$ex/slices/_count"

say "what the cluster says of it"
get "/ex?status=running"
get /cluster/controllers

say "stop: the answer comes when no process of it is left"
before="$(pids execution_controller | tr '\n' ' ') $(pids worker | tr '\n' ' ')"
echo "its processes: $before"
post "/ex/$ex/_stop"
for pid in $before; do
    if [ -e "/proc/$pid" ]; then echo "process $pid is left"; exit 1; fi
done
echo "ps finds none of them:"
# shellcheck disable=SC2086
ps -o pid,args -p "$(echo $before | tr ' ' ',')" || true
get "/ex/$ex/slices/_count"
get "/ex/$ex"
