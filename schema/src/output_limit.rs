//! A provider's word for the length of a reply.

/// How the limit of a reply's length is named in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputLimit {
    /// As the server takes it: tried, and learned from its refusal.
    #[default]
    Auto,
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// Not sent.
    Omitted,
}
