//! Walks through sites that are made up, and what is learned from them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_knowledge::Knowledge;
use engine_store::memory::MemoryStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schema::wire::LimitKind;
use schema::{TenantId, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::fetch::{Body, Fetch, FetchError, Fetched};
use super::read::Here;
use super::{Bounds, Learner, SiteError, Walked};

/// A site as a script: by path, `200 text`, `301 address`, a status, or `slow`.
#[derive(Default)]
struct Site {
    answers: HashMap<String, String>,
    asked: Mutex<Vec<String>>,
}

impl Site {
    fn new(answers: &[(&str, &str)]) -> Self {
        let answers = answers.iter().map(|(path, answer)| ((*path).into(), (*answer).into())).collect();
        Self { answers, asked: Mutex::default() }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for Site {
    fn get<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        let path = &url[url::Position::BeforePath..];
        self.asked.lock().unwrap().push(path.to_owned());
        let answer = self.answers.get(path).map_or("404", String::as_str);
        let answer = match answer.split_once(' ') {
            Some(("200", text)) => Ok(Fetched::Page(Body { bytes: text.to_owned().into(), ..Body::default() })),
            Some((_, to)) => Ok(Fetched::Redirect(url.join(to).unwrap())),
            None if answer == "slow" => Err(FetchError::TooSlow),
            None => Ok(Fetched::Status(answer.parse().unwrap())),
        };
        std::future::ready(answer).boxed()
    }
}

/// A page of HTML with words of its own, and links.
fn page(words: &str, links: &[&str]) -> String {
    let links: String = links.iter().map(|link| format!("<a href='{link}'>go</a>")).collect();
    format!("200 <!doctype html><title>{words}</title><p>{words} is what this page is about.</p>{links}")
}

struct Shop {
    knowledge: Knowledge,
    tenant: TenantId,
    known: Vec<String>,
    _data: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let knowledge = Knowledge::open(data.path(), Arc::new(MemoryStore::default()));
        Self { knowledge, tenant: TenantId::generate(), known: Vec::new(), _data: data }
    }

    async fn learn(&mut self, site: &Site, bounds: Bounds) -> (Result<(), SiteError>, Walked) {
        let start = Url::parse("https://x.example/").unwrap();
        let stop = CancellationToken::new();
        let now = || Timestamp::from_millis(0);
        let learner = Learner {
            knowledge: &self.knowledge,
            tenant: self.tenant,
            fetch: site,
            reader: &Here,
            stop: &stop,
            now: &now,
        };
        let mut outcome = Walked::default();
        let learned = learner.learn(&start, bounds, &self.known, &mut outcome, |_| {}).await;
        self.known.clone_from(&outcome.pages);
        (learned, outcome)
    }

    async fn sources(&self) -> Vec<String> {
        let list = self.knowledge.list(self.tenant).await.unwrap();
        list.into_iter().map(|view| view.source.trim_start_matches("https://x.example").to_owned()).collect()
    }
}

fn quick() -> Bounds {
    Bounds { pause: Duration::ZERO, ..Bounds::default() }
}

fn show(outcome: &Walked) -> (usize, usize, usize, usize) {
    let learned = outcome.learned;
    (outcome.read, learned.changed, learned.unchanged, learned.removed)
}

#[tokio::test]
async fn a_site_is_learned_and_learned_again() {
    let mut shop = Shop::new();
    let first = Site::new(&[
        ("/robots.txt", "200 User-agent: *\nDisallow: /secret\n"),
        ("/sitemap.xml", "200 <urlset><url><loc>https://x.example/listed</loc></url></urlset>"),
        ("/", &page("Home", &["/a", "b#x", "/secret/c", "https://y.example/", "/old", "/moved", "/a?utm_source=q"])),
        ("/a", &page("Apples", &["/a/deep"])),
        ("/a/deep", &page("Depth", &[])),
        ("/b", &page("Bread", &[])),
        ("/old", "410"),
        ("/moved", "301 /a"),
        ("/listed", &page("Listed", &[])),
    ]);
    let (learned, outcome) = shop.learn(&first, quick()).await;
    learned.unwrap();
    assert_eq!(show(&outcome), (5, 5, 0, 0));
    assert_eq!(shop.sources().await, ["/", "/a", "/a/deep", "/b", "/listed"]);
    let skipped: Vec<(&str, &str)> =
        outcome.skipped.iter().map(|skip| (skip.url.as_str(), skip.reason.as_str())).collect();
    assert_eq!(
        skipped,
        [
            ("https://x.example/secret/c", "the site's rules for robots exclude it"),
            ("https://x.example/old", "status 410")
        ]
    );
    assert!(!first.asked().contains(&"/secret/c".to_owned()));
    // One page changed, one is gone, one cannot be reached, one is not linked any more.
    let again =
        Site::new(&[("/", &page("Home", &["/a", "/b"])), ("/a", &page("Avocados", &["/a/deep"])), ("/b", "503")]);
    let (learned, outcome) = shop.learn(&again, quick()).await;
    learned.unwrap();
    assert_eq!(show(&outcome), (2, 2, 0, 2), "the page of links and the changed one; what is gone, linked or not");
    assert_eq!(shop.sources().await, ["/", "/a", "/b"], "a page out of reach stays");
    let whole = Site::new(&[("/", &page("Home", &["/b"])), ("/b", &page("Bread", &[]))]);
    let (learned, outcome) = shop.learn(&whole, quick()).await;
    learned.unwrap();
    assert_eq!(outcome.learned.removed, 1);
    assert_eq!(shop.sources().await, ["/", "/b"]);
    // A site that is down takes nothing with it.
    for (answers, complaint) in [
        (&[("/robots.txt", "500")][..], "the site's rules for robots cannot be read: status 500"),
        (&[("/", "slow")], "the first page cannot be read: it took longer than 10 s"),
        (&[("/", "301 https://y.example/")], "the first page cannot be read: it redirects to another site"),
        (&[("/", "301 /x"), ("/x", "301 /")], "the first page cannot be read: it redirects too often"),
        (
            &[("/robots.txt", "200 User-agent: tertulia\nDisallow: /")],
            "the site's rules for robots exclude its first page",
        ),
    ] {
        let (learned, _) = shop.learn(&Site::new(answers), quick()).await;
        assert_eq!(learned.unwrap_err().to_string(), complaint);
        assert_eq!(shop.sources().await, ["/", "/b"]);
    }
}

#[tokio::test]
async fn number_and_depth_bound_a_walk() {
    let links: Vec<String> = (0..50).map(|n| format!("/p{n}")).collect();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let mut answers = vec![("/", page("Home", &links))];
    answers.extend(links.iter().map(|path| (*path, page(path, &["/deep"]))));
    answers.push(("/deep", page("Deep", &[])));
    let answers: Vec<(&str, &str)> = answers.iter().map(|(path, text)| (*path, text.as_str())).collect();
    for (pages_max, depth_max, read) in [(10, 5, 10), (100, 1, 51), (100, 0, 1), (100, 2, 52)] {
        let (learned, outcome) =
            Shop::new().learn(&Site::new(&answers), Bounds { pages_max, depth_max, ..quick() }).await;
        learned.unwrap();
        assert_eq!(outcome.read, read, "{pages_max} pages, depth {depth_max}");
    }
}

#[tokio::test]
async fn a_page_is_learned_once_and_only_if_it_wants_to_be() {
    let site = Site::new(&[
        ("/", &page("Home", &["/one?session=1", "/one?session=2", "/print", "/private", "/menu"])),
        ("/one?session=1", &format!("{}<link rel=canonical href=/one>", page("One", &[]))),
        ("/one?session=2", &format!("{}<link rel=canonical href=/one>", page("One", &[]))),
        ("/print", &page("One", &[])),
        ("/private", &format!("{}<meta name=robots content=noindex>", page("Private", &["/behind"]))),
        ("/behind", &page("Behind", &[])),
        ("/menu", "200 <!doctype html><meta name=robots content=nofollow><p>Soup of the day.<a href=/kitchen>k</a>"),
        ("/kitchen", &page("Kitchen", &[])),
    ]);
    let mut shop = Shop::new();
    shop.learn(&site, quick()).await.0.unwrap();
    assert_eq!(shop.sources().await, ["/", "/behind", "/menu", "/one"]);
}

#[tokio::test]
async fn a_page_that_only_leads_on_is_followed() {
    let moved =
        |to: &str| format!("200 <!doctype html><meta http-equiv=refresh content='0;URL=\"{to}\"'><title>x</title>");
    let site = Site::new(&[
        ("/", &moved("/en/")),
        ("/en/", &page("Home", &["/old", "/alias", "/away", "/loop", "/self", "/hidden"])),
        // As a page generator writes it.
        (
            "/old",
            "200 <!doctype html><html><head><title>/new</title><link rel=canonical href=/new><meta name=robots content=noindex><meta http-equiv=refresh content='0; url=/new'></head></html>",
        ),
        ("/alias", &moved("new")),
        ("/new", &page("New", &[])),
        ("/away", &moved("https://y.example/")),
        ("/loop", &moved("/loop2")),
        ("/loop2", &moved("/loop")),
        ("/self", "200 <!doctype html><meta http-equiv=refresh content='5;url=/self'><p>The score is 3 to 2."),
        ("/hidden", "200 <!doctype html><link rel=canonical href=/shown><meta name=robots content=noindex><p>Copy."),
        ("/shown", &page("Shown", &[])),
    ]);
    let mut shop = Shop::new();
    let (learned, outcome) = shop.learn(&site, quick()).await;
    learned.unwrap();
    assert_eq!(shop.sources().await, ["/en/", "/new", "/self", "/shown"]);
    let skipped: Vec<(&str, &str)> =
        outcome.skipped.iter().map(|skip| (skip.url.as_str(), skip.reason.as_str())).collect();
    assert_eq!(
        skipped,
        [
            ("https://x.example/away", "it redirects to another site"),
            ("https://x.example/hidden", "it asks not to be kept")
        ]
    );
}

#[tokio::test]
async fn all_lists_of_a_site_are_read_wherever_they_are() {
    let index = |lists: usize| {
        let lists: String =
            (0..lists).map(|n| format!("<sitemap><loc>https://x.example/m{n}.xml</loc></sitemap>")).collect();
        format!("200 <sitemapindex>{lists}</sitemapindex>")
    };
    let list = |n: usize| format!("200 <urlset><url><loc>/p{n}</loc></url></urlset>");
    for (robots, place, lists, read) in [
        ("404", "/sitemap.xml", 12, 13),
        ("404", "/wp-sitemap.xml", 3, 4),
        ("200 User-agent: *\nSitemap: /maps/one.xml\n", "/maps/one.xml", 2, 3),
        ("200 User-agent: *\nSitemap: https://x.example/gone.xml\n", "/sitemap_index.xml", 2, 3),
        ("404", "/sitemap.xml", 100, 64),
    ] {
        let mut answers = vec![("/robots.txt".to_owned(), robots.to_owned()), ("/".to_owned(), page("Home", &[]))];
        answers.push((place.to_owned(), index(lists)));
        for n in 0..lists {
            answers.push((format!("/m{n}.xml"), list(n)));
            answers.push((format!("/p{n}"), page(&format!("Page {n}"), &[])));
        }
        let answers: Vec<(&str, &str)> = answers.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (learned, outcome) = Shop::new().learn(&Site::new(&answers), quick()).await;
        learned.unwrap();
        assert_eq!(outcome.read, read, "{place} {lists}");
        let hits: Vec<(&str, usize)> = outcome.limits.iter().map(|hit| (hit.limit.as_str(), hit.passed_over)).collect();
        let expected = match (lists, robots.contains("gone")) {
            (100, _) => vec![("more than 64 sitemaps", 37)],
            (_, true) => vec![("sitemaps that cannot be had, or are larger than 5 MiB", 1)],
            _ => vec![],
        };
        assert_eq!(hits, expected, "{place} {lists}");
    }
}

#[tokio::test]
async fn one_page_that_is_refused_keeps_no_other() {
    for (answer, stays) in [
        ("401", false),
        ("403", false),
        ("404", false),
        ("405", false),
        ("410", false),
        ("451", false),
        ("418", false),
        ("501", false),
        ("301 https://y.example/", false),
        ("301 /", false),
        ("408", true),
        ("429", true),
        ("500", true),
        ("503", true),
        ("slow", true),
    ] {
        for linked in [true, false] {
            let mut shop = Shop::new();
            let before = Site::new(&[
                ("/", &page("Home", &["/club", "/prices"])),
                ("/club", &page("Club", &[])),
                ("/prices", &page("Prices", &[])),
            ]);
            shop.learn(&before, quick()).await.0.unwrap();
            let links: &[&str] = if linked { &["/club"] } else { &[] };
            let after = Site::new(&[("/", &page("Home", links)), ("/club", answer)]);
            shop.learn(&after, quick()).await.0.unwrap();
            let expected: &[&str] = if stays { &["/", "/club"] } else { &["/"] };
            assert_eq!(shop.sources().await, expected, "{answer}, linked: {linked}");
        }
    }
}

#[tokio::test]
async fn a_wall_before_a_whole_site_has_nothing_forgotten() {
    let before = Site::new(&[
        ("/", &page("Home", &["/a", "/b", "/c"])),
        ("/a", &page("A", &[])),
        ("/b", &page("B", &[])),
        ("/c", &page("C", &[])),
    ]);
    let all = ["/", "/a", "/b", "/c"];
    let notice = page("Back soon", &[]);
    let [login, d, e, f] = ["Sign in", "D", "E", "F"].map(|words| page(words, &[]));
    let empty = "200 <!doctype html><title></title><div id=app></div>";
    let rows: [(&str, [&str; 3], bool, &[&str]); 8] = [
        ("the same notice everywhere", [&notice, &notice, &notice], true, &all),
        ("only the first page is given", ["403", "401", "403"], true, &all),
        ("empty pages", [empty, empty, empty], true, &all),
        ("all lead to one page", ["301 /login", "301 /login", "301 /login"], true, &["/", "/a", "/b", "/c", "/login"]),
        ("all lead to another site", ["301 https://login.example/", "301 https://login.example/", "403"], true, &all),
        ("each has moved for itself", ["301 /d", "301 /e", "301 /f"], false, &["/", "/d", "/e", "/f"]),
        ("a wall, and a page that is gone", ["403", "410", "403"], false, &["/"]),
        ("all are gone", ["404", "410", "404"], false, &["/"]),
    ];
    for (name, answers, walled, left) in rows {
        let mut shop = Shop::new();
        shop.learn(&before, quick()).await.0.unwrap();
        let pages = ["/a", "/b", "/c"].into_iter().zip(answers);
        let others = [("/login", &login), ("/d", &d), ("/e", &e), ("/f", &f)].map(|(path, page)| (path, page.as_str()));
        let answers: Vec<_> = [("/", notice.as_str())].into_iter().chain(pages).chain(others).collect();
        let (learned, _) = shop.learn(&Site::new(&answers), quick()).await;
        assert_eq!(matches!(learned, Err(SiteError::Walled { .. })), walled, "{name}: {learned:?}");
        assert_eq!(shop.sources().await, left, "{name}");
    }
}

#[tokio::test]
async fn a_page_that_nothing_leads_to_is_asked_for_itself_within_the_bounds() {
    let before = Site::new(&[
        ("/", &page("Home", &["/a", "/b", "/c"])),
        ("/a", &page("A", &[])),
        ("/b", &page("B", &[])),
        ("/c", &page("C", &[])),
    ]);
    let after = Site::new(&[
        ("/", &page("Home", &[])),
        ("/a", &page("Apples", &["/d"])),
        ("/c", "301 /e"),
        ("/d", &page("D", &[])),
        ("/e", &page("E", &[])),
    ]);
    for (pages_max, left) in [(200, &["/", "/a", "/e"][..]), (2, &["/", "/a"]), (1, &["/"])] {
        let mut shop = Shop::new();
        shop.learn(&before, quick()).await.0.unwrap();
        let (learned, outcome) = shop.learn(&after, Bounds { pages_max, ..quick() }).await;
        learned.unwrap();
        assert_eq!(shop.sources().await, left, "{pages_max}");
        assert!(outcome.read <= pages_max && !after.asked().contains(&"/d".to_owned()), "{:?}", after.asked());
        let found = shop.knowledge.search(shop.tenant, "apples", 5).await.unwrap();
        assert_eq!(!found.is_empty(), left.contains(&"/a"), "as it is now");
    }
}

#[tokio::test]
async fn of_lists_that_are_not_read_it_is_told_why_and_only_of_those_that_were_promised() {
    let lists: String = (0..12).map(|n| format!("<sitemap><loc>/m{n}.xml</loc></sitemap>")).collect();
    let index = format!("200 <sitemapindex>{lists}</sitemapindex>");
    let list = |n: usize| {
        let pages: String = (0..5_000).map(|m| format!("<url><loc>/{n}/{m}</loc></url>")).collect();
        format!("200 <urlset>{pages}</urlset>")
    };
    let lists: Vec<(String, String)> = (0..12).map(|n| (format!("/m{n}.xml"), list(n))).collect();
    let robots = "200 User-agent: *\nSitemap: /map.xml\n";
    for (name, answers, told) in [
        ("a usual place that leads nowhere", vec![("/sitemap.xml", "301 /maps/all.xml")], None),
        ("a usual place that leads to a list", vec![("/sitemap.xml", "301 /m0.xml")], None),
        (
            "a promised list that leads nowhere",
            vec![("/robots.txt", robots), ("/map.xml", "301 /maps/all.xml")],
            Some((LimitKind::SitemapUnread, None, 1)),
        ),
        (
            "a list of lists, found in a usual place, that promises one that is not there",
            vec![("/sitemap.xml", "200 <sitemapindex><sitemap><loc>/maps/all.xml</loc></sitemap></sitemapindex>")],
            Some((LimitKind::SitemapUnread, None, 1)),
        ),
        (
            "lists of too many pages",
            vec![("/sitemap.xml", index.as_str())],
            Some((LimitKind::SitemapPages, Some(50_000), 2)),
        ),
    ] {
        let home = page("Home", &[]);
        let mut answers = answers;
        answers.push(("/", &home));
        answers.extend(lists.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let (learned, outcome) = Shop::new().learn(&Site::new(&answers), Bounds { pages_max: 1, ..quick() }).await;
        learned.unwrap();
        let of_lists = |kind: LimitKind| !matches!(kind, LimitKind::Pages | LimitKind::Addresses);
        let hits = outcome.limits.iter().filter(|hit| of_lists(hit.kind));
        let hits: Vec<_> = hits.map(|hit| (hit.kind, hit.most, hit.passed_over)).collect();
        assert_eq!(hits, Vec::from_iter(told), "{name}");
    }
}

#[tokio::test]
async fn pages_that_differ_in_their_query_are_read_and_what_is_passed_over_is_told() {
    let links: Vec<String> = (0..40).map(|n| format!("/index.php?id={n}")).collect();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let mut answers = vec![("/", page("Home", &links))];
    answers.extend(links.iter().map(|path| (*path, page(path, &["/deep"]))));
    answers.push(("/deep", page("Deep", &["/deeper"])));
    let answers: Vec<(&str, &str)> = answers.iter().map(|(path, text)| (*path, text.as_str())).collect();
    for (bounds, read, told) in [
        (quick(), 42, None),
        (Bounds { queries_max: 25, ..quick() }, 27, Some(("`queries_max`", 15))),
        (Bounds { pages_max: 10, ..quick() }, 10, Some(("`pages_max`", 32))),
        (Bounds { depth_max: 1, ..quick() }, 41, Some(("`depth_max`", 1))),
    ] {
        let (learned, outcome) = Shop::new().learn(&Site::new(&answers), bounds).await;
        learned.unwrap();
        assert_eq!(outcome.read, read, "{bounds:?}");
        assert_eq!(outcome.limits.len(), usize::from(told.is_some()), "{:?}", outcome.limits);
        if let Some((name, passed_over)) = told {
            let hit = &outcome.limits[0];
            assert!(hit.limit.contains(name) && hit.example.is_some(), "{hit:?}");
            assert_eq!(hit.passed_over, passed_over, "{hit:?}");
        }
    }
}

#[tokio::test]
async fn what_is_left_out_of_pages_is_told_and_counted() {
    let nav: String = (0..8).map(|n| format!("<li><a href='/p{n}'>Page {n}</a>")).collect();
    let with_nav = |words: &str, links: &[&str]| format!("{}<nav id=top><ul>{nav}</ul></nav>", page(words, links));
    let site = Site::new(&[("/", &with_nav("Home", &["/a"])), ("/a", &with_nav("Apples", &[]))]);
    let (learned, outcome) = Shop::new().learn(&site, quick()).await;
    learned.unwrap();
    let parts = &outcome.left_out[0];
    assert_eq!((outcome.left_out.len(), parts.what.as_str(), parts.parts), (1, "nav#top", 2), "{parts:?}");
    assert_eq!((parts.why.as_str(), parts.url.as_str()), ("it is for finding one's way", "https://x.example/"));
}

#[tokio::test]
async fn the_same_page_in_another_language_is_found() {
    let alternate = format!("{}<link rel=alternate hreflang=de href='/de/'>", page("Home", &[]));
    let site = Site::new(&[("/", &alternate), ("/de/", &page("Start", &[]))]);
    let mut shop = Shop::new();
    shop.learn(&site, quick()).await.0.unwrap();
    assert_eq!(shop.sources().await, ["/", "/de/"]);
}

#[tokio::test(start_paused = true)]
async fn a_site_may_ask_for_patience_and_time_ends_a_walk() {
    let site = Site::new(&[
        ("/robots.txt", "200 User-agent: *\nCrawl-delay: 600\n"),
        ("/", &page("Home", &["/a", "/b", "/c", "/d"])),
        ("/a", &page("A", &[])),
        ("/b", &page("B", &[])),
    ]);
    let begun = tokio::time::Instant::now();
    let (learned, outcome) = Shop::new().learn(&site, Bounds { time_max: Duration::from_secs(45), ..quick() }).await;
    learned.unwrap();
    assert!(outcome.cut && outcome.read >= 1, "{outcome:?}");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(40) && took <= Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn what_stands_on_every_page_is_learned_once_and_told() {
    const BANNER: &str = "Free delivery on all orders over 50 EUR until the end of June.";
    let with_banner =
        |words: &str, links: &[&str]| format!("{}<div class=promo><p>{BANNER}</p></div>", page(words, links));
    let links: Vec<String> = (0..20).map(|n| format!("/p{n}")).collect();
    let links: Vec<&str> = links.iter().map(String::as_str).chain(["/bare"]).collect();
    let mut answers = vec![("/", with_banner("Home", &links))];
    answers.extend(links.iter().map(|path| (*path, with_banner(path, &[]))));
    // A page of nothing else, learned once before it became one.
    let bare = format!("200 <!doctype html><title>Bare</title><p>{BANNER}</p>");
    *answers.last_mut().unwrap() = ("/bare", page("Bare", &[]));
    let answers_of = |answers: &[(&str, String)]| {
        Site::new(&answers.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
    };
    let mut shop = Shop::new();
    let (learned, outcome) = shop.learn(&answers_of(&answers), quick()).await;
    learned.unwrap();
    assert_eq!(show(&outcome), (22, 22, 0, 0));
    let parts = &outcome.left_out[0];
    assert_eq!((outcome.left_out.len(), parts.what.as_str(), parts.parts), (1, "paragraph", 20), "{parts:?}");
    assert!(parts.why.starts_with("it stands on most pages of the site"), "{parts:?}");
    let found = shop.knowledge.search(shop.tenant, "free delivery over 50 EUR", 10).await.unwrap();
    let with_it = found.iter().filter(|passage| passage.text.as_str().contains("until the end of June")).count();
    assert_eq!(with_it, 1, "{found:?}");
    *answers.last_mut().unwrap() = ("/bare", bare);
    let (learned, outcome) = shop.learn(&answers_of(&answers), quick()).await;
    learned.unwrap();
    assert_eq!(show(&outcome), (22, 0, 21, 1), "what was learned is learned as before; a page says nothing any more");
    assert_eq!(outcome.skipped[0].reason, "other pages say all that it says");
}
