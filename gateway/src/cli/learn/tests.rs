//! Which files are learned, which are passed over, and what is said about it.

use std::os::unix::fs::symlink;

use super::super::testing::ScriptedNode;
use super::*;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

#[test]
fn a_folder_is_searched_and_what_is_passed_over_has_a_reason() {
    let root = folder(&[
        ("docs/b.md", b"b"),
        ("docs/a.MD", b"a"),
        ("docs/deep/er/c.txt", b"c"),
        ("docs/deep/d.markdown", b"d"),
        ("docs/.hidden.md", b"x"),
        ("docs/.git/e.md", b"x"),
        ("docs/logo.png", b"x"),
        ("docs/Makefile", b"x"),
        ("alone.rst", b"x"),
    ]);
    symlink(root.path().join("docs"), root.path().join("docs/loop")).unwrap();
    let docs = root.path().join("docs");
    let (found, mut skipped) = find(&[docs.clone(), root.path().join("alone.rst"), docs.join("b.md")]).unwrap();
    let sources: Vec<&str> = found.iter().map(|found| found.source.as_str()).collect();
    assert_eq!(sources, ["alone.rst", "b.md", "docs/a.MD", "docs/b.md", "docs/deep/d.markdown", "docs/deep/er/c.txt"]);
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let skipped: Vec<(&str, &str)> =
        skipped.iter().map(|skipped| (skipped.path.file_name().unwrap().to_str().unwrap(), skipped.reason)).collect();
    assert_eq!(
        skipped,
        [
            (".git", "hidden"),
            (".hidden.md", "hidden"),
            ("Makefile", "not Markdown or text"),
            ("logo.png", "not Markdown or text"),
            ("loop", "a link"),
        ]
    );
}

#[test]
fn two_files_of_one_name_do_not_replace_each_other() {
    let root = folder(&[("a/x.md", b"1"), ("b/x.md", b"2")]);
    let (found, _) = find(&[root.path().join("a/x.md"), root.path().join("b/x.md")]).unwrap();
    assert_eq!(found[0].source, "x.md");
    assert_eq!(found[1].source, root.path().join("b/x.md").to_str().unwrap());
    let missing = find(&[root.path().join("none")]).unwrap_err().to_string();
    assert!(missing.contains("none: "), "{missing}");
}

#[test]
fn only_texts_are_read() {
    let large = vec![b'a'; DOCUMENT_BYTES_MAX + 1];
    let root = folder(&[
        ("good.md", "Grüße".as_bytes()),
        ("large.md", &large),
        ("binary.md", b"a\0b"),
        ("latin.md", b"Gr\xfc\xdfe"),
        ("empty.md", b" \n"),
    ]);
    for (name, outcome) in [
        ("good.md", Ok("Grüße")),
        ("large.md", Err("larger than 4 MiB")),
        ("binary.md", Err("binary")),
        ("latin.md", Err("not UTF-8")),
        ("empty.md", Err("empty")),
    ] {
        let read = read(&root.path().join(name));
        assert_eq!(read.as_deref().map_err(String::as_str), outcome, "{name}");
    }
}

#[tokio::test]
async fn documents_go_to_the_node_one_by_one_with_the_tenants_key() {
    let root = folder(&[("docs/a.md", b"# A"), ("docs/empty.md", b""), ("docs/x.bin", b"x")]);
    let learned = r#"{"source":"docs/a.md","passages":2,"changed":true}"#;
    let script = [("GET /healthz", 200, "{}"), ("POST /v1/knowledge", 201, learned)];
    let node = ScriptedNode::start(root.path(), &script).await;
    let (found, skipped) = find(&[root.path().join("docs")]).unwrap();
    let backend = backend::for_tenant(&node.config).await.unwrap();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    learn(&*backend, &found, &skipped, &mut out, &mut notes).await.unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "learned docs/a.md: 2 passages\n1 learned, 0 known already, 2 skipped, 0 failed; 2 passages\n"
    );
    let notes = String::from_utf8(notes).unwrap();
    assert!(notes.contains("x.bin: not Markdown or text") && notes.contains("empty.md: empty"), "{notes}");
    assert_eq!(
        *node.asked.lock().unwrap(),
        ["GET /healthz []", r##"POST /v1/knowledge [Bearer my-own-key] {"source":"docs/a.md","text":"# A"}"##,]
    );
}

#[tokio::test]
async fn a_document_that_is_refused_does_not_stop_the_others_and_a_wrong_key_does() {
    let root = folder(&[("docs/a.md", b"a"), ("docs/b.md", b"b")]);
    for (code, asked, complaint) in
        [("bad_field", 2, "2 documents were not learned"), ("unauthorized", 1, "no (unauthorized)")]
    {
        let refusal = format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#);
        let script = [("GET /healthz", 200, "{}"), ("POST /v1/knowledge", 400, refusal.as_str())];
        let node = ScriptedNode::start(root.path(), &script).await;
        let (found, skipped) = find(&[root.path().join("docs")]).unwrap();
        let backend = backend::for_tenant(&node.config).await.unwrap();
        let error = learn(&*backend, &found, &skipped, &mut Vec::new(), &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), complaint);
        assert_eq!(error.exit_code(), 1);
        assert_eq!(node.asked.lock().unwrap().len(), 1 + asked);
    }
}
