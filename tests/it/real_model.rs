//! The real language model that other tests lean on: both dialects, and the counter that proves a cancel.
//! Tests that need the model stand in modules of this name, so that `tests/run fast` can leave them out.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tests::llm::RealModel;

/// Patience for a model on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn it_streams_in_both_dialects_and_stops_when_its_client_goes() {
    let model = RealModel::shared().unwrap();
    for (path, last) in [("/v1/chat/completions", "data: [DONE]"), ("/v1/messages", "event: message_stop")] {
        let answer = ask(model, path, 8).await.text().await.unwrap();
        assert!(answer.contains(last), "{path} does not end with {last}: {answer}");

        let mut stream = ask(model, path, 1500).await.bytes_stream();
        stream.next().await.unwrap().unwrap();
        assert_eq!(model.busy().await.unwrap(), 1, "{path}: streaming");
        drop(stream);
        let dropped = Instant::now();
        while model.busy().await.unwrap() != 0 {
            assert!(dropped.elapsed() < PATIENCE, "{path}: the model still computes for a client that has gone");
        }
    }
}

async fn ask(model: &RealModel, path: &str, tokens: u32) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let body: Value = json!({
        "model": RealModel::NAME,
        "stream": true,
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": "Tell a long story about the sea."}],
    });
    client.post(format!("{}{path}", model.base_url)).json(&body).send().await.unwrap().error_for_status().unwrap()
}
