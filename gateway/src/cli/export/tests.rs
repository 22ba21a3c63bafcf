//! An export read page by page from a scripted node.

use schema::ConversationId;

use super::super::testing::{ScriptedNode, config};
use super::*;

const CONVERSATION: &str = "conv_0192b1a0c0de7000800000000000abcd";

fn pages() -> Vec<(String, u16, String)> {
    let at = r#""at":"2024-05-01T10:00:00.000Z""#;
    let first = [
        format!(
            r#"{{"seq":1,{at},"author":"contact","type":"opened","contact":"ct_018f00000000700080000000000000aa"}}"#
        ),
        format!(r#"{{"seq":2,{at},"author":"contact","type":"message","text":"Hours?\nPlease","ref":"a"}}"#),
    ];
    let second = [
        format!(r#"{{"seq":3,{at},"author":"system","type":"turn_started","turn":1}}"#),
        format!(
            r#"{{"seq":4,{at},"author":"assistant","type":"message","text":"Nine [1].","turn":1,"end":"length","answers":2,"made":{{"model":"builtin","profile_version":1,"total_ms":3,"usage":{{"input_tokens":1,"output_tokens":1}},"passages":[{{"n":1,"source":"faq.md","heading":"Shop › Hours","text":"nine"}}]}}}}"#
        ),
        format!(r#"{{"seq":5,{at},"author":"system","type":"of_a_later_version","x":1}}"#),
    ];
    let page = |events: &[String]| format!(r#"{{"events":[{}],"head":5}}"#, events.join(","));
    let path = |after| format!("GET /v1/conversations/{CONVERSATION}/events?after={after}&limit=500");
    let contact = r#"{"id":"ct_018f00000000700080000000000000aa","contact":"ana","name":"Ana María","version":1}"#;
    let known = ("GET /v1/contacts/ct_018f00000000700080000000000000aa".to_owned(), 200, contact.to_owned());
    vec![(path(0), 200, page(&first)), (path(2), 200, page(&second)), known]
}

async fn export(script: &[(String, u16, String)], format: Format) -> Result<String, CliError> {
    let data = tempfile::tempdir().unwrap();
    let script: Vec<(&str, u16, &str)> =
        script.iter().map(|(path, status, body)| (&**path, *status, &**body)).collect();
    let node = ScriptedNode::start(data.path(), &script).await;
    let export = Export { conversation: CONVERSATION.parse::<ConversationId>().unwrap(), format };
    let mut out = Vec::new();
    let client = Client::for_tenant(&node.config).unwrap();
    let outcome = run(&client, &export, &mut out).await;
    let out = String::from_utf8(out).unwrap();
    outcome.map(|()| out.clone()).inspect_err(|_| assert!(!out.contains("],\"head\""), "{out}"))
}

#[tokio::test]
async fn json_has_every_event_as_it_was_stored() {
    let text = export(&pages(), Format::Json).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let seqs: Vec<u64> =
        json["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    assert_eq!((json["head"].as_u64(), json["conversation"].as_str()), (Some(5), Some(CONVERSATION)));
    assert_eq!(json["events"][4]["x"], 1, "what this program does not know is kept");
}

#[tokio::test]
async fn markdown_has_what_was_said_and_from_what() {
    let text = export(&pages(), Format::Markdown).await.unwrap();
    for part in [
        "with Ana María (ana), opened 2024",
        "**Contact** · 2024",
        "> Hours?\n> Please\n",
        "> Nine [1].",
        "*length*",
        "[1] faq.md › Shop › Hours",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn what_was_said_cannot_steer_the_terminal() {
    let said = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{7f}";
    let mut pages = pages();
    for (_, _, body) in &mut pages {
        *body = body.replace("Hours?", &format!("Hours?{}", said.replace(|c: char| c.is_ascii_control(), "\\u001b")));
    }
    for format in [Format::Markdown, Format::Json] {
        let text = export(&pages, format).await.unwrap();
        assert!(text.contains("Hours?"), "{text}");
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(steers), "{format:?}: {text:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&export(&pages, Format::Json).await.unwrap()).unwrap();
    assert!(json.to_string().contains("\u{9b}31m\u{202e}"), "nothing is lost: {json}");
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_one_line() {
    let first = pages()[0].0.clone();
    let refusal = r#"{"error":{"code":"unknown_conversation","message":"no such conversation"}}"#;
    let gap = r#"{"events":[{"seq":1},{"seq":3}],"head":3}"#;
    for (status, body, complaint) in [
        (404, refusal, "no such conversation (unknown_conversation)"),
        (200, "<html>", "is not a node of this version"),
        (502, "bad gateway", "status 502"),
        (200, gap, "event 3 follows event 1"),
    ] {
        let error = export(&[(first.clone(), status, body.into())], Format::Json).await.unwrap_err().to_string();
        assert!(error.contains(complaint) && !error.contains('\n'), "{error}");
    }
    let nobody = config("127.0.0.1:1", std::path::Path::new("/nowhere"));
    let export = Export { conversation: CONVERSATION.parse().unwrap(), format: Format::Json };
    let error = run(&Client::for_tenant(&nobody).unwrap(), &export, &mut Vec::new()).await.unwrap_err();
    let start = crate::invocation::command("");
    assert_eq!(error.to_string(), format!("no node answers at 127.0.0.1:1: start one with `{start}`"));
}
