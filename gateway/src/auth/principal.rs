//! Who a key or token proves to be, and the questions handlers ask about it.

use actors::{Audience, Generation, KeyId};
use schema::{ContactId, ConversationId, Origin, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// Somebody who was let in. Everything they see or do belongs to `tenant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose customer, or whose server, it is.
    pub tenant: TenantId,
    /// As what they were let in.
    pub kind: Kind,
}

/// What was shown: a key or a token, each with what it says of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The tenant's API key: the tenant's own server, which may do everything the tenant may.
    ApiKey {
        /// The key's id, which is no secret.
        key: KeyId,
        /// The generation of the tenant's keys that it belongs to.
        generation: Generation,
    },
    /// A visitor's token: one contact.
    Visitor(Visitor),
}

/// What a visitor's token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The contact they are in their tenant's conversations.
    pub contact: ContactId,
    /// The only conversation it opens; none: all of the contact's.
    pub conversation: Option<ConversationId>,
    /// The only page it may be used from; none: it was made for an app.
    pub origin: Option<Origin>,
    /// Until when it holds, also on sockets that are open then.
    pub expires_at: Timestamp,
    /// When the first of its line was made, of which it is a renewal; its own beginning if it is none.
    pub since: Timestamp,
    /// Who made that first one.
    pub by: MadeBy,
}

/// By what right a visitor's token was made. With that right the token ends, and all its renewals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeBy {
    /// An API key of the tenant, of this generation.
    Key(Generation),
    /// A page on the tenant's list, or one of our own, without a key.
    Page,
}

impl Default for MadeBy {
    // Tokens that do not say it come from a time when no key had been replaced by one of another generation.
    fn default() -> Self {
        Self::Key(Generation::default())
    }
}

impl Principal {
    /// Whether it may act for the tenant: change the profile, teach, list everything, make
    /// visitors' tokens, speak as a human agent.
    #[must_use]
    pub const fn may_manage(&self) -> bool {
        matches!(self.kind, Kind::ApiKey { .. })
    }

    /// Whether it may read and speak in this conversation of its tenant, which is with `contact`.
    /// When not, the conversation does not exist for it.
    #[must_use]
    pub fn may_see(&self, conversation: ConversationId, contact: ContactId) -> bool {
        match &self.kind {
            Kind::ApiKey { .. } => true,
            Kind::Visitor(visitor) => {
                visitor.contact == contact && visitor.conversation.is_none_or(|only| only == conversation)
            }
        }
    }

    /// Whom a new conversation is with when this principal opens it and asks for `wanted`; none
    /// when it may not. A visitor opens conversations as itself only, and none with a token that
    /// is bound to one.
    #[must_use]
    pub fn opens_as(&self, wanted: Option<ContactId>) -> Option<ContactId> {
        match &self.kind {
            Kind::ApiKey { .. } => Some(wanted.unwrap_or_else(ContactId::generate)),
            Kind::Visitor(visitor) => {
                let itself = wanted.is_none_or(|wanted| wanted == visitor.contact);
                (itself && visitor.conversation.is_none()).then_some(visitor.contact)
            }
        }
    }

    /// Whose eyes its sessions are.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        match &self.kind {
            Kind::ApiKey { .. } => Audience::Team,
            Kind::Visitor(_) => Audience::Contact,
        }
    }

    /// The visitor, if it is one.
    #[must_use]
    pub const fn visitor(&self) -> Option<&Visitor> {
        match &self.kind {
            Kind::ApiKey { .. } => None,
            Kind::Visitor(visitor) => Some(visitor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_sees_its_own_and_a_key_sees_all() {
        let [mine, other] = [1, 2].map(|n| ContactId::from_bytes([n; 16]));
        let [first, second] = [ConversationId::generate(), ConversationId::generate()];
        let tenant = TenantId::generate();
        let key =
            Principal { tenant, kind: Kind::ApiKey { key: KeyId::of(&[7; 32]), generation: Generation::default() } };
        let visitor = |conversation| Principal {
            tenant,
            kind: Kind::Visitor(Visitor {
                contact: mine,
                conversation,
                origin: None,
                expires_at: Timestamp::from_millis(0),
                since: Timestamp::from_millis(0),
                by: MadeBy::Page,
            }),
        };
        for (who, conversation, contact, sees) in [
            (&key, first, mine, true),
            (&key, first, other, true),
            (&visitor(None), first, mine, true),
            (&visitor(None), first, other, false),
            (&visitor(Some(first)), first, mine, true),
            (&visitor(Some(first)), second, mine, false),
            (&visitor(Some(first)), first, other, false),
        ] {
            assert_eq!(who.may_see(conversation, contact), sees, "{who:?} {conversation} {contact}");
        }
        for (who, wanted, opens) in [
            (&key, Some(other), Some(other)),
            (&visitor(None), None, Some(mine)),
            (&visitor(None), Some(mine), Some(mine)),
            (&visitor(None), Some(other), None),
            (&visitor(Some(first)), None, None),
        ] {
            assert_eq!(who.opens_as(wanted), opens, "{who:?} {wanted:?}");
        }
        assert!(key.opens_as(None).is_some() && key.may_manage() && key.visitor().is_none());
        assert!(!visitor(None).may_manage() && visitor(None).visitor().is_some());
    }
}
