module facility/artifacts/node-exporter

go 1.26

require github.com/prometheus/node_exporter v1.9.1
