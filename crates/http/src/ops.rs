//! For whoever runs the process: health, readiness, figures, documents and their reader.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use claviger_app::{App, Component, Problem};
use serde_json::json;
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use crate::Published;
use crate::metrics::Metrics;

pub(crate) fn router(documents: Vec<Published>, metrics: Arc<Metrics>) -> Router<App> {
    let mut router = Router::new()
        .route("/", get(async || Redirect::to("/docs/")))
        .route("/health/live", get(async || Json(json!({"status": "live"}))))
        .route("/health/ready", get(ready))
        .route("/metrics", get(async move || metrics_text(&metrics)));
    let mut urls = Vec::new();
    for Published { name, path, document } in documents {
        urls.push(Url::new(name, path));
        let text: Arc<str> = document.to_pretty_json().unwrap_or_default().into();
        router = router.route(path, get(async move || json_text(&text)));
    }
    let config =
        Config::new(urls).try_it_out_enabled(true).display_request_duration(true).validator_url("none");
    let reader = Router::from(SwaggerUi::new("/docs").config(config));
    router.merge(reader.layer(axum::middleware::map_response(readable)))
}

/// Ready is: the database takes writes, and the usage log takes calls.
async fn ready(State(app): State<App>) -> Response {
    let problems = app.problems().await;
    if problems.is_empty() {
        return Json(json!({"status": "ready"})).into_response();
    }
    let problem =
        |Problem { component, detail }| json!({"code": Component::code(component), "detail": detail});
    let problems: Vec<_> = problems.into_iter().map(problem).collect();
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not_ready", "problems": problems})))
        .into_response()
}

fn metrics_text(metrics: &Metrics) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, media_type)], metrics.text()).into_response()
}

fn json_text(text: &Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json;charset=utf-8")], text.to_string()).into_response()
}

/// The reader is a page with its own scripts and styles, and it calls this server.
async fn readable(mut response: Response) -> Response {
    let policy =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
