"""The three dashboards: what reciters feel, what the service carries, what goes wrong."""

from __future__ import annotations

from pathlib import Path

from deploy.dashboards.panels import Dashboard, Panel, Query

FOLDER = Path(__file__).parent.parent / "helm" / "rattil" / "dashboards"
TARGET_S = 0.5


def files() -> dict[Path, str]:
    """Path to content of the dashboards that the chart and docker-compose ship."""
    return {FOLDER / f"{name}.json": board.to_json() for name, board in BOARDS.items()}


def _quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    labels = ", ".join(filter(None, ("le", by)))
    chosen = ", ".join(filter(None, ("$here", where)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{chosen}}}$rate)))"


_LATENCY = "rattil_gateway_latency_seconds"
_TOTAL = 'stage="total"'

LATENCY = Dashboard(
    "rattil-latency",
    "Rattil: latency",
    [
        Panel(
            "Window to result",
            "s",
            [
                Query(_quantile(share, _LATENCY, where=_TOTAL), f"p{share * 100:g}")
                for share in (0.5, 0.95, 0.99)
            ],
            "From the end of a window of audio to its event on the socket.",
            TARGET_S,
        ),
        Panel(
            "By stage, p95",
            "s",
            [Query(_quantile(0.95, _LATENCY, "stage"), "{{stage}}")],
            "queued: from the push to the worker's claim; inference: in the engine; total: all of it.",
            TARGET_S,
        ),
        Panel(
            "Word to colour",
            "s",
            [
                Query(_quantile(share, f"rattil_gateway_word_{state}_seconds"), f"{state}, p{share * 100:g}")
                for state in ("shown", "settled")
                for share in (0.5, 0.95)
            ],
            "From the end of a word in the audio to the first event that shows it, and to the one from "
            "which on it stands. A word waits for the end of its window first.",
            TARGET_S,
        ),
        Panel(
            "Results within 0.5 s",
            "percentunit",
            [
                Query(
                    f'sum(rate({_LATENCY}_bucket{{$here, {_TOTAL}, le="0.5"}}$rate))'
                    f" / sum(rate({_LATENCY}_count{{$here, {_TOTAL}}}$rate))",
                    "share",
                )
            ],
            "95 % is what workers measure their capacity for.",
        ),
        Panel(
            "Worker stages, p95",
            "s",
            [
                Query(_quantile(0.95, "rattil_worker_queued_seconds"), "waits in Redis"),
                Query(_quantile(0.95, "rattil_worker_batching_seconds"), "waits for its batch"),
                Query(_quantile(0.95, "rattil_worker_inference_seconds"), "batch in the engine"),
            ],
            "Where the time goes behind Redis.",
        ),
        Panel(
            "Redis, p95 by script",
            "s",
            [Query(_quantile(0.95, "rattil_bus_script_seconds", "script"), "{{script}}")],
            "From the call of a script to its answer, as gateways see it.",
            0.1,
        ),
        Panel(
            "Admission, p95",
            "s",
            [Query(_quantile(0.95, "rattil_router_admission_seconds"), "answer of a router")],
            "Waiting for a slot (ROUTER_OVERFLOW=queue) included.",
        ),
        Panel(
            "Final reports, p95",
            "s",
            [Query(_quantile(0.95, "rattil_worker_job_seconds"), "job")],
            "Time of one verify job: the report at the end, or POST /verify.",
        ),
        Panel(
            "p95 as each worker measures it",
            "s",
            [Query("rattil_worker_latency_p95_seconds{$here}", "{{instance}}")],
            "What a worker's capacity follows; 0 means too few segments to tell.",
            TARGET_S,
        ),
    ],
)

THROUGHPUT = Dashboard(
    "rattil-throughput",
    "Rattil: throughput, queue and engines",
    [
        Panel(
            "Live connections",
            "short",
            [Query("sum by (protocol) (rattil_gateway_connections{$here})", "{{protocol}}")],
            "By dialect, all gateways.",
        ),
        Panel(
            "Reciters speaking",
            "short",
            [Query("sum(rate(rattil_gateway_audio_seconds_total{$here}$rate))", "seconds of audio a second")],
            "Seconds of audio received each second: as many people as speak at once.",
        ),
        Panel(
            "Sessions opened",
            "reqps",
            [Query("sum by (how) (rate(rattil_gateway_sessions_total{$here}$rate))", "{{how}}")],
            "new; resumed: came back and missed nothing; lost: came back after the state was lost.",
        ),
        Panel(
            "Segments",
            "reqps",
            [
                Query("sum(rate(rattil_gateway_segments_total{$here}$rate))", "pushed"),
                Query("sum(rate(rattil_worker_segments_total{$here}$rate))", "answered"),
            ],
            "Both lines lie on each other unless work piles up.",
        ),
        Panel(
            "Queue age",
            "s",
            [Query("max by (pool) (rattil_router_pool_backlog_age_seconds{$here})", "{{pool}}")],
            "Age of the oldest segment, waiting or in work.",
            2,
        ),
        Panel(
            "Queue length",
            "short",
            [Query("max by (pool) (rattil_router_pool_backlog_segments{$here})", "{{pool}}")],
            "Segments waiting or in work on all shards.",
        ),
        Panel(
            "Session slots",
            "short",
            [
                Query("max by (pool) (rattil_router_pool_capacity_sessions{$here})", "{{pool}}: slots"),
                Query("max by (pool) (rattil_router_pool_active_sessions{$here})", "{{pool}}: in use"),
            ],
            "What the workers measured that they can serve, and what they serve.",
        ),
        Panel(
            "Workers",
            "short",
            [
                Query("max by (pool) (rattil_router_pool_workers{$here})", "{{pool}}: there"),
                Query("max by (pool) (rattil_router_pool_desired_replicas{$here})", "{{pool}}: wanted"),
            ],
            "The autoscaler takes 'wanted'.",
        ),
        Panel(
            "Engine busy",
            "percentunit",
            [Query("rattil_worker_engine_busy_ratio{$here}", "{{instance}}")],
            "Share of its time that a worker's engine (CPU or GPU) decodes.",
            0.95,
        ),
        Panel(
            "Batch size",
            "short",
            [
                Query(
                    "sum(rate(rattil_worker_batch_size_sum{$here}$rate))"
                    " / sum(rate(rattil_worker_batch_size_count{$here}$rate))",
                    "segments in a batch",
                )
            ],
            "Large batches all the time: the engine is the bound.",
        ),
        Panel(
            "CPU",
            "short",
            [Query("sum by (job) (rate(process_cpu_seconds_total{$here}$rate))", "{{job}}")],
            "Cores in use, by scrape job.",
        ),
        Panel(
            "Memory",
            "bytes",
            [Query("sum by (job) (process_resident_memory_bytes{$here})", "{{job}}")],
            "Resident memory, by scrape job.",
        ),
    ],
)

