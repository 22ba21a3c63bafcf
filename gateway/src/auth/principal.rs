//! Who acts, as a key or token proves it, and the questions that are asked about them.
//! Invariant: what somebody may do is in the table of `permissions`; outside this folder nobody decides by a kind.

use actors::{Audience, Generation, KeyId, Meant};
use schema::{AgentName, Author, ChangedBy, ContactId, ConversationId, Origin, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::AuthError;
use super::logouts::Issued;
use super::permissions::{Action, Role};

/// Who acts, as far as a credential proves it: made by the door alone, from something that was checked.
///
/// A further way in (a channel, a peer of the cluster, a voice gateway) brings a further kind: a variant of [`Kind`],
/// or one here if it belongs to no tenant, with a [`Role`] of its own. Then the compiler asks for its column in the
/// table of permissions, for when its right ends, for its rate and for whose eyes it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The people who run the node. They belong to no tenant.
    Operator,
    /// Somebody of one tenant.
    Holder(Holder),
}

/// Somebody who holds a credential of one tenant. Everything they see or do belongs to `tenant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whose customer, agent or server it is.
    pub tenant: TenantId,
    /// As what they were let in.
    pub kind: Kind,
}

/// What was shown: a key or a token, each with what it says of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The tenant's API key: the tenant's own server or studio, which may do everything the tenant may.
    ApiKey {
        /// The key's id, which is no secret.
        key: KeyId,
        /// The generation of the tenant's keys that it belongs to.
        generation: Generation,
    },
    /// An agent's token: one person of the team.
    Agent(Agent),
    /// A visitor's token: one contact.
    Visitor(Visitor),
}

/// What an agent's token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// As whom they write, take over and hand back.
    pub name: AgentName,
    /// The only page that is not the node's own on which it may be used; none: the node's own pages, and programs.
    pub origin: Option<Origin>,
    /// Until when it holds, also on sockets that are open then.
    pub expires_at: Timestamp,
    /// The generation of the API keys that made it: it ends with them.
    pub generation: Generation,
    /// When it was made, as far as log-outs go.
    pub made: Issued,
}

/// What a visitor's token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The contact they are in their tenant's conversations, as it is known now: `sealed_for`, or the one that it was
    /// merged into.
    pub contact: ContactId,
    /// The contact for whom their token was made, and every token that follows it: merges come and go.
    pub sealed_for: ContactId,
    /// The only conversation it opens; none: all of the contact's.
    pub conversation: Option<ConversationId>,
    /// The only page it may be used from; none: it was made for an app.
    pub origin: Option<Origin>,
    /// Until when it holds, also on sockets that are open then.
    pub expires_at: Timestamp,
    /// When the first of its line was made, of which it is a renewal; its own beginning if it is none.
    pub since: Timestamp,
    /// The same, as far as log-outs go.
    pub made: Issued,
    /// Who made that first one.
    pub by: MadeBy,
}

impl Visitor {
    /// For whom their token was made, and who that is now.
    #[must_use]
    pub const fn whom(&self) -> Meant {
        Meant { own: self.sealed_for, id: self.contact }
    }
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
    /// Whether the table of permissions allows it.
    #[must_use]
    pub const fn may(&self, action: Action) -> bool {
        match self {
            Self::Operator => Role::Operator.may(action),
            Self::Holder(holder) => holder.may(action),
        }
    }

    /// Who it is of a tenant.
    ///
    /// # Errors
    /// [`AuthError::Unauthorized`] for the operator: that key opens no tenant.
    pub fn holder(self) -> Result<Holder, AuthError> {
        match self {
            Self::Operator => Err(AuthError::Unauthorized),
            Self::Holder(holder) => Ok(holder),
        }
    }
}

impl Holder {
    /// As what they act.
    #[must_use]
    pub const fn role(&self) -> Role {
        match &self.kind {
            Kind::ApiKey { .. } => Role::Key,
            Kind::Agent(_) => Role::Agent,
            Kind::Visitor(_) => Role::Visitor,
        }
    }

