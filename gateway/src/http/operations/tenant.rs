//! A tenant's settings, and how its team makes the assistant better.

use schema::wire::{AnswerIn, AnswerList, AnswerView, TenantPut, TenantView, UnansweredList};

use super::super::{answers, tenant, unanswered};
use crate::docs::{Auth, Make, Operation, delete, get, post, put};

const ANSWER: &[(&str, Make)] = &[("id", answers::id as Make)];

pub(super) static ALL: &[Operation] = &[
    get("/v1/tenant", Auth::Key, "The tenant's settings", |to| to.to(tenant::view)).gives::<TenantView>(200),
    put(
        "/v1/tenant",
        Auth::Key,
        "Replace the settings if they are still at `version`; running conversations go by them at once",
        |to| to.to(tenant::replace),
    )
    .takes::<TenantPut>()
    .gives::<TenantView>(200),
    get("/v1/answers", Auth::Key, "Answers that the team has typed, by id", |to| to.to(answers::list))
        .query::<answers::ListParameters>()
        .gives::<AnswerList>(200),
    post("/v1/answers", Auth::Key, "Type an answer under an id that is made: the same for the same questions", |to| {
        to.to(answers::post)
    })
    .takes::<AnswerIn>()
    .gives::<AnswerView>(201),
    put(
        "/v1/answers/{id}",
        Auth::Key,
        "Type an answer, in place of the one with this id; the next question is answered from it",
        |to| to.to(answers::put),
    )
    .at(ANSWER)
    .takes::<AnswerIn>()
    .gives::<AnswerView>(200),
    delete("/v1/answers/{id}", Auth::Key, "Forget a typed answer", |to| to.to(answers::delete))
        .at(ANSWER)
        .done(204, "Forgotten"),
    get(
        "/v1/unanswered",
        Auth::Key,
        "Questions that were not answered, or wrongly: like ones as one, newest first",
        |to| to.to(unanswered::list),
    )
    .query::<unanswered::ListParameters>()
    .gives::<UnansweredList>(200),
    delete("/v1/unanswered/{key}", Auth::Key, "Take a question off that list", |to| to.to(unanswered::dismiss))
        .done(204, "Taken off"),
];
