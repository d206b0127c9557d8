#!/bin/sh
# After the merge: what was reviewed, and nothing else. plan.json is the reviewed plan, where it was found; OSFORM_EXPECT a
# checksum that somebody gave by hand, which is the way on where the cluster has moved since the review.
set -eu
set -- ${OSFORM_ENV:+--env "$OSFORM_ENV"} ${OSFORM_PROVISION:+--provision "$OSFORM_PROVISION"}
if [ -n "${OSFORM_EXPECT:-}" ]; then
    osform apply "$@" --expect "$OSFORM_EXPECT" --lock-timeout 600
elif [ -s plan.json ]; then
    osform apply plan.json "$@" --lock-timeout 600
elif osform plan "$@" --detailed-exitcode; then
    echo "nothing to do"
else
    echo "nobody has reviewed this plan; look at it, then start this job by hand with its checksum" >&2
    exit 1
fi
osform plan "$@" --detailed-exitcode
