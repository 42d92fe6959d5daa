{{- define "bigfleet.namespace" -}}{{ .Values.namespace | default .Release.Namespace }}{{- end -}}
{{- define "bigfleet.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end -}}
{{- define "bigfleet.serviceAccount" -}}{{ .Values.serviceAccount.name | default "bigfleet-operator" }}{{- end -}}

{{- define "bigfleet.selector" -}}
app.kubernetes.io/name: bigfleet
app.kubernetes.io/component: operator
{{- end -}}

{{- define "bigfleet.labels" -}}
{{ include "bigfleet.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
