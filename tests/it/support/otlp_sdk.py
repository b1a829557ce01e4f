"""A program that uses OpenTelemetry's SDK: protobuf, gzip, batches.

    otlp_sdk.py ADDRESS SECRET

For each line on its input that isn't empty, one prompt with that line as the model's name: a span, a log record and
counts, and SECRET in everything that can hold text. Prints `done` when all of it has been sent. Its counters never start
anew."""

import logging
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceState

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
address, secret = sys.argv[1], sys.argv[2]
scope = "opentelemetry.instrumentation.openai_v2"
resource = Resource.create({"process.command_args": ["python", secret], "host.name": secret, secret: secret})
gzip = {"compression": Compression.Gzip}

tracing = TracerProvider(resource=resource)
tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{address}/v1/traces", **gzip)))
tracer = tracing.get_tracer(scope, secret, secret, {secret: secret})

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{address}/v1/logs", **gzip)))
logger = logs.get_logger(scope)

exporter = OTLPMetricExporter(endpoint=f"{address}/v1/metrics", **gzip)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
metering = MeterProvider([reader], resource=resource)
meter = metering.get_meter(scope)
took = meter.create_histogram("gen_ai.client.operation.duration", "s", secret)
tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", secret)

for line in sys.stdin:
    model = line.strip()
    if not model:
        continue
    known = {"gen_ai.request.model": model, "gen_ai.operation.name": "chat"}
    held = {"gen_ai.prompt": secret, "made_up": [secret, secret], secret: 1}
    context = SpanContext(1, 1, True, trace_state=TraceState([("a", secret)]))
    with tracer.start_as_current_span(f"chat {model}", links=[Link(context, {"l": secret})]) as span:
        span.set_attributes({**known, **held})
        span.add_event(secret, {"gen_ai.completion": secret})
        span.record_exception(ValueError(secret))
        span.set_status(Status(StatusCode.ERROR, secret))
        body = {"content": secret, "deep": [{"deeper": secret}]}
        record = LogRecord(
            body=body, event_name="gen_ai.user.message", severity_text="INFO",
            severity_number=SeverityNumber.INFO, attributes={**known, **held, "map": {"nested": secret}},
        )
        logger.emit(record)
        # In the context of a span, a measurement brings an example of what it measured along.
        took.record(0.5, {"gen_ai.operation.name": "chat"})
        tokens.record(7, {**known, "gen_ai.token.type": "input", "other": secret})
    tracing.force_flush()
    logs.force_flush()
    metering.force_flush()
    print("done", flush=True)
