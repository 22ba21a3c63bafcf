//! Which files are learned, which are passed over, and how that is reported.

use std::fs;
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

async fn said(backend: &dyn Backend, work: &find::Work) -> (Result<(), CliError>, String, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let learned = learn(backend, work, &mut Screen::plain(&mut out, &mut notes)).await;
    (learned, String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())
}

#[test]
fn a_folder_is_searched_and_what_is_passed_over_has_a_reason() {
    let root = folder(&[
        ("docs/b.md", b"b"),
        ("docs/a.MD", b"a"),
        ("docs/deep/er/c.txt", b"c"),
        ("docs/deep/d.markdown", b"d"),
        ("docs/e.pdf", b"e"),
        ("docs/f.docx", b"f"),
        ("docs/g.html", b"g"),
        ("docs/h.pptx", b"h"),
        ("docs/i.odt", b"i"),
        ("docs/j.epub", b"j"),
        ("docs/.hidden.md", b"x"),
        ("docs/.git/e.md", b"x"),
        ("docs/logo.png", b"x"),
        ("docs/Makefile", b"x"),
        ("alone.rst", b"x"),
    ]);
    symlink(root.path().join("docs"), root.path().join("docs/loop")).unwrap();
    let docs = root.path().join("docs");
    let mut work = find::find(&[&docs, &root.path().join("alone.rst"), &docs.join("b.md")]).unwrap();
    let sources: Vec<&str> = work.found.iter().map(|found| found.source.as_str()).collect();
    assert_eq!(
        sources,
        [
            "alone.rst",
            "b.md",
            "docs/a.MD",
            "docs/b.md",
            "docs/deep/d.markdown",
            "docs/deep/er/c.txt",
            "docs/e.pdf",
            "docs/f.docx",
            "docs/g.html",
            "docs/h.pptx",
            "docs/i.odt",
            "docs/j.epub"
        ]
    );
    assert_eq!(work.folders, ["docs"]);
    work.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let named = |skipped: &Skipped| (skipped.path.file_name().unwrap().to_str().unwrap().to_owned(), skipped.reason);
    let skipped: Vec<(String, &str)> = work.skipped.iter().map(named).collect();
    let other = "none of Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB and CSV";
    let expected =
        [(".git", "hidden"), (".hidden.md", "hidden"), ("Makefile", other), ("logo.png", other), ("loop", "a link")];
    assert_eq!(skipped, expected.map(|(name, reason)| (name.to_owned(), reason)));
}

#[test]
fn two_files_of_one_name_do_not_replace_each_other() {
    let root = folder(&[("a/x.md", b"1"), ("b/x.md", b"2")]);
    let work = find::find(&[&root.path().join("a/x.md"), &root.path().join("b/x.md")]).unwrap();
    assert_eq!(work.found[0].source, "x.md");
    assert_eq!(work.found[1].source, root.path().join("b/x.md").to_str().unwrap());
    let missing = find::find(&[&root.path().join("none")]).unwrap_err().to_string();
    assert!(missing.contains("none: "), "{missing}");
}

#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let root = folder(&[("docs/a.md", b"1")]);
    let pipe = root.path().join("docs/pipe.md");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let socket = root.path().join("socket.md");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [&pipe, &socket, &PathBuf::from("/dev/zero")] {
        let error = find::find(&[path]).unwrap_err().to_string();
        assert!(error.ends_with("it is neither a file nor a folder"), "{error}");
    }
    // Found in a folder, it is passed over; and one that took a file's place is not waited for.
    let work = find::find(&[&root.path().join("docs")]).unwrap();
    assert_eq!((work.found.len(), work.skipped.len()), (1, 1));
    assert_eq!(find::read(&pipe).unwrap_err(), "it is neither a file nor a folder");
}

#[tokio::test]
async fn what_a_document_is_called_cannot_steer_the_terminal() {
    let root = folder(&[("a\u{1b}[2J.md", b"a"), ("b\u{9b}2J.bin", b"b")]);
    let learned = r#"{"source":"a\u001b[2J.md","passages":2,"changed":true}"#;
    let script = [("GET /healthz", 200, "{}"), ("POST /v1/knowledge/files?source=a%1B%5B2J.md", 200, learned)];
    let node = ScriptedNode::start(root.path(), &script).await;
    let mut work = find::find(&[&root.path().to_path_buf()]).unwrap();
    work.found.iter_mut().for_each(|found| found.source = "a\u{1b}[2J.md".into());
    work.folders.clear();
    let backend = backend::for_tenant(&node.config, false).await.unwrap();
    let (result, out, notes) = said(&*backend, &work).await;
    result.unwrap();
    let steers = |text: &str| text.contains(|c: char| c.is_control() && c != '\n');
    assert!(out.contains("learned a[2J.md") && !steers(&out), "{out:?}");
    assert!(notes.contains("b2J.bin") && !steers(&notes), "{notes:?}");
}

#[test]
fn addresses_are_told_from_files() {
    for (target, expected) in [
        ("https://shop.example/docs", true),
        ("HTTP://shop.example", true),
        ("docs", false),
        ("https", false),
        ("./https://x", false),
        ("ftp://shop.example", false),
    ] {
        assert_eq!(site::is_address(target), expected, "{target}");
    }
}

