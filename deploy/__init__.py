"""How Rattil is run by others: images, charts, manifests, dashboards, alerts."""
