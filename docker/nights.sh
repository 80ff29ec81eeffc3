#!/bin/sh
# hyctas nightly with these arguments every day at HYCTAS_NIGHTLY_AT (UTC, such as 02:00), until SIGTERM.
# A night that fails leaves a file for the health check; a regression is no failure, and the report says it.
set -u
at=${HYCTAS_NIGHTLY_AT:-02:00}
failed=${HYCTAS_NIGHT_FAILED:-/tmp/hyctas-night-failed}
child=

stop() {
    [ -z "$child" ] || kill -s TERM "$child" 2>/dev/null
    wait
    exit 0
}

seconds_left() {
    now=$(date +%s)
    next=$(date --utc --date "today $at" +%s) || exit
    [ "$next" -gt "$now" ] || next=$(date --utc --date "tomorrow $at" +%s)
    echo $((next - now))
}

trap stop TERM INT
while :; do
    left=$(seconds_left) || exit 2
    echo "the next night begins in $left s" >&2
    sleep "$left" &
    child=$!
    wait "$child"
    hyctas nightly "$@" &
    child=$!
    wait "$child"
    code=$?
    case $code in
    0 | 3) rm -f "$failed" ;;
    *) echo "exit code $code" >"$failed" ;;
    esac
done
