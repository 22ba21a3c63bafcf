//! What the operator does: tenants and plans.

use schema::wire::{KeyMade, PlanChoice, PlanList, PlanPut, PlanView, Released, TenantIn, TenantList, TenantView};
use schema::{ConversationId, TenantId};

use super::super::{admin, plans};
use crate::docs::{Auth, Make, Operation, get, post, put, schema_of};

const TENANT: &[(&str, Make)] = &[("id", schema_of::<TenantId>())];
const PLAN: &[(&str, Make)] = &[("name", plans::name as Make)];
const CONVERSATION: &[(&str, Make)] = &[("tenant", schema_of::<TenantId>()), ("id", schema_of::<ConversationId>())];

pub(super) static ALL: &[Operation] = &[
    get("/v1/admin/tenants", Auth::Operator, "All tenants, oldest first, in pages", |to| to.to(admin::list))
        .query::<admin::ListParameters>()
        .gives::<TenantList>(200),
    post("/v1/admin/tenants", Auth::Operator, "Create a tenant; its key is shown this once", |to| to.to(admin::create))
        .takes::<TenantIn>()
        .gives::<KeyMade>(201),
    post("/v1/admin/tenants/{id}/rotate-key", Auth::Operator, "Replace the tenant's keys by a new one", |to| {
        to.to(admin::rotate_key)
    })
    .at(TENANT)
    .gives::<KeyMade>(200),
    post(
        "/v1/admin/tenants/{id}/disable",
        Auth::Operator,
        "Refuse the tenant's keys and tokens, and close its sockets",
        |to| to.to(admin::disable),
    )
    .at(TENANT)
    .gives::<TenantView>(200),
    post("/v1/admin/tenants/{id}/enable", Auth::Operator, "Accept them again", |to| to.to(admin::enable))
        .at(TENANT)
        .gives::<TenantView>(200),
    put("/v1/admin/tenants/{id}/plan", Auth::Operator, "Give the tenant another plan; it holds at once", |to| {
        to.to(plans::choose)
    })
    .at(TENANT)
    .takes::<PlanChoice>()
    .gives::<TenantView>(200),
    get("/v1/admin/plans", Auth::Operator, "All plans", |to| to.to(plans::list)).gives::<PlanList>(200),
    get("/v1/admin/plans/{name}", Auth::Operator, "What a plan allows: ceilings of quotas, models, visitors", |to| {
        to.to(plans::view)
    })
    .at(PLAN)
    .gives::<PlanView>(200),
    put(
        "/v1/admin/plans/{name}",
        Auth::Operator,
        "Make a plan (`version` 0), or replace one that is still at `version`; its tenants go by it at once",
        |to| to.to(plans::replace),
    )
    .at(PLAN)
    .takes::<PlanPut>()
    .gives::<PlanView>(200),
    post(
        "/v1/admin/tenants/{tenant}/conversations/{id}/release",
        Auth::Operator,
        "Let a conversation out of quarantine",
        |to| to.to(admin::release),
    )
    .at(CONVERSATION)
    .gives::<Released>(200),
];
