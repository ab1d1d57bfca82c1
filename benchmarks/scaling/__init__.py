"""Workers that come and go by the chart's own autoscaling rules, without a cluster: `bench scaling`."""
