//! AsyncAPI 3.0 of the web socket, from the frame types.

use schema::wire::{ClientFrame, Close, SUBPROTOCOL, ServerFrame};
use serde_json::{Value, json};

use super::openapi::generator;

/// The AsyncAPI document of the web socket's protocol.
pub(crate) fn document() -> Value {
    let mut generator = generator();
    let client = generator.subschema_for::<ClientFrame>();
    let server = generator.subschema_for::<ServerFrame>();
    let closes: Vec<_> = Close::ALL
        .iter()
        .map(|close| json!({"code": close.code, "reason": close.reason, "comeBack": close.come_back()}))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tertulia web socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("JSON text frames under the subprotocol `{SUBPROTOCOL}`; see schema/PROTOCOL.md."),
        },
        "channels": {
            "socket": {
                "address": "/v1/ws",
                "messages": {
                    "clientFrame": {"$ref": "#/components/messages/clientFrame"},
                    "serverFrame": {"$ref": "#/components/messages/serverFrame"},
                },
                "bindings": {"ws": {"method": "GET"}},
            },
        },
        "operations": {
            "fromClient": {
                "action": "receive",
                "channel": {"$ref": "#/channels/socket"},
                "messages": [{"$ref": "#/channels/socket/messages/clientFrame"}],
            },
            "toClient": {
                "action": "send",
                "channel": {"$ref": "#/channels/socket"},
                "messages": [{"$ref": "#/channels/socket/messages/serverFrame"}],
            },
        },
        "components": {
            "messages": {
                "clientFrame": {"contentType": "application/json", "payload": client},
                "serverFrame": {"contentType": "application/json", "payload": server},
            },
            "schemas": generator.take_definitions(true),
        },
        "x-close-codes": closes,
    })
}
