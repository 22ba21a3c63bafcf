//! OpenAPI 3.1 from the table of operations.

use schema::ErrorCode;
use schema::wire::ErrorBody;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operations::{Answer, Auth, Need, OPERATIONS, Operation};

/// A generator whose references point into `components`.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

pub(super) fn document() -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let described = describe(operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(path) = path {
            path.insert(operation.method.into(), described);
        }
    }
    let error = generator.subschema_for::<ErrorBody>();
    let codes = ErrorCode::ALL.iter().map(|code| code.name()).collect::<Vec<_>>().join("`, `");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tertulia",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Conversations of AI assistants with a business's customers. Codes of errors: `{codes}`."),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "Error": {"description": "A failure; see schema/ERRORS.md", "content": {"application/json": {"schema": error}}},
            },
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "The tenant's API key, or a visitor's token where allowed"},
                "operator": {"type": "http", "scheme": "bearer", "description": "The key in the data directory's admin.key"},
            },
        },
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let in_path = operation
        .path
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query = operation.query.iter().map(|(name, kind, meaning)| {
        json!({"name": name, "in": "query", "required": false, "description": meaning, "schema": {"type": kind}})
    });
    let (status, answer) = &operation.response;
    let response = match answer {
        Answer::Json(make) => {
            json!({"description": "Done", "content": {"application/json": {"schema": make(generator)}}})
        }
        Answer::Plain(words) => json!({"description": words}),
        Answer::Media(media, words) => {
            json!({"description": words, "content": {*media: {"schema": {"type": "string"}}}})
        }
    };
    let mut described = json!({
        "summary": operation.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {status.to_string(): response, "default": {"$ref": "#/components/responses/Error"}},
    });
    if let Some((make, need)) = operation.request {
        described["requestBody"] =
            json!({"required": need == Need::Required, "content": {"application/json": {"schema": make(generator)}}});
    }
    if let Some(words) = operation.file {
        let any = json!({"schema": {"type": "string", "format": "binary"}});
        described["requestBody"] = json!({"required": true, "description": words, "content": {"*/*": any}});
    }
    match operation.auth {
        Auth::None => {}
        Auth::Caller | Auth::Key => described["security"] = json!([{"key": []}]),
        Auth::Operator => described["security"] = json!([{"operator": []}]),
    }
    described
}
