//! An answer, read to its end.

use axum::body::Body;
use axum::http::Response;
use http_body_util::BodyExt;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(super) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// `data` of a successful answer of the partner surface.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.text);
        self.json()["data"].clone()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().unwrap()
    }

    /// That the partner surface refused with exactly this status and sentence, and nothing more.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, error: &str) {
        let expected = serde_json::json!({"success": false, "error": error});
        assert_eq!((self.status, self.json()), (status, expected));
        assert_eq!(self.header("content-type"), "application/json;charset=utf-8");
    }
}
