//! What each route takes and gives, as data.

use schema::wire::{
    AnswerIn, AnswerList, AnswerView, ConversationList, ConversationView, Created, DocumentIn, DocumentList,
    DocumentMarkdown, DocumentPage, EventList, HumanIn, JobStarted, JobView, KeyMade, Learned, MessageIn, OpenIn,
    PlanChoice, PlanList, PlanPut, PlanView, Said, SiteIn, SiteList, TenantIn, TenantList, TenantPut, TenantView,
    UnansweredList, VerdictIn, VisitorIn, VisitorToken, WidgetIn, WidgetSession,
};
use schemars::{Schema, SchemaGenerator};

/// Makes a type's schema.
pub(super) type Make = fn(&mut SchemaGenerator) -> Schema;

/// One method on one path.
pub struct Operation {
    /// `get`, `post` …
    pub method: &'static str,
    /// With `{names}` for what varies.
    pub path: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub auth: Auth,
    /// Query parameters: name, schema type, meaning.
    pub query: &'static [(&'static str, &'static str, &'static str)],
    pub(super) request: Option<(Make, Need)>,
    /// What the raw body is, where it is none of JSON.
    pub(super) file: Option<&'static str>,
    pub(super) response: (u16, Answer),
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anybody.
    None,
    /// An API key or a visitor's token.
    Caller,
    /// An API key.
    Key,
    /// The operator's key.
    Operator,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

