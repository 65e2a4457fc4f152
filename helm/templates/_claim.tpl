{{/* A volume for each replica. Its labels never change: a StatefulSet's templates of volumes cannot.
     (list context component name persistence) */}}
{{- define "pm.claim" -}}
{{- $own := index . 3 -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: {{ index . 2 }}
    labels:
      {{- include "pm.selectorLabels" (list (index . 0) (index . 1)) | nindent 6 }}
    {{- with $own.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes:
      {{- toYaml $own.accessModes | nindent 6 }}
    {{- if not (kindIs "invalid" $own.storageClass) }}
    storageClassName: {{ $own.storageClass | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ $own.size }}
{{- end -}}
