//! What strangers try before they have said who they are: each is counted, held to a pace, and ended,
//! while others are served.

mod floods;
mod heads;
mod pages;
mod proxies;
mod slow;

use tests::node::Node;

/// Asks something of the node as an honest client does.
async fn is_served(node: &Node) {
    let api = node.api();
    let id = api.open().await;
    let asked = api.say(id, "r1", "What do you know?").await;
    api.reply(id, asked).await;
}
