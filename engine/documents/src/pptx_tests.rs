//! Presentations made here, part by part, and one as a program writes it.

use super::*;
use crate::archives::archive;
use crate::package::{DEPTH_MAX, INFLATED_BYTES_FREE};

const RENTAL: &[u8] = include_bytes!("../../../tests/fixtures/documents/rental.pptx");

/// A presentation whose slides have these shapes; the attributes of a slide stand before `|`.
fn pptx(slides: &[&str], more: &[(&str, &str)]) -> Vec<u8> {
    let mut ids = String::new();
    let mut relations = String::new();
    let mut parts: Vec<(String, String)> = Vec::new();
    for (n, slide) in slides.iter().enumerate() {
        let (attributes, shapes) = slide.split_once('|').unwrap_or(("", slide));
        ids.push_str(&format!("<p:sldId id=\"{}\" r:id=\"r{n}\"/>", 256 + n));
        relations.push_str(&format!("<Relationship Id=\"r{n}\" Type=\"x/slide\" Target=\"slides/s{n}.xml\"/>"));
        let slide = format!("<p:sld {attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>");
        parts.push((format!("ppt/slides/s{n}.xml"), slide));
    }
    let list = format!("<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>");
    parts.push((MAIN.into(), list));
    parts.push(("ppt/_rels/presentation.xml.rels".into(), format!("<Relationships>{relations}</Relationships>")));
    parts.extend(more.iter().map(|(name, xml)| ((*name).to_owned(), (*xml).to_owned())));
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, xml)| (name.as_str(), xml.as_bytes())).collect();
    archive(&parts)
}

fn shape(placeholder: &str, lines: &str) -> String {
    format!(
        "<p:sp><p:nvSpPr><p:cNvPr id=\"2\" name=\"x\"/><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>\
         <p:txBody><a:bodyPr/>{lines}</p:txBody></p:sp>"
    )
}

fn line(marks: &str, words: &str) -> String {
    format!("<a:p>{marks}<a:r><a:t>{words}</a:t></a:r></a:p>")
}

const TITLE: &str = "<p:ph type=\"title\"/>";
const CENTRAL: &str = "<p:ph type=\"ctrTitle\"/>";
const BODY: &str = "<p:ph idx=\"1\"/>";

fn markdown(slides: &[&str]) -> String {
    read(&pptx(slides, &[])).unwrap().markdown
}

#[test]
fn a_slide_is_a_section_with_its_lists_tables_and_notes() {
    let page = read(RENTAL).unwrap();
    assert_eq!(page.title.as_deref(), Some("Lamp rental for events"));
    assert_eq!(
        page.markdown,
        "# Lamp rental for events\n\nWhat our customers ask most\n\n## How does renting work?\n\n\
         -   Book at least five days before the event\n-   Pay a deposit\n    -   60 euros for a floor lamp\n    \
         -   25 euros for a desk lamp\n\nThe deposit is paid back within three working days.\n\n## Prices\n\n\
         Indoors:\n\n| Lamp | One day | Weekend |\n|---|---|---|\n| Floor lamp | 12 euros | 20 euros |\n\n\
         Outdoors:\n\n| Lamp | One day | Weekend |\n|---|---|---|\n| Lantern | 15 euros | 26 euros |\n\n\
         ## Late return\n\nEach day that a lamp comes back late costs 9 euros.\n"
    );
    let told: Vec<(&str, WhyLeftOut, usize)> =
        page.left_out.iter().map(|part| (part.what.as_str(), part.why, part.chars)).collect();
    assert_eq!(told, [("slide 5", WhyLeftOut::Hidden, 37)]);
}

