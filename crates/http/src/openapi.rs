//! What all documents have in common, said once: versions, the security scheme, the refusals every
//! operation can answer with, and the headers of the API's manners.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

/// What differs between the surfaces' documents.
pub(crate) struct Manners {
    /// The security scheme's name, and what the bearer key is.
    pub(crate) scheme: &'static str,
    pub(crate) scheme_description: &'static str,
    /// The schema of a refusal, and its media type.
    pub(crate) refusal: &'static str,
    pub(crate) media_type: &'static str,
    /// Whether POST requests can be repeated under an idempotency key, and calls are limited.
    pub(crate) is_admin: bool,
    /// What 400, 401 and 403 mean here.
    pub(crate) refusals: [&'static str; 3],
}

/// What they mean where an unknown key is 401.
pub(crate) const REFUSALS: [&str; 3] = [
    "The request is malformed",
    "No key was presented, or one that opens nothing here",
    "The key lacks the permission, or may not be used from this address",
];

/// Completes a document with all that its operations need not repeat.
pub(crate) fn finish(document: &mut OpenApi, manners: &Manners) {
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(manners.scheme_description))
        .build();
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(manners.scheme, SecurityScheme::Http(scheme));
    for (path, item) in &mut document.paths.paths {
        // What can be changed under a condition carries the tag to name in it.
        let is_tagged = item.patch.is_some();
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                complete(operation, path, &method, manners);
                let tag = is_tagged && !matches!(method, HttpMethod::Post);
                tell_headers(operation, tag, matches!(method, HttpMethod::Post), manners);
            }
        }
    }
}

/// Parameters of queries that name a thing.
const NAMING: [&str; 2] = ["user_account_id", "org_id"];
/// Operations whose body names one.
const NAMING_IN_BODY: [&str; 3] = ["create_credential", "create_api_key", "create_platform_user"];

fn complete(operation: &mut Operation, path: &str, method: &HttpMethod, manners: &Manners) {
    let is_post = matches!(method, HttpMethod::Post);
    let is_write = !matches!(method, HttpMethod::Get);
    let has_body = operation.request_body.is_some();
    // An entry without a scheme: nobody is asked who calls.
    let is_guarded =
        !operation.security.iter().flatten().any(|entry| *entry == SecurityRequirement::default());
    never_null(operation);
    let parameters = operation.parameters.get_or_insert_default();
    if is_post && manners.is_admin {
        parameters.push(idempotency_key().into());
    }
    let has_condition = parameters
        .iter()
        .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "If-Match"));
    let [malformed, no_key, no_right] = manners.refusals;
    let names_one = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if NAMING.contains(&parameter.name.as_str()));
    let names_things = path.contains('{')
        || parameters.iter().any(names_one)
        || operation.operation_id.as_deref().is_some_and(|id| NAMING_IN_BODY.contains(&id));
    let refusals = [
        (true, "400", malformed),
        (is_guarded, "401", no_key),
        (is_guarded, "403", no_right),
        (names_things && manners.is_admin, "404", "There is no such thing among the caller's"),
        (is_write && manners.is_admin, "409", "The request conflicts with the present state"),
        (has_condition, "412", "`If-Match` does not hold"),
        (has_body, "413", "The body is larger than 64 KiB"),
        (has_body, "415", "The body is not `application/json`"),
        (is_post && manners.is_admin, "422", "The idempotency key was used for another request"),
        (manners.is_admin, "429", "Too many requests; `Retry-After` says when to come back"),
        (true, "500", "A mistake of the server's"),
        (true, "503", "The database is not available, or the request took too long"),
    ];
    for (applies, status, description) in refusals {
        if applies {
            let refusal = || RefOr::T(refusal(description, status, manners));
            operation.responses.responses.entry(status.to_owned()).or_insert_with(refusal);
        }
    }
}

/// The headers of successful answers.
fn tell_headers(operation: &mut Operation, is_tagged: bool, is_post: bool, manners: &Manners) {
    let all = [
        (true, Type::String, "X-Request-Id", "The id of the request, for support and the audit log"),
        (is_tagged, Type::String, "ETag", "The revision of the resource, for `If-Match`"),
        (
            is_post && manners.is_admin,
            Type::String,
            "Idempotency-Replayed",
            "`true` on an answer that was given before",
        ),
        (manners.is_admin, Type::Integer, "X-RateLimit-Limit", "Requests this key may make in a minute"),
        (manners.is_admin, Type::Integer, "X-RateLimit-Remaining", "Requests left at this moment"),
        (
            manners.is_admin,
            Type::Integer,
            "X-RateLimit-Reset",
            "Unix time at which all of them are free again",
        ),
        (manners.is_admin, Type::String, "RateLimit-Policy", "The limit, as a structured field"),
        (manners.is_admin, Type::String, "RateLimit", "What is left of it, as a structured field"),
    ];
    for (status, response) in &mut operation.responses.responses {
        let (true, RefOr::T(response)) = (status.starts_with('2'), response) else { continue };
        for (applies, kind, name, description) in &all {
            if *applies {
                let schema = ObjectBuilder::new().schema_type(kind.clone()).build();
                let header =
                    HeaderBuilder::new().schema(Some(schema)).description(Some(*description)).build();
                response.headers.insert((*name).to_owned(), RefOr::T(header));
            }
        }
    }
}

/// A body that may be left out is still no `null`.
fn never_null(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(choices))) = &content.schema
            && let Some(given) = choices.items.iter().find(|choice| matches!(choice, RefOr::Ref(_)))
        {
            content.schema = Some(given.clone());
        }
    }
}

fn refusal(description: &str, status: &str, manners: &Manners) -> Response {
    let schema = Ref::from_schema_name(manners.refusal);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content(manners.media_type, content);
    if status != "429" {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
    response
        .header(
            "Retry-After",
            HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait")).build(),
        )
        .build()
}

fn idempotency_key() -> Parameter {
    let text =
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)).build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes the request repeatable: for 24 hours the same key with the same request gets the first answer again",
        ))
        .schema(Some(text))
        .example(Some(serde_json::json!("5f0c1d9e-order-1042")))
        .build()
}
