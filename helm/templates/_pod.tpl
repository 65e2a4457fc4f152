{{/* What all pods have in common: who they are, what they may, how they come to a certificate. */}}

{{/* (list context image): the digest wins over the tag. */}}
{{- define "pm.image" -}}
{{- $ := index . 0 -}}
{{- $own := default dict (index . 1) -}}
{{- $repository := default $.Values.image.repository $own.repository -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $repository $own.digest -}}
{{- else if $own.tag -}}
{{- printf "%s:%s" $repository $own.tag -}}
{{- else if and $.Values.image.digest (not $own.repository) -}}
{{- printf "%s@%s" $repository $.Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default $.Chart.AppVersion $.Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* fsGroupChangePolicy: with Always the kubelet would open the keys on a volume to the group at every start, and a key that is
     open to others is refused. */}}
{{- define "pm.podSecurityContext" -}}
runAsNonRoot: true
{{- if not (kindIs "invalid" .Values.userId) }}
runAsUser: {{ int64 .Values.userId }}
runAsGroup: {{ int64 .Values.userId }}
fsGroup: {{ int64 .Values.userId }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "pm.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Beginning of a pod's spec. (list context component's-values) */}}
{{- define "pm.podHead" -}}
{{- $ := index . 0 -}}
serviceAccountName: {{ include "pm.serviceAccountName" $ }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the pods go. (list context component soft-anti-affinity soft-zone-spread) */}}
{{- define "pm.placement" -}}
{{- $ := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $.Values $component -}}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $own.affinity }}
affinity:
  {{- toYaml $own.affinity | nindent 2 }}
{{- else if index . 2 }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "pm.selectorLabels" (list $ $component) | nindent 14 }}
{{- end }}
{{- if $own.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml $own.topologySpreadConstraints | nindent 2 }}
{{- else if index . 3 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "pm.selectorLabels" (list $ $component) | nindent 8 }}
{{- end }}
{{- end -}}

{{/* A container that runs pmctl once. (list context arguments) */}}
{{- define "pm.once" -}}
{{- $ := index . 0 -}}
image: {{ include "pm.image" (list $ dict) }}
imagePullPolicy: {{ $.Values.image.pullPolicy }}
command: [/usr/bin/pmctl]
args:
  {{- toYaml (index . 1) | nindent 2 }}
resources:
  requests: {cpu: 10m, memory: 16Mi}
  limits: {memory: 128Mi}
securityContext:
  {{- include "pm.securityContext" $ | nindent 2 }}
{{- end -}}

{{/* The init container that makes the pod's certificate. It alone sees the CA's key, and writes the pod's own, 0600.
     (list context where-the-volume-is folder-in-it volume who options) */}}
{{- define "pm.issue" -}}
{{- $ := index . 0 -}}
{{- $args := list "cluster" "issue" "--dir=/ca" (printf "--out=%s%s" (index . 1) (index . 2)) -}}
{{- $args = append $args (printf "--cluster=%s" (include "pm.clusterName" $)) -}}
{{- $args = append $args (printf "--life=%s" $.Values.tls.certificateLife) -}}
- name: certificate
  {{- include "pm.once" (list $ (append (concat $args (index . 5)) (index . 4))) | nindent 2 }}
  env:
    {{- include "pm.podEnv" $ | nindent 4 }}
  volumeMounts:
    - {name: ca, mountPath: /ca, readOnly: true}
    - {name: {{ index . 3 }}, mountPath: {{ index . 1 }}}
{{- end -}}

{{/* The CA's Secret as a volume with the files ca.crt and ca.key, whoever made it. */}}
{{- define "pm.caVolume" -}}
- name: ca
  secret:
    secretName: {{ include "pm.caSecret" . }}
    defaultMode: 0440
    items:
      - {key: {{ include "pm.caCertKey" . }}, path: ca.crt}
      - {key: {{ include "pm.caKeyKey" . }}, path: ca.key}
{{- end -}}

{{/* Small and only in memory: keys are on no disk. */}}
{{- define "pm.runVolume" -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 4Mi}
{{- end -}}

{{- define "pm.podEnv" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{/* Settings that all services have. */}}
{{- define "pm.commonEnv" -}}
{{ include "pm.podEnv" . }}
- name: PM_ALLOW_REMOTE
  value: "true"
- name: PM_LOG
  value: {{ .Values.log.level | quote }}
- name: PM_LOG_FORMAT
  value: {{ .Values.log.format }}
{{- if .Values.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .Values.otlp.endpoint | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ include "pm.resourceAttributes" . | quote }}
{{- if .Values.otlp.headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.otlp.headersSecret }}
      key: {{ .Values.otlp.headersSecretKey }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "pm.resourceAttributes" -}}
{{- $all := list (printf "k8s.namespace.name=%s" .Release.Namespace) "k8s.pod.name=$(POD_NAME)" "k8s.node.name=$(NODE_NAME)" -}}
{{- range $name, $value := .Values.otlp.resourceAttributes -}}
{{- $all = append $all (printf "%s=%v" $name $value) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}

{{/* Alive is one thing, able to work another: a replica without a majority is alive, and killing it would make things worse. So
     start and life are asked of /healthz, and readiness of grpc.health.v1, on the operations port. (operations port) */}}
{{- define "pm.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /healthz, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  grpc: {port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end -}}
