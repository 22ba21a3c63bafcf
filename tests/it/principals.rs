//! Rights that end, and rights that must not end by accident: on open sockets, on streams, in tokens and
//! their renewals.

mod agents;
mod doors;
mod ends;
mod places;

use serde_json::{Value, json};
use tests::api::Api;
use tests::client::{Knock, Socket};
use tests::node::Node;

const SHOP: &str = "https://shop.example";

/// A socket that has not said who it is.
async fn anonymous(node: &Node) -> Socket {
    Socket::knock(node.address, Knock::default()).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// A socket as a page of `origin` opens it.
async fn from_page(node: &Node, token: &str, origin: &str) -> Socket {
    let knock = Knock { token: Some(token), origin: Some(origin), ..Knock::default() };
    Socket::knock(node.address, knock).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// Says who a socket is; gives code and wait of a refusal.
async fn auth(socket: &mut Socket, token: &str) -> Result<(), (&'static str, Option<u64>)> {
    match socket.call(json!({"type": "auth", "token": token})).await {
        Ok(_) => Ok(()),
        Err(refusal) => Err((refusal.code.name(), refusal.retry_after)),
    }
}

/// What a page without a server of its own is given.
async fn widget(api: &Api, tenant: &str, origin: &str, body: &Value) -> schema::wire::WidgetSession {
    let request = api.nobody().request("POST", &format!("/v1/widget/{tenant}")).header("origin", origin);
    Api::send(request.json(body)).await.ok()
}
