module facility/artifacts/prometheus

go 1.26.0

require github.com/prometheus/prometheus v0.315.0 // v3.15.0 by its own count
