{{/* Names, labels, addresses: what other objects refer to. */}}

{{- define "pm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: pods, certificates and hooks append to it. */}}
{{- define "pm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "pm.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pm.clusterName" -}}
{{- default (include "pm.fullname" .) .Values.clusterName -}}
{{- end -}}

{{/* Beginning of the label `job` of all metrics, in which rules.yaml looks for `pm`. */}}
{{- define "pm.job" -}}
{{- $name := include "pm.fullname" . -}}
{{- if or (eq $name "pm") (hasSuffix "-pm" $name) -}}{{ $name }}{{- else -}}{{ $name }}-pm{{- end -}}
{{- end -}}

{{- define "pm.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes: selectors are made of these alone. */}}
{{- define "pm.instanceLabels" -}}
app.kubernetes.io/name: {{ include "pm.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* (list context component) */}}
{{- define "pm.selectorLabels" -}}
{{ include "pm.instanceLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* (list context component) */}}
{{- define "pm.labels" -}}
{{- $ := index . 0 -}}
{{ include "pm.selectorLabels" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/part-of: {{ include "pm.name" $ }}
helm.sh/chart: {{ include "pm.chart" $ }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of pods: nothing in them changes with the chart's version, so that an upgrade that changes nothing restarts nothing.
     (list context component) */}}
{{- define "pm.podLabels" -}}
{{- $ := index . 0 -}}
{{ include "pm.selectorLabels" . }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pm.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Host of the registry's headless service; pods are names in it. */}}
{{- define "pm.registryHost" -}}
{{- printf "%s-registry.%s.svc" (include "pm.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* Where the registry is: so many replicas, as clients take them. (list context count) */}}
{{- define "pm.registryUrls" -}}
{{- $ := index . 0 -}}
{{- $urls := list -}}
{{- range $i := until (int (index . 1)) -}}
{{- $urls = append $urls (printf "https://%s-registry-%d.%s:7481" (include "pm.fullname" $) $i (include "pm.registryHost" $)) -}}
{{- end -}}
{{- join "," $urls -}}
{{- end -}}

{{- define "pm.monitorUrl" -}}
{{- printf "https://%s-monitor.%s.svc:7482" (include "pm.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "pm.gatewayUrl" -}}
{{- printf "https://%s-gateway.%s.svc:%d" (include "pm.fullname" .) .Release.Namespace (int .Values.gateway.service.port) -}}
{{- end -}}

{{/* All names under which people reach the gateway, for its certificate; localhost is always in it. */}}
{{- define "pm.gatewayHosts" -}}
{{- $name := printf "%s-gateway" (include "pm.fullname" .) -}}
{{- $hosts := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) "127.0.0.1" -}}
{{- $hosts = concat $hosts .Values.gateway.hosts .Values.gateway.ingress.hosts .Values.gateway.gatewayApi.hostnames .Values.gateway.gatewayApi.grpcHostnames -}}
{{- join "," (uniq $hosts) -}}
{{- end -}}

{{- define "pm.caSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" -}}
{{- required "tls.existingSecret: name the Secret with the CA (tls.mode is existingSecret)" .Values.tls.existingSecret -}}
{{- else -}}
{{- printf "%s-ca" (include "pm.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "pm.tokenSecret" -}}
{{- default (printf "%s-tokens" (include "pm.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{/* Under which keys the CA's Secret has certificate and key. */}}
{{- define "pm.caCertKey" -}}
{{- get (dict "builtin" "ca.crt" "certManager" "tls.crt" "existingSecret" .Values.tls.existingSecretCertKey) .Values.tls.mode -}}
{{- end -}}

{{- define "pm.caKeyKey" -}}
{{- get (dict "builtin" "ca.key" "certManager" "tls.key" "existingSecret" .Values.tls.existingSecretKeyKey) .Values.tls.mode -}}
{{- end -}}
