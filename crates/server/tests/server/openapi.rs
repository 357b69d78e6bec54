//! The checked-in OpenAPI document is the one that the code generates (SPEC S3).

use std::path::Path;

#[test]
fn the_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/openapi.json");
    let generated = format!("{}\n", segue_server::openapi().to_pretty_json().unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == generated, "crates/api/openapi.json is not current: UPDATE_OPENAPI=1 cargo test -p segue-server");
}

#[test]
fn every_changing_post_and_every_error_is_documented() {
    let document = serde_json::to_value(segue_server::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let problem = operation["responses"]["default"]["content"]["application/problem+json"].is_object();
            assert!(problem || path == "/livez", "{method} {path}");
            let open = ["/api/v1/join", "/api/v1/invites/open", "/api/v1/signup"].contains(&path.as_str());
            let repeatable = operation["parameters"].to_string().contains(segue_api::IDEMPOTENCY_KEY);
            assert_eq!(repeatable, method == "post" && !open, "{method} {path}");
        }
    }
    assert!(document["components"]["schemas"]["Code"].is_object());
}
