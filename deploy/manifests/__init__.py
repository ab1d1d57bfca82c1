"""Renders the Helm chart and checks what comes out, without a cluster: `python -m deploy.manifests`."""