#[tokio::test]
async fn files_go_to_the_node_one_by_one_and_what_is_gone_is_forgotten() {
    let root = folder(&[("docs/a b.md", b"# A"), ("docs/x.bin", b"x")]);
    let learned = r#"{"source":"docs/a b.md","passages":2,"changed":true}"#;
    let known = r#"{"documents":[
        {"source":"docs/a b.md","passages":2,"bytes":3,"learned_at":"2026-01-01T00:00:00Z"},
        {"source":"docs/gone.md","passages":2,"bytes":3,"learned_at":"2026-01-01T00:00:00Z"},
        {"source":"docs2/b.md","passages":2,"bytes":3,"learned_at":"2026-01-01T00:00:00Z"}]}"#;
    let script = [
        ("GET /healthz", 200, "{}"),
        ("POST /v1/knowledge/files?source=docs%2Fa+b.md", 200, learned),
        ("GET /v1/knowledge", 200, known),
        ("DELETE /v1/knowledge?source=docs%2Fgone.md", 204, ""),
    ];
    let node = ScriptedNode::start(root.path(), &script).await;
    let work = find::find(&[&root.path().join("docs")]).unwrap();
    let backend = backend::for_tenant(&node.config, false).await.unwrap();
    let (result, out, notes) = said(&*backend, &work).await;
    result.unwrap();
    assert_eq!(
        out,
        "learned docs/a b.md: 2 passages\nforgot docs/gone.md: it is not in its folder any more\n\
         1 learned, 0 known already, 1 skipped, 0 failed, 1 forgotten; 2 passages\n"
    );
    assert!(notes.contains("x.bin: none of Markdown"), "{notes}");
    assert_eq!(
        *node.asked.lock().unwrap(),
        [
            "GET /healthz []",
            "POST /v1/knowledge/files?source=docs%2Fa+b.md [Bearer my-own-key-0123456] # A",
            "GET /v1/knowledge [Bearer my-own-key-0123456]",
            "DELETE /v1/knowledge?source=docs%2Fgone.md [Bearer my-own-key-0123456]",
        ]
    );
    let refused = backend::for_tenant(&node.config, true).await.err().unwrap();
    assert_eq!(refused.exit_code(), 2, "{refused}");
}

#[tokio::test]
async fn a_document_that_is_refused_does_not_stop_the_others_and_a_wrong_key_does() {
    let root = folder(&[("a.md", b"a"), ("b.md", b"b")]);
    for (code, asked, complaint) in [
        ("bad_field", 2, "2 documents not learned"),
        ("unreadable_document", 2, "nothing was learned"),
        ("unauthorized", 1, "no (unauthorized)"),
    ] {
        let refusal = format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#);
        let file = |name: &str| format!("POST /v1/knowledge/files?source={name}");
        let (a, b) = (file("a.md"), file("b.md"));
        let script = [("GET /healthz", 200, "{}"), (&a, 400, refusal.as_str()), (&b, 400, refusal.as_str())];
        let node = ScriptedNode::start(root.path(), &script).await;
        let work = find::find(&[&root.path().join("a.md"), &root.path().join("b.md")]).unwrap();
        let backend = backend::for_tenant(&node.config, false).await.unwrap();
        let (result, ..) = said(&*backend, &work).await;
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), complaint);
        assert_eq!(error.exit_code(), 1);
        assert_eq!(node.asked.lock().unwrap().len(), 1 + asked);
    }
}

#[tokio::test]
async fn a_site_is_waited_for_and_summed_up() {
    let root = tempfile::tempdir().unwrap();
    let id = "job_0123456789abcdef0123456789abcdef";
    let started = format!(r#"{{"job":"{id}"}}"#);
    let job = format!(
        r#"{{"id":"{id}","url":"https://shop.example/","state":"done","started_at":"2026-01-01T00:00:00Z","pages_read":3,
        "pages_waiting":0,"pages_skipped":[{{"url":"https://shop.example/x","reason":"status 404"}}],
        "pages_skipped_total":5,"learned":{{"changed":2,"unchanged":1,"removed":4}}}}"#
    );
    let path = format!("GET /v1/knowledge/jobs/{id}");
    let script = [("GET /healthz", 200, "{}"), ("POST /v1/knowledge/sites", 202, started.as_str()), (&path, 200, &job)];
    let node = ScriptedNode::start(root.path(), &script).await;
    let backend = backend::for_tenant(&node.config, false).await.unwrap();
    let asked = Learn {
        targets: Vec::new(),
        pages_max: Some(50),
        depth_max: None,
        queries_max: None,
        every_hours: Some(24),
        allow_private_hosts: false,
    };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut screen = Screen::plain(&mut out, &mut notes);
    site::learn(&*backend, "https://shop.example/", &asked, &mut screen).await.unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "https://shop.example/: 3 pages read, 5 skipped; 2 learned, 1 known already, 4 forgotten\n"
    );
    assert_eq!(String::from_utf8(notes).unwrap(), "skipped https://shop.example/x: status 404\nskipped 4 more\n");
    let body = r#"{"url":"https://shop.example/","pages_max":50,"every_hours":24}"#;
    assert_eq!(node.asked.lock().unwrap()[1], format!("POST /v1/knowledge/sites [Bearer my-own-key-0123456] {body}"));
}