#[test]
fn shapes_are_told_apart() {
    let title = shape(TITLE, &line("", "Fees"));
    let two = line("", "One") + &line("", "Two");
    let deep = line("<a:pPr lvl=\"1\"/>", "Deep");
    for (name, shapes, expected) in [
        ("a title behind its text", shape("", &line("", "Text.")) + &title, "## Fees\n\nText.\n"),
        (
            "a body of lines",
            title.clone() + &shape(BODY, &(two.clone() + &deep)),
            "## Fees\n\n-   One\n-   Two\n    -   Deep\n",
        ),
        ("a body of one line", title.clone() + &shape(BODY, &line("", "One.")), "## Fees\n\nOne.\n"),
        (
            "lines that are no list",
            title.clone()
                + &shape(
                    BODY,
                    &(line("<a:pPr><a:buNone/></a:pPr>", "One.") + &line("<a:pPr><a:buNone/></a:pPr>", "Two.")),
                ),
            "## Fees\n\nOne.\n\nTwo.\n",
        ),
        ("a box", title.clone() + &shape("", &two), "## Fees\n\nOne\n\nTwo\n"),
        (
            "a box with bullets",
            title.clone() + &shape("", &line("<a:pPr><a:buChar char=\"•\"/></a:pPr>", "One")),
            "## Fees\n\n-   One\n",
        ),
        (
            "furniture",
            title.clone()
                + &shape("<p:ph type=\"ftr\"/>", &line("", "Confidential"))
                + &shape("<p:ph type=\"sldNum\"/>", "<a:p><a:fld type=\"slidenum\"><a:t>7</a:t></a:fld></a:p>")
                + &shape(
                    "",
                    "<a:p><a:r><a:t>As of </a:t></a:r><a:fld type=\"datetime1\"><a:t>1/1/26</a:t></a:fld></a:p>",
                ),
            "## Fees\n\nAs of\n",
        ),
        (
            "above and below the line",
            title.clone()
                + &shape(
                    "",
                    "<a:p><a:r><a:t>75</a:t></a:r><a:r><a:rPr baseline=\"30000\"/><a:t>1</a:t></a:r><a:r><a:t> EUR, H</a:t></a:r>\
                     <a:r><a:rPr baseline=\"-25000\"/><a:t>2</a:t></a:r><a:r><a:t>O</a:t></a:r></a:p>",
                ),
            "## Fees\n\n75¹ EUR, H₂O\n",
        ),
        (
            "struck words, a break, two runs",
            title.clone()
                + &shape(
                    "",
                    "<a:p><a:r><a:rPr strike=\"sngStrike\"/><a:t>9 EUR</a:t></a:r><a:r><a:rPr strike=\"noStrike\"/><a:t>7 </a:t></a:r>\
                     <a:r><a:t>EUR</a:t></a:r><a:br/><a:r><a:t>a day</a:t></a:r></a:p>",
                ),
            "## Fees\n\n7 EUR  \na day\n",
        ),
        (
            "shapes within groups, and the same twice",
            title.clone()
                + &format!(
                    "<p:grpSp>{0}<mc:AlternateContent><mc:Choice>{1}</mc:Choice><mc:Fallback>{1}</mc:Fallback></mc:AlternateContent></p:grpSp>",
                    shape("", &line("", "In.")),
                    shape("", &line("", "Once."))
                ),
            "## Fees\n\nIn.\n\nOnce.\n",
        ),
        (
            "no title",
            shape("", &line("", "Parking")) + &shape("", &line("", "It is free.")),
            "## Parking\n\nIt is free.\n",
        ),
        ("nothing like a title", shape("", &line("", "It is free.")), "## Slide 1\n\nIt is free.\n"),
        (
            "hidden shapes",
            title
                + "<p:sp><p:nvSpPr><p:cNvPr id=\"1\" hidden=\"1\"/><p:nvPr><p:ph idx=\"1\"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>x</a:t></a:r></a:p></p:txBody></p:sp>",
            "## Fees\n",
        ),
    ] {
        assert_eq!(markdown(&[&shapes]), expected, "{name}");
    }
    let slides =
        [shape(CENTRAL, &line("", "Fair")), shape(CENTRAL, &line("", "Part two")) + &shape(BODY, &line("", "x"))];
    let slides: Vec<&str> = slides.iter().map(String::as_str).collect();
    assert_eq!(markdown(&slides), "# Fair\n\n## Part two\n\nx\n");
}

