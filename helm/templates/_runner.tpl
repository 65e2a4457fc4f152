{{/* The runner's pod, the same in a StatefulSet and a DaemonSet. */}}
{{- define "pm.runnerPod" -}}
{{- $own := .Values.runner -}}
{{- $node := ternary "$(NODE_NAME)" "$(POD_NAME)" (eq $own.kind "daemonset") -}}
{{- $claim := and $own.persistence.enabled (eq $own.kind "statefulset") -}}
metadata:
  labels:
    {{- include "pm.podLabels" (list . "runner") | nindent 4 }}
    {{- with $own.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include (print $.Template.BasePath "/runner-configmap.yaml") . | sha256sum }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "pm.podHead" (list .) | nindent 2 }}
  {{- if $own.hostPID }}
  {{- if ne $own.kind "daemonset" }}
  {{- fail "runner.hostPID: only with runner.kind daemonset" }}
  {{- end }}
  hostPID: true
  {{- end }}
  securityContext:
    {{- mergeOverwrite (include "pm.podSecurityContext" . | fromYaml) $own.podSecurityContext | toYaml | nindent 4 }}
  terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
  {{- with include "pm.placement" (list . "runner" (eq $own.kind "statefulset") false) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  initContainers:
    {{- include "pm.issue" (list . "/run/pm" "/tls" "run" (printf "runner/%s" $node) list) | nindent 4 }}
  containers:
    - name: runner
      image: {{ include "pm.image" (list . $own.image) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [/usr/bin/runner-svc]
      env:
        {{- include "pm.commonEnv" . | nindent 8 }}
        - name: PM_TLS_DIR
          value: /run/pm/tls
        - name: PM_RUNNER_NODE
          value: {{ $node }}
        - name: PM_NODE_LABELS
          value: {{ include "pm.nodeLabels" . | quote }}
        # As many as there may ever be: with more or fewer replicas the pod, and so the programs, stay.
        - name: PM_RUNNER_REGISTRY
          value: {{ include "pm.registryUrls" (list . 5) }}
        - name: PM_RUNNER_MONITOR
          value: {{ include "pm.monitorUrl" . }}
        - name: PM_RUNNER_STATE_DIR
          value: /var/lib/pm/runner
        - name: PM_RUNNER_LOG_DIR
          value: /var/lib/pm/log
        - name: PM_RUNNER_OPS_LISTEN
          value: "{{ .Values.listenHost }}:7493"
        - name: PM_RUNNER_SAMPLE_INTERVAL
          value: {{ $own.sampleInterval }}
        # Programs end with the pod; so they are stopped in order, as their definitions say.
        - name: PM_RUNNER_ON_STOP
          value: drain
        {{- with $own.logQuota }}
        - name: PM_RUNNER_LOG_QUOTA
          value: {{ . }}
        {{- end }}
        {{- if $own.policy }}
        - name: PM_RUNNER_POLICY_FILE
          value: /etc/pm/policy/node-policy.yaml
        {{- end }}
        {{- if $own.types }}
        - name: PM_RUNNER_TYPES_DIR
          value: /etc/pm/types.d
        {{- end }}
        {{- with $own.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: ops, containerPort: 7493}
      {{- include "pm.probes" 7493 | nindent 6 }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      securityContext:
        {{- mergeOverwrite (include "pm.securityContext" . | fromYaml) $own.securityContext | toYaml | nindent 8 }}
      volumeMounts:
        - {name: run, mountPath: /run/pm}
        - {name: state, mountPath: /var/lib/pm}
        - {name: tmp, mountPath: /tmp}
        {{- if $own.policy }}
        - {name: policy, mountPath: /etc/pm/policy, readOnly: true}
        {{- end }}
        {{- if $own.types }}
        - {name: types, mountPath: /etc/pm/types.d, readOnly: true}
        {{- end }}
        {{- with $own.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "pm.caVolume" . | nindent 4 }}
    {{- include "pm.runVolume" . | nindent 4 }}
    - name: tmp
      emptyDir: {}
    {{- if not $claim }}
    - name: state
      emptyDir: {}
    {{- end }}
    {{- if $own.policy }}
    - name: policy
      configMap:
        name: {{ include "pm.fullname" . }}-runner
        items: [{key: node-policy.yaml, path: node-policy.yaml}]
    {{- end }}
    {{- if $own.types }}
    - name: types
      configMap:
        name: {{ include "pm.fullname" . }}-runner
        items:
          {{- range $name, $_ := $own.types }}
          - {key: type-{{ $name }}.yaml, path: {{ $name }}.yaml}
          {{- end }}
    {{- end }}
    {{- with $own.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "pm.nodeLabels" -}}
{{- $all := list "kubernetes-node=$(NODE_NAME)" -}}
{{- range $name, $value := .Values.runner.nodeLabels -}}
{{- $all = append $all (printf "%s=%v" $name $value) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}
