//! The arguments of the command line, with their help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schema::{Contact, ConversationId};
use url::Url;

/// A conversation engine for AI customer service.
#[derive(Debug, Parser)]
#[command(name = "tertulia", version)]
pub(super) struct Arguments {
    /// File of settings that replace defaults, as TOML; see `tertulia config`
    #[arg(long, global = true, value_name = "FILE", env = "TERTULIA_CONFIG")]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a node (this is what happens without a command)
    Serve(Serve),
    /// Print all settings with their meanings and the values in force
    Config,
    /// Talk to the running node as a contact of the demo tenant
    Chat(Chat),
    /// Teach the assistant documents or a site
    Learn(Learn),
    /// Manage tenants, whether the node runs or not
    #[command(subcommand)]
    Tenant(Tenant),
    /// Manage plans: the quotas and models that tenants may use, whether the node runs or not
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Print a conversation of the running node
    Export(Export),
    /// Ask the running node whether it takes new work
    Health(Health),
    /// Make anew what can be made of the conversations' logs, while no node runs
    #[command(subcommand)]
    Rebuild(Rebuild),
    /// Read one document in a process of its own; started by a node
    #[command(hide = true)]
    ReadDocument(ReadDocument),
}

#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Take over from the node that runs on the same data directory: its listening sockets stay open, it drains, and
    /// this one follows; where none runs, start as always
    #[arg(long)]
    pub(super) take_over: bool,
}

#[derive(Debug, Args)]
pub(super) struct Chat {
    /// Id of the conversation to go on with
    #[arg(long, value_name = "ID")]
    pub(super) conversation: Option<ConversationId>,
    /// Contact of a new conversation
    #[arg(long, value_name = "NAME", conflicts_with = "conversation")]
    pub(super) contact: Option<Contact>,
}

#[derive(Debug, Args)]
pub(super) struct Learn {
    /// Folders, files (Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB, CSV) and sites (https://…)
    #[arg(required = true, value_name = "FOLDER|FILE|SITE")]
    pub(super) targets: Vec<PathBuf>,
    /// Most pages to read of a site
    #[arg(long, value_name = "N")]
    pub(super) pages_max: Option<usize>,
    /// Most links to follow from a site's first page to any other
    #[arg(long, value_name = "N")]
    pub(super) depth_max: Option<usize>,
    /// Most pages to read of one path that differ in their query only
    #[arg(long, value_name = "N")]
    pub(super) queries_max: Option<usize>,
    /// Hours after which the node learns a site again, each time
    #[arg(long, value_name = "HOURS")]
    pub(super) every_hours: Option<u32>,
    /// Also learn sites on this machine and in private networks, while no node runs
    #[arg(long)]
    pub(super) allow_private_hosts: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReadDocument {
    /// Kind of the document
    #[arg(long)]
    pub(super) kind: engine_documents::Kind,
    /// Character set of the document, where it is known
    #[arg(long)]
    pub(super) charset: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant and print its API key, which is shown this once
    Create {
        /// Name of the tenant
        name: String,
        /// Plan of the tenant; see `tertulia plan`
        #[arg(long, value_name = "PLAN", default_value = schema::DEFAULT_PLAN)]
        plan: String,
    },
    /// Give a tenant another plan
    Plan {
        /// Name or id of the tenant
        tenant: String,
        /// Name of the plan
        plan: String,
    },
    /// List all tenants
    List,
    /// Give a tenant a new API key and print it; the old key stops working
    RotateKey {
        /// Name or id of the tenant
        tenant: String,
    },
    /// Refuse a tenant's keys and tokens from now on
    Disable {
        /// Name or id of the tenant
        tenant: String,
    },
    /// Accept a disabled tenant's keys and tokens again
    Enable {
        /// Name or id of the tenant
        tenant: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// List all plans
    List,
    /// Print a plan as JSON
    Show {
        /// Name of the plan
        name: String,
    },
    /// Make a plan, or replace it; tenants that have it follow it at once
    Set {
        /// Name of the plan
        name: String,
        /// File with the plan as JSON; `-` for standard input
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Rebuild {
    /// The list of conversations
    Conversations,
}

#[derive(Debug, Args)]
pub(super) struct Health {
    /// The node's own address, where it is not the one of the settings: http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<Url>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Id of the conversation
    pub(super) conversation: ConversationId,
    /// Format of the output
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
            ("serve --take-over", true),
            ("--take-over", false),
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
            ("health", true),
            ("health --url http://127.0.0.1:8080", true),
            ("health --url somewhere", false),
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
