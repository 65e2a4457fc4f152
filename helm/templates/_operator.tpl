{{/* A container that runs pmctl once, as an operator. (list context arguments [more mounts]) */}}
{{- define "pm.operator" -}}
{{- $ := index . 0 -}}
{{ include "pm.once" . }}
env:
  - name: PM_ENDPOINT
    value: {{ include "pm.gatewayUrl" $ }}
  - name: PM_OPERATOR_TLS_DIR
    value: /run/pm/tls
  - name: PM_STATE_DIR
    value: /run/pm/state
volumeMounts:
  - {name: run, mountPath: /run/pm}
  {{- range (slice . 2) }}
  - {{ . }}
  {{- end }}
{{- end -}}
