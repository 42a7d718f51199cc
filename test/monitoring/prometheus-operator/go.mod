module mimo.dev/mimo-operator/test/monitoring/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.91.0
