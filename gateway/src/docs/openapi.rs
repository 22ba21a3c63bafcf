//! OpenAPI 3.1 from the operations that are served.

use schema::ErrorCode;
use schema::wire::ErrorBody;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Auth, Operation, Request, Response};

/// A generator whose references point into `components`.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    settings.with_transform(RecursiveTransform(bound_by_format)).into_generator()
}

/// Numbers end where their types end: `format` alone says so to nobody but Rust.
fn bound_by_format(schema: &mut Schema) {
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => u64::from(u8::MAX),
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        Some("uint" | "uint64") => u64::MAX,
        _ => return,
    };
    let schema = schema.ensure_object();
    schema.entry("minimum").or_insert_with(|| 0.into());
    schema.entry("maximum").or_insert_with(|| most.into());
}

/// The document for these operations.
pub(crate) fn document<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for operation in operations {
        let described = describe(operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| Value::Object(Map::new()));
        path[operation.method.name().to_lowercase()] = described;
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
                "key": {"type": "http", "scheme": "bearer", "description": "The tenant's API key, or an agent's or visitor's token where allowed"},
                "operator": {"type": "http", "scheme": "bearer", "description": "The key in the data directory's admin.key"},
            },
        },
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut parameters = in_path(operation, generator);
    parameters.extend(in_query(operation, generator));
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): answer(operation, generator),
            "default": {"$ref": "#/components/responses/Error"},
        },
    });
    let json_body = |required: bool, schema: Schema| json!({"required": required, "content": {"application/json": {"schema": schema}}});
    match operation.request {
        Request::None => {}
        Request::Json(make) => described["requestBody"] = json_body(true, make(generator)),
        Request::Optional(make) => described["requestBody"] = json_body(false, make(generator)),
        Request::File(words) => {
            let any = json!({"schema": {"type": "string", "format": "binary"}});
            described["requestBody"] = json!({"required": true, "description": words, "content": {"*/*": any}});
        }
    }
    match operation.auth {
        Auth::None => {}
        Auth::Caller | Auth::Team | Auth::Key => described["security"] = json!([{"key": []}]),
        Auth::Operator => described["security"] = json!([{"operator": []}]),
    }
    described
}

fn in_path(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let names = operation.path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let parameter = |(name, _): (&str, &str)| {
        let kind = operation.places.iter().find(|(place, _)| *place == name);
        let schema = kind
            .map_or_else(|| schemars::json_schema!({"type": "string", "minLength": 1}), |(_, make)| make(generator));
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.map(parameter).collect()
}

/// A parameter for each field of the type from which the handler reads its query.
fn in_query(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let Some(make) = operation.query else { return Vec::new() };
    let mut whole = make(generator);
    if let Some(name) = whole.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
        && let Some(Ok(definition)) = generator.definitions_mut().remove(name).map(Schema::try_from)
    {
        whole = definition;
    }
    let required = whole.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = whole.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        // A parameter is left out or has a value; a query has no null.
        without_null(&mut schema);
        let meaning = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let required = required.iter().any(|field| *field == name);
        json!({"name": name, "in": "query", "required": required, "description": meaning, "schema": schema})
    };
    fields.into_iter().map(parameter).collect()
}

fn without_null(schema: &mut Value) {
    let kinds = schema.get("type").and_then(Value::as_array);
    if let Some(kind) = kinds.and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned() {
        schema["type"] = kind;
    }
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let choice = choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")).cloned();
    if let (Some(Value::Object(choice)), Some(schema)) = (choice, schema.as_object_mut()) {
        schema.remove("anyOf");
        schema.extend(choice);
    }
}

fn answer(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    match operation.answer {
        Response::Json(make) => {
            json!({"description": "Done", "content": {"application/json": {"schema": make(generator)}}})
        }
        Response::Document(words) => {
            json!({"description": words, "content": {"application/json": {"schema": {"type": "object"}}}})
        }
        Response::Media(media, words) => {
            json!({"description": words, "content": {media: {"schema": {"type": "string"}}}})
        }
        Response::Done(words) => json!({"description": words}),
    }
}
