{{/* One name for all, since a cluster has one Rich Pouch. */}}
{{- define "rich-pouch.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "rich-pouch.webhook" -}}
{{ include "rich-pouch.name" . }}-webhook
{{- end }}

{{/* The Secret with a certificate that is not the webhook's to make; empty where it is. */}}
{{- define "rich-pouch.certificateSecret" -}}
{{- with .Values.webhook.certificate -}}
{{- if eq .source "secret" -}}
{{ .secretName }}
{{- else if eq .source "cert-manager" -}}
{{ include "rich-pouch.webhook" $ }}-tls
{{- end -}}
{{- end -}}
{{- end }}

{{- define "rich-pouch.nodeAgent" -}}
{{ include "rich-pouch.name" . }}-node-agent
{{- end }}

{{/* Not empty where the node agent provisions its node: it then needs the host and the Node. */}}
{{- define "rich-pouch.nodeAgent.provisions" -}}
{{- if eq .Values.binaries "node" -}}
true
{{- end -}}
{{- end }}

{{- define "rich-pouch.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What selects a component's pods: (list . "webhook"). */}}
{{- define "rich-pouch.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "rich-pouch.labels" -}}
{{- $root := index . 0 -}}
{{ include "rich-pouch.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: rich-pouch
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "rich-pouch.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A node that is overloaded must not lose its containers as well: what does not answer is first
not called any more, after the 5 s that the API server waits by default, and started anew only
when it has not answered for two minutes. Both answer from their first moment on, so that there is no
startupProbe. */}}
{{- define "rich-pouch.probes" -}}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 5
{{- end }}