ERRORS = Dashboard(
    "rattil-errors",
    "Rattil: errors, drops and recoveries",
    [
        Panel(
            "Segments without a result",
            "reqps",
            [
                Query(
                    "sum by (outcome, code) "
                    '(rate(rattil_gateway_outcomes_total{$here, outcome!="result"}$rate))',
                    "{{outcome}} {{code}}",
                )
            ],
            "Each was reported to its client.",
        ),
        Panel(
            "Sessions refused",
            "reqps",
            [Query("sum by (code) (rate(rattil_gateway_refusals_total{$here}$rate))", "{{code}}")],
            "Told to come back later: no slot free, or a gateway going away.",
        ),
        Panel(
            "Circuits that are not closed",
            "short",
            [Query("max by (service) (rattil_gateway_circuit_state{$here})", "{{service}}")],
            "Before the routers, the verify jobs (batch) and each Redis shard; of all gateways the worst. "
            "0: closed; 1: half-open, the next call is a trial; 2: open, calls fail at once.",
            2,
        ),
        Panel(
            "Quality of new sessions",
            "short",
            [Query("max by (pool) (rattil_gateway_quality_step{$here})", "{{pool}}")],
            "0: everything; 1: longer windows; 2: no interim results either; 3: the fast model. Of all "
            "gateways the lowest.",
            2,
        ),
        Panel(
            "Sessions that get less, because of load",
            "reqps",
            [Query("sum by (step) (rate(rattil_gateway_lowered_sessions_total{$here}$rate))", "{{step}}")],
            "New sessions that got less than they asked for, by the step that took it.",
        ),
        Panel(
            "Connections ended",
            "reqps",
            [Query("sum by (reason) (rate(rattil_gateway_closes_total{$here}$rate))", "{{reason}}")],
            "done: the recitation ended; left: the client went; internal: a bug.",
        ),
        Panel(
            "Messages refused",
            "reqps",
            [Query("sum by (code) (rate(rattil_gateway_bad_messages_total{$here}$rate))", "{{code}}")],
            "What clients sent and could not be used.",
        ),
        Panel(
            "Redis: calls tried again",
            "reqps",
            [Query("sum by (reason) (rate(rattil_gateway_bus_retries_total{$here}$rate))", "{{reason}}")],
            "bus_unavailable: Redis is away or refuses; queue_full: BUS_MAX_STREAM_LENGTH reached.",
        ),
        Panel(
            "Pushes that wrote nothing",
            "reqps",
            [Query("sum by (reason) (rate(rattil_bus_pushes_refused_total{$here}$rate))", "{{reason}}")],
            "fenced: another connection has the session; lost: its state is gone.",
        ),
        Panel(
            "Sessions whose state was lost",
            "reqps",
            [Query("sum(rate(rattil_gateway_state_lost_total{$here}$rate))", "lost")],
            "Redis forgot them; they went on under a new epoch, with a stated gap.",
        ),
        Panel(
            "Work taken over and done twice",
            "reqps",
            [
                Query("sum(rate(rattil_worker_reclaimed_segments_total{$here}$rate))", "taken over"),
                Query("sum(rate(rattil_worker_duplicate_commits_total{$here}$rate))", "not needed"),
            ],
            "Segments of workers that died or hung; results that came second and changed nothing.",
        ),
        Panel(
            "Workers gone",
            "reqps",
            [Query("sum by (how) (rate(rattil_router_workers_gone_total{$here}$rate))", "{{how}}")],
            "left: drained; died: stopped to report.",
        ),
        Panel(
            "Final reports",
            "reqps",
            [Query("sum by (outcome) (rate(rattil_gateway_finals_total{$here}$rate))", "{{outcome}}")],
            "report, or why there was none.",
        ),
        Panel(
            "Windows that cost nothing",
            "percentunit",
            [
                Query(
                    "sum(rate(rattil_gateway_silent_windows_total{$here}$rate)) / (sum(rate("
                    "rattil_gateway_silent_windows_total{$here}$rate)) + "
                    "sum(rate(rattil_gateway_segments_total{$here}$rate)))",
                    "silence",
                )
            ],
            "Share of windows that the silence gate kept from the workers.",
        ),
        Panel(
            "Results connection made anew",
            "reqps",
            [
                Query(
                    "sum by (shard) (rate(rattil_bus_feed_interruptions_total{$here}$rate))",
                    "shard {{shard}}",
                )
            ],
            "Results of that time are read from the log: late, not lost.",
        ),
    ],
)

BOARDS = {"latency": LATENCY, "throughput": THROUGHPUT, "errors": ERRORS}