#[test]
fn diagrams_and_notes_are_read_from_their_own_parts() {
    let frame = "<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm=\"d\"/></a:graphicData></a:graphic></p:graphicFrame>";
    let slide = shape(TITLE, &line("", "Steps")) + frame;
    let relations = "<Relationships><Relationship Id=\"d\" Type=\"x/diagramData\" Target=\"../diagrams/one.xml\"/>\
                     <Relationship Id=\"n\" Type=\"x/notesSlide\" Target=\"/ppt/notes/n1.xml\"/></Relationships>";
    let point = |words: &str| format!("<dgm:pt><dgm:t>{}</dgm:t></dgm:pt>", line("", words));
    let diagram = format!(
        "<dgm:dataModel><dgm:ptLst>{}{}<dgm:pt/></dgm:ptLst></dgm:dataModel>",
        point("Order"),
        point("Pay &amp; go")
    );
    let notes = format!(
        "<p:notes>{}{}</p:notes>",
        shape("<p:ph type=\"sldImg\"/>", ""),
        shape("<p:ph type=\"body\"/>", &(line("", "Say it slowly.") + &line("", "And twice.")))
    );
    let bytes = pptx(
        &[&slide],
        &[
            ("ppt/slides/_rels/s0.xml.rels", relations),
            ("ppt/diagrams/one.xml", &diagram),
            ("ppt/notes/n1.xml", &notes),
        ],
    );
    assert_eq!(
        read(&bytes).unwrap().markdown,
        "## Steps\n\n-   Order\n-   Pay \\& go\n\nSay it slowly.\n\nAnd twice.\n"
    );
}

#[test]
fn charts_are_told_as_left_out() {
    let relations =
        "<Relationships><Relationship Id=\"c\" Type=\"x/chart\" Target=\"../charts/c1.xml\"/></Relationships>";
    let chart = "<c:chart><c:ser><c:cat><c:pt><c:v>May</c:v></c:pt></c:cat><c:val><c:pt><c:v>19</c:v></c:pt></c:val></c:ser></c:chart>";
    let slide = shape(TITLE, &line("", "Prices"));
    let bytes = pptx(&[&slide], &[("ppt/slides/_rels/s0.xml.rels", relations), ("ppt/charts/c1.xml", chart)]);
    let told = read(&bytes).unwrap().left_out;
    assert_eq!(told, [LeftOut { what: "chart on slide 1".into(), why: WhyLeftOut::Unread, chars: 5 }]);
}

#[test]
fn hostile_presentations_are_refused_or_cost_no_more_than_others() {
    let bomb = " ".repeat(200 * INFLATED_BYTES_FREE as usize);
    let empty = shape("", "");
    let malformed = Unreadable::Malformed(Kind::Pptx);
    for (name, bytes, expected) in [
        ("no archive", b"PK\x03\x04".to_vec(), malformed.clone()),
        ("no presentation", archive(&[("ppt/slides/s0.xml", b"<a/>")]), malformed.clone()),
        ("a broken slide", pptx(&["<p:sp>"], &[]), malformed),
        ("a bomb", pptx(&[&bomb], &[]), Unreadable::Bomb),
        ("groups within groups", pptx(&[&"<p:grpSp>".repeat(DEPTH_MAX)], &[]), Unreadable::TooDeep),
        ("too many shapes", pptx(&[&empty[..0], &"<p:sp></p:sp>".repeat(SHAPES_MAX + 1)], &[]), Unreadable::Costly),
    ] {
        assert_eq!(read(&bytes).unwrap_err(), expected, "{name}");
    }
    // A slide that is named often is read once.
    let text = shape("", &line("", "Once."));
    let ids = "<p:sldId r:id=\"r0\"/>".repeat(50_000);
    let again = pptx(&[&text], &[("ppt/other.xml", "")]);
    assert_eq!(read(&again).unwrap().markdown.matches("Once").count(), 1);
    let list = format!("<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>");
    let slide = format!("<p:sld>{text}</p:sld>");
    let many = archive(&[
        (MAIN, list.as_bytes()),
        ("ppt/_rels/presentation.xml.rels", b"<R><Relationship Id=\"r0\" Target=\"slides/s0.xml\"/></R>"),
        ("ppt/slides/s0.xml", slide.as_bytes()),
    ]);
    assert_eq!(read(&many).unwrap().markdown.matches("Once").count(), 1);
    // What a merged cell says is not said again without end.
    let cell = |marks: &str, words: &str| format!("<a:tc {marks}><a:txBody>{}</a:txBody></a:tc>", line("", words));
    let long = "word ".repeat(20_000);
    let row = format!("<a:tr>{}{}</a:tr>", cell("vMerge=\"1\"", ""), cell("", "x"));
    let grid =
        format!("<a:tbl><a:tr>{}{}</a:tr>{}</a:tbl>", cell("rowSpan=\"9\"", &long), cell("", "x"), row.repeat(2_000));
    let slide = format!("<p:graphicFrame>{grid}</p:graphicFrame>");
    assert!(markdown(&[&slide]).len() < 2 * slide.len());
}
