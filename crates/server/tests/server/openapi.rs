//! The checked-in OpenAPI document is the one that the code generates (SPEC S3).

use std::path::Path;

use serde_json::Value;

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
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.contains_key("default"), "{method} {path}: its statuses are named one by one");
            for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                assert!(response["content"]["application/problem+json"].is_object(), "{method} {path} {status}");
            }
            assert!(["429", "500", "503"].iter().all(|status| responses.contains_key(*status)), "{method} {path}");
            let asks_who = operation["security"] != serde_json::json!([{}]);
            assert!(responses.contains_key("401") == asks_who, "{method} {path}");
            assert!(!path.contains('{') || responses.contains_key("404"), "{method} {path}");
            // A key means something to an account only; what the others do is repeated by what they send.
            let signed_in = operation.get("security").is_none();
            let repeatable = operation["parameters"].to_string().contains(segue_api::IDEMPOTENCY_KEY);
            assert_eq!(repeatable, method == "post" && signed_in, "{method} {path}");
        }
    }
    assert!(document["components"]["schemas"]["Code"].is_object());
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is not there");
                }
                object.values().for_each(|value| check(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let document = serde_json::to_value(segue_server::openapi()).unwrap();
    check(&document, &document);
}
