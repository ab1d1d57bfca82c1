"""The Grafana dashboards, written from Python so that all look alike: `make manifests` makes the JSON."""
