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
    /// Teach the assistant Markdown and text files
    Learn(Learn),
    /// Manage tenants, whether the node runs or not
    #[command(subcommand)]
    Tenant(Tenant),
    /// Print a conversation of the running node
    Export(Export),
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
    /// Files, or folders that are searched for .md, .markdown and .txt files
    #[arg(required = true, value_name = "FOLDER|FILE")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant and print its API key, this once
    Create {
        /// Its name
        name: String,
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
            ("learn", false),
            ("tenant create acme", true),
            ("tenant list", true),
            ("tenant rotate-key acme", true),
            ("tenant disable acme", true),
            ("tenant enable acme", true),
            ("tenant", false),
            (&format!("export {id} --format markdown"), true),
            (&format!("export {id} --format xml"), false),
            ("export", false),
            ("sing", false),
        ] {
            let words = ["tertulia"].into_iter().chain(line.split_whitespace());
            let read = Arguments::try_parse_from(words);
            assert_eq!(read.is_ok(), ok, "{line}: {read:?}");
        }
    }
}
