#!/bin/sh
# On a schedule: exit status 2, and a job that fails, where somebody has changed the cluster by hand.
set -eu
set -- ${OSFORM_ENV:+--env "$OSFORM_ENV"} ${OSFORM_PROVISION:+--provision "$OSFORM_PROVISION"}
osform drift "$@"
