//! What is asked about a presented key.

use claviger_app::verify;
use claviger_domain::credential::{Environment, Network};
use claviger_domain::scope::ScopeExpression;
use claviger_domain::text::InvalidText;
use claviger_domain::verification::Demand;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use crate::fault::{Fault, Reason};

/// A presented key, and what the call needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "iiak_…", "cost": 1, "ip": "192.0.2.7", "network_id": 0}))]
pub(super) struct VerifyRequest {
    /// The key as the caller presented it.
    key: String,
    #[schema(schema_with = scopes_schema)]
    scopes: Option<Value>,
    /// Units to spend, default 1; 0 asks without spending.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    cost: Option<i64>,
    /// The end client's address, for allowlists.
    ip: Option<String>,
    #[schema(minimum = 0, maximum = 2)]
    network_id: Option<i64>,
    /// `live` or `test`.
    environment: Option<String>,
    /// What the call is about; told to nobody yet.
    #[schema(max_length = 1024)]
    resource: Option<String>,
    /// The call's own method; told to nobody yet.
    #[schema(max_length = 32)]
    method: Option<String>,
    /// At most 20 words of at most 64 characters; told to nobody yet.
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
}

/// A string or a list of strings: no one type says that.
fn scopes_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    OneOfBuilder::new()
        .item(text())
        .item(ArrayBuilder::new().items(text()).max_items(Some(100)))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(
            "Scopes joined by `AND` and `OR` with parentheses, or a list of which all must be held.",
        ))
        .examples(["workflows:read AND (transactions:read OR transactions:write)"])
        .into()
}

impl TryFrom<VerifyRequest> for verify::Request {
    type Error = Fault;

    fn try_from(request: VerifyRequest) -> Result<Self, Fault> {
        let VerifyRequest { key, scopes, cost, ip, network_id, environment, resource, method, tags } =
            request;
        let bad = |field, reason| Fault::invalid(field, reason);
        let bounded = |field, text: Option<&String>, max: usize| match text {
            Some(text) if text.chars().count() > max => {
                Err(bad(field, Reason::Text(InvalidText::TooLong { max })))
            }
            _ => Ok(()),
        };
        bounded("resource", resource.as_ref(), 1024)?;
        bounded("method", method.as_ref(), 32)?;
        let tags = tags.unwrap_or_default();
        if tags.len() > 20 {
            return Err(bad("tags", Reason::TooMany { max: 20 }));
        }
        tags.iter().try_for_each(|tag| bounded("tags", Some(tag), 64))?;
        let cost = cost.unwrap_or(1);
        let network =
            network_id.map(|number| Network::of_number(number).ok_or(bad("network_id", Reason::Network)));
        let environment = environment.map(|word| {
            Environment::of_word(&word).ok_or(bad("environment", Reason::Word(&["live", "test"])))
        });
        let address = ip.map(|text| text.parse().map_err(|_| bad("ip", Reason::Address)));
        Ok(Self {
            key: key.parse().ok(),
            demand: Demand {
                scopes: scopes.map(expression).transpose()?,
                cost: u32::try_from(cost)
                    .map_err(|_| bad("cost", Reason::Integer { min: 0, max: u32::MAX.into() }))?,
                address: address.transpose()?,
                network: network.transpose()?,
                environment: environment.transpose()?,
            },
        })
    }
}

fn expression(scopes: Value) -> Result<ScopeExpression, Fault> {
    let bad = || Fault::invalid("scopes", Reason::Scopes);
    let read = |text: &str| text.parse::<ScopeExpression>().map_err(|_| bad());
    match scopes {
        Value::String(text) => read(&text),
        Value::Array(items) if items.len() <= 100 => {
            let one = |item: &Value| item.as_str().ok_or_else(bad).and_then(read);
            items.iter().map(one).collect::<Result<_, _>>().map(ScopeExpression::All)
        }
        _ => Err(bad()),
    }
}
