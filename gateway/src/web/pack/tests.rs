//! What the packer makes of small sites, and what it refuses.

use std::collections::BTreeMap;

use super::{PackError, PackedFile, hash, make};

/// A site on which everything is right; `changed` files take the place of its own.
fn made(changed: &[(&str, &str)]) -> Result<BTreeMap<String, String>, PackError> {
    let page = |name: &str| {
        format!(
            "<link rel=\"icon\" href=\"/web/ui/icon.svg\" type=\"image/svg+xml\">\n\
             <link rel=\"stylesheet\" href=\"/web/ui/a.css\">\n  <link rel=\"stylesheet\" href=\"/web/ui/b.css\">\n\
             <script type=\"module\" src=\"/web/{name}/{name}.js\"></script>\n"
        )
    };
    let mut sources = BTreeMap::new();
    for (path, text) in [
        ("chat/index.html", page("chat").as_str()),
        ("studio/index.html", page("studio").as_str()),
        ("ui/icon.svg", "<svg/>"),
        ("ui/a.css", "/* Colours. */\n:root {\n  --a: \"/* no comment */\";\n}\n"),
        ("ui/b.css", "b { top: calc(1px / 2) }\n"),
        ("low.js", "// The lowest.\nexport const low = 1;\n"),
        ("ui/mid.js", "import { low as lower } from '../low.js';\n\nexport function mid() {\n  return lower;\n}\n"),
        ("chat/chat.js", "import { mid } from '../ui/mid.js';\nimport { low } from '../low.js';\nawait mid(low);\n"),
        ("studio/studio.js", "show(import.meta.resolve('../ui/icon.svg'));\n"),
        ("widget/loader.js", "import { low } from '../low.js';\nlow(import.meta.resolve('./late.js'));\n"),
        ("widget/late.js", "import sheet from '../ui/a.css' with { type: 'text' };\nexport { sheet };\n"),
    ]
    .into_iter()
    .chain(changed.iter().copied())
    {
        sources.insert(path.to_owned(), text.to_owned());
    }
    Ok(make(&sources)?.into_iter().map(|PackedFile { name, content }| (name, content)).collect())
}

#[test]
fn a_page_is_one_sheet_and_one_script_named_by_their_content() {
    let site = made(&[]).unwrap();
    let (sheet, script) = (&site["packs/chat.css"], &site["packs/chat.js"]);
    assert_eq!(sheet, ":root {\n--a: \"/* no comment */\";\n}\nb { top: calc(1px / 2) }\n");
    assert_eq!(
        script,
        "const $module0 = (() => {\nconst low = 1;\nreturn { low };\n})();\n\
         const $module1 = (() => {\nconst { low: lower } = $module0;\nfunction mid() {\nreturn lower;\n}\nreturn { mid };\n})();\n\
         const { mid } = $module1;\nconst { low } = $module0;\nawait mid(low);\n"
    );
    let expected = format!(
        "<link rel=\"icon\" href=\"/web/ui/icon.{}.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/web/packs/chat.{}.css\">\n\
         <script type=\"module\" src=\"/web/packs/chat.{}.js\"></script>\n",
        hash("<svg/>"),
        hash(sheet),
        hash(script)
    );
    assert_eq!(site["chat/index.html"], expected);
    assert_eq!(site["packs/studio.js"], format!("show('/web/ui/icon.{}.svg');\n", hash("<svg/>")));
}

#[test]
fn a_plain_script_names_what_it_loads_later() {
    let site = made(&[]).unwrap();
    let late = &site["packs/widget-late.js"];
    assert!(late.starts_with("const sheet = \":root {\\n--a: \\\"/* no comment */\\\";\\n}\";\n"), "{late}");
    let loader = &site["widget.js"];
    assert!(loader.starts_with("(() => {\n'use strict';\n") && loader.ends_with("})();\n"), "{loader}");
    assert!(loader.contains(&format!("low('/web/packs/widget-late.{}.js');", hash(late))), "{loader}");
}

#[test]
fn a_change_far_below_is_a_new_name_all_the_way_up() {
    let client = ("tertulia.js", "import { mid } from './ui/mid.js';\nexport { mid };\n");
    let [before, after] = [1, 2].map(|low| {
        let low = format!("export const low = {low};\n");
        made(&[client, ("low.js", &low)]).unwrap()
    });
    for name in ["low.js", "tertulia.js", "packs/chat.js", "chat/index.html", "widget.js"] {
        assert_ne!(before[name], after[name], "{name}");
    }
    for name in ["packs/chat.css", "packs/studio.js", "studio/index.html"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    // The client is one file, and shares none with another version; single modules are as they were written.
    let client = &before["tertulia.js"];
    assert!(!client.contains("import ") && client.ends_with("export { mid };\n"), "{client}");
    assert!(before["ui/mid.js"].starts_with("import { low as lower } from '../low.js';\n"));
    assert!(!before.keys().any(|name| name.starts_with("chat/chat") || name.starts_with("widget/")));
}

/// Each row: a file, what it says, and what is wrong with that.
#[test]
fn what_it_does_not_read_is_refused() {
    for (path, text, why) in [
        ("low.js", "import low from './x.js';\n", "low.js:1: write `import"),
        ("low.js", "import {\n  low,\n} from './x.js';\n", "low.js:1: write `import"),
        ("low.js", "import { low } from 'low';\n", "low.js:1: write `import"),
        ("low.js", "import { low } from '../low.js';\n", "low.js:1: write `import"),
        ("low.js", "\nexport let low = 1;\n", "low.js:2: export a function"),
        ("low.js", "export default 1;\n", "low.js:1: export a function"),
        ("low.js", "export * from './x.js';\n", "low.js:1: export a function"),
        ("low.js", "/* a */ export const low = 1;\n", "low.js:1: a comment has its lines"),
        ("low.js", "export const a = 1;\nconst text = `\n// no comment`;\n", "low.js:2: a text of several lines"),
        ("low.js", "import { gone } from './gone.js';\n", "low.js names gone.js, which is not there"),
        ("low.js", "import { mid } from './ui/mid.js';\nexport const low = 1;\n", "imports itself"),
        ("widget/loader.js", "import.meta.resolve('./late.js', 1)\n", "widget/loader.js:1: write `import.meta.resolve"),
        ("widget/loader.js", "import.meta.resolve('./gone.js')\n", "names widget/gone.js"),
        ("widget/loader.js", "console.log(import.meta.url);\n", "a plain script has no `import.meta`"),
        ("widget/loader.js", "export const a = 1;\n", "a plain script exports nothing"),
        ("widget/late.js", "show(import.meta.resolve('./gone.svg'));\n", "names widget/gone.svg"),
        ("widget/late.js", "show('/web/ui/icon.svg');\n", "widget/late.js:1: a file's address"),
        ("ui/a.css", "a { background: url(a.png) }\n", "ui/a.css: a sheet loads nothing"),
        ("ui/a.css", "a { } /* b\n", "ui/a.css: a comment does not end"),
        (
            "chat/index.html",
            "<script src=\"/web/chat/chat.js\"></script>\n",
            "chat/index.html: one sheet, script or icon",
        ),
    ] {
        let told = made(&[(path, text)]).expect_err(text).to_string();
        assert!(told.contains(why), "{text}: {told}");
    }
}