pub(super) enum Answer {
    Json(Make),
    /// JSON described in words.
    Plain(&'static str),
    Media(&'static str, &'static str),
}

const fn schema_of<T: schemars::JsonSchema>() -> Make {
    SchemaGenerator::subschema_for::<T>
}

/// An operation without query and request body.
const fn operation(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    auth: Auth,
    response: (u16, Answer),
) -> Operation {
    Operation { method, path, summary, auth, query: &[], request: None, file: None, response }
}

/// All of them.
pub static OPERATIONS: &[Operation] = &[
    operation("get", "/healthz", "Is the process alive", Auth::None, (200, Answer::Plain("Its state"))),
    operation("get", "/readyz", "Does it take new work", Auth::None, (200, Answer::Plain("Its state"))),
    operation(
        "get",
        "/metrics",
        "Prometheus metrics, for this machine",
        Auth::None,
        (200, Answer::Media("text/plain", "Metrics")),
    ),
    operation("get", "/openapi.json", "This description", Auth::None, (200, Answer::Plain("OpenAPI 3.1"))),
    operation(
        "get",
        "/asyncapi.json",
        "The web socket's description",
        Auth::None,
        (200, Answer::Plain("AsyncAPI 3.0")),
    ),
    operation(
        "get",
        "/v1/ws",
        "Upgrade to a web socket with subprotocol `tertulia.v1`; see /asyncapi.json",
        Auth::Caller,
        (101, Answer::Plain("The socket")),
    ),
    Operation {
        query: &[
            ("before", "string", "`next` of the page before"),
            ("limit", "integer", "At most so many, up to 100; 50 when left out"),
            ("contact", "string", "Only conversations with this contact"),
        ],
        ..operation(
            "get",
            "/v1/conversations",
            "The tenant's conversations, newest activity first; a visitor sees their own",
            Auth::Caller,
            (200, Answer::Json(schema_of::<ConversationList>())),
        )
    },
    Operation {
        request: Some((schema_of::<OpenIn>(), Need::Optional)),
        ..operation(
            "post",
            "/v1/conversations",
            "Open a conversation",
            Auth::Caller,
            (201, Answer::Json(schema_of::<Created>())),
        )
    },
    operation(
        "get",
        "/v1/conversations/{id}",
        "How a conversation stands: owner, head, what runs, quarantine",
        Auth::Caller,
        (200, Answer::Json(schema_of::<ConversationView>())),
    ),
    operation(
        "delete",
        "/v1/conversations/{id}",
        "Erase a conversation with all that was said in it; a reply that runs is stopped, who listens is told",
        Auth::Key,
        (204, Answer::Plain("Erased")),
    ),
    Operation {
        request: Some((schema_of::<MessageIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/conversations/{id}/messages",
            "Say something; durable when answered, stored once for each ref",
            Auth::Caller,
            (200, Answer::Json(schema_of::<Said>())),
        )
    },
    Operation {
        query: &[
            ("after", "integer", "Only events after this one; 0 when left out"),
            ("limit", "integer", "At most so many, up to 500; 100 when left out. A page of long events holds fewer"),
        ],
        ..operation(
            "get",
            "/v1/conversations/{id}/events",
            "The log, in order",
            Auth::Caller,
            (200, Answer::Json(schema_of::<EventList>())),
        )
    },
    Operation {
        query: &[("after", "string", "A position, `seq` or `seq:turn:offset`; `Last-Event-ID` has precedence")],
        ..operation(
            "get",
            "/v1/conversations/{id}/stream",
            "Events and the running reply as server-sent events; `id` is the position",
            Auth::Caller,
            (200, Answer::Media("text/event-stream", "Each `data` is an event or a delta as on the socket")),
        )
    },
    operation(
        "post",
        "/v1/conversations/{id}/cancel",
        "Stop the running reply; no error when none runs",
        Auth::Caller,
        (200, Answer::Plain("`turn`: the one that was stopped, or null")),
    ),
    Operation {
        request: Some((schema_of::<HumanIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/conversations/{id}/human",
            "A human agent takes over or hands back",
            Auth::Key,
            (200, Answer::Json(schema_of::<ConversationView>())),
        )
    },
    operation(
        "post",
        "/v1/conversations/{id}/close",
        "End the conversation until somebody speaks in it again",
        Auth::Key,
        (200, Answer::Plain("`seq`: the event, or null when it was closed")),
    ),
    Operation {
        request: Some((schema_of::<VerdictIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/conversations/{id}/messages/{seq}/verdict",
            "Say that a reply was wrong, or right; a wrong one joins the unanswered questions",
            Auth::Key,
            (204, Answer::Plain("Noted")),
        )
    },
    Operation {
        request: Some((schema_of::<VisitorIn>(), Need::Optional)),
        ..operation(
            "post",
            "/v1/visitors",
            "Make a visitor's short-lived token, or renew the one shown",
            Auth::Caller,
            (201, Answer::Json(schema_of::<VisitorToken>())),
        )
    },
    Operation {
        query: &[("contact", "string", "Whom, as the tenant names them")],
        ..operation(
            "delete",
            "/v1/visitors",
            "Log a visitor out: its tokens end, and what they have open, at once and for good",
            Auth::Key,
            (204, Answer::Plain("Logged out")),
        )
    },
    Operation {
        request: Some((schema_of::<WidgetIn>(), Need::Optional)),
        ..operation(
            "post",
            "/v1/widget/{tenant}",
            "What one of our own pages, or one on the tenant's list, needs to hold a conversation; `tenant` is its id or name",
            Auth::None,
            (200, Answer::Json(schema_of::<WidgetSession>())),
        )
    },
    operation("get", "/v1/tenant", "The tenant's settings", Auth::Key, (200, Answer::Json(schema_of::<TenantView>()))),
    Operation {
        request: Some((schema_of::<TenantPut>(), Need::Required)),
        ..operation(
            "put",
            "/v1/tenant",
            "Replace the settings if they are still at `version`; running conversations go by them at once",
            Auth::Key,
            (200, Answer::Json(schema_of::<TenantView>())),
        )
    },
    Operation {
        query: &[
            ("after", "string", "`next` of the page before"),
            ("limit", "integer", "At most so many, up to 100; 100 when left out"),
        ],
        ..operation(
            "get",
            "/v1/knowledge",
            "What the assistant has learned, in pages",
            Auth::Key,
            (200, Answer::Json(schema_of::<DocumentList>())),
        )
    },
    Operation {
        request: Some((schema_of::<DocumentIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/knowledge",
            "Learn a document, in place of what its source said before",
            Auth::Key,
            (200, Answer::Json(schema_of::<Learned>())),
        )
    },
    Operation {
        query: &[("source", "string", "Which one")],
        ..operation("delete", "/v1/knowledge", "Forget a document", Auth::Key, (204, Answer::Plain("Forgotten")))
    },
    Operation {
        query: &[
            ("source", "string", "Which one"),
            ("after", "integer", "`next` of the page before"),
            ("limit", "integer", "At most so many passages, up to 100; 100 when left out"),
        ],
        ..operation(
            "get",
            "/v1/knowledge/document",
            "A document as the assistant knows it: what is known of it, and its passages in pages",
            Auth::Key,
            (200, Answer::Json(schema_of::<DocumentPage>())),
        )
    },
    Operation {
        query: &[("source", "string", "Which one"), ("after", "integer", "`next` of the piece before")],
        ..operation(
            "get",
            "/v1/knowledge/document/markdown",
            "A document's text as it was learned, in pieces",
            Auth::Key,
            (200, Answer::Json(schema_of::<DocumentMarkdown>())),
        )
    },
    Operation {
        query: &[("source", "string", "Its name; learning the same source again replaces it")],
        file: Some("The file: Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB or CSV, at most 20 MiB"),
        ..operation(
            "post",
            "/v1/knowledge/files",
            "Learn a file; `Content-Type`, its first bytes and its name tell what it is",
            Auth::Key,
            (200, Answer::Json(schema_of::<Learned>())),
        )
    },
    operation(
        "get",
        "/v1/knowledge/sites",
        "The tenant's sites, with schedule and last job",
        Auth::Key,
        (200, Answer::Json(schema_of::<SiteList>())),
    ),
    Operation {
        request: Some((schema_of::<SiteIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/knowledge/sites",
            "Learn a site, now and from then on if asked; goes on when the caller leaves",
            Auth::Key,
            (202, Answer::Json(schema_of::<JobStarted>())),
        )
    },
    Operation {
        query: &[("url", "string", "Where it begins")],
        ..operation(
            "delete",
            "/v1/knowledge/sites",
            "Forget a site with all its pages",
            Auth::Key,
            (204, Answer::Plain("Forgotten")),
        )
    },
    operation(
        "get",
        "/v1/knowledge/jobs/{id}",
        "How the learning of a site stands",
        Auth::Key,
        (200, Answer::Json(schema_of::<JobView>())),
    ),
    Operation {
        query: &[
            ("after", "string", "`next` of the page before"),
            ("limit", "integer", "At most so many, up to 50; 50 when left out"),
        ],
        ..operation(
            "get",
            "/v1/answers",
            "Answers that the team has typed, by id",
            Auth::Key,
            (200, Answer::Json(schema_of::<AnswerList>())),
        )
    },
    Operation {
        request: Some((schema_of::<AnswerIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/answers",
            "Type an answer under an id that is made: the same for the same questions",
            Auth::Key,
            (201, Answer::Json(schema_of::<AnswerView>())),
        )
    },
    Operation {
        request: Some((schema_of::<AnswerIn>(), Need::Required)),
        ..operation(
            "put",
            "/v1/answers/{id}",
            "Type an answer, in place of the one with this id; the next question is answered from it",
            Auth::Key,
            (200, Answer::Json(schema_of::<AnswerView>())),
        )
    },
    operation("delete", "/v1/answers/{id}", "Forget a typed answer", Auth::Key, (204, Answer::Plain("Forgotten"))),
    Operation {
        query: &[
            ("after", "string", "`next` of the page before"),
            ("limit", "integer", "At most so many, up to 100; 100 when left out"),
        ],
        ..operation(
            "get",
            "/v1/unanswered",
            "Questions that were not answered, or wrongly: like ones as one, newest first",
            Auth::Key,
            (200, Answer::Json(schema_of::<UnansweredList>())),
        )
    },
    operation(
        "delete",
        "/v1/unanswered/{key}",
        "Take a question off that list",
        Auth::Key,
        (204, Answer::Plain("Taken off")),
    ),
    Operation {
        query: &[("after", "string", "`next` of the page before")],
        ..operation(
            "get",
            "/v1/admin/tenants",
            "All tenants, oldest first, in pages",
            Auth::Operator,
            (200, Answer::Json(schema_of::<TenantList>())),
        )
    },
    Operation {
        request: Some((schema_of::<TenantIn>(), Need::Required)),
        ..operation(
            "post",
            "/v1/admin/tenants",
            "Create a tenant; its key is shown this once",
            Auth::Operator,
            (201, Answer::Json(schema_of::<KeyMade>())),
        )
    },
    operation(
        "post",
        "/v1/admin/tenants/{id}/rotate-key",
        "Replace the tenant's keys by a new one",
        Auth::Operator,
        (200, Answer::Json(schema_of::<KeyMade>())),
    ),
    operation(
        "post",
        "/v1/admin/tenants/{id}/disable",
        "Refuse the tenant's keys and tokens, and close its sockets",
        Auth::Operator,
        (200, Answer::Json(schema_of::<TenantView>())),
    ),
    operation(
        "post",
        "/v1/admin/tenants/{id}/enable",
        "Accept them again",
        Auth::Operator,
        (200, Answer::Json(schema_of::<TenantView>())),
    ),
    Operation {
        request: Some((schema_of::<PlanChoice>(), Need::Required)),
        ..operation(
            "put",
            "/v1/admin/tenants/{id}/plan",
            "Give the tenant another plan; it holds at once",
            Auth::Operator,
            (200, Answer::Json(schema_of::<TenantView>())),
        )
    },
    operation("get", "/v1/admin/plans", "All plans", Auth::Operator, (200, Answer::Json(schema_of::<PlanList>()))),
    operation(
        "get",
        "/v1/admin/plans/{name}",
        "What a plan allows: ceilings of quotas, models, visitors",
        Auth::Operator,
        (200, Answer::Json(schema_of::<PlanView>())),
    ),
    Operation {
        request: Some((schema_of::<PlanPut>(), Need::Required)),
        ..operation(
            "put",
            "/v1/admin/plans/{name}",
            "Make a plan (`version` 0), or replace one that is still at `version`; its tenants go by it at once",
            Auth::Operator,
            (200, Answer::Json(schema_of::<PlanView>())),
        )
    },
    operation(
        "post",
        "/v1/admin/tenants/{tenant}/conversations/{id}/release",
        "Let a conversation out of quarantine",
        Auth::Operator,
        (200, Answer::Plain("`released`: true")),
    ),
];
