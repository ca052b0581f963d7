// OpenTelemetry: which trace a request belongs to, where spans go, how a trace goes on.
import { randomBytes } from 'node:crypto';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { AWSXRayIdGenerator } from '@opentelemetry/id-generator-aws-xray';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

// What an Application Load Balancer adds; its Root is a trace's 128 bits in X-Ray's spelling.
const ROOT = /(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)/;
const PARENT = /(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)/;

/**
 * Makes spans with ids that X-Ray takes, and sends them to the collector that is set.
 * Without OTEL_EXPORTER_OTLP_ENDPOINT spans only give logs their ids. `processors` are told of
 * each span besides. Returns the provider; end it with `shutdown()`.
 */
export function begin(settings, processors = []) {
  const spanProcessors = [...processors];
  if (settings.otel_exporter_otlp_endpoint) {
    const url = `${settings.otel_exporter_otlp_endpoint.replace(/\/+$/, '')}/v1/traces`;
    spanProcessors.push(new BatchSpanProcessor(new OTLPTraceExporter({ url })));
  }
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'order', 'service.version': settings.revision }),
    idGenerator: new AWSXRayIdGenerator(),
    spanProcessors,
  });
  provider.register();
  return provider;
}

/** The context of whoever called, as `traceparent` or the load balancer's header names it. */
export function callerOf(headers) {
  const called = propagation.extract(ROOT_CONTEXT, headers);
  if (trace.getSpanContext(called)) return called;
  const amazon = headers['x-amzn-trace-id'] ?? '';
  const root = ROOT.exec(amazon);
  if (!root) return ROOT_CONTEXT;
  // The load balancer names a trace, but no span of its own.
  const span = PARENT.exec(amazon)?.[1] ?? randomBytes(8).toString('hex');
  const sampled = amazon.includes('Sampled=0') ? '00' : '01';
  return propagation.extract(ROOT_CONTEXT, { traceparent: `00-${root[1]}${root[2]}-${span}-${sampled}` });
}

/** Runs `act(span)` within a span; what it throws marks the span and is thrown on. */
export function within(name, { kind = SpanKind.INTERNAL, parent = context.active(), attributes } = {}, act) {
  const tracer = trace.getTracer('order');
  return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await act(span);
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Headers that carry the current span to whom is called. */
export function carried() {
  const headers = {};
  propagation.inject(context.active(), headers);
  return headers;
}
