#!/bin/sh
# On a pull request: the mistakes, or the plan as plan.md (for people), plan.html (all of it) and plan.json (for the apply).
# OSFORM_ENV is the environment; OSFORM_CLUSTER the cluster. Secrets of the stack come from the environment as well.
set -eu
set -- ${OSFORM_ENV:+--env "$OSFORM_ENV"} ${OSFORM_PROVISION:+--provision "$OSFORM_PROVISION"}
osform validate "$@"
osform plan "$@" --out plan.json --page plan.html --format markdown > plan.md