    /// Whether the table of permissions allows it.
    #[must_use]
    pub const fn may(&self, action: Action) -> bool {
        self.role().may(action)
    }

    /// The same as an answer to whoever asked.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`].
    pub const fn allow(&self, action: Action) -> Result<(), AuthError> {
        if self.may(action) { Ok(()) } else { Err(AuthError::Forbidden(self.role(), action)) }
    }

    /// Whether it may read and speak in this conversation of its tenant, which is with `contact`.
    /// When not, the conversation does not exist for it.
    #[must_use]
    pub fn may_see(&self, conversation: ConversationId, contact: ContactId) -> bool {
        match self.visitor() {
            None => self.may(Action::ReadAsTeam),
            Some(_) if !self.may(Action::Read) => false,
            Some(visitor) => visitor.contact == contact && visitor.conversation.is_none_or(|only| only == conversation),
        }
    }

    /// Whom a new conversation is with when this principal opens it and asks for `wanted`; none
    /// when it may not. A visitor opens conversations as itself only, whomever it stands for now, and
    /// none with a token that is bound to one.
    #[must_use]
    pub fn opens_as(&self, wanted: Option<ContactId>) -> Option<ContactId> {
        if !self.may(Action::Open) {
            return None;
        }
        match self.visitor() {
            None => self.may(Action::OpenForAnybody).then(|| wanted.unwrap_or_else(ContactId::generate)),
            Some(visitor) => {
                let itself = wanted.is_none_or(|wanted| wanted == visitor.sealed_for);
                (itself && visitor.conversation.is_none()).then_some(visitor.sealed_for)
            }
        }
    }

