{{- define "mimo-operator.namespaces" -}}
{{- if $.Values.namespaces -}}
{{ join "," $.Values.namespaces }}
{{- else if eq $.Values.part "namespace" -}}
{{ $.Release.Namespace }}
{{- end -}}
{{- end -}}
