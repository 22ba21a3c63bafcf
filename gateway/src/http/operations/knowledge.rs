//! What a tenant's assistant learns.

use schema::JobId;
use schema::wire::{
    DocumentIn, DocumentList, DocumentMarkdown, DocumentPage, JobStarted, JobView, Learned, SiteIn, SiteList,
};

use super::super::{knowledge, learning};
use crate::docs::{Auth, Operation, delete, get, post, schema_of};

pub(super) static ALL: &[Operation] = &[
    get("/v1/knowledge", Auth::Key, "What the assistant has learned, in pages", |to| to.to(knowledge::list))
        .query::<knowledge::ListParameters>()
        .gives::<DocumentList>(200),
    post("/v1/knowledge", Auth::Key, "Learn a document, in place of what its source said before", |to| {
        to.to(knowledge::learn)
    })
    .takes::<DocumentIn>()
    .gives::<Learned>(200),
    delete("/v1/knowledge", Auth::Key, "Forget a document", |to| to.to(knowledge::forget))
        .query::<knowledge::Which>()
        .done(204, "Forgotten"),
    get(
        "/v1/knowledge/document",
        Auth::Key,
        "A document as the assistant knows it: what is known of it, and its passages in pages",
        |to| to.to(knowledge::document),
    )
    .query::<knowledge::Passages>()
    .gives::<DocumentPage>(200),
    get("/v1/knowledge/document/markdown", Auth::Key, "A document's text as it was learned, in pieces", |to| {
        to.to(knowledge::markdown)
    })
    .query::<knowledge::Piece>()
    .gives::<DocumentMarkdown>(200),
    post(
        "/v1/knowledge/files",
        Auth::Key,
        "Learn a file; `Content-Type`, its first bytes and its name tell what it is",
        |to| to.to(learning::file),
    )
    .query::<learning::Named>()
    .takes_file("The file: Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB or CSV, at most 20 MiB")
    .gives::<Learned>(200),
    get("/v1/knowledge/sites", Auth::Key, "The tenant's sites, with schedule and last job", |to| {
        to.to(learning::sites)
    })
    .gives::<SiteList>(200),
    post(
        "/v1/knowledge/sites",
        Auth::Key,
        "Learn a site, now and from then on if asked; goes on when the caller leaves",
        |to| to.to(learning::learn_site),
    )
    .takes::<SiteIn>()
    .gives::<JobStarted>(202),
    delete("/v1/knowledge/sites", Auth::Key, "Forget a site with all its pages", |to| to.to(learning::forget_site))
        .query::<learning::Which>()
        .done(204, "Forgotten"),
    get("/v1/knowledge/jobs/{id}", Auth::Key, "How the learning of a site stands", |to| to.to(learning::job))
        .at(&[("id", schema_of::<JobId>())])
        .gives::<JobView>(200),
];
