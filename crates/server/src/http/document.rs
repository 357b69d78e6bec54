//! The OpenAPI document around the routes: what holds for all of them.

mod statuses;

use segue_api::{
    Code, IDEMPOTENCY_KEY, Problem,
    handoffs::HandoffBox,
    pairings::{FETCH_TOKEN, PAIRING_TOKEN},
};
use segue_domain::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, ObjectBuilder, Required, Type,
        path::{ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

/// The document's frame.
#[derive(OpenApi)]
#[openapi(
    info(title = "Segue", description = "Hands live AI conversations over. Times are unix milliseconds, bytes base64url."),
    components(schemas(Problem, Code, HandoffBox)),
    modifiers(&Tokens)
)]
pub(super) struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("device_token", scheme);
        for (name, header) in [("pairing_token", PAIRING_TOKEN), ("fetch_token", FETCH_TOKEN)] {
            let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(header)));
            components.add_security_scheme(name, scheme);
        }
        document.security = Some(vec![SecurityRequirement::new("device_token", Vec::<String>::new())]);
    }
}

/// The document with what is said of each route because of what it is.
pub(super) fn finished(mut document: openapi::OpenApi) -> openapi::OpenApi {
    add_idempotency_keys(&mut document);
    statuses::name(&mut document);
    document
}

/// Every POST by somebody who is signed in may be repeated (SPEC T18).
fn add_idempotency_keys(document: &mut openapi::OpenApi) {
    let schema = ObjectBuilder::new().schema_type(Type::String).max_length(Some(IDEMPOTENCY_KEY_BYTES_MAX));
    let parameter = ParameterBuilder::new()
        .name(IDEMPOTENCY_KEY)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Makes the repeat of this request give the first answer."))
        .schema(Some(schema))
        .build();
    let posts = document.paths.paths.values_mut().filter_map(|item| item.post.as_mut());
    for post in posts.filter(|post| post.security.is_none()) {
        post.parameters.get_or_insert_default().push(parameter.clone().into());
    }
}
