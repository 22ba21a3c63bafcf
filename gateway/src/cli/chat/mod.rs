//! `tertulia chat`: a conversation in the terminal, on the same socket that everybody uses.

mod command;
mod input;
mod link;
mod screen;
mod talk;

use std::io::{self, IsTerminal};
use std::time::Duration;

use engine_config::Config;
use schema::wire::{Created, OpenIn};

use super::arguments::Chat;
use super::client::Client;
use super::error::CliError;
use input::Interrupts;
use link::Link;
use screen::Screen;
use talk::Talk;

pub(super) use screen::source_line;

/// Time for everything but the model, when a reply is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(config: &Config, chat: Chat) -> Result<(), CliError> {
    let client = Client::for_tenant(config)?;
    let conversation = match chat.conversation {
        Some(conversation) => conversation,
        None => {
            let open = OpenIn { contact: chat.contact, ..OpenIn::default() };
            client.post::<_, Created>("/v1/conversations", &open).await?.id
        }
    };
    let interactive = io::stdin().is_terminal();
    let mut screen = Screen::new(io::stdout().lock(), interactive);
    screen.begin(conversation)?;
    // One total for a whole turn, whichever of the models answers.
    let patience = config.models.total + PATIENCE;
    let mut link = Link::new(&client, Talk::new(conversation), patience);
    let mut lines = input::lines();
    let outcome = link.run(&mut lines, &mut Interrupts::of_the_terminal(), &mut screen).await;
    screen.end(conversation)?;
    outcome
}
