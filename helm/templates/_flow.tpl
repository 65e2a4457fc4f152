{{/* Who may talk to whom: the arrows of the flow, and nothing else. */}}

{{/* Pods of a component of this release. (list context component) */}}
{{- define "pm.peer" -}}
- podSelector:
    matchLabels:
      {{- include "pm.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* Beginning of a policy. (list context component) */}}
{{- define "pm.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "pm.fullname" (index . 0) }}-{{ index . 1 }}
  labels:
    {{- include "pm.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "pm.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/* Names are looked up wherever the cluster does that: on the node as well as in a pod. */}}
{{- define "pm.dns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* To the collector, when there is one: its port, anywhere. */}}
{{- define "pm.toCollector" -}}
{{- with .Values.otlp.endpoint }}
- ports:
    - port: {{ regexFind ":[0-9]+/?$" . | trimPrefix ":" | trimSuffix "/" | default "4317" }}
      protocol: TCP
{{- end }}
{{- end -}}

{{/* To another component. (list context component port) */}}
{{- define "pm.to" -}}
- to:
    {{- include "pm.peer" . | nindent 4 }}
  ports:
    - {port: {{ index . 2 }}, protocol: TCP}
{{- end -}}

{{/* Health and metrics, for whom networkPolicy.monitoringFrom names. (list context port) */}}
{{- define "pm.opsIngress" -}}
{{- with (index . 0).Values.networkPolicy.monitoringFrom }}
- from:
    {{- toYaml . | nindent 4 }}
  ports:
    - {port: {{ index $ 1 }}, protocol: TCP}
{{- end }}
{{- end -}}
