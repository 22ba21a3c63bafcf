//! `tertulia export`: a conversation, page by page, to be kept or read.

use std::io::Write;

use schema::{Author, Contact, ContactId, Event, Fact, PersonName, Seq, limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::arguments::{Export, Format};
use super::client::Client;
use super::error::CliError;
use super::plain::{Plain, plain_json};

/// A page as the node wrote it: what this program does not know is exported too.
#[derive(Deserialize)]
struct RawPage {
    events: Vec<Box<RawValue>>,
    head: Seq,
}

#[derive(Deserialize)]
struct Numbered {
    seq: Seq,
}

/// As the tenant knows a contact; the log has the id alone.
#[derive(Deserialize)]
struct Known {
    contact: Contact,
    #[serde(default)]
    name: Option<PersonName>,
}

pub(super) async fn run(client: &Client, export: &Export, out: &mut dyn Write) -> Result<(), CliError> {
    let Export { conversation, format } = export;
    // What was said is shown, and obeyed by nothing on the way.
    let out = &mut Plain(out);
    let strange = |problem: String| CliError::Strange { address: client.address().to_string(), problem };
    let mut after = 0;
    let mut opened = false;
    loop {
        let limit = limits::PAGE_EVENTS_MAX;
        let path = format!("/v1/conversations/{conversation}/events?after={after}&limit={limit}");
        let page: RawPage = client.get(&path).await?;
        if !opened {
            // Only now: an unknown conversation leaves no half a document behind.
            match format {
                Format::Json => writeln!(out, "{{\"conversation\":\"{conversation}\",\"events\":[")?,
                Format::Markdown => writeln!(out, "# Conversation {conversation}")?,
            }
            opened = true;
        }
        for event in &page.events {
            let Numbered { seq } = serde_json::from_str(event.get()).map_err(|error| strange(error.to_string()))?;
            if seq != after + 1 {
                return Err(strange(format!("event {seq} follows event {after}")));
            }
            match format {
                Format::Json => writeln!(out, "{}{}", if after == 0 { "" } else { "," }, plain_json(event.get()))?,
                Format::Markdown => write_markdown(client, event, out).await?,
            }
            after = seq;
        }
        if after >= page.head || page.events.is_empty() {
            if *format == Format::Json {
                writeln!(out, "],\"head\":{}}}", page.head)?;
            }
            return Ok(());
        }
    }
}

/// Whom a conversation is with, by name where the tenant knows one. What cannot be asked now is no reason to give up.
async fn named(client: &Client, contact: ContactId) -> String {
    match client.get::<Known>(&format!("/v1/contacts/{contact}")).await {
        Ok(Known { contact, name: Some(name) }) => format!("{name} ({contact})"),
        Ok(Known { contact, name: None }) => contact.to_string(),
        Err(_) => contact.to_string(),
    }
}

async fn write_markdown(client: &Client, event: &RawValue, out: &mut Plain<&mut dyn Write>) -> Result<(), CliError> {
    // A kind of event that a later version added has nothing that could be shown here.
    let Ok(Event { at, author, fact, .. }) = serde_json::from_str(event.get()) else { return Ok(()) };
    match fact {
        Fact::Opened { contact, .. } => writeln!(out, "\nwith {}, opened {at}", named(client, contact).await)?,
        Fact::Message { text, agent, reply, .. } => {
            let name = match (&agent, author) {
                (Some(agent), _) => &**agent,
                (None, Author::Contact) => "Contact",
                (None, Author::Assistant) => "Assistant",
                (None, Author::Human) => "Human",
                (None, Author::System) => "System",
            };
            writeln!(out, "\n**{name}** · {at}\n")?;
            for line in text.as_str().lines() {
                writeln!(out, "> {line}")?;
            }
            if let Some(reply) = reply {
                if reply.end != schema::End::Completed {
                    let error = reply.made.error.map(|error| format!(": {error}")).unwrap_or_default();
                    writeln!(out, "\n*{}{error}*", reply.end.name())?;
                }
                for passage in &reply.made.passages {
                    writeln!(out, "\n[{}] {}", passage.n, super::chat::source_line(passage))?;
                }
            }
        }
        Fact::TakenOver { agent, .. } => writeln!(out, "\n*{agent} took over* · {at}")?,
        Fact::HandedBack { agent, .. } => writeln!(out, "\n*{agent} handed back* · {at}")?,
        Fact::HandoffRequested { reason } => writeln!(out, "\n*a person was wanted ({})* · {at}", reason.name())?,
        Fact::Closed { .. } => writeln!(out, "\n*closed* · {at}")?,
        Fact::Reopened {} => writeln!(out, "\n*reopened* · {at}")?,
        Fact::TurnStarted { .. } | Fact::Checkpoint { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
