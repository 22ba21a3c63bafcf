//! The stream's bytes: one server-sent event a token, of a real provider's size, made once and
//! filled in twelve places.

use crate::token;

/// How the stream of one reply looks.
#[derive(Clone, Debug)]
pub struct Shape {
    /// One token's event, framed as one HTTP chunk.
    template: Vec<u8>,
    /// Where the token goes.
    hole: usize,
}

impl Shape {
    /// A shape whose token events have `bytes` bytes, or as few more as they need.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let hole_mark = "_".repeat(token::CHARS);
        let bare = event(&hole_mark, "").len();
        let body = event(&hole_mark, &"x".repeat(bytes.saturating_sub(bare)));
        let template = framed(&body);
        let hole = template.windows(token::CHARS).position(|part| part == hole_mark.as_bytes()).unwrap_or_default();
        Self { template, hole }
    }

    /// The answer's head and the first event, which names the role.
    #[must_use]
    pub fn opening() -> Vec<u8> {
        let mut out = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
            connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
        out.extend(framed(&data(r#"{"role":"assistant","content":""}"#, "null", "")));
        out
    }

    /// One token's bytes, in place.
    pub fn token(&mut self, text: [u8; token::CHARS]) -> &[u8] {
        self.template[self.hole..self.hole + token::CHARS].copy_from_slice(&text);
        &self.template
    }

    /// What follows the last token.
    #[must_use]
    pub fn ending(tokens: u32, with_usage: bool) -> Vec<u8> {
        let mut out = framed(&data("{}", "\"stop\"", ""));
        if with_usage {
            let total = tokens + 100;
            out.extend(framed(&format!(
                "data: {{{HEAD},\"choices\":[],\"usage\":{{\"prompt_tokens\":100,\"completion_tokens\":{tokens},\
                 \"total_tokens\":{total}}}}}\n\n"
            )));
        }
        out.extend(framed("data: [DONE]\n\n"));
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }
}

const HEAD: &str = r#""id":"chatcmpl-load","object":"chat.completion.chunk","created":1767225600,"model":"stub""#;

fn event(content: &str, padding: &str) -> String {
    data(&format!("{{\"content\":\"{content}\"}}"), "null", padding)
}

fn data(delta: &str, finish: &str, padding: &str) -> String {
    format!(
        "data: {{{HEAD},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\
         \"service_tier\":\"default\",\"system_fingerprint\":\"fp_{padding}\"}}\n\n"
    )
}

fn framed(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Dechunker;

    #[test]
    fn a_reply_is_a_chat_completions_stream() {
        let mut shape = Shape::new(340);
        let mut wire = Shape::opening();
        let head = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        wire.drain(..head);
        wire.extend_from_slice(shape.token(token::encode(0, 1, 2)));
        wire.extend_from_slice(shape.token(token::encode(1, 1, 2)));
        wire.extend(Shape::ending(2, true));

        let mut body = Vec::new();
        assert!(Dechunker::default().feed(&wire, &mut body).unwrap());
        let events: Vec<&str> = std::str::from_utf8(&body).unwrap().split_terminator("\n\n").collect();
        assert_eq!(events.len(), 6);
        assert_eq!(events[5], "data: [DONE]");
        assert_eq!(events[1].len() + 2, 340);
        let json =
            |at: usize| serde_json::from_str::<serde_json::Value>(events[at].strip_prefix("data: ").unwrap()).unwrap();
        let content = json(2)["choices"][0]["delta"]["content"].as_str().unwrap().to_owned();
        assert_eq!(token::Token::decode(content.as_bytes()).unwrap().seq, 1);
        assert_eq!(json(3)["choices"][0]["finish_reason"], "stop");
        assert_eq!(json(4)["usage"]["completion_tokens"], 2);
    }

    #[test]
    fn a_token_event_is_never_too_short_for_its_parts() {
        assert!(Shape::new(0).token([b'a'; token::CHARS]).len() > 200);
    }
}
