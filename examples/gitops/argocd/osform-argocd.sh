#!/bin/sh
# What Argo CD calls in a checkout: mistakes end it; else a Job that brings the cluster to this commit is written to stdout.
# ARGOCD_ENV_OSFORM_ENV, _IMAGE and _REPOSITORY come from the Application's plugin.env.
set -eu
environment=${ARGOCD_ENV_OSFORM_ENV:-default}
case "$ARGOCD_APP_REVISION" in *[!0-9a-f]*) echo "no commit: $ARGOCD_APP_REVISION" >&2; exit 1 ;; esac
case "$environment$ARGOCD_ENV_OSFORM_REPOSITORY$ARGOCD_ENV_OSFORM_IMAGE" in
    *[!A-Za-z0-9._:/@-]*) echo "letters, digits and ._:/@- only" >&2; exit 1 ;;
esac
osform validate --env "$environment" >&2
cat <<YAML
apiVersion: batch/v1
kind: Job
metadata:
  name: osform-$(echo "$ARGOCD_APP_REVISION" | cut -c1-12)
  annotations:
    argocd.argoproj.io/hook: Sync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
spec:
  backoffLimit: 3
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: apply
          image: "$ARGOCD_ENV_OSFORM_IMAGE"
          command: [sh, -ec]
          args:
            - |
              git clone --quiet --no-checkout -- "$ARGOCD_ENV_OSFORM_REPOSITORY" /work/tree
              cd /work/tree
              git checkout --quiet $ARGOCD_APP_REVISION
              osform apply --yes --env $environment --lock-timeout 600
          envFrom: [{secretRef: {name: osform}}]
          env: [{name: HOME, value: /work}, {name: OSFORM_CACHE, value: /work/cache}]
          resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 1Gi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: work, mountPath: /work}, {name: tmp, mountPath: /tmp}]
      volumes: [{name: work, emptyDir: {}}, {name: tmp, emptyDir: {}}]
YAML
