//! Contacts: what the tenant knows of the people it serves.

use schema::wire::{ContactList, ContactView, MergeIn, SplitIn};
use schema::{ContactChange, ContactId};

use super::super::contacts;
use crate::docs::{Auth, Make, Operation, delete, get, patch, post, schema_of};

const ID: &[(&str, Make)] = &[("id", schema_of::<ContactId>())];

pub(super) static ALL: &[Operation] = &[
    get(
        "/v1/contacts",
        Auth::Key,
        "Contacts of whom something is known, by id; or the one who has an identity",
        |to| to.to(contacts::list),
    )
    .query::<contacts::ListParameters>()
    .gives::<ContactList>(200),
    get(
        "/v1/contacts/{id}",
        Auth::Key,
        "What is known of a contact, each part with where it came from; by the id of one that was merged into it, too",
        |to| to.to(contacts::view),
    )
    .at(ID)
    .gives::<ContactView>(200),
    patch(
        "/v1/contacts/{id}",
        Auth::Key,
        "Change parts of what is known of a contact, if it is still at the version given; what is left out stays",
        |to| to.to(contacts::change),
    )
    .at(ID)
    .takes::<ContactChange>()
    .gives::<ContactView>(200),
    delete(
        "/v1/contacts/{id}",
        Auth::Key,
        "Erase a contact: log them out, erase all their conversations, then all that is known of them",
        |to| to.to(contacts::erase),
    )
    .at(ID)
    .done(204, "Erased"),
    post(
        "/v1/contacts/{id}/merge",
        Auth::Key,
        "Another contact is the same person: it is merged into this one, with its identities and conversations",
        |to| to.to(contacts::merge),
    )
    .at(ID)
    .takes::<MergeIn>()
    .gives::<ContactView>(200),
    post(
        "/v1/contacts/{id}/split",
        Auth::Key,
        "Give identities of a contact to a new one, or undo a merge; gives the contact that has them then",
        |to| to.to(contacts::split),
    )
    .at(ID)
    .takes::<SplitIn>()
    .gives::<ContactView>(200),
];
