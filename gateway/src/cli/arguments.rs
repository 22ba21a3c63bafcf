//! What may be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schema::{Contact, ConversationId};

/// A conversation engine for AI customer service.
#[derive(Debug, Parser)]
#[command(name = "tertulia", version)]
pub(super) struct Arguments {
    /// Settings to use over the defaults, as TOML; see `tertulia config`
    #[arg(long, global = true, value_name = "FILE", env = "TERTULIA_CONFIG")]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a node (this is what happens without a command)
    Serve,
    /// Print all settings with what they mean and what holds now
    Config,
    /// Talk to the running node as a contact of the demo tenant
    Chat(Chat),
    /// Teach the assistant documents or a site
    Learn(Learn),
    /// Manage tenants, whether the node runs or not
    #[command(subcommand)]
    Tenant(Tenant),
    /// Manage what tenants may use, whether the node runs or not
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Print a conversation of the running node
    Export(Export),
    /// Make anew what can be made of the conversations' logs, while no node runs
    #[command(subcommand)]
    Rebuild(Rebuild),
    /// What this program starts to read a document that may be hostile
    #[command(hide = true)]
    ReadDocument(ReadDocument),
}

#[derive(Debug, Args)]
pub(super) struct Chat {
    /// Go on with this conversation
    #[arg(long, value_name = "ID")]
    pub(super) conversation: Option<ConversationId>,
    /// Whom a new conversation is with
    #[arg(long, value_name = "NAME", conflicts_with = "conversation")]
    pub(super) contact: Option<Contact>,
}

#[derive(Debug, Args)]
pub(super) struct Learn {
    /// Folders, files (Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB, CSV) and sites (https://…)
    #[arg(required = true, value_name = "FOLDER|FILE|SITE")]
    pub(super) targets: Vec<PathBuf>,
    /// Read at most so many pages of a site
    #[arg(long, value_name = "N")]
    pub(super) pages_max: Option<usize>,
    /// Follow at most so many links from a site's first page
    #[arg(long, value_name = "N")]
    pub(super) depth_max: Option<usize>,
    /// Read at most so many of a site's pages that differ in their query only
    #[arg(long, value_name = "N")]
    pub(super) queries_max: Option<usize>,
    /// Have the node learn a site again after so many hours, from then on
    #[arg(long, value_name = "HOURS")]
    pub(super) every_hours: Option<u32>,
    /// Learn sites of this machine and private networks too, while no node runs
    #[arg(long)]
    pub(super) allow_private_hosts: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReadDocument {
    /// What it is
    #[arg(long)]
    pub(super) kind: engine::documents::Kind,
    /// In which letters
    #[arg(long)]
    pub(super) charset: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant and print its API key, this once
    Create {
        /// Its name
        name: String,
        /// What it may use; see `tertulia plan`
        #[arg(long, value_name = "PLAN", default_value = schema::DEFAULT_PLAN)]
        plan: String,
    },
    /// Give it another plan
    Plan {
        /// Name or id
        tenant: String,
        /// The plan's name
        plan: String,
    },
    /// List all tenants
    List,
    /// Print a new API key; the old one stops working
    RotateKey {
        /// Name or id
        tenant: String,
    },
    /// Refuse its keys and tokens
    Disable {
        /// Name or id
        tenant: String,
    },
    /// Take them again
    Enable {
        /// Name or id
        tenant: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// List all plans
    List,
    /// Print a plan as JSON
    Show {
        /// Its name
        name: String,
    },
    /// Make a plan, or replace it; tenants that have it go by it at once
    Set {
        /// Its name
        name: String,
        /// The plan as JSON; `-` for standard input
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Rebuild {
    /// The list of conversations
    Conversations,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Which conversation
    pub(super) conversation: ConversationId,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Every event, as stored
    #[default]
    Json,
    /// What was said, to be read
    Markdown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_reads_as_documented() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
        let id = ConversationId::generate().to_string();
        for (line, ok) in [
            ("", true),
            ("serve --config t.toml", true),
            ("--config t.toml config", true),
            ("chat", true),
            ("chat --contact Ana", true),
            (&format!("chat --conversation {id}"), true),
            (&format!("chat --conversation {id} --contact Ana"), false),
            ("chat --conversation 7", false),
            ("learn docs README.md", true),
            ("learn https://shop.example --pages-max 50 --depth-max 2 --every-hours 24", true),
            ("learn", false),
            ("read-document --kind pdf", true),
            ("read-document --kind exe", false),
            ("tenant create acme", true),
            ("tenant create acme --plan pro", true),
            ("tenant plan acme pro", true),
            ("tenant plan acme", false),
            ("plan list", true),
            ("plan show pro", true),
            ("plan set pro plan.json", true),
            ("plan set pro", false),
            ("tenant list", true),
            ("tenant rotate-key acme", true),
            ("tenant disable acme", true),
            ("tenant enable acme", true),
            ("tenant", false),
            (&format!("export {id} --format markdown"), true),
            (&format!("export {id} --format xml"), false),
            ("export", false),
            ("rebuild conversations", true),
            ("rebuild", false),
            ("rebuild everything", false),
            ("sing", false),
        ] {
            let words = ["tertulia"].into_iter().chain(line.split_whitespace());
            let read = Arguments::try_parse_from(words);
            assert_eq!(read.is_ok(), ok, "{line}: {read:?}");
        }
    }
}