    /// Whose eyes its sessions are.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        if self.may(Action::ReadAsTeam) { Audience::Team } else { Audience::Contact }
    }

    /// Whose sign of life it gives.
    #[must_use]
    pub const fn author(&self) -> Author {
        if self.may(Action::SpeakAsAgent) { Author::Human } else { Author::Contact }
    }

    /// The visitor, if it is one.
    #[must_use]
    pub const fn visitor(&self) -> Option<&Visitor> {
        match &self.kind {
            Kind::ApiKey { .. } | Kind::Agent(_) => None,
            Kind::Visitor(visitor) => Some(visitor),
        }
    }

    /// The agent, if it is one.
    #[must_use]
    pub const fn agent(&self) -> Option<&Agent> {
        match &self.kind {
            Kind::ApiKey { .. } | Kind::Visitor(_) => None,
            Kind::Agent(agent) => Some(agent),
        }
    }

    /// Who it is in what is noted of changes.
    #[must_use]
    pub fn changed_by(&self) -> ChangedBy {
        let name = match &self.kind {
            Kind::ApiKey { key, .. } => format!("key {key}"),
            Kind::Agent(agent) => format!("agent {}", agent.name),
            Kind::Visitor(visitor) => format!("contact {}", visitor.contact),
        };
        name.parse().unwrap_or_else(|_| ChangedBy::system())
    }

    /// The generation of API keys that what it makes belongs to; only a key makes something.
    #[must_use]
    pub const fn generation(&self) -> Option<Generation> {
        match &self.kind {
            Kind::ApiKey { generation, .. } => Some(*generation),
            Kind::Agent(_) | Kind::Visitor(_) => None,
        }
    }

    /// The only page, other than the node's own, on which its token may be used.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        match &self.kind {
            Kind::ApiKey { .. } => None,
            Kind::Agent(agent) => agent.origin.as_ref(),
            Kind::Visitor(visitor) => visitor.origin.as_ref(),
        }
    }

    /// When its token ends; a key has no end of its own.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match &self.kind {
            Kind::ApiKey { .. } => None,
            Kind::Agent(agent) => Some(agent.expires_at),
            Kind::Visitor(visitor) => Some(visitor.expires_at),
        }
    }

    /// Whether `newer` may take its place on an open socket: a newer token extends the time, not the rights.
    #[must_use]
    pub fn has_rights_of(&self, newer: &Self) -> bool {
        self.tenant == newer.tenant
            && match (&self.kind, &newer.kind) {
                (Kind::ApiKey { .. }, Kind::ApiKey { .. }) => true,
                (Kind::Agent(old), Kind::Agent(new)) => old.name == new.name,
                (Kind::Visitor(old), Kind::Visitor(new)) => {
                    old.sealed_for == new.sealed_for && old.conversation == new.conversation
                }
                (Kind::ApiKey { .. } | Kind::Agent(_) | Kind::Visitor(_), _) => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_sees_its_own_and_the_team_sees_all() {
        let [mine, other] = [1, 2].map(|n| ContactId::from_bytes([n; 16]));
        let [first, second] = [ConversationId::generate(), ConversationId::generate()];
        let tenant = TenantId::generate();
        let (generation, at) = (Generation::default(), Timestamp::from_millis(0));
        let key = Holder { tenant, kind: Kind::ApiKey { key: KeyId::of(&[7; 32]), generation } };
        let agent = |name: &str| Holder {
            tenant,
            kind: Kind::Agent(Agent {
                name: name.into(),
                origin: None,
                expires_at: at,
                generation,
                made: Issued::At(at),
            }),
        };
        let zoe = agent("Zoe");
        let visitor_as = |contact, sealed_for, conversation| Holder {
            tenant,
            kind: Kind::Visitor(Visitor {
                contact,
                sealed_for,
                conversation,
                origin: None,
                expires_at: at,
                since: at,
                made: Issued::At(at),
                by: MadeBy::Page,
            }),
        };
        let visitor = |conversation| visitor_as(mine, mine, conversation);
        for (who, conversation, contact, sees) in [
            (&key, first, mine, true),
            (&key, first, other, true),
            (&zoe, first, mine, true),
            (&zoe, second, other, true),
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
            (&zoe, None, None),
            (&zoe, Some(other), None),
            (&visitor(None), None, Some(mine)),
            (&visitor(None), Some(mine), Some(mine)),
            (&visitor(None), Some(other), None),
            (&visitor(Some(first)), None, None),
        ] {
            assert_eq!(who.opens_as(wanted), opens, "{who:?} {wanted:?}");
        }
        assert!(key.opens_as(None).is_some() && key.visitor().is_none());
        for (who, audience, author) in [
            (&key, Audience::Team, Author::Human),
            (&zoe, Audience::Team, Author::Human),
            (&visitor(None), Audience::Contact, Author::Contact),
        ] {
            assert_eq!((who.audience(), who.author()), (audience, author), "{who:?}");
        }
        for (old, new, same) in [
            (&key, &key, true),
            (&zoe, &agent("Zoe"), true),
            (&zoe, &agent("Yan"), false),
            (&visitor(None), &visitor(None), true),
            (&visitor(Some(first)), &visitor(None), false),
            (&visitor(None), &visitor(Some(first)), false),
            // Who it was made for counts, and not whom that one stands for at the moment.
            (&visitor_as(mine, mine, None), &visitor_as(mine, other, None), false),
            (&visitor_as(mine, other, None), &visitor_as(other, other, None), true),
            (&key, &zoe, false),
            (&zoe, &key, false),
            (&zoe, &visitor(None), false),
            (&visitor(None), &key, false),
            (&key, &Holder { tenant: TenantId::generate(), ..key.clone() }, false),
        ] {
            assert_eq!(old.has_rights_of(new), same, "{old:?} {new:?}");
        }
        assert!(Principal::Operator.may(Action::RunNode) && !Principal::Holder(key.clone()).may(Action::RunNode));
        assert!(Principal::Operator.holder().is_err() && Principal::Holder(key).holder().is_ok());
    }
}
