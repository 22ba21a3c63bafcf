//! One method on one path: what it takes, what it gives, who may call it, and the handler that does it.
//! Invariant: routes are mounted from this and described from this, so that neither can lack the other.

use actix_web::{Route, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a type's schema.
pub(crate) type Make = fn(&mut SchemaGenerator) -> Schema;

/// Gives a route its handler.
type Mount = fn(Route) -> Route;

/// One method on one path.
pub struct Operation {
    /// How it is called.
    pub method: Method,
    /// With `{names}` for what varies.
    pub path: &'static str,
    /// Who may call it.
    pub auth: Auth,
    pub(super) summary: &'static str,
    mount: Mount,
    /// The schemas of the path's parameters; a parameter without one takes any text.
    pub(super) places: &'static [(&'static str, Make)],
    pub(super) query: Option<Make>,
    pub(super) request: Request,
    pub(super) status: u16,
    pub(super) answer: Response,
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads; whoever may `GET` may ask for the head alone.
    Get,
    /// Makes, or does.
    Post,
    /// Makes or replaces what is at the path; twice does no more than once.
    Put,
    /// Changes parts of what is at the path.
    Patch,
    /// Takes away what is at the path.
    Delete,
}

impl Method {
    /// As it is written in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn guarded(self) -> Route {
        match self {
            Self::Get => web::get(),
            Self::Post => web::post(),
            Self::Put => web::put(),
            Self::Patch => web::patch(),
            Self::Delete => web::delete(),
        }
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing is asked: whoever reaches the node may.
    None,
    /// An API key, an agent's token or a visitor's token.
    Caller,
    /// An API key or an agent's token.
    Team,
    /// An API key.
    Key,
    /// The operator's key.
    Operator,
}

/// What the body of a request is.
#[derive(Clone, Copy)]
pub(super) enum Request {
    /// Nothing is read of a body.
    None,
    /// JSON.
    Json(Make),
    /// JSON, or nothing.
    Optional(Make),
    /// Raw bytes, described in words.
    File(&'static str),
}

/// What the body of the answer is.
#[derive(Clone, Copy)]
pub(super) enum Response {
    Json(Make),
    /// A document that describes itself.
    Document(&'static str),
    Media(&'static str, &'static str),
    /// Nothing: that it was done.
    Done(&'static str),
}

pub(crate) const fn get(path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    operation(Method::Get, path, auth, summary, mount)
}

pub(crate) const fn post(path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    operation(Method::Post, path, auth, summary, mount)
}

pub(crate) const fn put(path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    operation(Method::Put, path, auth, summary, mount)
}

pub(crate) const fn patch(path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    operation(Method::Patch, path, auth, summary, mount)
}

pub(crate) const fn delete(path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    operation(Method::Delete, path, auth, summary, mount)
}

const fn operation(method: Method, path: &'static str, auth: Auth, summary: &'static str, mount: Mount) -> Operation {
    let (query, request, answer) = (None, Request::None, Response::Done("Done"));
    Operation { method, path, auth, summary, mount, places: &[], query, request, status: 204, answer }
}

/// For [`Operation::at`].
pub(crate) const fn schema_of<T: JsonSchema>() -> Make {
    SchemaGenerator::subschema_for::<T>
}

impl Operation {
    /// Of what kind a name in the path is.
    pub(crate) const fn at(mut self, places: &'static [(&'static str, Make)]) -> Self {
        self.places = places;
        self
    }

    /// The parameters of its query are the fields of `T`, from which the handler reads them.
    pub(crate) const fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>());
        self
    }

    /// It takes a body of this shape.
    pub(crate) const fn takes<T: JsonSchema>(mut self) -> Self {
        self.request = Request::Json(schema_of::<T>());
        self
    }

    /// Its body, which may be left out.
    pub(crate) const fn may_take<T: JsonSchema>(mut self) -> Self {
        self.request = Request::Optional(schema_of::<T>());
        self
    }

    /// Its body is raw bytes.
    pub(crate) const fn takes_file(mut self, words: &'static str) -> Self {
        self.request = Request::File(words);
        self
    }

    /// Status and body of the answer.
    pub(crate) const fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        (self.status, self.answer) = (status, Response::Json(schema_of::<T>()));
        self
    }

    /// Answers with a description, as JSON.
    pub(crate) const fn gives_document(mut self, words: &'static str) -> Self {
        (self.status, self.answer) = (200, Response::Document(words));
        self
    }

    /// Answers with something that is no JSON.
    pub(crate) const fn gives_media(mut self, media: &'static str, words: &'static str) -> Self {
        (self.status, self.answer) = (200, Response::Media(media, words));
        self
    }

    /// Answers with a status alone: 204 where this is not said.
    pub(crate) const fn done(mut self, status: u16, words: &'static str) -> Self {
        (self.status, self.answer) = (status, Response::Done(words));
        self
    }

    /// The route that does it.
    pub(crate) fn mounted(&self) -> Route {
        (self.mount)(self.method.guarded())
    }
}
