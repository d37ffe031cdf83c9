//! Logs on stderr, and traces to an OpenTelemetry collector where one is configured.

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::settings::{LogFormat, Logs};

/// Holds what must be flushed before the process ends.
pub(crate) struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    _log: WorkerGuard,
}

/// Starts logging. Must be called inside the tokio runtime, which the exporter of traces lives on.
pub(crate) fn start(logs: &Logs) -> anyhow::Result<Telemetry> {
    let filter = |directives: &str| EnvFilter::try_new(directives).context("the log filter cannot be read");
    // Who reads the log may stall; requests do not wait for him. Lines that find no room are dropped.
    let (stderr, log) = tracing_appender::non_blocking(std::io::stderr());
    let lines = fmt::layer().with_writer(stderr);
    let lines = match logs.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let tracer = if logs.export_traces { Some(tracer_provider()?) } else { None };
    // In a trace the statements stand in the span of the operation that sent them; as lines they would drown the log.
    let in_traces = filter(&format!("{},sqlx::query=debug", logs.filter))?;
    let spans = tracer.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("tenantry")));
    tracing_subscriber::registry()
        .with(lines.with_filter(filter(&logs.filter)?))
        .with(spans.with_filter(in_traces))
        .try_init()
        .context("logging was started twice")?;
    Ok(Telemetry { tracer, _log: log })
}

/// Endpoint, headers and time limit come from the standard `OTEL_EXPORTER_OTLP_*` variables.
fn tracer_provider() -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_http().build().context("the exporter of traces cannot be made")?;
    let batches = BatchSpanProcessor::builder(exporter, runtime::Tokio).build();
    let resource = Resource::builder().with_service_name("tenantry").build();
    Ok(SdkTracerProvider::builder().with_span_processor(batches).with_resource(resource).build())
}

impl Telemetry {
    /// Sends the spans that still wait.
    pub(crate) async fn flush(self) {
        let Some(tracer) = self.tracer else { return };
        // `shutdown` blocks until the exporter has answered, and the exporter needs a thread of the runtime.
        let ended = tokio::task::spawn_blocking(move || tracer.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not delivered");
        }
    }
}
