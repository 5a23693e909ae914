//! A client, a proxy on its recipe, Claviger, and the API behind that tells what reached it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::extract::{Request, State};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::program::{Program, Proxy};
use crate::support::{Installation, Server};

pub(super) struct Scene {
    proxy: Proxy,
    calls: Arc<AtomicUsize>,
    pub(super) claviger: Server,
    pub(super) installation: Installation,
    pub(super) admin: String,
    pub(super) client: Client,
}

/// What the client got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Scene {
    pub(super) async fn set(program: Program) -> Self {
        let installation = Installation::new();
        let claviger = installation.start_with(&[("CLAVIGER_TRUSTED_PROXIES", "127.0.0.1")]);
        let admin = claviger.admin_key(&claviger.bootstrap_key(), "Acme").await;
        let calls = Arc::new(AtomicUsize::new(0));
        let api = api(calls.clone()).await;
        let proxy = Proxy::start(program, claviger.address, api);
        Self { proxy, calls, claviger, installation, admin, client: Client::new() }
    }

    /// A new account: its id.
    pub(super) async fn user(&self, external_id: &str) -> String {
        let body = json!({"name": "First Customer", "external_id": external_id});
        let (status, answer) = self.claviger.post("/v1/admin/users", &self.admin, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["data"]["id"].as_str().unwrap().to_owned()
    }

    /// A new credential: its id and its key.
    pub(super) async fn credential(&self, more: Value) -> (String, String) {
        let mut body = json!({"name": "Production", "network_id": 0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.claviger.post("/v1/admin/credentials", &self.admin, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer["data"]["credential"]["id"]), text(&answer["data"]["api_key"]))
    }

    /// A call of the API, through the proxy.
    pub(super) async fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("http://{}{path}", self.proxy.address);
        let mut request = self.client.request(Method::POST, url).body("an order");
        for (name, value) in headers {
            request = request.header(HeaderName::from_bytes(name.as_bytes()).unwrap(), *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    /// How often the API was called.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Answer {
    #[track_caller]
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The fields that reached the API under a name that has `part` in it, sorted.
    #[track_caller]
    pub(super) fn reached(&self, part: &str) -> Vec<(String, String)> {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = self.body["headers"].as_array().unwrap().iter();
        let mut fields: Vec<_> = all
            .map(|field| (text(&field[0]), text(&field[1])))
            .filter(|(name, _)| name.contains(part))
            .collect();
        fields.sort();
        fields
    }
}

/// An API that tells what reached it, and counts.
async fn api(calls: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(tell).with_state(calls);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn tell(State(calls): State<Arc<AtomicUsize>>, request: Request) -> Json<Value> {
    calls.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let headers: Vec<Value> =
        head.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()])).collect();
    let body = axum::body::to_bytes(body, 1024).await.unwrap();
    Json(json!({
        "method": head.method.as_str(),
        "uri": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8(body.to_vec()).unwrap(),
    }))
}
