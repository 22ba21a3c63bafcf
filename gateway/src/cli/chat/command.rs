//! What a typed line is: words for the conversation, or one of the chat's few commands.
//! Invariant: what begins with `/` and is no command is never sent.

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// There is nothing on it.
    Empty,
    /// Words for the conversation.
    Say(&'a str),
    /// A command of this program.
    Command(Command),
    /// It looks like a command, and is none.
    Unknown(&'a str),
}

/// A command of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Lists the commands.
    Help,
    /// Tells which conversation this is.
    Id,
    /// Ends the chat.
    Quit,
}

/// Each with what it does.
const COMMANDS: [(&str, Command, &str); 3] = [
    ("/help", Command::Help, "this list"),
    ("/id", Command::Id, "which conversation this is, to come back to it"),
    ("/quit", Command::Quit, "end the chat; the end of the input does too"),
];

/// Reads a line.
pub(super) fn read(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Line::Empty;
    }
    if !line.starts_with('/') {
        return Line::Say(line);
    }
    // A second slash takes the first one's meaning away.
    if line.starts_with("//") {
        return Line::Say(&line[1..]);
    }
    match COMMANDS.iter().find(|(name, ..)| *name == line) {
        Some((_, command, _)) => Line::Command(*command),
        None => Line::Unknown(line.split_whitespace().next().unwrap_or(line)),
    }
}

/// The lines of `/help`.
pub(super) fn help() -> impl Iterator<Item = String> {
    let commands = COMMANDS.iter().map(|(name, _, does)| format!("{name:<7} {does}"));
    let more = ["//…     say a line that begins with a slash", "Ctrl-C  stop the reply that runs, else end the chat"];
    commands.chain(more.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_only_when_it_is_one() {
        for (line, expected) in [
            ("", Line::Empty),
            (" \t", Line::Empty),
            ("hello / there", Line::Say("hello / there")),
            ("  hi ", Line::Say("hi")),
            ("/help", Line::Command(Command::Help)),
            (" /quit ", Line::Command(Command::Quit)),
            ("/id", Line::Command(Command::Id)),
            ("/hepl me", Line::Unknown("/hepl")),
            ("/help me", Line::Unknown("/help")),
            ("/", Line::Unknown("/")),
            ("//help", Line::Say("/help")),
            ("//", Line::Say("/")),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }

    #[test]
    fn help_lists_every_command() {
        let help: Vec<String> = help().collect();
        for (name, ..) in COMMANDS {
            assert!(help.iter().any(|line| line.starts_with(name)), "{name}: {help:?}");
        }
    }
}
