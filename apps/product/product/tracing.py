"""OpenTelemetry: which trace a request belongs to, and where spans go."""

import re
import secrets

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

from product.settings import Settings

# What an Application Load Balancer adds; its Root is a trace's 128 bits in X-Ray's spelling.
_ROOT = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)")
_PARENT = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)")
_TRACEPARENT = TraceContextTextMapPropagator()


def provider(settings: Settings, *processors: SpanProcessor) -> TracerProvider:
    """Makes spans with ids that X-Ray takes, and sends them to the collector that is set.

    Without OTEL_EXPORTER_OTLP_ENDPOINT spans only give logs their ids.
    """
    made = TracerProvider(
        resource=Resource.create({"service.name": "product", "service.version": settings.revision}),
        id_generator=AwsXRayIdGenerator(),
    )
    for processor in processors:
        made.add_span_processor(processor)
    if settings.otel_exporter_otlp_endpoint:
        # Half a second of imports, which a task without a collector is spared.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return made


def parent(headers: Headers) -> Context:
    """The span that called, as `traceparent` or the load balancer's header names it."""
    carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    context = _TRACEPARENT.extract(carrier, Context())
    if trace.get_current_span(context).get_span_context().is_valid:
        return context
    amazon = headers.get("x-amzn-trace-id", "")
    if not (root := _ROOT.search(amazon)):
        return Context()
    # The load balancer names a trace, but no span of its own.
    span = found[1] if (found := _PARENT.search(amazon)) else secrets.token_hex(8)
    sampled = "00" if "Sampled=0" in amazon else "01"
    return _TRACEPARENT.extract({"traceparent": f"00-{root[1]}{root[2]}-{span}-{sampled}"})
