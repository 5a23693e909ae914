//! What is asked about a presented key.

use std::borrow::Cow;

use claviger_app::verify;
use claviger_domain::scope::{InvalidExpression, ScopeExpression};
use claviger_domain::text::InvalidText;
use claviger_domain::verification::Demand;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::words::{cost_of, environment_of, network, scopes_of};
use crate::fault::{Fault, Reason};
use crate::strict;

/// A presented key, and what the call needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "iiak_…", "cost": 1, "ip": "192.0.2.7", "network_id": 0}))]
pub(super) struct VerifyRequest<'a> {
    /// The key as the caller presented it.
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[schema(schema_with = scopes_schema)]
    scopes: Option<Value>,
    /// Units to spend, default 1; 0 asks without spending.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    cost: Option<i64>,
    /// The end client's address, for allowlists.
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    #[schema(minimum = 0, maximum = 2)]
    network_id: Option<i64>,
    /// `live` or `test`.
    #[serde(borrow)]
    environment: Option<Cow<'a, str>>,
    /// What the call is about; told to nobody yet.
    #[schema(max_length = 1024)]
    #[serde(borrow)]
    resource: Option<Cow<'a, str>>,
    /// The call's own method; told to nobody yet.
    #[schema(max_length = 32)]
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    /// At most 20 words of at most 64 characters; told to nobody yet.
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
}

/// The most expressions in one list.
const MOST_EXPRESSIONS: usize = 100;

/// A string or a list of strings: no one type says that.
fn scopes_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    OneOfBuilder::new()
        .item(text())
        .item(ArrayBuilder::new().items(text()).max_items(Some(MOST_EXPRESSIONS)))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(
            "Scopes joined by `AND` and `OR` with parentheses, or a list of which all must be held. At most 128 \
             scopes and 4,096 bytes in all.",
        ))
        .examples(["workflows:read AND (transactions:read OR transactions:write)"])
        .into()
}

/// Reads a request body: in place when it is right, and strictly, to say what is wrong, when not.
pub(super) fn read(body: &[u8]) -> Result<VerifyRequest<'_>, Fault> {
    // Derived structs are also read from arrays: only an object may take the quick way.
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(body).or_else(|_| strict::read(body)),
        _ => strict::read(body),
    }
}

impl VerifyRequest<'_> {
    /// How much work it is to parse, in the steps of [`Pace`](claviger_app::Pace).
    pub(super) fn steps(&self) -> usize {
        let scopes = match &self.scopes {
            Some(Value::String(text)) => text.len(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::len).sum(),
            _ => 0,
        };
        1 + scopes / 64
    }
}

impl VerifyRequest<'_> {
    /// The request in types that cannot be wrong; the key may be any text.
    pub(super) fn parsed(&self) -> Result<verify::Request<'_>, Fault> {
        let Self { key, scopes, cost, ip, network_id, environment, resource, method, tags } = self;
        let bad = |field, reason| Fault::invalid(field, reason);
        let bounded = |field, text: Option<&str>, max: usize| match text {
            Some(text) if text.len() > max && text.chars().count() > max => {
                Err(bad(field, Reason::Text(InvalidText::TooLong { max })))
            }
            _ => Ok(()),
        };
        bounded("resource", resource.as_deref(), 1024)?;
        bounded("method", method.as_deref(), 32)?;
        let tags = tags.as_deref().unwrap_or_default();
        if tags.len() > 20 {
            return Err(bad("tags", Reason::TooMany { max: 20 }));
        }
        tags.iter().try_for_each(|tag| bounded("tags", Some(tag), 64))?;
        let network = network_id.map(network).transpose()?;
        let environment = environment.as_deref().map(environment_of).transpose()?;
        let address = ip.as_deref().map(|text| text.parse().map_err(|_| bad("ip", Reason::Address)));
        Ok(verify::Request {
            key,
            demand: Demand {
                scopes: scopes.as_ref().map(expression).transpose()?,
                cost: cost_of(cost.unwrap_or(1))?,
                address: address.transpose()?,
                network,
                environment,
            },
        })
    }
}

fn expression(scopes: &Value) -> Result<ScopeExpression, Fault> {
    let bad = |error| Fault::invalid("scopes", Reason::Scopes(error));
    match scopes {
        Value::String(text) => scopes_of(text),
        Value::Array(items) if items.len() <= MOST_EXPRESSIONS => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            ScopeExpression::all(texts.ok_or_else(|| bad(InvalidExpression::Malformed))?).map_err(bad)
        }
        Value::Array(_) => Err(Fault::invalid("scopes", Reason::TooMany { max: MOST_EXPRESSIONS })),
        _ => Err(bad(InvalidExpression::Malformed)),
    }
}
