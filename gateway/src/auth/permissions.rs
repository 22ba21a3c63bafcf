//! What each role may do: one table, which every way in asks and nothing else decides.
//! Invariant: a new role or action does not compile before the table says yes or no to it.

use std::fmt;

/// As what somebody acts: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The people who run the node, by the operator's key.
    Operator,
    /// A tenant's own server or studio, by an API key.
    Key,
    /// A person of a tenant's team, by an agent's token.
    Agent,
    /// A contact, by a visitor's token.
    Visitor,
}

/// What somebody wants to do: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make and change tenants and plans, and let conversations out of quarantine.
    RunNode,
    /// Read and change the tenant's profile.
    Configure,
    /// Read and change what the assistant knows: documents, sites, typed answers, the list of open questions.
    Teach,
    /// Say whether a reply was right.
    Judge,
    /// Read and change contacts' records, and erase contacts.
    KeepContacts,
    /// Make tokens for visitors and agents, and log them out.
    LetIn,
    /// Get a newer token for one's own.
    Renew,
    /// Be told which agent one's token speaks for.
    KnowOneself,
    /// Act from one of the node's own pages with a credential that names no page.
    UseOwnPages,
    /// Open a conversation.
    Open,
    /// Open a conversation with whomever one names.
    OpenForAnybody,
    /// Read a conversation that is one's own, and list them.
    Read,
    /// Read every conversation of the tenant, with what only the team is shown: all passages, verdicts, who waits.
    ReadAsTeam,
    /// Write as the contact.
    SpeakAsContact,
    /// Write as an agent.
    SpeakAsAgent,
    /// Give a sign of life: typing, read.
    Signal,
    /// Stop the running reply.
    Cancel,
    /// Take a conversation over, or hand it back.
    Take,
    /// End a conversation for now.
    Close,
    /// Erase a conversation for good.
    Erase,
}

const YES: bool = true;
const NO: bool = false;

/// The table: whether the operator, a key, an agent and a visitor may.
const fn row(action: Action) -> [bool; 4] {
    match action {
        Action::RunNode => [YES, NO, NO, NO],
        Action::Configure | Action::Teach | Action::Judge | Action::KeepContacts | Action::LetIn => [NO, YES, NO, NO],
        Action::Renew => [NO, NO, NO, YES],
        Action::KnowOneself => [NO, NO, YES, NO],
        Action::UseOwnPages => [NO, YES, YES, NO],
        Action::Open => [NO, YES, NO, YES],
        Action::OpenForAnybody => [NO, YES, NO, NO],
        Action::Read => [NO, YES, YES, YES],
        Action::ReadAsTeam => [NO, YES, YES, NO],
        Action::SpeakAsContact => [NO, YES, NO, YES],
        Action::SpeakAsAgent => [NO, YES, YES, NO],
        Action::Signal | Action::Cancel => [NO, YES, YES, YES],
        Action::Take | Action::Close => [NO, YES, YES, NO],
        Action::Erase => [NO, YES, NO, NO],
    }
}

impl Role {
    /// Whether this role may do that.
    #[must_use]
    pub const fn may(self, action: Action) -> bool {
        let [operator, key, agent, visitor] = row(action);
        match self {
            Self::Operator => operator,
            Self::Key => key,
            Self::Agent => agent,
            Self::Visitor => visitor,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the operator's key",
            Self::Key => "an API key",
            Self::Agent => "an agent's token",
            Self::Visitor => "a visitor's token",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunNode => "run the node",
            Self::Configure => "see or change the profile",
            Self::Teach => "see or change what the assistant knows",
            Self::Judge => "judge replies",
            Self::KeepContacts => "see or change contacts",
            Self::LetIn => "make tokens or log anybody out",
            Self::Renew => "be renewed",
            Self::KnowOneself => "be an agent's",
            Self::UseOwnPages => "be used on the node's own pages",
            Self::Open => "open conversations",
            Self::OpenForAnybody => "open conversations for others",
            Self::Read => "read conversations",
            Self::ReadAsTeam => "read all conversations",
            Self::SpeakAsContact => "speak as the contact",
            Self::SpeakAsAgent => "speak as a human agent",
            Self::Signal => "give signs of life",
            Self::Cancel => "stop replies",
            Self::Take => "take conversations over or hand them back",
            Self::Close => "close conversations",
            Self::Erase => "erase conversations",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_is_written_here_and_nothing_else() {
        use Action::{
            Cancel, Close, Configure, Erase, Judge, KeepContacts, KnowOneself, LetIn, Open, OpenForAnybody, Read,
            ReadAsTeam, Renew, RunNode, Signal, SpeakAsAgent, SpeakAsContact, Take, Teach, UseOwnPages,
        };
        let all = [
            RunNode,
            Configure,
            Teach,
            Judge,
            KeepContacts,
            LetIn,
            Renew,
            KnowOneself,
            UseOwnPages,
            Open,
            OpenForAnybody,
            Read,
            ReadAsTeam,
            SpeakAsContact,
            SpeakAsAgent,
            Signal,
            Cancel,
            Take,
            Close,
            Erase,
        ];
        let key = [
            Configure,
            Teach,
            Judge,
            KeepContacts,
            LetIn,
            UseOwnPages,
            Open,
            OpenForAnybody,
            Read,
            ReadAsTeam,
            SpeakAsContact,
            SpeakAsAgent,
            Signal,
            Cancel,
            Take,
            Close,
            Erase,
        ];
        let rows: [(Role, &[Action]); 4] = [
            (Role::Operator, &[RunNode]),
            (Role::Key, &key),
            (Role::Agent, &[KnowOneself, UseOwnPages, Read, ReadAsTeam, SpeakAsAgent, Signal, Cancel, Take, Close]),
            (Role::Visitor, &[Renew, Open, Read, SpeakAsContact, Signal, Cancel]),
        ];
        for (role, may) in rows {
            for action in all {
                assert_eq!(role.may(action), may.contains(&action), "{role:?} {action:?}");
            }
        }
    }
}
