#!/usr/bin/env bash
# status.sh JOB: prints running, success or failed for a job of Grid Engine.
if qstat -j "$1" >/dev/null 2>&1; then
    echo running
elif qacct -j "$1" 2>/dev/null | grep -Eq '^exit_status +0'; then
    echo success
elif qacct -j "$1" 2>/dev/null | grep -q '^exit_status'; then
    echo failed
else
    echo running # it has ended, but its record is not written yet
fi
