{{- define "rattil.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "rattil.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels of an object: dict "root" "component" ["pool"]. */}}
{{- define "rattil.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "rattil.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: rattil
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rattil.selector" -}}
app.kubernetes.io/name: {{ include "rattil.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
rattil.io/pool: {{ . }}
{{- end }}
{{- end -}}

{{- define "rattil.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rattil.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Image reference: dict "root" "image". A digest wins over the tag. */}}
{{- define "rattil.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "rattil.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "rattil.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* One way to Redis, exactly. */}}
{{- define "rattil.checkRedis" -}}
{{- $ways := list -}}
{{- if .Values.redis.url -}}{{- $ways = append $ways "redis.url" -}}{{- end -}}
{{- if .Values.redis.existingSecret.name -}}{{- $ways = append $ways "redis.existingSecret.name" -}}{{- end -}}
{{- if .Values.redis.shards -}}{{- $ways = append $ways "redis.shards" -}}{{- end -}}
{{- if .Values.redis.sentinel.hosts -}}{{- $ways = append $ways "redis.sentinel.hosts" -}}{{- end -}}
{{- if .Values.redis.dev.enabled -}}{{- $ways = append $ways "redis.dev.enabled" -}}{{- end -}}
{{- if ne (len $ways) 1 -}}
{{- fail (printf "say where Redis is by exactly one of redis.url, redis.existingSecret.name, redis.shards, redis.sentinel.hosts and redis.dev.enabled; given: %s" (join ", " $ways | default "none")) -}}
{{- end -}}
{{- end -}}

{{/* REDIS_URL of the shards: user and password come from the environment, so that they are in no object. */}}
{{- define "rattil.shardsUrl" -}}
{{- $redis := .Values.redis -}}
{{- $scheme := ternary "rediss" "redis" $redis.tls -}}
{{- $who := "" -}}
{{- if $redis.passwordSecret.name -}}{{- $who = printf "%s:$(REDIS_PASSWORD)@" $redis.username -}}
{{- else if $redis.username -}}{{- fail "redis.username needs redis.passwordSecret.name" -}}{{- end -}}
{{- $urls := list -}}
{{- range $redis.shards -}}{{- $urls = append $urls (printf "%s://%s%s" $scheme $who .) -}}{{- end -}}
{{- if and $redis.sentinel.hosts (not $redis.sentinel.services) -}}{{- fail "redis.sentinel.hosts needs redis.sentinel.services: the names of the primaries" -}}{{- end -}}
{{- range $redis.sentinel.services -}}{{- $urls = append $urls (printf "%s+sentinel://%s%s/%s" $scheme $who (join "," $redis.sentinel.hosts) .) -}}{{- end -}}
{{- join "," $urls -}}
{{- end -}}

{{- define "rattil.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.existingSecret.name }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ $redis.existingSecret.name }}, key: {{ $redis.existingSecret.key }}}
{{- with $redis.existingSecret.controlKey }}
- name: CONTROL_REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ $redis.existingSecret.name }}, key: {{ . }}}
{{- end }}
{{- else if or $redis.shards $redis.sentinel.hosts }}
{{- if $redis.passwordSecret.name }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $redis.passwordSecret.name }}, key: {{ $redis.passwordSecret.key }}}
{{- end }}
- name: REDIS_URL
  value: {{ include "rattil.shardsUrl" . | quote }}
{{- else if $redis.dev.enabled }}
- name: REDIS_URL
  value: redis://{{ include "rattil.fullname" . }}-redis:6379/0
{{- else }}
- name: REDIS_URL
  value: {{ $redis.url | quote }}
{{- end }}
{{- with $redis.controlUrl }}
- name: CONTROL_REDIS_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "rattil.routerKeysSecret" -}}
{{- $keys := .Values.router.apiKeys -}}
{{- if $keys.existingSecret -}}{{ $keys.existingSecret }}
{{- else if $keys.generate -}}{{ include "rattil.fullname" . }}-router-keys
{{- else -}}{{- fail "routers ask gateways for a key: give router.apiKeys.existingSecret, or set router.apiKeys.generate" -}}
{{- end -}}
{{- end -}}

{{/* The same key for routers, which ask for it, and gateways, which send it. */}}
{{- define "rattil.routerKeysEnv" -}}
- name: ROUTER_API_KEYS
  valueFrom:
    secretKeyRef: {name: {{ include "rattil.routerKeysSecret" . }}, key: {{ .Values.router.apiKeys.key }}}
{{- end -}}

{{/* A ConfigMap's data from maps of environment variables: later ones win. */}}
{{- define "rattil.configData" -}}
{{- $merged := dict -}}
{{- range . -}}{{- $merged = mergeOverwrite $merged (deepCopy .) -}}{{- end -}}
{{- range $name, $value := $merged }}
{{ $name }}: {{ $value | toString | quote }}
{{- end -}}
{{- end -}}

{{- define "rattil.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "rattil.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Labels of pods: not the chart's version, or every release of the chart would restart all of them. */}}
{{- define "rattil.podLabels" -}}
{{ include "rattil.selector" . }}
app.kubernetes.io/part-of: rattil
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What all pods share: dict "root" "component" "spec" ["pool"]. */}}
{{- define "rattil.podShared" -}}
serviceAccountName: {{ include "rattil.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "rattil.podSecurity" . | nindent 2 }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .spec.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .spec.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if .spec.topologySpreadConstraints }}
{{- toYaml .spec.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- include "rattil.spread" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* HTTP probes: dict "probes" "port" "startup" (path of the startup probe). */}}
{{- define "rattil.probes" -}}
startupProbe:
  httpGet: {path: {{ .startup }}, port: {{ .port }}}
  {{- toYaml .probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /health, port: {{ .port }}}
  {{- toYaml .probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /ready, port: {{ .port }}}
  {{- toYaml .probes.readiness | nindent 2 }}
{{- end -}}

{{- define "rattil.preStop" -}}
{{- if gt (int .preStopSeconds) 0 }}
lifecycle:
  preStop:
    exec: {command: [sleep, {{ .preStopSeconds | toString | quote }}]}
{{- end }}
{{- end -}}

{{/* Longer than all that happens between SIGTERM and the end: pause, drain, last goodbyes. */}}
{{- define "rattil.grace" -}}
{{- add (int .preStopSeconds) (int .drainSeconds) 30 -}}
{{- end -}}

{{/* Slow: one pod or a quarter of them a minute, whichever is more. Quick to grow. */}}
{{- define "rattil.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
    - {type: Pods, value: 4, periodSeconds: 30}
scaleDown:
  stabilizationWindowSeconds: {{ . }}
  selectPolicy: Max
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
    - {type: Percent, value: 25, periodSeconds: 60}
{{- end -}}

{{/* A pool's values over the defaults, as YAML: dict "root" "pool". */}}
{{- define "rattil.pool" -}}
{{- $own := index .root.Values.pools .pool | default dict -}}
{{- mergeOverwrite (deepCopy .root.Values.poolDefaults) (deepCopy $own) | toYaml -}}
{{- end -}}

{{/* Names, Redis, and what the platform adds: all that every pod may reach. */}}
{{- define "rattil.egress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
- ports:
    {{- range .Values.networkPolicy.redisPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.redisTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rattil.pdb" -}}
{{- if .spec.pdb.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels: {{- include "rattil.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .spec.pdb.maxUnavailable }}
  selector:
    matchLabels: {{- include "rattil.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* The folder of recordings.url, empty for a bucket. Only what can work is rendered. */}}
{{- define "rattil.recordingsFolder" -}}
{{- $kept := .Values.recordings -}}
{{- if hasPrefix "file://" $kept.url -}}
{{- if not $kept.claimName -}}{{- fail "recordings.url is a folder: give recordings.claimName, a volume that gateways and workers share" -}}{{- end -}}
{{- if $kept.existingSecret -}}{{- fail "recordings.existingSecret is for s3://; recordings.url is a folder" -}}{{- end -}}
{{- trimPrefix "file://" $kept.url -}}
{{- else if $kept.claimName -}}{{- fail "recordings.claimName is for file://; recordings.url is no folder" -}}
{{- else if and $kept.existingSecret (not $kept.url) -}}{{- fail "recordings.existingSecret needs recordings.url" -}}
{{- end -}}
{{- end -}}

{{/* Variables of gateways and workers for kept recordings. */}}
{{- define "rattil.recordingsEnv" -}}
{{- with .Values.recordings.url }}
- name: RECORDINGS_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "rattil.recordingsEnvFrom" -}}
{{- with .Values.recordings.existingSecret }}
- secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "rattil.recordingsMount" -}}
{{- with include "rattil.recordingsFolder" . }}
- {name: recordings, mountPath: {{ . }}}
{{- end }}
{{- end -}}

{{- define "rattil.recordingsVolume" -}}
{{- if include "rattil.recordingsFolder" . }}
- name: recordings
  persistentVolumeClaim: {claimName: {{ .Values.recordings.claimName }}}
{{- end }}
{{- end -}}

{{- define "rattil.recordingsEgress" -}}
{{- if hasPrefix "s3://" .Values.recordings.url }}
- ports:
    {{- range .Values.recordings.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.recordings.to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
